"""OpenTelemetry is what its users expect: what other libraries record arrives below our spans and leaves with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp.test_utils
import pytest
from aiohttp import web
from opentelemetry import metrics, propagate, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from service.store.sqlite import SqliteStore
from telemetry import traces
from telemetry.events import RequestServed, RoundFinished
from telemetry.setup import Telemetry, open_telemetry
from tests.logging_capture import captured_log
from tests.telemetry.composition import SAMPLED, TRACE_ID, UNSAMPLED, Composition
from tests.telemetry.libraries import Library, install, tracing
from tests.telemetry.receiver import Receiver

CALLER = "53995c3f42cd8ad8"
SERVED = RequestServed("getSaying", 200, 1.5, method="GET", route="/sayings")
GET_SAYING = "GET /sayings"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """One that works in each request for a saying."""
    library, random_saying = Library(), SqliteStore.random_saying

    async def working(self: SqliteStore) -> Any:
        library.work()
        return await random_saying(self)

    monkeypatch.setattr(SqliteStore, "random_saying", working)
    return library


@pytest.fixture
async def opened(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> "Opening":
    return Opening(receiver, monkeypatch)


class Opening:
    """Telemetry to the receiver, without a service."""

    def __init__(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_TRACES_SAMPLER": "always_on",
        }

    @asynccontextmanager
    async def telemetry(self, **environ: str) -> AsyncIterator[Telemetry]:
        async with open_telemetry(self.environ | environ) as telemetry:
            yield telemetry


@pytest.mark.slow
async def test_what_a_library_records_in_a_request_leaves_with_it(
    composition: Composition, receiver: Receiver, library: Library
) -> None:
    async with composition.running() as service:
        await service.saying(headers=SAMPLED)

    root = receiver.root(GET_SAYING)
    theirs = receiver.child(root, "library work")
    (event,) = [event.name for event in root.proto.events]
    assert receiver.tree(root) == ["SERVER GET /sayings", "  INTERNAL library work", "  CLIENT sqlite random_saying"]
    assert (theirs.trace_id, theirs.resource) == (TRACE_ID, root.resource)
    assert (theirs.scope, root.scope) == ("library", "cloud-sayings")
    assert (root.attributes["library.attribute"], event) == ("theirs", "library.event")
    assert library.recording
    assert library.injected["traceparent"] == f"00-{TRACE_ID}-{theirs.span_id}-01"
    (point,) = receiver.points("library.work")
    assert (point.value, point.unit, point.attributes) == (1, "{piece}", {"library.attribute": "theirs"})
    assert receiver.totals("TotalExecutionTime") == {("getSaying", "database"): 1}  # beside it


@pytest.mark.slow
async def test_in_a_request_that_is_not_sampled_a_library_records_only_metrics(
    composition: Composition, receiver: Receiver, library: Library
) -> None:
    async with composition.running() as service:
        await service.saying(headers=UNSAMPLED)

    assert receiver.spans == []
    assert not library.recording
    assert library.injected["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert library.injected["traceparent"].endswith("-00")
    assert receiver.points("library.work")


@pytest.mark.slow
async def test_baggage_and_trace_state_of_a_caller_are_read_and_passed_on(
    composition: Composition, library: Library
) -> None:
    headers = {
        "traceparent": f"00-{TRACE_ID}-{CALLER}-01",
        "tracestate": "vendor=their-own",
        "baggage": "team=blue,shop=caf%C3%A9",
    }
    async with composition.running() as service:
        await service.saying(headers=headers)
        with_baggage = library.baggage, library.injected
        library.injected = {}
        await service.saying(headers=SAMPLED)  # over the same connection

    assert with_baggage[0] == {"team": "blue", "shop": "café"}
    assert with_baggage[1]["baggage"] == "team=blue,shop=caf%C3%A9"
    assert with_baggage[1]["tracestate"] == "vendor=their-own"
    assert library.baggage == {}
    assert "baggage" not in library.injected
    assert "tracestate" not in library.injected


async def test_a_call_by_an_instrumented_client_arrives_below_ours(opened: Opening, receiver: Receiver) -> None:
    received: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        received.append(request.headers["traceparent"])
        return web.Response()

    server = aiohttp.test_utils.TestServer(_app(answer))
    async with server, opened.telemetry() as telemetry, aiohttp.ClientSession(trace_configs=[tracing()]) as client:
        traces.begin(SAMPLED)
        with traces.step("fetch key"):
            await client.get(server.make_url("/"))
        telemetry.listener.emit(SERVED)

    root = receiver.root(GET_SAYING)
    step = receiver.child(root, "fetch key")
    call = receiver.child(step, "GET")
    assert received == [f"00-{TRACE_ID}-{call.span_id}-01"]
    assert (call.kind, call.attributes) == ("CLIENT", {"http.response.status_code": 200})


def _app(answer: Any) -> web.Application:
    app = web.Application()
    app.router.add_get("/", answer)
    return app


async def test_what_is_added_to_a_step_comes_out_on_it(opened: Opening, receiver: Receiver) -> None:
    linked = SpanContext(1, 2, is_remote=True)
    async with opened.telemetry() as telemetry:
        traces.begin({})
        trace.get_current_span().set_attributes({"operation": "forged", "of": "the root"})
        with traces.step("fetch key"):
            span = trace.get_current_span()
            span.set_attribute("of", "the step")
            span.add_link(linked)
            span.set_status(StatusCode.ERROR, "a text that may hold a key")
            span.record_exception(ValueError("a text that may hold a key"))
        outside = trace.get_current_span().get_span_context()
        telemetry.listener.emit(SERVED)
        trace.get_current_span().set_attribute("late", value=True)

    root = receiver.root(GET_SAYING)
    step = receiver.child(root, "fetch key")
    assert f"{outside.span_id:016x}" == root.span_id
    assert (root.attributes["operation"], root.attributes["of"]) == ("getSaying", "the root")
    assert step.attributes == {"of": "the step"}
    assert (root.failed, step.failed) == (False, True)
    assert step.links == [f"{1:032x}{2:016x}"]
    assert [error["exception.type"] for error in step.exceptions] == ["ValueError"]
    assert "may hold a key" not in str(receiver.texts)
    assert "late" not in root.attributes


async def test_an_exception_that_passes_a_span_in_use_does_not_end_ours(opened: Opening, receiver: Receiver) -> None:
    async with opened.telemetry() as telemetry:
        traces.begin({})
        with (
            pytest.raises(ZeroDivisionError),
            trace.use_span(trace.get_current_span(), end_on_exit=True),
            trace.get_tracer("library").start_as_current_span("library work"),
        ):
            raise ZeroDivisionError
        telemetry.listener.emit(SERVED)

    root = receiver.root(GET_SAYING)
    assert root.failed
    assert receiver.child(root, "library work").failed


async def test_work_in_a_round_is_below_the_round(opened: Opening, receiver: Receiver) -> None:
    async with opened.telemetry(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0") as telemetry:
        with traces.work(), traces.step("model", "gpt-4.1"):
            with trace.get_tracer("library").start_as_current_span("library work"):
                pass
            telemetry.listener.emit(RoundFinished((), 1.0, 1))
        outside = trace.get_current_span().get_span_context()

    assert not outside.is_valid
    assert "library work" in [span.name for span in receiver.spans]


async def test_spans_of_a_library_outside_of_our_work_are_traces_of_their_own(
    opened: Opening, receiver: Receiver
) -> None:
    async with opened.telemetry():
        with trace.get_tracer("library").start_as_current_span("library work"):
            pass

    assert [str(root) for root in receiver.roots()] == ["INTERNAL library work"]


@pytest.mark.parametrize(("share", "kept"), [("0", []), ("1", ["SERVER theirs"])])
async def test_a_client_cannot_force_the_sampling_of_a_librarys_span(
    opened: Opening, receiver: Receiver, share: str, kept: list[str]
) -> None:
    async with opened.telemetry(OTEL_TRACES_SAMPLER="", OTEL_TRACES_SAMPLER_ARG=share):
        extracted = propagate.extract({"traceparent": f"00-{'0' * 31}1-{CALLER}-01"})
        trace.get_tracer("library").start_span("theirs", extracted, SpanKind.SERVER).end()

    assert [str(span) for span in receiver.spans] == kept


async def test_threads_and_tasks_of_a_request_see_it(opened: Opening, receiver: Receiver) -> None:
    def span() -> int:
        return trace.get_current_span().get_span_context().trace_id

    async def ask() -> int:
        return span()

    async with opened.telemetry():
        ours = int(traces.begin({}).trace_id, 16)
        seen = {await asyncio.create_task(ask()), await asyncio.to_thread(span)}

    assert seen == {ours}


@pytest.mark.parametrize(
    ("propagators", "expected"),
    [
        ("", {"traceparent"}),
        ("tracecontext", {"traceparent"}),
        ("xray", {"X-Amzn-Trace-Id"}),
        ("tracecontext,xray,tracecontext", {"traceparent", "X-Amzn-Trace-Id"}),
        ("none", set()),
    ],
)
async def test_our_context_leaves_by_the_propagators(opened: Opening, propagators: str, expected: set[str]) -> None:
    injected: dict[str, str] = {}

    async with opened.telemetry(OTEL_PROPAGATORS=propagators):
        traces.begin(SAMPLED)
        propagate.inject(injected)
        span_id = f"{trace.get_current_span().get_span_context().span_id:016x}"

    assert set(injected) == expected
    if "xray" in propagators:
        begun = traces.begin(injected)
        assert (begun.trace_id, begun.parent_id, begun.asked) == (TRACE_ID, span_id, True)


async def test_a_context_of_x_ray_is_extracted(opened: Opening) -> None:
    async with opened.telemetry(OTEL_PROPAGATORS="xray"):
        context = propagate.extract({"x-amzn-trace-id": SAMPLED["X-Amzn-Trace-Id"]})
        nothing = propagate.extract({})

    span = trace.get_current_span(context).get_span_context()
    assert (f"{span.trace_id:032x}", f"{span.span_id:016x}", span.is_remote) == (TRACE_ID, CALLER, True)
    assert span.trace_flags.sampled
    assert not trace.get_current_span(nothing).get_span_context().is_valid


HOOK = """
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor

