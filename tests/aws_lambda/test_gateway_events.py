"""Whatever event arrives gets an answer that API Gateway can use, and never an exception."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.api.http import BODY_BYTES
from service.aws_lambda.handler import Api
from service.limits import DEFAULT_LIMITS
from telemetry.events import DependencyFailed, RequestServed, Unexpected
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining, answer
from tests.http.conftest import SIMULATED
from tests.http.wire import Answer
from tests.support import RecordingListener

GET = Asked("GET", "/health/live")
VOTE = Asked(
    "POST",
    "/feedback",
    json.dumps({"saying": "Who said so?", "source": SIMULATED.source, "feedbackType": "POSITIVE"}).encode(),
    {"Content_Type": "application/json", "Cookie": f"sayings_voter={'v' * 32}"},
)
INVALID, TOO_LARGE = (400, "invalid_request"), (413, "body_too_large")
TOO_LONG = "x" * DEFAULT_LIMITS.target_bytes
UNKNOWN_SAYING = (404, "saying_not_found")  # which means that the whole request was understood


@pytest.fixture
def ask(api: Api) -> Callable[[object], Answer]:
    return lambda event: answer(api.handle(event, Remaining()))


Ask = Callable[[object], Answer]


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


@pytest.mark.parametrize(
    "event",
    [
        None, True, 7, 1.5, "text", [], [GET.v1()], {}, {"version": "2.0"}, {"version": "1.0"},
        {"httpMethod": "GET"}, {"path": "/sayings"}, {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        without(GET.v2(), "requestContext"), without(GET.v2(), "version"), without(GET.v2(), "rawPath"),
        GET.v2() | {"requestContext": None}, GET.v2() | {"requestContext": {"http": None}},
        GET.v2() | {"requestContext": {"http": {"method": 7}}}, GET.v2() | {"rawPath": 7},
        GET.v2() | {"version": "3.0"}, GET.v2() | {"version": 2.0}, GET.v1() | {"version": "0.9"},
        GET.v1() | {"httpMethod": None}, GET.v1() | {"httpMethod": 7}, GET.v1() | {"path": ["/sayings"]},
        {"warmup": "true"}, {"warmup": False}, {"source": "aws.s3"}, {"source": ["aws.events"]},
    ],
    ids=lambda event: repr(event)[:80],
)  # fmt: skip
def test_what_is_no_event_of_api_gateways_is_refused_and_logged(
    ask: Ask, events: RecordingListener, event: object
) -> None:
    found = ask(event)

    assert found.error == INVALID
    assert [failure.dependency for failure in events.of(DependencyFailed)] == ["gateway"]


@pytest.mark.parametrize(
    "event",
    [
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "resources": []},
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"},
        {"warmup": True},
    ],
    ids=str,
)
def test_a_schedule_or_a_warm_up_is_no_request(api: Api, events: RecordingListener, event: object) -> None:
    results = [api.handle(event, Remaining()) for _ in range(2)]

    assert results == [{"warm": True}] * 2
    assert not events.of(RequestServed)


ODD_BUT_WHOLE = {
    "v1 without a context": without(GET.v1(), "requestContext"),
    "v1 with a null for a context": GET.v1() | {"requestContext": None},
    "v1 with nulls": GET.v1()
    | dict.fromkeys(
        ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "stageVariables")
    ),
    "v1 with parameters without a value": GET.v1() | {"queryStringParameters": {"a": None}},
    "v1 with multi-value parameters only": without(GET.v1(), "queryStringParameters")
    | {"multiValueQueryStringParameters": {"a": ["1", "2"]}},
    "v1 of an HTTP API": GET.v1()
    | {"version": "1.0", "path": "/prod/health/live", "requestContext": {"stage": "prod"}},
    "v1 by a load balancer": {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b"}},
        "httpMethod": "GET", "path": "/health/live", "headers": {"host": "x"}, "body": "", "isBase64Encoded": False,
    },
    "v2 without headers": GET.v2() | {"headers": None},
    "v2 without a query": without(GET.v2(), "rawQueryString"),
    "v2 with a number for a query": GET.v2() | {"rawQueryString": 7},
    "v2 with a stage": GET.v2()
    | {"rawPath": "/prod/health/live", "requestContext": {"stage": "prod", "http": {"method": "GET"}}},
    "v2 with a number for a stage": GET.v2() | {"requestContext": {"stage": 7, "http": {"method": "GET"}}},
    "v2 with cookies that are none": GET.v2() | {"cookies": [None, 7, "a=b"]},
    "headers that are numbers": GET.v2() | {"headers": {"content-type": 7, "host": None, "cookie": ["a"]}},
    "header lists that are none": GET.v1() | {"multiValueHeaders": {"Accept": [None], "X": "y"}},
}  # fmt: skip


@pytest.mark.parametrize("event", ODD_BUT_WHOLE.values(), ids=ODD_BUT_WHOLE.keys())
def test_what_is_not_needed_may_be_missing_null_or_odd(ask: Ask, event: object) -> None:
    assert ask(event).status == 200


@pytest.mark.parametrize("stage", ["sayings", "$default", "prod", ""])
def test_a_stage_is_taken_off_the_path_only_where_it_is_one(ask: Ask, stage: str) -> None:
    event = Asked("GET", "/sayings").v2()
    event["requestContext"]["stage"] = stage

    assert ask(event).status == 200


def test_without_a_stage_nothing_is_taken_off(ask: Ask) -> None:
    event = Asked("GET", "/None/health/live").v2()
    del event["requestContext"]["stage"]

    assert ask(event).status == 404


VOTER = VOTE.headers["Cookie"]
VOTES = {
    "v1": VOTE.v1(),
    "v2": VOTE.v2(),
    "v1 with headers only": VOTE.v1() | {"multiValueHeaders": None},
    "v1 with multi-value headers only": VOTE.v1() | {"headers": None},
    "v1 in base64": VOTE.v1() | VOTE.base64_body(),
    "v2 in base64": VOTE.v2() | VOTE.base64_body(),
    "mixed-case headers": VOTE.v1()
    | {
        "headers": {"cOnTeNt-TyPe": "application/json", "cOOkie": VOTER},
        "multiValueHeaders": {"CONTENT-type": ["application/json"]},
    },
    "header lists of nothing": VOTE.v1()
    | {"multiValueHeaders": {"Content-Encoding": [], "Content-Type": ["application/json"]}},
    "v1 with two cookie headers": VOTE.v1()
    | {"multiValueHeaders": {"Cookie": ["a=b", VOTER], "Content-Type": ["application/json"]}},
    "v2 with the cookie as a header": without(VOTE.v2(), "cookies")
    | {"headers": {"content-type": "application/json", "cookie": VOTER}},
}


@pytest.mark.parametrize("event", VOTES.values(), ids=VOTES.keys())
def test_a_vote_and_its_voter_are_understood_in_every_form(ask: Ask, event: object) -> None:
    found = ask(event)

    assert found.error == UNKNOWN_SAYING
    assert "Set-Cookie" not in found.headers  # which a new voter would get


@pytest.mark.parametrize("form", [Asked.v1, Asked.v2])
@pytest.mark.parametrize("in_base64", [False, True])
@pytest.mark.parametrize(
    ("size", "error"), [(BODY_BYTES, INVALID), (BODY_BYTES + 1, TOO_LARGE), (1_000_000, TOO_LARGE)]
)
def test_a_body_may_be_as_long_as_at_the_server(
    ask: Ask, form: Callable[[Asked], dict[str, Any]], in_base64: bool, size: int, error: tuple[int, str]
) -> None:
    text = "{".ljust(size)
    body = base64.b64encode(text.encode()).decode() if in_base64 else text

    assert ask(form(VOTE) | {"body": body, "isBase64Encoded": in_base64}).error == error


@pytest.mark.parametrize("form", [Asked.v1, Asked.v2])
@pytest.mark.parametrize(
    "body",
    [
        {"body": None}, {"body": ""}, {"body": 7}, {"body": {"saying": "x"}}, {"body": "\ud800"},
        {"body": "%%%", "isBase64Encoded": True}, {"body": "e30", "isBase64Encoded": True},
        {"body": "é", "isBase64Encoded": True}, {"body": "AAAA", "isBase64Encoded": True},
        {"body": VOTE.base64_body()["body"], "isBase64Encoded": False},
        {"body": VOTE.base64_body()["body"], "isBase64Encoded": "true"},
    ],
    ids=repr,
)  # fmt: skip
def test_an_event_with_an_invalid_body_is_refused(
    ask: Ask, form: Callable[[Asked], dict[str, Any]], body: dict[str, object]
) -> None:
    assert ask(form(VOTE) | body).error == INVALID


@pytest.mark.parametrize(
    "event",
    [
        Asked("GET", "/" + TOO_LONG).v1(),
        Asked("GET", "/" + TOO_LONG).v2(),
        Asked("GET", "/sayings?x=" + TOO_LONG).v1(),
        Asked("GET", "/sayings?x=" + TOO_LONG).v2(),
        without(Asked("GET", "/sayings?x=" + TOO_LONG).v1(), "multiValueQueryStringParameters"),
        Asked("GET", "/sayings").v1() | {"multiValueQueryStringParameters": {"x": ["\ud800" * 1_000, "y" * 7_000]}},
    ],
    ids=["v1 path", "v2 path", "v1 query", "v2 query", "v1 single values", "v1 that is no text"],
)
def test_an_address_that_the_server_would_not_take_is_refused(ask: Ask, event: object) -> None:
    assert ask(event).error == INVALID


def test_a_header_does_not_decide_address_or_scheme(start: Start, tmp_path: Path) -> None:
    # Given a client that claims to come from elsewhere and without TLS
    forged = {"X_Forwarded_For": "127.0.0.1, <script>", "X_Forwarded_Proto": "http", "Forwarded": "proto=http"}
    process = start()
    process.run(process.resources.store.put_sayings([SIMULATED]), Remaining())
    vote = Asked(
        "POST",
        "/feedback",
        json.dumps({"saying": SIMULATED.text, "source": SIMULATED.source, "feedbackType": "POSITIVE"}).encode(),
        {"Content_Type": "application/json"} | forged,
    )

    found = [answer(Api(process).handle(event, Remaining())) for event in (vote.v1(), vote.v2())]

    assert all("Secure" in each.headers["Set-Cookie"] for each in found)
    assert not any("script" in repr(each) for each in found)


@pytest.mark.parametrize("payload", ["v1", "v2"])
def test_the_rate_of_an_address_holds_here_too(start: Start, payload: str) -> None:
    api = Api(start(SAYINGS_VOTE_RATE="1/hour"))
    event = VOTE.v1() if payload == "v1" else VOTE.v2()

    first, second = (answer(api.handle(event, Remaining())) for _ in range(2))

    assert first.error == UNKNOWN_SAYING
    assert second.error == (429, "rate_limited")
    assert int(second.headers["Retry-After"]) > 3500


JUNK: list[object] = [
    None, True, 0, -1.5, "", "x", "\ud800", "\x00%ff%zz", [], [None], ["x", 7], {}, {"x": None}, {"": ["\ud800"]},
    {"content-type": [["deep"]]},
]  # fmt: skip


@pytest.mark.parametrize("whole", [VOTE.v1(), VOTE.v2()], ids=["v1", "v2"])
def test_no_junk_in_any_place_of_an_event_is_an_exception(
    ask: Ask, events: RecordingListener, whole: dict[str, Any]
) -> None:
    for path in _places(whole):
        for junk in JUNK:
            event = _with(whole, path, junk)

            status = ask(event).status

            assert status in (400, 404, 405, 415), (path, junk, status)
    assert not events.of(Unexpected)


def _places(part: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all nested values."""
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [place for key, value in inside for place in [(*path, key), *_places(value, (*path, key))]]


def _with(event: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    part: Any = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return changed
