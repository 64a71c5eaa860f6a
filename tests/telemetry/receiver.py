"""A collector as the exporters know it: OTLP over gRPC or HTTP, remembering what came and failing as told."""

import asyncio
import ssl
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from aiohttp import web
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

# Longer than anything takes, so that a hang becomes a failure.
PATIENCE_SECONDS = 30.0

Kind = trace_pb2.Span.SpanKind


@dataclass(frozen=True)
class Span:
    """A span as it came over the wire."""

    proto: trace_pb2.Span
    resource: Mapping[str, Any]
    scope: str  # the name of the library that made it

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def kind(self) -> str:
        name: str = Kind.Name(self.proto.kind)
        return name.removeprefix("SPAN_KIND_")

    @property
    def trace_id(self) -> str:
        return self.proto.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.proto.span_id.hex()

    @property
    def parent_id(self) -> str:
        return self.proto.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return _attributes(self.proto.attributes)

    @property
    def failed(self) -> bool:
        return self.proto.status.code == trace_pb2.Status.STATUS_CODE_ERROR

    @property
    def exceptions(self) -> list[dict[str, Any]]:
        return [_attributes(event.attributes) for event in self.proto.events if event.name == "exception"]

    @property
    def milliseconds(self) -> float:
        return (self.proto.end_time_unix_nano - self.proto.start_time_unix_nano) / 1e6

    @property
    def links(self) -> list[str]:
        return [link.trace_id.hex() + link.span_id.hex() for link in self.proto.links]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}{' FAILED' if self.failed else ''}"


@dataclass(frozen=True)
class Point:
    """A point of a metric as it came over the wire, with what its metric says."""

    name: str
    unit: str
    attributes: Mapping[str, Any]
    proto: metrics_pb2.ExponentialHistogramDataPoint | metrics_pb2.HistogramDataPoint | metrics_pb2.NumberDataPoint
    temporality: str | None

    @property
    def value(self) -> float:
        """A number's value, a histogram's count."""
        if isinstance(self.proto, metrics_pb2.NumberDataPoint):
            return self.proto.as_int if self.proto.HasField("as_int") else self.proto.as_double
        return self.proto.count

    def __str__(self) -> str:
        told = " ".join(f"{key}={value}" for key, value in sorted(self.attributes.items()))
        return f"{self.name} [{self.unit}] {told}".rstrip()


@dataclass(frozen=True)
class Record:
    """A log record as it came over the wire."""

    proto: logs_pb2.LogRecord

    @property
    def generation_id(self) -> str:
        """The trace id and the span id."""
        return self.proto.trace_id.hex() + self.proto.span_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return _attributes(self.proto.attributes)


