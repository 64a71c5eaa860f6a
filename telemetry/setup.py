"""The listeners of a process: logs always, OTLP if the environment sets it up, the tree on the terminal on request.

OTEL_EXPORTER_OTLP_ENDPOINT switches OTLP on, OTEL_SDK_DISABLED=true switches it off. With it, OTEL_LOGS_EXPORTER=otlp
sends votes as evaluation events. This module also reads
OTEL_EXPORTER_OTLP_PROTOCOL (grpc or http/protobuf), OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER
and OTEL_TRACES_SAMPLER_ARG; the exporters read their own variables (headers, certificates, compression).
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.events import Listener, Listeners
from telemetry.export_times import DEFAULT_EXPORT_TIMES, ExportTimes
from telemetry.logs import LogListener
from telemetry.metrics import Metrics
from telemetry.notes import Finished, NoteTaker

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

DEFAULT_SERVICE_NAME = "cloud-sayings"
DEFAULT_RATIO = 0.05


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The listener to emit to, and the background jobs by name that must run for it."""

    listener: Listener
    jobs: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


@asynccontextmanager
async def open_telemetry(
    environ: Mapping[str, str],
    *,
    show_traces: bool = False,
    logs: Listener | None = None,
    times: ExportTimes = DEFAULT_EXPORT_TIMES,
) -> AsyncIterator[Telemetry]:
    """Open telemetry for a server or a worker; as the block ends the rest is sent, within `times.last_flush` seconds.

    `logs` replaces the JSON log, for commands that show a person something else.
    """
    listeners: list[Listener] = [logs or LogListener()]
    jobs = {}
    outlets: list[Callable[[Finished], None]] = []
    async with AsyncExitStack() as stack:
        if show_traces:
            outlets.append(_console())
        if _wants_otlp(environ):
            from telemetry.otlp import OtlpExport
            from telemetry.spans import resource_of

            metrics = Metrics()
            exporters = _exporters(environ, times.export)
            export = OtlpExport(metrics, resource_of(service_name(environ)), *exporters, times=times)
            stack.push_async_callback(export.close)
            listeners.append(metrics)
            jobs["telemetry"] = export.run
            outlets.append(export.hand_over)
            if environ.get("OTEL_LOGS_EXPORTER") == "otlp":
                from telemetry.evaluations import Evaluations

                evaluations = Evaluations(_log_exporter(environ, times.export), resource_of(service_name(environ)))
                stack.push_async_callback(evaluations.close, times.last_flush)
                listeners.append(evaluations)
        if outlets:  # for traces on the terminal all are kept
            listeners.append(NoteTaker(*outlets, ratio=1.0 if show_traces else sampling_ratio(environ)))
        yield Telemetry(Listeners(*listeners) if len(listeners) > 1 else listeners[0], jobs)


def _console() -> Callable[[Finished], None]:
    from rich.console import Console

    from telemetry.console import TraceConsole

    return TraceConsole(Console(file=sys.stderr)).show


def service_name(environ: Mapping[str, str]) -> str:
    attributes = environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    named = dict(pair.strip().split("=", 1) for pair in attributes if "=" in pair)
    return environ.get("OTEL_SERVICE_NAME") or named.get("service.name") or DEFAULT_SERVICE_NAME


def sampling_ratio(environ: Mapping[str, str]) -> float:
    """The share of traces to keep, by OTEL_TRACES_SAMPLER and its ARG; DEFAULT_RATIO when they are invalid."""
    sampler = environ.get("OTEL_TRACES_SAMPLER", "").removeprefix("parentbased_")
    if sampler in ("always_on", "always_off"):
        return 1.0 if sampler == "always_on" else 0.0
    try:
        ratio = float(environ.get("OTEL_TRACES_SAMPLER_ARG", DEFAULT_RATIO))
    except ValueError:
        return DEFAULT_RATIO
    return ratio if 0 <= ratio <= 1 else DEFAULT_RATIO


def _wants_otlp(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")) and environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


def _exporters(environ: Mapping[str, str], timeout: float) -> "tuple[SpanExporter, MetricExporter]":
    """Create the official exporters, which read the standard variables themselves. `timeout` is in seconds."""
    if environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter, trace_exporter

        return trace_exporter.OTLPSpanExporter(timeout=timeout), metric_exporter.OTLPMetricExporter(timeout=timeout)
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

    return http_traces.OTLPSpanExporter(timeout=timeout), http_metrics.OTLPMetricExporter(timeout=timeout)


def _log_exporter(environ: Mapping[str, str], timeout: float) -> "LogRecordExporter":
    if environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs

        return grpc_logs.OTLPLogExporter(timeout=timeout)
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs

    return http_logs.OTLPLogExporter(timeout=timeout)
