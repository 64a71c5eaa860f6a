"""What the standard variables change in what goes over the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import Observation

from telemetry import traces
from telemetry.events import AwsCalled, ModelCalled, PoolMeasured, RequestServed, SqliteCalled, VoteTaken
from telemetry.setup import Telemetry, open_telemetry
from tests.telemetry.composition import SAMPLED
from tests.telemetry.receiver import RECEIVERS, Receiver, grpc_receiver, http_receiver
from tests.telemetry.stories import GENERATION
from tests.telemetry.tls import certificates

SERVED = RequestServed("getSaying", 200, 1.5, method="GET", route="/sayings")
LIVE = ModelCalled("gpt-4.1", "openai", "live", 1, 900.0, input_tokens=200, output_tokens=50, cost_nanos=800_000)
ALL = {"OTEL_TRACES_SAMPLER": "always_on"}


@asynccontextmanager
async def telemetry_to(receiver: Receiver, protocol: str = "grpc", **environ: str) -> AsyncIterator[Telemetry]:
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    async with open_telemetry(ALL | to | environ) as telemetry:
        yield telemetry


def request(telemetry: Telemetry, *events: Any) -> None:
    traces.begin({})
    for event in (*events, SERVED):
        telemetry.listener.emit(event)


async def test_each_signal_has_its_own_endpoint_protocol_headers_and_compression() -> None:
    async with http_receiver() as of_traces, grpc_receiver() as of_metrics:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_HEADERS": "key=for-all",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{of_traces.url}/their/own/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "key=for%20traces,other=1",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": of_metrics.url,
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        }

        async with open_telemetry(ALL | environ) as telemetry:
            request(telemetry)

    (of_trace,), (of_metric,) = of_traces.headers, of_metrics.headers
    assert (len(of_traces.spans), of_traces.all_points) == (1, [])
    assert (of_metrics.spans, len(of_metrics.all_points)) == ([], 1)
    assert of_trace["path"] == "/their/own/v1/traces"
    assert (of_trace["key"], of_trace["other"], of_trace["content-encoding"]) == ("for traces", "1", "gzip")
    assert (of_metric["key"], "other" in of_metric) == ("for-all", False)


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_certificates_reach_the_exporters(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # of a network with an authority of its own
    files = certificates(tmp_path)
    tls = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(files.authority), "OTEL_EXPORTER_OTLP_TIMEOUT": "500"}
    known = {
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": str(files.client),
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": str(files.client_key),
    }
    async with AsyncExitStack() as stack:
        of_grpc, of_http = grpc_receiver(tls=files.credentials()), http_receiver(files.context())
        receiver = await stack.enter_async_context(of_grpc if protocol == "grpc" else of_http)

        async with telemetry_to(receiver, protocol, **tls, **known) as telemetry:
            request(telemetry)

    assert len(receiver.spans) == 1
    assert receiver.all_points == []  # for which nobody has said who we are


async def test_a_grpc_endpoint_without_a_scheme(receiver: Receiver) -> None:
    receiver.url = receiver.url.removeprefix("http://")

    async with telemetry_to(receiver, OTEL_EXPORTER_OTLP_INSECURE="true") as telemetry:
        request(telemetry)

    assert (len(receiver.spans), len(receiver.all_points)) == (1, 1)


@pytest.mark.parametrize(
    ("environ", "spans", "points"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, False, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, False, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False, True),
        ({"OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, False, False),
        ({"OTEL_SDK_DISABLED": "true"}, False, False),
    ],
)
async def test_what_is_off_is_not_sent(receiver: Receiver, environ: dict[str, str], spans: bool, points: bool) -> None:
    async with telemetry_to(receiver, **environ) as telemetry:
        request(telemetry, LIVE)  # remarkable as it is
        with trace.get_tracer("library").start_as_current_span("library work"):
            pass

    assert (bool(receiver.spans), bool(receiver.all_points)) == (spans, points)


async def test_the_resource_is_everywhere(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process")  # which the SDK reads by itself
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=caf%C3%A9,service.name=other"}

    async with telemetry_to(receiver, OTEL_SERVICE_NAME="api", **environ) as telemetry:
        request(telemetry)

    assert len(receiver.resources) == 2
    for resource in receiver.resources:
        assert (resource["service.name"], resource["deployment.environment"]) == ("api", "café")
        assert "process.pid" in resource


async def test_the_size_of_batches(receiver: Receiver) -> None:
    async with telemetry_to(receiver, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="3", OTEL_METRICS_EXPORTER="none") as telemetry:
        request(telemetry, *[SqliteCalled("read", 1.0)] * 6)

    assert [text.count("span_id: ") - text.count("parent_span_id: ") for text in receiver.texts] == [3, 3, 1]


async def test_the_limits_hold_for_our_spans_and_for_others(receiver: Receiver) -> None:
    environ = {
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "2",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "4",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "1",
        "OTEL_SPAN_LINK_COUNT_LIMIT": "1",
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "1",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
    }
    attributes = {"a": "value", "b": "value", "c": "value"}

    async with telemetry_to(receiver, **environ) as telemetry:
        traces.begin(SAMPLED)
        ours = trace.get_current_span()
        with trace.get_tracer("library").start_as_current_span("library work") as theirs:
            for span in (ours, theirs):
                span.set_attributes(attributes)
                for _ in range(2):
                    span.add_event("event", attributes)
                    span.add_link(theirs.get_span_context(), attributes)
        telemetry.listener.emit(AwsCalled("DynamoDB", "Query", "eu-west-1", 1.0))
        telemetry.listener.emit(SERVED)

    found = [span.proto for span in receiver.spans if span.proto.links]
    assert len(found) == 2
    for proto in found:
        assert (len(proto.attributes), len(proto.events), len(proto.links)) == (2, 1, 1)
        assert max(len(pair.value.string_value) for pair in proto.attributes) <= 4
        for part in (proto.events[0], proto.links[0]):
            assert [pair.value.string_value for pair in part.attributes] == ["val"]
    (call,) = [span for span in receiver.spans if span.name == "DynamoDB.Query"]
    assert call.proto.dropped_attributes_count > 0


class Prometheus:
    """A back end that, as Prometheus does, knows totals only: it drops deltas and notices what goes backwards."""

    def __init__(self) -> None:
        self.dropped: set[str] = set()
        self.totals: dict[tuple[str, Any], list[float]] = {}

    def take(self, receiver: Receiver) -> None:
        for point in receiver.all_points:
            if point.temporality == "DELTA":
                self.dropped.add(point.name)
            elif point.temporality == "CUMULATIVE":
                self.totals.setdefault((point.name, str(point)), []).append(point.value)
        receiver.all_points.clear()


def record(telemetry: Telemetry) -> None:
    """Metrics of every kind, ours and a library's."""
    request(telemetry, LIVE, PoolMeasured("gpt-4.1", 12))
    meter = metrics.get_meter("library")
    meter.create_counter("library.work").add(1)
    meter.create_histogram("library.time").record(1.5)


