"""OpenTelemetry's providers, registered for everybody in the process, and what sends their telemetry and ours.

Our traces become spans in the thread that sends them, and pass through the same processors as the spans of other
libraries. Our counts leave in one export with the metrics of other libraries. docs/TELEMETRY.md shows how to add
processors, readers and exporters.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics as metrics_api
from opentelemetry import propagate
from opentelemetry import trace as traces_api
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader, MetricExporter, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from telemetry import otlp, traces
from telemetry.current_span import OpenTelemetryBridge
from telemetry.events import Unexpected
from telemetry.export_times import DEFAULT_EXPORT_TIMES, ExportTimes
from telemetry.logs import LogListener
from telemetry.metrics import Batch, Metrics
from telemetry.metrics_data import MetricsConverter, aggregations, temporalities
from telemetry.notes import Finished
from telemetry.otel_settings import METRICS_EXPORTERS, TRACES_EXPORTERS, ExemplarFilter, OtelSettings
from telemetry.others_sampler import SamplerOfOthers
from telemetry.propagators import propagator
from telemetry.sampling import Sampler
from telemetry.sending import Delivery, Sender
from telemetry.spans import SpanMaker, resource_of, span_limits

# Installed packages that add processors, readers or instrumentations name a function in this group of entry points. It
# is called once with the tracer provider and the meter provider, both of the SDK.
HOOKS = "cloud_sayings.telemetry"

TRACES, METRICS = "traces", "metrics"
# Few of these wait, because one is made in every interval.
_BATCHES_WAITING = 16

_EXEMPLARS: Mapping[ExemplarFilter, Callable[[], Any]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


class Export:
    """Collects and sends what is to be sent, from `open` to `close`."""

    def __init__(
        self, settings: OtelSettings, sampler: Sampler, metrics: Metrics, times: ExportTimes = DEFAULT_EXPORT_TIMES
    ) -> None:
        self._settings = settings
        self._sampler = sampler
        self._times = times
        resource = resource_of(settings.service_name, settings.resource_attributes)
        self._traces = TracesExport(settings, resource, _span_deliveries(settings), sampler)
        self._metrics = MetricsExport(settings, resource, _metric_deliveries(settings), metrics, self._lost)
        self._parts = (self._traces, self._metrics)

    def open(self) -> None:
        """Register the providers and begin to send. OpenTelemetry lets a process register them only once."""
        propagate.set_global_textmap(propagator(self._settings.propagators))
        traces.bridge = OpenTelemetryBridge(self._sampler)
        traces_api.set_tracer_provider(self._traces.provider)
        metrics_api.set_meter_provider(self._metrics.provider)
        for hook in entry_points(group=HOOKS):
            _call(hook.load, self._traces.provider, self._metrics.provider)
        for part in self._parts:
            part.sender.start()

    def keep(self, finished: Finished) -> None:
        """Send a trace. Never blocks."""
        self._traces.sender.put(finished)

    async def run(self) -> None:
        """Send the metrics in every interval until cancelled."""
        while True:
            await asyncio.sleep(self._settings.metric_interval)
            self._metrics.take()

    async def close(self) -> None:
        """Send the rest, waiting at most `times.last_flush` seconds."""
        traces.bridge = None
        self._metrics.take()
        for part in self._parts:
            part.sender.close()
        joins = (asyncio.to_thread(part.sender.join, self._times.last_flush) for part in self._parts)
        await asyncio.gather(*joins)
        for part in self._parts:
            part.sender.break_off()

    def _lost(self) -> dict[str, int]:
        """How much of each signal was lost so far: traces, spans and points."""
        return {TRACES: self._traces.sender.lost, METRICS: self._metrics.sender.lost}


class TracesExport:
    """The tracer provider, and the sender of its spans and of ours."""

    def __init__(
        self,
        settings: OtelSettings,
        resource: Resource,
        deliveries: Sequence[Delivery[Sequence[ReadableSpan]]],
        sampler: Sampler,
    ) -> None:
        batching, limits = settings.batching, span_limits(settings.limits)
        processors = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
        self.provider = TracerProvider(
            sampler=SamplerOfOthers(sampler),
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=processors,
            span_limits=limits,
        )
        self._maker = SpanMaker(resource, processors, limits)
        self._made: list[ReadableSpan] = []
        self._most = batching.max_export_batch_size
        self.sender: Sender[Finished | ReadableSpan, Sequence[ReadableSpan]] = Sender(
            TRACES,
            self._batches,
            deliveries,
            size=batching.max_queue_size,
            at_once=batching.max_export_batch_size,
            pause=batching.schedule_delay,
            at_end=self.provider.shutdown,
        )
        self.provider.add_span_processor(_Ended(self._take))

    def _take(self, span: ReadableSpan) -> None:
        if self.sender.is_own_thread():
            self._made.append(span)
        else:
            self.sender.put(span)

    def _batches(self, items: Sequence[Finished | ReadableSpan]) -> Iterator[tuple[Sequence[ReadableSpan], int]]:
        self._made = []
        for item in items:
            if isinstance(item, ReadableSpan):
                self._made.append(item)
            else:
                self._make(item)
        for start in range(0, len(self._made), self._most):
            batch = self._made[start : start + self._most]
            yield batch, len(batch)

    def _make(self, finished: Finished) -> None:
        """Make the spans of a trace. The processors, of which `_take` is one, get each of them."""
        try:
            self._maker.spans(finished)
        except Exception as error:  # noqa: BLE001 - our own defect or a processor's must not cost the other traces
            LogListener().emit(Unexpected("telemetry", error))
            self.sender.lose(1)


class MetricsExport:
    """The meter provider, and the sender of its metrics and of ours."""

    def __init__(
        self,
        settings: OtelSettings,
        resource: Resource,
        deliveries: Sequence[Delivery[MetricsData]],
        metrics: Metrics,
        lost: Callable[[], dict[str, int]],
    ) -> None:
        self._counts = metrics
        self._lost = lost
        self._reported: dict[str, int] = {}
        self._reader = InMemoryMetricReader(temporalities(settings.temporality), aggregations(settings.aggregation))
        self.provider = MeterProvider(
            metric_readers=[self._reader],
            resource=resource,
            exemplar_filter=_EXEMPLARS[settings.exemplar_filter](),
            shutdown_on_exit=False,
        )
        self._converter = MetricsConverter(resource, settings.temporality, settings.aggregation)
        self.sender: Sender[Batch, MetricsData] = Sender(
            METRICS,
            self._batches,
            deliveries,
            size=_BATCHES_WAITING,
            at_once=1,
            pause=0.0,
            at_end=self.provider.shutdown,
        )

    def take(self) -> None:
        """Queue what was counted since the last time. The event loop calls this, on which everything is counted."""
        self.sender.put(self._counts.take())

    def _batches(self, items: Sequence[Batch]) -> Iterator[tuple[MetricsData, int]]:
        for batch in items:
            lost = self._lost()
            data = self._with_others(self._converter.metrics_data(batch, lost, self._reported))
            yield data, _points_in(data)
            if self.sender.delivered:
                self._reported = lost

    def _with_others(self, ours: MetricsData) -> MetricsData:
        """Add what other libraries have recorded since the last time."""
        others = self._reader.get_metrics_data()
        if others is None:
            return ours
        (resource_metrics,) = ours.resource_metrics
        scopes = [scope for found in others.resource_metrics for scope in found.scope_metrics]
        return MetricsData([replace(resource_metrics, scope_metrics=[*resource_metrics.scope_metrics, *scopes])])


class _Ended(SpanProcessor):
    """Passes on the sampled spans that have ended."""

    def __init__(self, take: Callable[[ReadableSpan], None]) -> None:
        self._take = take

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._take(span)


def _span_deliveries(settings: OtelSettings) -> list[Delivery[Sequence[ReadableSpan]]]:
    def exporter(name: str) -> tuple[SpanExporter, otlp.Watch | None]:
        if name == "otlp":
            return otlp.span_exporter(settings.traces)
        if name == "console":
            return ConsoleSpanExporter(out=sys.stderr), None  # the standard output is the log's
        return _loaded(TRACES_EXPORTERS, name)(), None

    seconds = settings.batching.export_timeout
    return [Delivery(TRACES, name, *exporter(name), seconds=seconds) for name in settings.traces_exporters]


def _metric_deliveries(settings: OtelSettings) -> list[Delivery[MetricsData]]:
    def exporter(name: str) -> tuple[MetricExporter, otlp.Watch | None]:
        if name == "otlp":
            return otlp.metric_exporter(settings.metrics)
        if name == "console":
            return ConsoleMetricExporter(out=sys.stderr), None
        return _loaded(METRICS_EXPORTERS, name)(), None

    seconds = settings.metric_timeout
    return [Delivery(METRICS, name, *exporter(name), seconds=seconds) for name in settings.metrics_exporters]


def _loaded(group: str, name: str) -> Any:
    """What an installed package provides; that it is there has been checked."""
    return next(iter(entry_points(group=group, name=name))).load()


def _call(load: Callable[[], Any], *arguments: Any) -> None:
    """Call a hook, whose defects are logged and do not stop the service."""
    try:
        load()(*arguments)
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        LogListener().emit(Unexpected("telemetry", error))


def _points_in(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
