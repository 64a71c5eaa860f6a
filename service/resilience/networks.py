"""The networks by which a client is bounded: its address, and for IPv6 also its site."""

from functools import lru_cache
from ipaddress import IPv6Network

# A provider often gives a customer a whole /48, which is 65,536 networks of /64.
_SITE_BITS = 48
# A site may be many people, so that all of it together may do a few times as much as one address.
SITE_SHARE = 4


# Behind a proxy this is asked with every request, and clients come again.
@lru_cache(maxsize=4096)
def networks(address: str) -> tuple[tuple[str, int], ...]:
    """The networks whose use is bounded, with how many times one address's allowance each of them has.

    `address` is the result of `client_address`. An IPv4 address stands for itself, an IPv6 /64 network for itself and
    for its /48. An unknown address has none, because it does not belong to a client on the network.
    """
    if not address:
        return ()
    if ":" not in address:
        return ((address, 1),)
    site = IPv6Network(address).supernet(new_prefix=_SITE_BITS)
    return (address, 1), (str(site), SITE_SHARE)
