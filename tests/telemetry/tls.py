"""Certificates for a server with an authority of its own, and for clients that it wants to know."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Everything in a company is at a name that only its proxy can resolve.
DOMAIN = "company.test"
_NAMES = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(f"*.{DOMAIN}")]


@dataclass(frozen=True)
class Certificates:
    """Files of an authority of one's own, and of what it has signed for a server and for a client."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def open_context(self) -> ssl.SSLContext:
        """For a server that takes any client."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        context.load_cert_chain(self.server, self.server_key)
        return context

    def context(self) -> ssl.SSLContext:
        """For a server that takes only clients with a certificate."""
        context = self.open_context()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def credentials(self) -> grpc.ServerCredentials:
        pair = self.server_key.read_bytes(), self.server.read_bytes()
        return grpc.ssl_server_credentials([pair], self.authority.read_bytes(), require_client_auth=True)


def certificates(folder: Path) -> Certificates:
    root, root_key = _signed("authority", None, None)
    files = {"authority": root}
    keys = {}
    for name in ("server", "client"):
        files[name], keys[name] = _signed(name, root, root_key)
    for name, certificate in files.items():
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for name, key in keys.items():
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    names = ("authority.pem", "server.pem", "server.key", "client.pem", "client.key")
    return Certificates(*(folder / name for name in names))


def _signed(
    name: str, issuer: x509.Certificate | None, issuer_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return builder.sign(issuer_key or key, hashes.SHA256()), key
