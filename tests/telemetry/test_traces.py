"""A request belongs to the right trace, the trace is kept when it should be, and its logs carry its id."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict
from opentelemetry.sdk.trace import ReadableSpan

from service.api.http import Caller, Request
from service.aws_lambda.gateway_events import Payload, request_line
from telemetry import traces
from telemetry.events import (
    ComparisonFinished,
    Event,
    ModelCalled,
    ModelReport,
    RequestServed,
    RoundFinished,
    SqliteCalled,
    VoteTaken,
)
from telemetry.notes import Finished, NoteTaker
from telemetry.spans import SpanMaker, resource_of
from telemetry.story import MOST_LETTERS
from telemetry.traces import MOST_NOTES
from tests.logging_capture import captured_log
from tests.telemetry.composition import SAMPLED, TRACE_ID, Composition, sampler

EPOCH, REST, PARENT = "6a2b3c4d", "0123456789abcdef01234567", "53995c3f42cd8ad8"
ROOT = f"Root=1-{EPOCH}-{REST}"
W3C_ID, W3C_PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{W3C_ID}-{W3C_PARENT}-01"


def header(value: str) -> dict[str, str]:
    return {"X-Amzn-Trace-Id": value}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (header(f"{ROOT};Parent={PARENT};Sampled=1"), (TRACE_ID, PARENT, True)),
        (header(f"{ROOT};Parent={PARENT};Sampled=0"), (TRACE_ID, PARENT, False)),
        (header(f"{ROOT};Parent={PARENT};Sampled=?"), (TRACE_ID, PARENT, None)),
        (header(f"{ROOT};Parent={PARENT}"), (TRACE_ID, PARENT, None)),
        (header(f"{ROOT};Sampled=1"), (TRACE_ID, "", True)),
        (header(ROOT), (TRACE_ID, "", None)),
        (header(f"Self=1-67891234-12456789abcdef012345678a;{ROOT}"), (TRACE_ID, "", None)),
        (header(f"Sampled=1; Parent={PARENT}; {ROOT}; Lineage=a:1"), (TRACE_ID, PARENT, True)),
        ({"x-amzn-trace-id": f"{ROOT};Parent={PARENT};Sampled=1"}, (TRACE_ID, PARENT, True)),
        ({"traceparent": TRACEPARENT}, (W3C_ID, W3C_PARENT, True)),
        ({"Traceparent": f"00-{W3C_ID}-{W3C_PARENT}-00"}, (W3C_ID, W3C_PARENT, False)),
        ({"traceparent": f"00-{W3C_ID}-{W3C_PARENT}-03"}, (W3C_ID, W3C_PARENT, True)),
        # Later versions begin like version 00, and may go on.
        ({"traceparent": f"01-{W3C_ID}-{W3C_PARENT}-01"}, (W3C_ID, W3C_PARENT, True)),
        ({"traceparent": f"cc-{W3C_ID}-{W3C_PARENT}-00-what-the_future.will be like"}, (W3C_ID, W3C_PARENT, False)),
        (header(f"{ROOT};Parent={PARENT}") | {"traceparent": TRACEPARENT}, (TRACE_ID, PARENT, None)),
        # A load balancer's own root beside a caller that speaks W3C.
        (header(ROOT) | {"traceparent": TRACEPARENT}, (W3C_ID, W3C_PARENT, True)),
        (header(ROOT) | {"traceparent": "junk"}, (TRACE_ID, "", None)),
        (header("junk") | {"traceparent": TRACEPARENT}, (W3C_ID, W3C_PARENT, True)),
    ],
)
def test_a_trace_is_the_callers(headers: Mapping[str, str], expected: tuple[str, str, bool | None]) -> None:
    trace = traces.begin(CIMultiDict(headers))

    assert (trace.trace_id, trace.parent_id, trace.asked) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        header(""),
        header("Root="),
        header(f"Root=2-{EPOCH}-{REST}"),
        header(f"Root=1-{EPOCH}-{REST}0"),
        header(f"Root=1-{'0' * 8}-{'0' * 24}"),
        header(f"Root=1-{EPOCH.upper()}-{REST.upper()}"),
        header(f"Root=1-{EPOCH}-{REST[:-1]}\N{ARABIC-INDIC DIGIT ONE}"),
        header("Root=1-<script>-alert(1)"),
        header("Parent=" + "A" * 8_000),
        {"traceparent": TRACEPARENT + "\n"},
        {"traceparent": "ff" + TRACEPARENT[2:]},
        {"traceparent": f"00-{'0' * 32}-{W3C_PARENT}-01"},
        {"traceparent": f"00-{W3C_ID}-{'0' * 16}-01"},
        {"traceparent": TRACEPARENT + "-01"},
        {"traceparent": f"01-{W3C_ID}-{W3C_PARENT}-01.what-the-future-will-not-be-like"},
        {"traceparent": f"0-{W3C_ID}-{W3C_PARENT}-01"},
        {"traceparent": TRACEPARENT.upper()},
        {"traceparent": f"{TRACEPARENT}, {TRACEPARENT}"},
    ],
)
def test_what_is_no_trace_gets_a_new_one(headers: Mapping[str, str]) -> None:
    trace, another = traces.begin(CIMultiDict(headers)), traces.begin(CIMultiDict(headers))

    assert len({trace.trace_id, another.trace_id, TRACE_ID}) == 3
    assert len(trace.trace_id) == 32
    assert (trace.parent_id, trace.asked) == ("", None)


def test_a_forged_parent_is_no_parent() -> None:
    trace = traces.begin(header(f"{ROOT};Parent={'0' * 16};Sampled=yes"))

    assert (trace.trace_id, trace.parent_id, trace.asked) == (TRACE_ID, "", None)


@pytest.mark.parametrize("payload", [Payload.V1, Payload.V2])
def test_api_gateways_lower_case_headers_are_found(payload: Payload) -> None:
    headers = {"x-amzn-trace-id": f"{ROOT};Parent={PARENT};Sampled=1"}
    event = {
        "httpMethod": "GET",
        "path": "/",
        "rawPath": "/",
        "requestContext": {"http": {"method": "GET"}},
        "headers": headers,
    }

    trace = traces.begin(request_line(event, payload).headers)

    assert trace.trace_id == TRACE_ID


CALL = "53995c3f42cd8ad8"
SERVED = RequestServed("getSaying", 200, 1.5, method="GET", route="/sayings")
LIVE = ModelCalled("gpt-4.1", "openai", "live", 1, 900.0)


def kept(*events: Event, share: float = 0.0) -> list[Finished]:
    """The traces handed over for a request with these events."""
    handed_over: list[Finished] = []
    notes = NoteTaker(sampler(share), keep=handed_over.append)
    traces.begin({})
    for event in events:
        notes.emit(event)
    return handed_over


async def test_what_happens_outside_of_any_trace_is_kept_nowhere() -> None:
    handed_over: list[Finished] = []

    async def beside_the_requests() -> None:
        NoteTaker(sampler(1), keep=handed_over.append).emit(LIVE)

    traces._current.set(None)
    await asyncio.create_task(beside_the_requests())

    assert handed_over == []


def test_what_comes_after_the_end_is_no_part_of_the_trace() -> None:
    (finished,) = kept(LIVE, SERVED, LIVE)
    ended_at = finished.trace.ended_at

    (root, *calls) = SpanMaker(resource_of("test")).spans(finished)

    assert len(calls) == 1
    assert root.end_time == ended_at


def spans_of(*finished: Finished) -> list[ReadableSpan]:
    return [span for each in finished for span in SpanMaker(resource_of("test")).spans(each)]


def test_what_happens_in_a_step_is_below_it() -> None:
    handed_over: list[Finished] = []
    notes = NoteTaker(sampler(1), keep=handed_over.append)
    traces.begin({})

    with traces.step("slot A", "gpt-4.1"):
        with traces.below(CALL, "chat", "gpt-4.1"):
            notes.emit(SqliteCalled("of another library", 0.1))
        notes.emit(replace(LIVE, generation_id="0" * 32 + CALL))
    notes.emit(SERVED)

    root, other, chat, step = spans_of(*handed_over)
    assert [span.name for span in (other, chat, step)] == [
        "sqlite of another library", "chat gpt-4.1", "slot A gpt-4.1",
    ]  # fmt: skip
    parents = [span.parent and f"{span.parent.span_id:016x}" for span in (other, chat, step)]
    assert parents == [CALL, id_of(step), id_of(root)]


def test_a_step_under_way_at_the_end_is_unfinished_and_holds_its_calls() -> None:
    handed_over: list[Finished] = []
    notes = NoteTaker(sampler(1), keep=handed_over.append)
    traces.begin({})

    with ExitStack() as late:
        late.enter_context(traces.step("slot A", "gpt-4.1"))
        notes.emit(SqliteCalled("reserve_spend", 0.1))
        late.enter_context(traces.below(CALL, "chat", "gpt-4.1"))
        notes.emit(SERVED)

    _, call, step, chat = spans_of(*handed_over)
    assert [(span.name, span.attributes and span.attributes["error.type"]) for span in (step, chat)] == [
        ("slot A gpt-4.1", "Unfinished"), ("chat gpt-4.1", "Unfinished"),
    ]  # fmt: skip
    assert {span.parent and f"{span.parent.span_id:016x}" for span in (call, chat)} == {id_of(step)}
    assert id_of(chat) == CALL  # so that a later vote is linked to it


def id_of(span: ReadableSpan) -> str:
    return f"{span.get_span_context().span_id:016x}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("client", "network"),
    [("203.0.113.77", "203.0.113.0"), ("2001:db8:12:34::/64", "2001:db8:12::"), ("", None)],
)
def test_a_client_is_known_by_its_network_only(client: str, network: str | None) -> None:
    root = root_of(Request("GET", "/sayings", {"Host": "[2001:DB8::1]:8443"}, caller=From(client)))

    assert root.get("client.address") == network
    assert (root["url.scheme"], root["server.address"], root["server.port"]) == ("https", "[2001:db8::1]", 8443)
    assert client == "" or client not in str(root)


@pytest.mark.parametrize("host", ["", "a b", "x" * 254, "example.com:port", "<script>", "ex\x00ample.com", "a/b"])
def test_what_names_no_host_is_left_out(host: str) -> None:
    root = root_of(Request("GET", "/", {"Host": host}))

    assert not {"server.address", "server.port"} & root.keys()


def test_hostile_text_of_a_client_is_bounded_and_printable() -> None:
    hostile = "/\x1b[2J\u202e\r\n\ud800" + "x" * 10_000

    root = root_of(Request("GET", hostile, {"User-Agent": hostile, "Host": "example.com"}))

    for name in ("url.path", "user_agent.original"):
        assert root[name].isprintable()
        assert root[name].startswith("/\N{REPLACEMENT CHARACTER}[2J")
        assert len(root[name]) == MOST_LETTERS
    assert root["server.port"] == 80


class From(Caller):
    """A client with this address, over HTTPS."""

    def __init__(self, address: str) -> None:
        self._address = address

    @property
    def address(self) -> str:
        return self._address

    @property
    def is_secure(self) -> bool:
        return True


def root_of(request: Request) -> Mapping[str, Any]:
    """The attributes of a request's own span."""
    handed_over: list[Finished] = []
    traces.begin({}, request)
    NoteTaker(sampler(1), keep=handed_over.append).emit(SERVED)
    (root,) = spans_of(*handed_over)
    return root.attributes or {}


