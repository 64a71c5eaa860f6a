"""A collector that is dead, slow, talks nonsense or wants nothing changes no answer, and what is lost is counted."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry.events import RequestServed
from telemetry.export import TracesExport
from telemetry.line_rates import MOST_LINES
from telemetry.logs import configure_logging
from telemetry.notes import Finished
from telemetry.otel_settings import read_otel_settings
from telemetry.sending import Delivery
from telemetry.spans import resource_of
from telemetry.traces import Trace, new_trace
from tests.aws import answering
from tests.logging_capture import Log, captured_log
from tests.telemetry.composition import SAMPLED, Composition, sampler
from tests.telemetry.receiver import RECEIVERS, Receiver, grpc_receiver
from tests.test_processes import Machine, new_visitor

PROTOCOLS = list(RECEIVERS)
QUEUE_SIZE = 512
NO_HTTP = b"\x00\x00\x12\x04\x00\x00junk" * 20
JUNK = b"HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\n<h1>"


@asynccontextmanager
async def collector(fault: str) -> AsyncIterator[str]:
    """The address of one that is dead, never answers, or answers with junk."""
    if fault == "dead":
        yield "http://127.0.0.1:1"
        return
    async with answering({"hanging": None, "no HTTP": NO_HTTP, "junk": JUNK}[fault]) as url:
        yield url


FAULTS = ["dead", "hanging", "no HTTP", "junk"]


@pytest.fixture
def hasty(nowhere: Composition) -> Composition:
    """A service that exports often and gives up soon."""
    nowhere.set(
        OTEL_EXPORTER_OTLP_TIMEOUT="700",  # with a second, the exporter itself would try again
        OTEL_BSP_SCHEDULE_DELAY="10",
        OTEL_BSP_EXPORT_TIMEOUT="1",
        OTEL_METRIC_EXPORT_INTERVAL="20",
        OTEL_METRIC_EXPORT_TIMEOUT="1",
    )
    return nowhere


def complaints(log: Log, signal: str = "traces") -> list[str]:
    """What was said about the delivery of a signal."""
    return [record["message"] for record in log.records if record.get("signal") == signal]


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_response_changes_and_few_lines_are_logged(hasty: Composition, fault: str, protocol: str) -> None:
    with captured_log() as log:
        async with collector(fault) as url:
            hasty.send_to(url, protocol)

            async with hasty.running() as service:
                while "telemetry does not get through" not in complaints(log):
                    await service.saying(headers=SAMPLED)
                sayings = await service.sayings(20, headers=SAMPLED)
                vote = await service.vote(sayings[0])

    said = [record for record in log.records if record["message"].startswith("telemetry ")]
    assert vote.status == 200
    assert complaints(log) == complaints(log, "metrics") == ["telemetry does not get through"]
    assert {record["error_type"] for record in said} == {"TelemetryNotSent"}
    assert all(re.search("(gRPC [A-Z]+|HTTP 500|[A-Z][A-Za-z]+)[.]$", record["error_message"]) for record in said)
    assert [record for record in log.records if record["logger"].startswith("opentelemetry")] == []


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_was_refused_is_counted_when_the_collector_is_back(nowhere: Composition, protocol: str) -> None:
    nowhere.set(OTEL_METRIC_EXPORT_INTERVAL="20")
    with captured_log() as log:
        async with RECEIVERS[protocol]() as receiver:
            nowhere.patient()
            nowhere.send_to(receiver.url, protocol)
            receiver.trouble = 400

            async with nowhere.running() as service:
                for refused in range(3):
                    await service.sayings(1, headers=SAMPLED)
                    await receiver.until(lambda refused=refused: receiver.refused["traces"] > refused)  # type: ignore[misc]
                await receiver.until(lambda: receiver.refused["metrics"] > 2)
                receiver.trouble = None
                await service.sayings(1, headers=SAMPLED)

    lost = receiver.totals("TelemetryDropped")
    assert len(receiver.roots()) == 1
    assert lost["traces",] == 3 * len(["GET /sayings", "sqlite random_saying"])
    assert lost["metrics",] >= receiver.refused["metrics"]
    for signal in ("traces", "metrics"):
        assert complaints(log, signal) == ["telemetry does not get through", "telemetry gets through again"]


@pytest.mark.slow
async def test_a_collector_that_was_away_is_sent_to_again(hasty: Composition) -> None:
    # Longer than a busy machine takes for an answer, or the collector that is back would be given up again.
    hasty.set(OTEL_EXPORTER_OTLP_TIMEOUT="5000")
    with captured_log() as log:  # from the start: it is said once
        async with grpc_receiver() as first:
            hasty.patient()
            hasty.send_to(first.url)
            stack = AsyncExitStack()
            service = await stack.enter_async_context(hasty.running())
            await service.saying(headers=SAMPLED)
            await first.until(lambda: bool(first.spans))
        while "telemetry does not get through" not in complaints(log):
            await service.saying(headers=SAMPLED)

        async with grpc_receiver(int(first.url.rpartition(":")[2])) as second:
            await second.until(lambda: bool(second.points("TelemetryDropped")))
            await service.saying(headers=SAMPLED)
            await second.until(lambda: bool(second.spans))
            await stack.aclose()

    assert complaints(log) == ["telemetry does not get through", "telemetry gets through again"]


@pytest.fixture(params=PROTOCOLS)
async def back_end(request: pytest.FixtureRequest, nowhere: Composition) -> AsyncIterator[Receiver]:
    """One that the service sends to, by either protocol, and that may need several attempts."""
    async with RECEIVERS[request.param]() as receiver:
        nowhere.patient()
        nowhere.send_to(receiver.url, request.param)
        yield receiver


@pytest.mark.slow
async def test_what_comes_back_from_trouble_is_sent_again(nowhere: Composition, back_end: Receiver) -> None:
    nowhere.set(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="100")  # too short for the exporter's own second attempt
    back_end.trouble, back_end.troubles = 503, 2

    with captured_log() as log:
        async with nowhere.running() as service:
            await service.saying(headers=SAMPLED)
            await back_end.until(lambda: bool(back_end.spans))

    assert len(back_end.roots()) == 1
    assert back_end.refused["traces"] == 2
    assert not back_end.points("TelemetryDropped")
    assert complaints(log) == ["telemetry does not get through", "telemetry gets through again"]
    assert complaints(log, "metrics") == []


@pytest.mark.slow
async def test_what_a_slow_back_end_has_not_answered_is_sent_again(nowhere: Composition, back_end: Receiver) -> None:
    nowhere.set(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="300")
    back_end.hanging = 1

    async with nowhere.running() as service:
        await service.saying(headers=SAMPLED)
        await back_end.until(lambda: bool(back_end.spans))

    assert len(back_end.roots()) == 1
    assert not back_end.points("TelemetryDropped")


@pytest.mark.slow
async def test_what_is_refused_for_good_is_not_sent_again(nowhere: Composition, back_end: Receiver) -> None:
    back_end.trouble, back_end.troubles = 400, 1

    with captured_log() as log:
        async with nowhere.running() as service:
            await service.saying(headers=SAMPLED)
            await back_end.until(lambda: bool(back_end.refused))
            await service.saying(headers=SAMPLED)
            await back_end.until(lambda: bool(back_end.spans))

    assert back_end.refused == {"traces": 1}
    assert len(back_end.roots()) == 1
    assert back_end.totals("TelemetryDropped") == {("traces",): 2}
    assert complaints(log) == ["telemetry does not get through", "telemetry gets through again"]


@pytest.mark.slow
async def test_what_is_rejected_in_part_is_counted_and_said_once(nowhere: Composition, back_end: Receiver) -> None:
    back_end.rejects = 1

    with captured_log() as log:
        async with nowhere.running() as service:
            for seen in range(3):
                await service.saying(headers=SAMPLED)
                await back_end.until(lambda seen=seen: len(back_end.spans) > 2 * seen)  # type: ignore[misc]

    said = [record for record in log.records if record["message"] == "telemetry gets through in part"]
    assert [(record["signal"], record["exporter"], record["error_type"]) for record in said] == [
        ("traces", "otlp", "TelemetryNotSent"),
        ("metrics", "otlp", "TelemetryNotSent"),
    ]
    assert said[0]["error_message"] == "1 of 2 were rejected."
    assert back_end.totals("TelemetryDropped") == {("traces",): 3}


@pytest.mark.slow
async def test_one_signal_does_not_wait_for_the_other(nowhere: Composition) -> None:
    with captured_log() as log:
        async with grpc_receiver() as receiver, collector("hanging") as stuck:
            nowhere.send_to(receiver.url)
            nowhere.set(OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=stuck, OTEL_METRIC_EXPORT_INTERVAL="10")

            async with nowhere.running() as service:
                for seen in range(3):
                    await service.saying(headers=SAMPLED)
                    await receiver.until(lambda seen=seen: len(receiver.roots()) > seen)  # type: ignore[misc]

    assert complaints(log) == []


async def test_a_back_end_that_comes_and_goes_does_not_flood_the_log() -> None:
    class Moody(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS if spans else SpanExportResult.FAILURE

    delivery, closing = Delivery("traces", "moody", Moody(), seconds=1.0), threading.Event()
    written = Log()
    with captured_log():
        configure_logging(output=written)  # with the usual rate of lines
        for attempt in range(400):
            delivery.deliver([ReadableSpan("span")] * (attempt % 2), 1, closing)

    assert len(written.lines) == 2 * MOST_LINES
    assert delivery.lost == 200


class Spans(SpanExporter):
    """Takes spans, once it may."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.asked = threading.Event()
        self.may = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        self.may.wait(30)
        self.spans += spans
        return SpanExportResult.SUCCESS