class Receiver:
    """Collects spans and points of metrics. `url` is for OTEL_EXPORTER_OTLP_ENDPOINT.

    `trouble` is what it answers with instead, to the next `troubles` exports or to all: an HTTP status or the gRPC code
    that stands for it. The next `hanging` exports get no answer. Of every export `rejects` spans or points are refused.
    """

    url: str

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.all_points: list[Point] = []
        self.records: list[Record] = []
        self.texts: list[str] = []  # everything, to search for what must not be there
        self.scopes: set[tuple[str, str, str]] = set()  # names, versions and schemas
        self.resources: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []  # of every export, with the path of HTTP as `path`
        self.trouble: int | None = None
        self.troubles: int | None = None
        self.hanging = 0
        self.rejects = 0
        self.refused: Counter[str] = Counter()  # exports of traces and of metrics
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def roots(self) -> list[Span]:
        ids = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_id not in ids]

    def children(self, parent: Span) -> list[Span]:
        """In the order in which they began."""
        found = [span for span in self.spans if span.parent_id == parent.span_id and span.trace_id == parent.trace_id]
        return sorted(found, key=lambda span: span.proto.start_time_unix_nano)

    def below(self, parent: Span, depth: int = 1) -> Iterator[tuple[int, Span]]:
        """All that lies below a span, each after its parent and with its depth."""
        for child in self.children(parent):
            yield depth, child
            yield from self.below(child, depth + 1)

    def tree(self, root: Span) -> list[str]:
        """A trace as kinds and names, each indented below its parent."""
        return [str(root), *(f"{'  ' * depth}{span}" for depth, span in self.below(root))]

    def draw(self, root: Span) -> None:
        """Write the same for `pytest -rP`, with milliseconds: when a span began after its root, how long it took."""
        for depth, span in ((0, root), *self.below(root)):
            began = (span.proto.start_time_unix_nano - root.proto.start_time_unix_nano) / 1e6
            sys.stdout.write(f"{began:8.1f} {span.milliseconds:8.1f}  {'  ' * depth}{span}\n")

    def root(self, name: str, number: int = 0) -> Span:
        return [span for span in self.roots() if span.name == name][number]

    def child(self, root: Span, beginning: str) -> Span:
        """The first span below this one whose name begins so."""
        return self.all_below(root, beginning)[0]

    def all_below(self, root: Span, beginning: str) -> list[Span]:
        return [span for _, span in self.below(root) if span.name.startswith(beginning)]

    def points(self, name: str) -> list[Point]:
        return [point for point in self.all_points if point.name == name]

    def totals(self, name: str) -> dict[tuple[Any, ...], float]:
        """The sums, or the counts, of a metric by the values of its attributes."""
        totals: dict[tuple[Any, ...], float] = {}
        for point in self.points(name):
            key = tuple(value for _, value in sorted(point.attributes.items()))
            totals[key] = totals.get(key, 0) + point.value
        return totals

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def take_traces(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        for resource_spans in request.resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            self.resources.append(resource)
            for scope in resource_spans.scope_spans:
                self.scopes.add((scope.scope.name, scope.scope.version, scope.schema_url))
                self.spans += [Span(span, resource, scope.scope.name) for span in scope.spans]
        self._took(request)

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        for resource_metrics in request.resource_metrics:
            self.resources.append(_attributes(resource_metrics.resource.attributes))
            for scope in resource_metrics.scope_metrics:
                self.all_points += [point for metric in scope.metrics for point in points_of(metric)]
        self._took(request)

    def take_logs(self, request: logs_service_pb2.ExportLogsServiceRequest) -> None:
        scopes = (scope for resource in request.resource_logs for scope in resource.scope_logs)
        self.records += [Record(record) for scope in scopes for record in scope.log_records]
        self._took(request)

    def refuse(self, what: str) -> int | None:
        """The trouble that this export gets."""
        trouble = self.trouble  # which the test may change as soon as it sees that the export was refused
        if trouble is None or self.troubles == 0:
            return None
        self.troubles = None if self.troubles is None else self.troubles - 1
        self.refused[what] += 1
        self._took("")
        return trouble

    def hangs(self) -> bool:
        """Whether this export gets no answer."""
        self.hanging -= 1
        return self.hanging >= 0

    def _took(self, request: object) -> None:
        self.texts.append(str(request))
        self._loop.call_soon_threadsafe(self._changed.set)


def points_of(metric: metrics_pb2.Metric) -> Iterable[Point]:
    kind = metric.WhichOneof("data") or ""
    data = getattr(metric, kind)
    temporality = getattr(data, "aggregation_temporality", None)
    named = None if temporality is None else metrics_pb2.AggregationTemporality.Name(temporality).split("_")[-1]
    return [Point(metric.name, metric.unit, _attributes(one.attributes), one, named) for one in data.data_points]


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


@asynccontextmanager
async def grpc_receiver(port: int = 0, tls: grpc.ServerCredentials | None = None) -> AsyncIterator[Receiver]:
    """Receive OTLP over gRPC on threads of its own, as a collector beside the process would."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(receiver), server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(receiver), server)  # type: ignore[no-untyped-call]
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(receiver), server)  # type: ignore[no-untyped-call]
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{bound}"
    server.start()
    try:
        yield receiver
    finally:
        await asyncio.to_thread(server.stop(None).wait)


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        self._receiver.take_logs(request)
        return logs_service_pb2.ExportLogsServiceResponse()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        _obey(self._receiver, "traces", context)
        self._receiver.take_traces(request)
        partial = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=self._receiver.rejects)
        return trace_service_pb2.ExportTraceServiceResponse(partial_success=partial)


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        _obey(self._receiver, "metrics", context)
        self._receiver.take_metrics(request)
        partial = metrics_service_pb2.ExportMetricsPartialSuccess(rejected_data_points=self._receiver.rejects)
        return metrics_service_pb2.ExportMetricsServiceResponse(partial_success=partial)


def _obey(receiver: Receiver, what: str, context: Any) -> None:
    codes = {
        400: grpc.StatusCode.INVALID_ARGUMENT,
        429: grpc.StatusCode.RESOURCE_EXHAUSTED,
        500: grpc.StatusCode.INTERNAL,
        503: grpc.StatusCode.UNAVAILABLE,
    }
    receiver.headers.append(dict(context.invocation_metadata()))
    if receiver.hangs():
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(PATIENCE_SECONDS)
        context.abort(grpc.StatusCode.CANCELLED, "nobody waits any more")
    if trouble := receiver.refuse(what):
        context.abort(codes[trouble], "as told")


@asynccontextmanager
async def http_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()

    async def traces(request: web.Request) -> web.Response:
        kind = trace_service_pb2.ExportTraceServiceRequest
        partial = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=receiver.rejects)
        answer = trace_service_pb2.ExportTraceServiceResponse(partial_success=partial)
        return await _taken(receiver, "traces", receiver.take_traces, kind, answer, request)

    async def metrics(request: web.Request) -> web.Response:
        kind = metrics_service_pb2.ExportMetricsServiceRequest
        partial = metrics_service_pb2.ExportMetricsPartialSuccess(rejected_data_points=receiver.rejects)
        answer = metrics_service_pb2.ExportMetricsServiceResponse(partial_success=partial)
        return await _taken(receiver, "metrics", receiver.take_metrics, kind, answer, request)

    async def logs(request: web.Request) -> web.Response:
        kind, answer = logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse()
        return await _taken(receiver, "logs", receiver.take_logs, kind, answer, request)

    app = web.Application()
    routes = {"traces": traces, "metrics": metrics, "logs": logs}
    app.add_routes([web.post(f"/{{path:.*}}v1/{name}", take) for name, take in routes.items()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def _taken(
    receiver: Receiver, what: str, take: Callable[[Any], None], kind: type[Any], answer: Any, request: web.Request
) -> web.Response:
    receiver.headers.append({name.lower(): value for name, value in request.headers.items()} | {"path": request.path})
    if receiver.hangs():
        await asyncio.sleep(PATIENCE_SECONDS)
    if trouble := receiver.refuse(what):
        return web.Response(status=trouble)
    parsed = kind()
    parsed.ParseFromString(await request.read())
    take(parsed)
    return web.Response(body=answer.SerializeToString(), content_type="application/x-protobuf")


RECEIVERS: Mapping[str, Callable[[], AbstractAsyncContextManager[Receiver]]] = {
    "grpc": grpc_receiver,
    "http/protobuf": http_receiver,
}
