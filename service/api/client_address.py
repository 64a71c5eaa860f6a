"""What trusted proxies say of a client, above all its address, by which rate limits and votes are counted.

The client must not be able to forge any of it.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

# Some proxies add a port. An IPv6 address is then in brackets, which show where the address ends.
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")
# A client with one IPv6 address usually has its whole /64 network, so all of its addresses count as one.
_NETWORK_BITS = 64
# No address with a port and brackets is longer.
_MAX_LENGTH = 64
# The header in which the outermost of our proxies, usually a CDN, brings the secret that only it knows.
ORIGIN_HEADER = "X-Origin-Secret"


class TrustedProxies:
    """The proxies in front of the service, whose X-Forwarded-… headers are believed.

    Where the origin can also be reached directly, anybody could send such headers. `secret_digests` are then the
    SHA-256 digests of the secrets of which the proxies' requests bring one. There are several while the secret is
    being changed. The secrets themselves are not needed here, so they cannot leak from here.
    """

    def __init__(self, count: int, secret_digests: Sequence[bytes] = ()) -> None:
        self.count = count
        self._secret_digests = tuple(secret_digests)

    def of(self, headers: Mapping[str, str]) -> int:
        """How many proxies this request came through: all of them, or none if it does not bring a secret."""
        if not self.count or not self._secret_digests:
            return self.count
        brought = hashlib.sha256(headers.get(ORIGIN_HEADER, "").encode(errors="replace")).digest()
        return self.count if any(hmac.compare_digest(brought, digest) for digest in self._secret_digests) else 0


def client_address(peer: str, forwarded: Iterable[str] = (), *, trusted_proxies: int = 0) -> str:
    """The client beyond the trusted proxies: an IPv4 address, an IPv6 /64 network, or "" when it is unknown.

    `peer` is the address that connected to us, and `forwarded` holds the X-Forwarded-For headers in their order. Every
    proxy appends the address of its own client, so the trusted entries are counted from the right, and everything
    further to the left can be forged. When there are fewer entries than proxies, the leftmost entry is used. When an
    entry is not an address, the next valid one to its right is used.
    """
    entries = _entries(forwarded) if trusted_proxies else []
    for entry in [*entries, peer][-(trusted_proxies + 1) :]:
        text = entry.strip()
        if len(text) <= _MAX_LENGTH and (address := _normal(text)):
            return address
    return ""


def forwarded_value(headers: Iterable[str], *, trusted_proxies: int) -> str:
    """What the outermost trusted proxy says in X-Forwarded-… headers of one name, "" without such a proxy or header.

    Some proxies append to the header, as to X-Forwarded-For, and others replace it. When there are fewer entries than
    proxies, the leftmost entry is the outermost proxy's.
    """
    entries = _entries(headers)[-trusted_proxies:] if trusted_proxies else []
    return entries[0].strip() if entries else ""


def _entries(headers: Iterable[str]) -> list[str]:
    return [entry for header in headers for entry in header.split(",")]


# Parsing an address takes as long as choosing a saying does, and clients come again.
@lru_cache(maxsize=4096)
def _normal(entry: str) -> str:
    """The canonical form of an address, in which it is counted, or "" for text that is not an address."""
    port = _WITH_PORT.fullmatch(entry)
    try:
        address = ip_address(port["six"] or port["four"] if port else entry)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        host_bits = 128 - _NETWORK_BITS
        return str(IPv6Network((int(address) >> host_bits << host_bits, _NETWORK_BITS)))
    return str(address)
