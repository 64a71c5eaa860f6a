"""The function behind API Gateway and CloudFront: how clients are told apart, and what may not be gone around."""

import hashlib

import pytest

from service.api.http import Request
from service.aws_lambda.handler import Api
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining, answer
from tests.logging_capture import captured_log

SECRET = "the secret of CloudFront"
CLOUDFRONT, CLIENT = "198.51.100.9", "203.0.113.7"


@pytest.fixture
def api(start: Start) -> Api:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    return Api(start(SAYINGS_VOTE_RATE="3/hour", SAYINGS_TRUSTED_PROXIES="1", SAYINGS_ORIGIN_SECRET_SHA256=digest))


WAYS = {
    "by CloudFront": (CLOUDFRONT, "{forged}, 203.0.113.7, 198.51.100.9", SECRET),
    "directly": (CLIENT, "203.0.113.7", ""),
    "directly, with a forged address": (CLIENT, "{forged}, 203.0.113.7", ""),
    "directly, with a forged address and secret": (CLIENT, "{forged}, 203.0.113.7", "a guess"),
}


@pytest.mark.parametrize("payload", ["v1", "v2"])
@pytest.mark.parametrize("way", WAYS)
def test_no_way_gets_around_the_rate_of_an_address(api: Api, payload: str, way: str) -> None:
    peer, forwarded, secret = WAYS[way]

    statuses = [
        vote(api, payload, peer, X_Forwarded_For=forwarded.format(forged=f"6.6.6.{n}"), X_Origin_Secret=secret)
        for n in range(5)
    ]

    assert statuses == [415, 415, 415, 429, 429]


@pytest.mark.parametrize("payload", ["v1", "v2"])
def test_clients_of_cloudfront_are_told_apart(api: Api, payload: str) -> None:
    clients = [f"192.0.2.{n}, {CLOUDFRONT}" for n in range(9)]

    statuses = [vote(api, payload, CLOUDFRONT, X_Forwarded_For=each, X_Origin_Secret=SECRET) for each in clients]

    assert set(statuses) == {415}


@pytest.mark.parametrize("target", ["/%63ompare", "/compar%65", "/prod/compare"])
def test_no_other_spelling_gets_around_the_throttle_of_comparisons(api: Api, target: str) -> None:
    found = answer(api.handle(Asked("POST", target, b"{}", {"Content_Type": "application/json"}).v1(), Remaining()))

    assert found.error == (404, "route_not_found")


@pytest.mark.parametrize("payload", ["v1", "v2"])
def test_the_secret_goes_nowhere(api: Api, payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []

    def fail(request: Request, *_: object) -> None:
        seen.append(request)
        raise ZeroDivisionError

    monkeypatch.setattr(api._dispatcher, "_admit", fail)
    asked = Asked("GET", "/sayings", headers={"X_Origin_Secret": SECRET})
    with captured_log("DEBUG") as log:
        found = answer(api.handle(asked.v1() if payload == "v1" else asked.v2(), Remaining()))

    shown = [repr(seen), repr(seen[0].caller), found.body.decode(), repr(found.headers), *log.lines]
    assert found.status == 500
    assert seen[0].headers["X-Origin-Secret"] == SECRET
    assert not [text for text in shown if SECRET in text]


def vote(api: Api, payload: str, peer: str, **headers: str) -> int:
    """The status of a vote without a body, which is refused once it is counted."""
    asked = Asked("POST", "/feedback", headers={name: value for name, value in headers.items() if value})
    event = asked.v1() if payload == "v1" else asked.v2()
    event["requestContext"]["identity" if payload == "v1" else "http"]["sourceIp"] = peer
    return answer(api.handle(event, Remaining())).status