async def two_exports(receiver: Receiver, **environ: str) -> Prometheus:
    back_end = Prometheus()
    async with telemetry_to(receiver, OTEL_METRIC_EXPORT_INTERVAL="50", **environ) as telemetry:
        job = asyncio.ensure_future(telemetry.jobs["telemetry"]())
        metrics.get_meter("library").create_observable_counter("library.observed", [lambda _: [Observation(7)]])
        record(telemetry)
        await receiver.until(lambda: bool(receiver.points("Cost")))
        job.cancel()
        back_end.take(receiver)
        record(telemetry)
    back_end.take(receiver)
    return back_end


async def test_a_back_end_that_knows_totals_gets_every_metric(receiver: Receiver) -> None:
    back_end = await two_exports(receiver, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="cumulative")

    counted = {name for name, _ in back_end.totals}
    ours = {"TotalExecutionTime", "APILatency", "TokensUsed", "Cost"}
    assert back_end.dropped == set()
    assert ours | {"library.work", "library.time", "library.observed"} <= counted
    for (name, _), values in back_end.totals.items():
        assert values == sorted(values), name
        if name in ours | {"library.work", "library.time"}:
            assert values[-1] == 2 * values[0], name


@pytest.mark.parametrize(
    ("preference", "totals"),
    [("", set()), ("delta", set()), ("lowmemory", {"library.observed"})],
)
async def test_the_temporality_that_is_preferred(receiver: Receiver, preference: str, totals: set[str]) -> None:
    back_end = await two_exports(receiver, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=preference)

    assert {name for name, _ in back_end.totals} == totals
    assert {"TotalExecutionTime", "Cost", "library.work", "library.time"} <= back_end.dropped


@pytest.mark.parametrize(
    ("preference", "kind"),
    [("", "Exponential"), ("base2_exponential_bucket_histogram", "Exponential"), ("explicit_bucket_histogram", "")],
)
async def test_the_histograms_that_are_preferred(receiver: Receiver, preference: str, kind: str) -> None:
    async with telemetry_to(receiver, OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=preference) as telemetry:
        record(telemetry)
        request(telemetry, LIVE)

    for name in ("TotalExecutionTime", "library.time"):
        (point,) = receiver.points(name)
        assert type(point.proto).__name__ == f"{kind}HistogramDataPoint"
    (latency,) = receiver.points("APILatency")
    assert (latency.value, latency.proto.sum) == (2, 1800.0)
    if not kind:
        proto: Any = latency.proto
        assert [bound for bound, count in zip(proto.explicit_bounds, proto.bucket_counts, strict=False) if count] == [
            1_000
        ]


@pytest.mark.parametrize(("chosen", "has_exemplars"), [("", True), ("always_off", False), ("always_on", True)])
async def test_exemplars_of_a_librarys_metrics(receiver: Receiver, chosen: str, has_exemplars: bool) -> None:
    async with telemetry_to(receiver, OTEL_METRICS_EXEMPLAR_FILTER=chosen) as telemetry:
        trace_id = traces.begin({}).trace_id
        metrics.get_meter("library").create_histogram("library.time").record(1.5)
        telemetry.listener.emit(SERVED)

    (point,) = receiver.points("library.time")
    assert [exemplar.trace_id.hex() for exemplar in point.proto.exemplars] == [trace_id] * has_exemplars


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_votes_are_sent_over_either_protocol_and_without_the_other_signals(protocol: str) -> None:
    vote = VoteTaken("POSITIVE", "recorded", "gpt-4.1", GENERATION)
    async with RECEIVERS[protocol]() as receiver:
        nothing_else = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}

        async with telemetry_to(receiver, protocol, OTEL_LOGS_EXPORTER="otlp", **nothing_else) as telemetry:
            telemetry.listener.emit(vote)

    assert [record.generation_id for record in receiver.records] == [GENERATION]
    assert (receiver.spans, receiver.all_points) == ([], [])
