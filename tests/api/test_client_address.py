"""The address of a request comes from the trusted proxies, whatever the client claims."""

import hashlib

import pytest
from multidict import CIMultiDict

from service.api.client_address import TrustedProxies, client_address
from service.aws_lambda.gateway_events import Payload, request_line

PEER = "192.0.2.1"
FORGED = "6.6.6.6"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        # No proxy is trusted: whatever the header says is the client's own text.
        (0, [], PEER),
        (0, [FORGED], PEER),
        (0, [f"{FORGED}, 10.0.0.1", "10.0.0.2"], PEER),
        # One proxy, which is the peer: it has added the client at the right end.
        (1, ["203.0.113.7"], "203.0.113.7"),
        (1, [f"{FORGED}, 203.0.113.7"], "203.0.113.7"),
        (1, [f"{FORGED}, {FORGED},{FORGED} ,203.0.113.7"], "203.0.113.7"),
        (1, [FORGED, "203.0.113.7"], "203.0.113.7"),
        (1, [FORGED, f"{FORGED}, 203.0.113.7"], "203.0.113.7"),
        # Two of them, the further one added by the nearer one.
        (2, [f"{FORGED}, 203.0.113.7, 198.51.100.2"], "203.0.113.7"),
        (2, [f"{FORGED}, 203.0.113.7", "198.51.100.2"], "203.0.113.7"),
        (2, [f"203.0.113.7, {PEER}"], "203.0.113.7"),
        # Fewer than there should be: the client has gone around a proxy.
        (1, [], PEER),
        (2, ["203.0.113.7"], "203.0.113.7"),
        (9, ["203.0.113.7, 198.51.100.2"], "203.0.113.7"),
        # What is no address gives way to the nearest one on our side of it.
        (1, ["unknown"], PEER),
        (1, [f"{FORGED}, _hidden"], PEER),
        (1, [""], PEER),
        (1, [f"{FORGED}, "], PEER),
        (1, ["203.0.113.7.8"], PEER),
        (1, ["203.0.113.256"], PEER),
        (1, ["2130706433"], PEER),
        (1, ["203.0.113.7\r\nX: y"], PEER),
        (1, ["\u0661.2.3.4"], PEER),
        (1, ["<script>"], PEER),
        (1, ["x" * 8_000], PEER),
        (2, [f"{FORGED}, nobody, 198.51.100.2"], "198.51.100.2"),
        (2, [f"{FORGED}, nobody, nobody"], PEER),
        # With a port, as some proxies have it.
        (1, ["203.0.113.7:4711"], "203.0.113.7"),
        (1, ["[2001:db8:1:2::7]:4711"], "2001:db8:1:2::/64"),
        (1, ["[2001:db8:1:2::7]"], "2001:db8:1:2::/64"),
        # IPv6: a client with one address of a network has all of them; a mapped IPv4 address is an IPv4 address.
        (1, ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (1, ["2001:DB8:1:2::FFFF"], "2001:db8:1:2::/64"),
        (1, ["fe80::1%eth0"], "fe80::/64"),
        (1, ["::ffff:203.0.113.7"], "203.0.113.7"),
        (1, ["[::ffff:203.0.113.7]:4711"], "203.0.113.7"),
    ],
)
def test_the_client_is_counted_from_the_right(proxies: int, forwarded: list[str], expected: str) -> None:
    assert client_address(PEER, forwarded, trusted_proxies=proxies) == expected


@pytest.mark.parametrize("peer", ["", "unix:", "localhost"])
def test_a_peer_without_an_address_gives_an_empty_one(peer: str) -> None:
    assert client_address(peer) == ""
    assert client_address(peer, ["nobody"], trusted_proxies=1) == ""


def test_one_ipv6_network_is_one_client() -> None:
    first, second, third = map(client_address, ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"))

    assert first == second != third


@pytest.mark.parametrize("payload", [Payload.V1, Payload.V2])
@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, PEER, PEER),
        (0, f"{FORGED}, {PEER}", PEER),
        (0, None, PEER),
        # CloudFront in front of it: API Gateway has added CloudFront, which is its peer, itself.
        (1, f"203.0.113.7, {PEER}", "203.0.113.7"),
        (1, f"{FORGED}, 203.0.113.7, {PEER}", "203.0.113.7"),
        (1, PEER, PEER),
        (1, None, PEER),
    ],
)
def test_api_gateway_counts_once(payload: Payload, proxies: int, forwarded: str | None, expected: str) -> None:
    context = (
        {"http": {"method": "GET", "sourceIp": PEER}} if payload is Payload.V2 else {"identity": {"sourceIp": PEER}}
    )
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    event = {"httpMethod": "GET", "path": "/", "rawPath": "/", "headers": headers, "requestContext": context}

    request = request_line(event, payload, proxies=TrustedProxies(proxies))

    assert request.caller.address == expected


@pytest.mark.parametrize("context", [None, 7, {}, {"identity": None}, {"identity": {"sourceIp": 7}}])
def test_an_event_without_an_address_gives_an_empty_one(context: object) -> None:
    event = {"httpMethod": "GET", "path": "/", "requestContext": context}

    assert request_line(event, Payload.V1).caller.address == ""


CURRENT, PREVIOUS = "the secret of today", "the secret before"
DIGESTS = [hashlib.sha256(secret.encode()).digest() for secret in (CURRENT, PREVIOUS)]


@pytest.mark.parametrize("secret", [CURRENT, PREVIOUS])
def test_proxies_that_bring_a_secret_are_believed(secret: str) -> None:
    headers = CIMultiDict({"x-origin-secret": secret})

    assert TrustedProxies(2, DIGESTS).of(headers) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"X-Origin-Secret": ""}, {"X-Origin-Secret": CURRENT.upper()}, {"X-Origin-Secret": f"{CURRENT}, {CURRENT}"},
        {"X-Origin-Secret": DIGESTS[0].hex()}, {"X-Origin-Secret": "\udcff"}, {"X-Origin": CURRENT},
    ],
)  # fmt: skip
def test_without_the_secret_nobody_is_believed(headers: dict[str, str]) -> None:
    assert TrustedProxies(2, DIGESTS).of(CIMultiDict(headers)) == 0


def test_where_no_secret_is_set_none_is_asked_for() -> None:
    assert TrustedProxies(2).of({}) == 2
    assert TrustedProxies(0, DIGESTS).of({"X-Origin-Secret": CURRENT}) == 0
