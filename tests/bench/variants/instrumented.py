"""The bare handler under OpenTelemetry's own aiohttp instrumentation, traces and metrics over OTLP as OTEL_* say.

Runs on the packages of requirements/bench.txt: `instrumented.py ANSWER PORT`.
"""

import sys
from pathlib import Path

from bare import serve
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if __name__ == "__main__":
    traces = TracerProvider()  # samples as OTEL_TRACES_SAMPLER and its ARG say
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    AioHttpServerInstrumentor().instrument()
    serve(Path(sys.argv[1]), int(sys.argv[2]))
