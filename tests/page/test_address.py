"""The public address: only what is a host is repeated to others, and only trusted proxies may forward one."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from service.api.http import Caller, Request
from service.page.address import PublicAddress


class Secure(Caller):
    is_secure = True


class Forwarded(Caller):
    """Through a trusted proxy, which sets these headers."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def forwarded(self, header: str) -> str:
        return self._headers.get(header, "")


def asked(**headers: str) -> Request:
    return Request("GET", "/", CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))


def forwarded(**headers: str) -> Request:
    request = asked(**headers)
    return replace(request, caller=Forwarded(request.headers))


@pytest.mark.parametrize("host", ["example.com", "localhost:8080", "192.0.2.1", "[2001:db8::1]:443", "a"])
def test_it_is_the_host_of_the_request(host: str) -> None:
    assert PublicAddress().of(asked(Host=host)) == f"http://{host}"


def test_it_is_in_lower_case_and_secure_where_the_request_was() -> None:
    request = Request("GET", "/", {"Host": "Example.COM"}, caller=Secure())

    assert PublicAddress().of(request) == "https://example.com"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a/b", "user@example.com", 'a"><script>', "example.com:", "example.com:123456", "[::1", "-a", "a" * 254,
     "a.example, b.example", "example.com\n"],
)  # fmt: skip
def test_what_is_no_host_is_not_repeated(host: str) -> None:
    assert PublicAddress().of(asked(Host=host)) == ""


def test_trusted_proxies_forward_the_host() -> None:
    hosts = {"Host": "origin.example", "X_Forwarded_Host": "public.example"}

    assert PublicAddress().of(forwarded(**hosts)) == "http://public.example"
    assert PublicAddress().of(asked(**hosts)) == "http://origin.example"
    assert PublicAddress().of(forwarded(Host="origin.example")) == "http://origin.example"


def test_the_operators_address_takes_precedence() -> None:
    request = forwarded(Host="a.example", X_Forwarded_Host="b.example")

    assert PublicAddress("https://sayings.example").of(request) == "https://sayings.example"