def test_a_trace_that_never_ends_is_cut_and_still_told() -> None:
    (finished,) = kept(*[LIVE] * (MOST_NOTES + 50), SERVED)

    assert len(SpanMaker(resource_of("test")).spans(finished)) == 1 + MOST_NOTES


@pytest.mark.parametrize(
    ("reports", "failed"),
    [
        ([ModelReport("a", 3, 1.0), ModelReport("b", 0, 1.0, "ModelTimeout", "Late.")], False),
        ([ModelReport("a", 0, 1.0, "ModelTimeout"), ModelReport("b", 0, 1.0, "BudgetExhausted")], True),
    ],
)
def test_a_round_has_failed_when_no_model_brought_anything(reports: list[ModelReport], failed: bool) -> None:
    (finished,) = kept(*reports, RoundFinished(tuple(reports), 2.0, 7))

    (root,) = SpanMaker(resource_of("test")).spans(finished)

    assert (not root.status.is_ok) is failed
    assert len(root.events) == sum(1 for report in reports if report.error_type)


@pytest.mark.parametrize(("reason", "degraded"), [("budget", "budget"), ("busy", "busy"), ("asked", None)])
def test_a_comparison_shown_again_says_why(reason: str, degraded: str | None) -> None:
    (finished,) = kept(ComparisonFinished(4, 0, 2.0, replayed=reason), SERVED, share=1.0)

    (root,) = SpanMaker(resource_of("test")).spans(finished)

    assert root.attributes is not None
    assert root.attributes.get("saying.degraded") == degraded


