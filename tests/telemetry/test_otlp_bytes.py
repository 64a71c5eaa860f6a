"""OTLP without protobuf: what the official exporter makes of the same trace, and values of every type."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource

from telemetry import traces
from telemetry.events import AwsCalled, Event, RequestServed, RoundFinished, Unexpected, WorkFinished
from telemetry.notes import Finished, NoteTaker
from telemetry.otlp_bytes import export_requests
from telemetry.spans import SpanMaker
from telemetry.story import Kind, Span, story_of
from tests.telemetry.composition import sampler
from tests.telemetry.stories import ANSWERED, DENIED, EVERYTHING, LIMITED, SERVED

HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
RESOURCE: dict[str, Any] = {
    "service.name": "sayings-api",
    "faas.max_memory": 1024**3,
    "aws.log.group.names": ("/aws/lambda/api",),
}
FAILED = AwsCalled("DynamoDB", "Query", "eu-west-1", 4.2, 500, "InternalServerError", ("a", "b"))
ROUND = RoundFinished((), 1500.0, 7)
NOTES: tuple[Event, ...] = tuple(event for event in EVERYTHING if not isinstance(event, RequestServed | RoundFinished))


def finished(*events: Event, header: str = HEADER) -> Finished:
    """The trace that these events leave behind."""
    found: list[Finished] = []
    traces.begin({"X-Amzn-Trace-Id": header})
    taker = NoteTaker(sampler(1), keep=found.append)
    for event in events:
        taker.emit(event)
    [one] = found
    return one


@pytest.fixture(autouse=True)
def own_context() -> Iterator[None]:
    """The trace that a test begins ends with it."""
    token = traces._current.set(None)
    yield
    traces._current.reset(token)


@pytest.mark.parametrize(
    ("events", "header"),
    [
        ((SERVED,), HEADER),
        ((ANSWERED, LIMITED, FAILED, SERVED), HEADER),
        ((ANSWERED, SERVED), ""),
        ((*NOTES, Unexpected("a test", ValueError("\udcff")), RequestServed("x", 500, 3.5, "\N{SNOWMAN}")), HEADER),
        ((DENIED, ROUND), HEADER),
        ((FAILED, WorkFinished("upkeep", 41.2)), ""),
    ],
    ids=["a request", "calls", "no caller", "everything", "a round", "upkeep"],
)
def test_it_is_what_the_official_exporter_sends(
    events: tuple[Event, ...], header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = finished(*events, header=header)
    assert trace.trace.span_id  # it is made when it is first asked for
    monkeypatch.setattr(traces, "new_span_id", map("{:016x}".format, count(1)).__next__)
    theirs = encode_spans(SpanMaker(Resource(RESOURCE)).spans(trace))

    monkeypatch.setattr(traces, "new_span_id", map("{:016x}".format, count(1)).__next__)
    spans = story_of(trace, "sayings-api")
    [ours] = export_requests(trace.trace.trace_id, spans, RESOURCE, most_bytes=2**20)

    assert ExportTraceServiceRequest.FromString(ours) == theirs


@pytest.mark.parametrize(
    "value",
    ["", "text", True, False, 0, 1, 127, 128, 2**63 - 1, -1, -(2**63), 0.0, -2.5e300, ("a", "b"), (1, 2.5, True), ()],
    ids=repr,
)
def test_every_value_arrives(value: Any) -> None:
    span = Span("a span", Kind.INTERNAL, "53995c3f42cd8ad8", "", 1, 2, {"name": value})

    [request] = export_requests("5759e988bd862e3fe1be46a994272793", [span], {}, most_bytes=1000)

    [resource] = ExportTraceServiceRequest.FromString(request).resource_spans
    [attribute] = resource.scope_spans[0].spans[0].attributes
    kind = attribute.value.WhichOneof("value") or ""
    arrived = getattr(attribute.value, kind)
    if kind == "array_value":
        arrived = tuple(getattr(each, each.WhichOneof("value") or "") for each in arrived.values)
    assert (type(arrived), arrived) == (type(value), value)


@pytest.mark.parametrize("most_bytes", [1, 400, 1000, 5000])
def test_what_one_request_cannot_hold_comes_in_several(most_bytes: int) -> None:
    trace = finished(*[ANSWERED] * 20, SERVED)

    requests = list(export_requests(trace.trace.trace_id, story_of(trace, "x"), RESOURCE, most_bytes=most_bytes))

    parsed = [ExportTraceServiceRequest.FromString(request).resource_spans[0] for request in requests]
    assert sum(len(each.scope_spans[0].spans) for each in parsed) == 21
    assert all(each.resource.attributes[0].key == "service.name" for each in parsed)
    assert all(len(request) <= most_bytes for request in requests) or most_bytes < 1000
    assert parsed[0].scope_spans[0].spans[0].name == "GET /sayings"
