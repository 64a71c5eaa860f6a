"""A client is bounded by its address, and an IPv6 client by its site too."""

import pytest

from service.resilience.networks import SITE_SHARE, networks


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", (("203.0.113.7", 1),)),
        ("2001:db8:1:2::/64", (("2001:db8:1:2::/64", 1), ("2001:db8:1::/48", SITE_SHARE))),
        ("", ()),
    ],
)
def test_ipv6_is_bounded_by_site_too(address: str, expected: tuple[tuple[str, int], ...]) -> None:
    assert networks(address) == expected