ended, reader = [], InMemoryMetricReader()


class Processor(SpanProcessor):
    def on_start(self, span, parent_context=None):
        span.set_attribute("hook", "was here")

    def on_end(self, span):
        ended.append(span.name)

    def shutdown(self):
        ended.append("shutdown")


def add(tracer_provider, meter_provider):
    tracer_provider.add_span_processor(Processor())
    meter_provider.add_metric_reader(reader)


def fail(tracer_provider, meter_provider):
    raise ZeroDivisionError
"""


async def test_a_package_adds_processors_that_see_every_span(
    opened: Opening, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "their_hook", HOOK, {"cloud_sayings.telemetry": "add = their_hook:add\nbad = their_hook:fail"})
    monkeypatch.syspath_prepend(tmp_path)

    with captured_log() as log:
        async with opened.telemetry() as telemetry:
            traces.begin({})
            with trace.get_tracer("library").start_as_current_span("library work"):
                pass
            telemetry.listener.emit(SERVED)

    import their_hook  # type: ignore[import-not-found]

    assert their_hook.ended == ["library work", GET_SAYING, "shutdown"]
    assert {span.attributes["hook"] for span in receiver.spans} == {"was here"}
    assert [record["error_type"] for record in log.records] == ["ZeroDivisionError"]


EXPORTERS = """
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

