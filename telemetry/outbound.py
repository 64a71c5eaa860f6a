"""How connections leave the process: through which proxy, and which certificate authorities they trust.

It is a part of telemetry because that is the lowest layer that connects to anything.
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

PROXY_VARIABLE = "SAYINGS_HTTPS_PROXY"
AUTHORITIES_VARIABLE = "SSL_CERT_FILE"

# What a user or a password may consist of in a URL: ASCII, because the libraries encode other characters differently.
_WORD = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[2-7][0-9A-Fa-f])+"
# With its port, because the libraries have different ones by default.
_PROXY = re.compile(rf"http://(?:{_WORD}(?::{_WORD})?@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{{0,4}})/?")
_LAST_PORT = 65_535
# The variables of other programs, in capitals or not.
_PROXIES_OF_OTHERS = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy"})


class SettingError(ValueError):
    """A variable that cannot be used."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Outbound:
    """The way of all connections to vendors, to AWS and to OTLP endpoints.

    `proxy` is a URL, which may hold a user and a password, or "". `authorities` is a file of certificates in PEM, or ""
    for the authorities that a library trusts by itself.
    """

    proxy: str = field(default="", repr=False)
    authorities: str = ""

    def proxy_for(self, url: str) -> str:
        """The proxy for an address, or "". Only HTTPS goes through it, and nothing that stays on this machine."""
        parts = urlsplit(url)
        return "" if parts.scheme != "https" or _is_this_machine(parts.hostname or "") else self.proxy


DIRECT = Outbound()


def read_outbound(environ: Mapping[str, str]) -> Outbound:
    """Read the variables. Raises SettingError, whose text has nothing of the proxy's address in it."""
    proxy, authorities = environ.get(PROXY_VARIABLE, ""), environ.get(AUTHORITIES_VARIABLE, "")
    if proxy:
        _check_proxy(proxy)
    if authorities:
        _check_authorities(Path(authorities))
    return Outbound(proxy.rstrip("/"), authorities)


def forget_proxies_of_others() -> None:
    """Remove the usual variables for proxies from the environment of this process.

    We tell each library which proxy to use. But gRPC obeys NO_PROXY all the same, and the AWS SDK sends even its
    requests to the metadata service of EC2, for credentials, through HTTP_PROXY.
    """
    for name in [name for name in os.environ if name.lower() in _PROXIES_OF_OTHERS]:
        del os.environ[name]


def _check_proxy(proxy: str) -> None:
    found = _PROXY.fullmatch(proxy)
    if found is None or int(found[1]) > _LAST_PORT:
        problem = "must be http://host:port or http://user:password@host:port, with both percent-encoded"
        raise SettingError(PROXY_VARIABLE, problem)


def _check_authorities(file: Path) -> None:
    if not file.is_file():
        raise SettingError(AUTHORITIES_VARIABLE, "there is no such file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:  # which is an OSError, too
        raise SettingError(AUTHORITIES_VARIABLE, "the file has no certificates in it, or broken ones") from None
    except OSError as error:
        raise SettingError(AUTHORITIES_VARIABLE, f"the file cannot be read: {error.strerror}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
