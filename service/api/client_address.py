"""The address that a request's votes are counted by: never one that the client could have made up."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_address

# A port is what some proxies add; the brackets around an IPv6 address then tell where that ends.
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")
# A client that has one address of such a network has all of them.
_NETWORK_BITS = 64


def client_address(peer: str, forwarded: Iterable[str] = (), *, trusted_proxies: int = 0) -> str:
    """The client beyond the trusted proxies: an IPv4 address, an IPv6 network, or "" when it is not known.

    `peer` is who connected to us and `forwarded` the X-Forwarded-For headers in their order: every proxy adds the one
    it was asked by at the right end, so that the trusted ones are counted from there and what stands further to the
    left is anybody's text. With fewer entries than proxies it is the leftmost. Instead of what is no address it is the
    nearest one on the way to us.
    """
    entries = [entry for header in forwarded for entry in header.split(",")] if trusted_proxies else []
    for entry in [*entries, peer][-(trusted_proxies + 1) :]:
        if address := _normal(entry.strip()):
            return address
    return ""


def _normal(entry: str) -> str:
    """The form in which an address is counted, or "" for text that is not an address."""
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