spans, metrics = [], []


class Spans(SpanExporter):
    def export(self, batch):
        spans.extend(span.name for span in batch)
        return SpanExportResult.SUCCESS


class Metrics(MetricExporter):
    def export(self, data, timeout_millis=0, **options):
        metrics.extend(m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis=0):
        return True

    def shutdown(self, timeout_millis=0, **options):
        metrics.append("shutdown")
"""


async def test_exporters_of_a_package_are_chosen_by_name(
    opened: Opening, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = {
        "opentelemetry_traces_exporter": "theirs = their_exporters:Spans",
        "opentelemetry_metrics_exporter": "theirs = their_exporters:Metrics",
    }
    install(tmp_path, "their_exporters", EXPORTERS, groups)
    monkeypatch.syspath_prepend(tmp_path)

    async with opened.telemetry(OTEL_TRACES_EXPORTER="otlp,theirs", OTEL_METRICS_EXPORTER="theirs") as telemetry:
        traces.begin({})
        telemetry.listener.emit(SERVED)

    import their_exporters  # type: ignore[import-not-found]

    assert their_exporters.spans == [span.name for span in receiver.spans] == [GET_SAYING]
    assert their_exporters.metrics == ["TotalExecutionTime", "shutdown"]
    assert receiver.all_points == []


async def test_the_console_exporters_leave_the_log_alone(opened: Opening, capsys: pytest.CaptureFixture[str]) -> None:
    async with opened.telemetry(OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console") as telemetry:
        traces.begin({})
        telemetry.listener.emit(SERVED)

    printed = capsys.readouterr()
    assert '"name": "GET /sayings"' in printed.err
    assert '"name": "TotalExecutionTime"' in printed.err
    assert printed.out == ""


async def test_real_providers_are_registered(opened: Opening) -> None:
    async with opened.telemetry():
        registered = trace.get_tracer_provider(), metrics.get_meter_provider()

    assert isinstance(registered[0], TracerProvider)
    assert isinstance(registered[1], MeterProvider)


@pytest.mark.parametrize(
    "environ",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}],
)
async def test_nothing_is_registered_where_nothing_is_sent(opened: Opening, environ: dict[str, str]) -> None:
    async with opened.telemetry(**environ) as telemetry:
        traces.begin({})
        current = trace.get_current_span()

    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert not current.get_span_context().is_valid
    assert telemetry.jobs == {}