@pytest.mark.parametrize(
    "generation_id", ["", "a generation of some earlier version, of 48 letters", "0" * 47, "f" * 49]
)
def test_a_generation_from_before_has_no_link(generation_id: str) -> None:
    (finished,) = kept(VoteTaken("POSITIVE", "recorded", "gpt-4.1", generation_id), SERVED, share=1.0)

    (root,) = SpanMaker(resource_of("test")).spans(finished)

    assert root.links == ()


def test_a_generation_is_named_by_its_trace() -> None:
    trace = traces.begin({})

    generation_id = traces.new_generation_id()

    assert generation_id.startswith(trace.trace_id)
    assert len(generation_id) == 48


@pytest.mark.slow
async def test_answers_and_logs_name_the_trace_in_both_forms(nowhere: Composition) -> None:
    with captured_log() as log:
        async with nowhere.running() as service:
            (*_, live) = await service.sayings(4, headers=SAMPLED)
            refused = await service.ask("GET", "/nowhere", headers=SAMPLED)

    answered = next(record for record in log.records if record["message"] == "model answered")
    assert answered["trace_id"] == answered["request_id"] == TRACE_ID
    assert answered["xray_trace_id"] == live["traceId"] == f"1-{EPOCH}-{REST}"
    assert refused.json["requestId"] == TRACE_ID
