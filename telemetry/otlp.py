"""OpenTelemetry's own OTLP exporters, set up by our settings, and watched: they keep to themselves what was answered.

An exporter only says whether it succeeded. A `Watch` also knows how much of a request was rejected, and whether it is
worth sending again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from telemetry.otel_settings import Otlp

# As OTLP's specification lists them.
_RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
_RETRYABLE_CODES = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)


@dataclass(slots=True)
class Watch:
    """What the back end made of the last request. `reason` is why it was not taken; `rejected` counts spans or points.

    It is read by the thread that sends.
    """

    reason: str = ""
    may_retry: bool = False
    rejected: int = 0

    def took(self, rejected: int) -> None:
        self.reason, self.may_retry, self.rejected = "", False, rejected

    def failed(self, reason: str, *, may_retry: bool) -> None:
        self.reason, self.may_retry, self.rejected = reason, may_retry, 0


def span_exporter(settings: Otlp) -> tuple[SpanExporter, Watch]:
    """The exporter of traces and what watches it."""
    _silence()
    watch = Watch()
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return _watched_by(OTLPSpanExporter, watch, _rejected_spans)(**_grpc_arguments(settings)), watch
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter

    return HttpSpanExporter(**_http_arguments(settings, watch, ExportTraceServiceResponse, _rejected_spans)), watch


def metric_exporter(settings: Otlp) -> tuple[MetricExporter, Watch]:
    """The exporter of metrics and what watches it."""
    _silence()
    watch = Watch()
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        return _watched_by(OTLPMetricExporter, watch, _rejected_points)(**_grpc_arguments(settings)), watch
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter

    return HttpMetricExporter(**_http_arguments(settings, watch, ExportMetricsServiceResponse, _rejected_points)), watch


def log_exporter(settings: Otlp) -> tuple[LogRecordExporter, Watch]:
    """The exporter of log records and what watches it."""
    _silence()
    watch = Watch()
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

        return _watched_by(OTLPLogExporter, watch, _rejected_records)(**_grpc_arguments(settings)), watch
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter

    return HttpLogExporter(**_http_arguments(settings, watch, ExportLogsServiceResponse, _rejected_records)), watch


def _silence() -> None:
    """Leave it to telemetry/sending.py to say, once, that nothing gets through: exporters say it at every attempt."""
    logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)


def _rejected_spans(response: Any) -> int:
    return int(response.partial_success.rejected_spans)


def _rejected_points(response: Any) -> int:
    return int(response.partial_success.rejected_data_points)


def _rejected_records(response: Any) -> int:
    return int(response.partial_success.rejected_log_records)


class _Response(Protocol):
    """A message of protobuf."""

    @classmethod
    def FromString(cls, data: bytes) -> Any: ...  # noqa: N802 - the name is protobuf's


def _http_arguments(
    settings: Otlp, watch: Watch, response_type: type[_Response], rejected_of: Callable[[Any], int]
) -> dict[str, Any]:
    import requests
    from opentelemetry.exporter.otlp.proto.http import Compression

    class WatchedSession(requests.Session):
        def request(self, *arguments: Any, **options: Any) -> requests.Response:
            try:
                response = super().request(*arguments, **options)
            except requests.RequestException as error:
                watch.failed(type(error).__name__, may_retry=True)
                raise
            code = response.status_code
            if 200 <= code < 300:  # the exporter takes a redirect for a success, too
                watch.took(_rejected(response.content, response_type, rejected_of))
            else:
                watch.failed(f"HTTP {code}", may_retry=code in _RETRYABLE_STATUSES)
            return response

    session = WatchedSession()
    session.trust_env = False  # neither proxies nor certificates
    session.proxies = {"https": settings.proxy} if settings.proxy else {}
    return {
        "endpoint": settings.endpoint,
        "certificate_file": settings.certificate or None,
        "client_certificate_file": settings.client_certificate or None,
        "client_key_file": settings.client_key or None,
        "headers": settings.headers,
        "timeout": settings.timeout,
        "compression": Compression(settings.compression),
        "session": session,
    }


def _rejected(content: bytes, response_type: type[_Response], rejected_of: Callable[[Any], int]) -> int:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return rejected_of(response_type.FromString(content))
    except DecodeError:  # something else than a collector has answered, and has answered well
        return 0


def _grpc_arguments(settings: Otlp) -> dict[str, Any]:
    import grpc

    credentials = None
    if not settings.insecure:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_bytes_of(settings.certificate),
            private_key=_bytes_of(settings.client_key),
            certificate_chain=_bytes_of(settings.client_certificate),
        )
    # Without a proxy of ours gRPC would take one from the environment.
    way = ("grpc.http_proxy", settings.proxy) if settings.proxy else ("grpc.enable_http_proxy", 0)
    return {
        "endpoint": settings.endpoint,
        "insecure": settings.insecure,
        "credentials": credentials,
        "headers": settings.headers,
        "timeout": settings.timeout,
        "channel_options": (way,),
        "compression": grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression,
    }


def _bytes_of(path: str) -> bytes | None:
    from pathlib import Path

    return Path(path).read_bytes() if path else None


def _watched_by(exporter: type[Any], watch: Watch, rejected_of: Callable[[Any], int]) -> type[Any]:
    """The same exporter over a channel that tells the watch what each call came to."""
    import grpc

    class Watching(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            call = continuation(details, request)
            code = call.code().name
            if code == "OK":
                watch.took(rejected_of(call.result()))
            else:
                watch.failed(f"gRPC {code}", may_retry=code in _RETRYABLE_CODES)
            return call

    class Watched(exporter):  # type: ignore[misc]
        def _initialize_channel_and_stub(self) -> None:
            """Make the channel, as the exporter does at its start and whenever the connection has broken."""
            super()._initialize_channel_and_stub()
            self._channel: Any = grpc.intercept_channel(self._channel, Watching())
            self._client = self._stub(self._channel)

    return cast("type[Any]", Watched)
