"""Whatever event arrives gets an answer that its sender can use, and never an exception."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.api.http import BODY_BYTES
from service.aws_lambda.gateway_events import CATCH_ALL
from service.aws_lambda.handler import Api
from service.limits import DEFAULT_LIMITS
from telemetry.events import DependencyFailed, RequestServed, Unexpected
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining, alb_answer, answer
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


IN_PROXY = {"resource": CATCH_ALL, "pathParameters": {"proxy": "health/live"}}
BY_PROXY = {"routeKey": f"GET {CATCH_ALL}", "pathParameters": {"proxy": "health/live"}}
# The ways on which a path arrives: how it is changed, and what the event says beside it.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "REST, a base path": ("/fun/health/live", IN_PROXY),
    "REST, a base path like a route": ("/sayings/health/live", IN_PROXY),
    "REST, a base path of two parts, and the stage": ("/fun/games/prod/health/live", IN_PROXY),
    "REST, the stage": ("/prod/health/live", IN_PROXY),
    "REST, a base path before a resource": ("/fun/health/live", {"resource": "/health/live", "pathParameters": None}),
    "REST, a base path before a part of its own": (
        "/fun/health/live", {"resource": "/health/{what}", "pathParameters": {"what": "live"}},
    ),
    "REST, an encoded path": ("/fun/health/%6Cive", IN_PROXY),
    "v1 of an HTTP API, the stage": ("/prod/health/live", {"resource": "$default", "pathParameters": None}),
    "v1 without parameters": ("/prod/health/live", {"resource": CATCH_ALL, "pathParameters": None}),
    "v2, the stage": ("/prod/health/live", {"routeKey": "$default"}),
    "v2, a base path": ("/fun/health/live", BY_PROXY),
    "v2, the stage, with a greedy route": ("/prod/health/live", BY_PROXY),
    "v2, a route of its own": ("/prod/health/live", {"routeKey": "GET /health/live"}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_base_paths_and_stages_are_taken_off(ask: Ask, way: str) -> None:
    path, said = WAYS[way]
    event = GET.v2() | {"rawPath": path} if "routeKey" in said else GET.v1() | {"path": path}
    event["requestContext"]["stage"] = "prod"

    assert ask(event | said).status == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [("/sayings", None), ("/sayings/best", None), (f"/sayings/{'0' * 32}", (404, "saying_not_found"))],
)
@pytest.mark.parametrize("stage", ["sayings", "$default", "prod", ""])
def test_a_stage_may_have_the_name_of_a_route(ask: Ask, stage: str, path: str, error: tuple[int, str] | None) -> None:
    rest, http = Asked("GET", path).v1(), Asked("GET", path).v2()
    for event in (rest, http):
        event["requestContext"]["stage"] = stage
    if stage not in ("", "$default"):
        http["rawPath"] = f"/{stage}{path}"

    found = [ask(event) for event in (rest, http)]

    assert [each.status for each in found] == [200 if error is None else error[0]] * 2
    assert error is None or [each.error for each in found] == [error] * 2


@pytest.mark.parametrize("event", [Asked("GET", "/None/health/live").v2(), Asked("GET", "/fun/health/live").v1()])
def test_what_is_neither_a_stage_nor_a_base_path_stays(ask: Ask, event: dict[str, Any]) -> None:
    event["requestContext"].pop("stage")

    assert ask(event).error == (404, "route_not_found")


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
    "v1 with cookies under two spellings": VOTE.v1()
    | {"multiValueHeaders": {"cookie": ["a=b"], "Cookie": [VOTER], "Content-Type": ["application/json"]}},
    "v2 with the cookie as a header": without(VOTE.v2(), "cookies")
    | {"headers": {"content-type": "application/json", "cookie": VOTER}},
    "v2 with the cookie as a header beside an empty list": VOTE.v2()
    | {"headers": {"content-type": "application/json", "cookie": VOTER}, "cookies": []},
    "v2 with two cookies": VOTE.v2() | {"cookies": ["a=b", VOTER]},
    "identity as the coding": Asked(
        VOTE.method, VOTE.target, VOTE.body, VOTE.headers | {"Content_Encoding": "Identity"}
    ).v1(),
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


class TestLoadBalancer:
    """An Application Load Balancer in front of the function, with multi-value headers switched off or on."""

    @pytest.fixture(params=[False, True], ids=["headers", "lists"])
    def lists(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def send(self, api: Api, lists: bool) -> Callable[[Asked], Answer]:
        return lambda asked: self.sent(api, asked, lists=lists)

    @staticmethod
    def sent(api: Api, asked: Asked, *, lists: bool) -> Answer:
        event = asked.alb_lists() if lists else asked.alb()
        return alb_answer(api.handle(event, Remaining()), lists=lists)

    def test_a_voter_is_recognised(self, send: Callable[[Asked], Answer]) -> None:
        with_cookies = Asked(VOTE.method, VOTE.target, VOTE.body, VOTE.headers | {"Cookie": f"a=b; {VOTER}"})

        found = send(with_cookies)

        assert found.error == UNKNOWN_SAYING
        assert "Set-Cookie" not in found.headers

    def test_a_new_voter_gets_a_cookie(self, send: Callable[[Asked], Answer]) -> None:
        found = send(Asked("GET", "/sayings?attribution=random&service=Amazon%20S3"))

        assert found.status == 200
        assert found.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")

    def test_a_query_is_decoded_once(self, send: Callable[[Asked], Answer]) -> None:
        found = send(Asked("GET", "/sayings/best?service=Amazon%20S3&order=new"))

        assert (found.json["service"], found.json["order"]) == ("Amazon S3", "new")

    def test_an_error_has_its_status(self, send: Callable[[Asked], Answer]) -> None:
        assert send(Asked("DELETE", "/sayings")).error == (405, "method_not_allowed")

    def test_the_address_is_the_one_that_the_load_balancer_adds(self, start: Start, lists: bool) -> None:
        api = Api(start(SAYINGS_VOTE_RATE="1/hour"))
        forged = [
            Asked(VOTE.method, VOTE.target, VOTE.body, VOTE.headers | {"X_Forwarded_For": f"192.0.2.{n}"})
            for n in range(2)
        ]

        first, second = (self.sent(api, each, lists=lists) for each in forged)

        assert first.error == UNKNOWN_SAYING
        assert second.error == (429, "rate_limited")

    def test_behind_a_trusted_proxy_the_address_is_the_one_before_it(self, start: Start, lists: bool) -> None:
        api = Api(start(SAYINGS_VOTE_RATE="1/hour", SAYINGS_TRUSTED_PROXIES="1"))
        clients = [
            Asked(VOTE.method, VOTE.target, VOTE.body, VOTE.headers | {"X_Forwarded_For": f"192.0.2.{n}"})
            for n in (1, 2, 1)
        ]

        statuses = [self.sent(api, each, lists=lists).status for each in clients]

        assert statuses == [404, 404, 429]

    def test_a_cookie_over_plain_http_is_not_secure(self, api: Api) -> None:
        event = Asked("GET", "/sayings?attribution=random").alb()
        event["headers"]["x-forwarded-proto"] = "http"

        found = alb_answer(api.handle(event, Remaining()))

        assert found.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Lax")


JUNK: list[object] = [
    None, True, 0, -1.5, "", "x", "\ud800", "\x00%ff%zz", [], [None], ["x", 7], {}, {"x": None}, {"": ["\ud800"]},
    {"content-type": [["deep"]]},
]  # fmt: skip


@pytest.mark.parametrize("whole", [VOTE.v1(), VOTE.v2(), VOTE.alb()], ids=["v1", "v2", "alb"])
def test_no_junk_in_any_place_of_an_event_is_an_exception(
    api: Api, events: RecordingListener, whole: dict[str, Any]
) -> None:
    for path in _places(whole):
        for junk in JUNK:
            event = _with(whole, path, junk)

            status = api.handle(event, Remaining())["statusCode"]

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
