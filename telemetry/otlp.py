"""Metrics and spans over OTLP, set up by the standard OTEL_* variables, sent in batches from a separate thread.

A collector that is down, slow or faulty does not slow a request: when the queue is full its oldest item is dropped, an
item that the collector rejects is not kept, and both are counted. The thread is a daemon, and a stopping process waits
for it for at most `ExportTimes.last_flush` seconds.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from service import __version__
from telemetry import names
from telemetry.events import Unexpected
from telemetry.export_times import DEFAULT_EXPORT_TIMES, ExportTimes
from telemetry.logs import LogListener, logger
from telemetry.metrics import SCALE, UNITS, Attributes, Batch, Histogram, Metrics, Series
from telemetry.notes import Finished
from telemetry.spans import SpanMaker

QUEUE_SIZE = 2048
# Requests wait while a batch is encoded, so that a large one would delay them; with a small one, posting would cost
# more than encoding.
ITEMS_AT_ONCE = 64

P = TypeVar("P")

_SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)
_EXPORTERS_LOG = logging.getLogger("opentelemetry.exporter")


class OtlpExport:
    """Queues traces and metrics, which a thread sends."""

    def __init__(
        self,
        metrics: Metrics,
        resource: Resource,
        span_exporter: SpanExporter,
        metric_exporter: MetricExporter,
        *,
        times: ExportTimes = DEFAULT_EXPORT_TIMES,
    ) -> None:
        self._times = times
        self._metrics = metrics
        self._resource = resource
        self._maker = SpanMaker(resource)
        self._span_exporter = span_exporter
        self._metric_exporter = metric_exporter
        self._queue: queue.Queue[Finished | Batch] = queue.Queue(QUEUE_SIZE)
        # Numbers of traces and batches. The event loop writes the first, the thread writes the others.
        self._dropped = 0  # because the queue was full
        self._refused = 0  # by the collector
        self._reported = 0  # of the two, the part reported to the collector
        self._works = True
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_until_closed, name="telemetry", daemon=True)
        self._thread.start()

    def hand_over(self, item: Finished | Batch) -> None:
        """Queue an item to send, dropping the oldest if the queue is full. Never blocks."""
        while True:
            try:
                return self._queue.put_nowait(item)
            except queue.Full:
                self._drop_oldest()

    async def run(self) -> None:
        """Queue the metrics every `times.metrics_every` seconds until cancelled."""
        while True:
            await asyncio.sleep(self._times.metrics_every)
            self.hand_over(self._metrics.take())

    async def close(self) -> None:
        """Send the rest, waiting at most `times.last_flush` seconds."""
        self.hand_over(self._metrics.take())
        self._closing.set()
        await asyncio.to_thread(self._thread.join, self._times.last_flush)

    def _drop_oldest(self) -> None:
        with suppress(queue.Empty):
            self._queue.get_nowait()
            self._dropped += 1

    def _send_until_closed(self) -> None:
        items: list[Finished | Batch] = []
        while not (self._closing.is_set() and self._queue.empty()):
            if len(items) < ITEMS_AT_ONCE:
                self._closing.wait(self._times.pause)
            items = self._queued()
            self._send(items)
        self._span_exporter.shutdown()
        self._metric_exporter.shutdown()

    def _queued(self) -> list[Finished | Batch]:
        items: list[Finished | Batch] = []
        with suppress(queue.Empty):
            while len(items) < ITEMS_AT_ONCE:
                items.append(self._queue.get_nowait())
        return items

    def _send(self, items: Sequence[Finished | Batch]) -> None:
        for item in items:
            if isinstance(item, Batch):
                self._send_metrics(item)
        if finished := [item for item in items if isinstance(item, Finished)]:
            self._send_traces(finished)

    def _send_metrics(self, batch: Batch) -> None:
        lost = self._dropped + self._refused - self._reported
        if lost:
            batch = replace(batch, sums={**batch.sums, (names.TELEMETRY_DROPPED, ()): lost})
        if self._is_accepted(lambda: self._metric_exporter.export(metrics_data(batch, self._resource))):
            self._reported += lost
        else:
            self._refused += 1

    def _send_traces(self, finished: Sequence[Finished]) -> None:
        if not self._is_accepted(lambda: self._span_exporter.export(self._spans(finished))):
            self._refused += len(finished)

    def _spans(self, finished: Sequence[Finished]) -> list[ReadableSpan]:
        return [span for trace in finished for span in self._maker.spans(trace)]

    def _is_accepted(self, export: Callable[[], Enum]) -> bool:
        """Whether the collector accepted it. Never raises, as that would end the thread and all telemetry with it."""
        try:
            taken = export().name == "SUCCESS"
        except Exception as error:  # noqa: BLE001 - our own defect or an exporter's, as on some malformed responses
            LogListener().emit(Unexpected("telemetry", error))
            taken = False
        if taken is not self._works:
            self._works = taken
            _log_delivery(works=taken)
        return taken


def _log_delivery(*, works: bool) -> None:
    """Log once that delivery fails or works again. The exporters log the reason; only their first message passes."""
    if works:
        logger.warning("telemetry gets through again")
    else:
        fields = {"error_type": "TelemetryNotSent", "error_message": "The collector does not take what is sent."}
        logger.warning("telemetry does not get through", extra={"fields": fields})
    _EXPORTERS_LOG.setLevel(logging.NOTSET if works else logging.CRITICAL)


def metrics_data(batch: Batch, resource: Resource) -> MetricsData:
    """Convert a batch to OpenTelemetry's data model: delta temporality, exponential histograms, unchanged names."""
    histograms = _by_name((key, _histogram_point(batch, key[1], counts)) for key, counts in batch.histograms.items())
    sums = _by_name((key, _number_point(batch, key[1], value)) for key, value in batch.sums.items())
    gauges = _by_name((key, _number_point(batch, key[1], value)) for key, value in batch.gauges.items())
    delta = AggregationTemporality.DELTA
    metrics = [
        *(_metric(name, ExponentialHistogram(points, delta)) for name, points in histograms.items()),
        *(_metric(name, Sum(points, delta, is_monotonic=True)) for name, points in sums.items()),
        *(_metric(name, Gauge(points)) for name, points in gauges.items()),
    ]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, names.SCHEMA_URL)], "")])


def _by_name(points: Iterable[tuple[Series, P]]) -> dict[str, list[P]]:
    found: dict[str, list[P]] = {}
    for (name, _), point in points:
        found.setdefault(name, []).append(point)
    return found


def _metric(name: str, data: ExponentialHistogram | Sum | Gauge) -> Metric:
    return Metric(name, None, UNITS.get(name, "1"), data)


def _histogram_point(batch: Batch, attributes: Attributes, counts: Histogram) -> ExponentialHistogramDataPoint:
    first = min(counts.buckets, default=0)
    last = max(counts.buckets, default=-1)
    return ExponentialHistogramDataPoint(
        attributes=dict(attributes),
        start_time_unix_nano=batch.started_at,
        time_unix_nano=batch.ended_at,
        count=counts.count,
        sum=counts.total,
        scale=SCALE,
        zero_count=counts.zeros,
        positive=Buckets(first, [counts.buckets.get(index, 0) for index in range(first, last + 1)]),
        negative=Buckets(0, []),
        flags=0,
        min=counts.low,
        max=counts.high,
    )


def _number_point(batch: Batch, attributes: Attributes, value: float) -> NumberDataPoint:
    return NumberDataPoint(dict(attributes), batch.started_at, batch.ended_at, value)