def a_trace(trace: Trace | None = None) -> Finished:
    trace = trace or new_trace()
    trace.end()
    return Finished(trace, RequestServed("getSaying", 200, 1.0, "", "GET", "/sayings"))


def traces_to(exporter: SpanExporter) -> TracesExport:
    settings = read_otel_settings({"OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE_SIZE), "OTEL_BSP_SCHEDULE_DELAY": "1"})
    export = TracesExport(
        settings, resource_of("test"), [Delivery("traces", "test", exporter, seconds=1.0)], sampler(0)
    )
    export.sender.start()
    return export


async def everything_is_sent(export: TracesExport) -> None:
    export.sender.close()
    await asyncio.to_thread(export.sender.join, 60)


async def test_a_full_queue_drops_the_oldest_and_counts_them() -> None:
    spans = Spans()
    export = traces_to(spans)
    export.sender.put(a_trace())
    await asyncio.to_thread(spans.asked.wait, 30)  # the thread has it, and waits

    finished = [a_trace() for _ in range(QUEUE_SIZE + 100)]
    for one in finished:
        export.sender.put(one)
    spans.may.set()
    await everything_is_sent(export)  # whose sign takes one more place

    assert len(spans.spans) == 1 + QUEUE_SIZE - 1
    sent = {f"{span.context.trace_id:032x}" for span in spans.spans if span.context}
    assert finished[100].trace.trace_id not in sent
    assert {one.trace.trace_id for one in finished[101:]} <= sent
    assert export.sender.lost == 101


async def test_a_trace_that_makes_no_spans_does_not_end_telemetry() -> None:
    spans = Spans()
    spans.may.set()
    with captured_log() as log:
        export = traces_to(spans)
        export.sender.put(a_trace(Trace("no hexadecimal number")))
        export.sender.put(a_trace())
        await everything_is_sent(export)

    assert len(spans.spans) == 1
    assert log.records[0]["error_type"] == "ValueError"
    assert export.sender.lost == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "protocol"), [("dead", "grpc"), ("hanging", "grpc"), ("no HTTP", "grpc"), ("hanging", "http/protobuf")]
)
async def test_a_process_stops_in_time_and_says_nothing_but_json(machine: Machine, fault: str, protocol: str) -> None:
    async with collector(fault) as url:
        server = await machine.serve(
            "service",
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_TRACES_SAMPLER_ARG="1",
        )
        async with new_visitor() as visitor:
            for _ in range(20):
                await server.get("/sayings", visitor)

        code = await server.stop()

    assert code == 0
    assert len(server.said) == 1  # where it listens


async def test_nothing_is_sent_when_the_sdk_is_disabled(nowhere: Composition) -> None:
    async with grpc_receiver() as receiver:
        nowhere.send_to(receiver.url)
        nowhere.set(OTEL_SDK_DISABLED="TRUE")

        async with nowhere.running() as service:
            await service.saying(headers=SAMPLED)

    assert not receiver.texts
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("telemetry")]
