"""Our counts in OpenTelemetry's data model, with the temporality and the kind of histograms that are asked for.

We count by the change since the last time (`Batch`). For cumulative temporality the batches are added up here.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from opentelemetry.sdk.metrics import (
    Counter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as ExplicitHistogram
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry import __version__, names, otel_settings
from telemetry.metrics import SCALE, UNITS, Attributes, Batch, Histogram, Series

P = TypeVar("P")

_SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)
_DELTA, _CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
_EXPONENTIAL: otel_settings.Aggregation = "base2_exponential_bucket_histogram"
# The bounds of explicit buckets by unit: those that the GenAI conventions advise, else OpenTelemetry's usual ones.
_BOUNDS: Mapping[str, Sequence[float]] = {
    "s": [0.01 * 2**power for power in range(14)],
    "{token}": [4**power for power in range(14)],
}
_NOTHING: Mapping[str, int] = MappingProxyType({})
_USUAL_BOUNDS: Sequence[float] = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000)


class MetricsConverter:
    """Converts batches, one after the other."""

    def __init__(
        self,
        resource: Resource,
        temporality: otel_settings.Temporality = "delta",
        aggregation: otel_settings.Aggregation = _EXPONENTIAL,
    ) -> None:
        self._resource = resource
        self._totals = _Totals() if temporality == "cumulative" else None
        self._temporality = _CUMULATIVE if self._totals else _DELTA
        self._aggregation = aggregation

    def metrics_data(
        self, batch: Batch, lost: Mapping[str, int] = _NOTHING, lost_before: Mapping[str, int] = _NOTHING
    ) -> MetricsData:
        """The batch, and what each signal has lost in all, of which an earlier export has reported a part."""
        if self._totals is not None:
            batch, lost_before = self._totals.add(batch), _NOTHING
        sums: dict[Series, float] = {
            (names.TELEMETRY_DROPPED, ((names.SIGNAL, signal),)): float(count - lost_before.get(signal, 0))
            for signal, count in lost.items()
            if count > lost_before.get(signal, 0)
        }
        metrics = [
            *self._histograms(batch),
            *self._numbers(batch, {**batch.sums, **sums}),
            *(
                Metric(name, None, UNITS.get(name, "1"), Gauge(points))
                for name, points in _by_name(
                    (key, _number_point(batch, key[1], value)) for key, value in batch.gauges.items()
                ).items()
            ),
        ]
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(_SCOPE, metrics, names.SCHEMA_URL)], "")])

    def _numbers(self, batch: Batch, sums: Mapping[Series, float]) -> Iterable[Metric]:
        points = _by_name((key, _number_point(batch, key[1], value)) for key, value in sums.items())
        for name, found in points.items():
            yield Metric(name, None, UNITS.get(name, "1"), Sum(found, self._temporality, is_monotonic=True))

    def _histograms(self, batch: Batch) -> Iterable[Metric]:
        for name, found in _by_name((key, (key[1], counts)) for key, counts in batch.histograms.items()).items():
            unit = UNITS.get(name, "1")
            data: ExponentialHistogram | ExplicitHistogram
            if self._aggregation == _EXPONENTIAL:
                exponential = [_exponential_point(batch, attributes, counts) for attributes, counts in found]
                data = ExponentialHistogram(exponential, self._temporality)
            else:
                bounds = _BOUNDS.get(unit, _USUAL_BOUNDS)
                explicit = [_explicit_point(batch, attributes, counts, bounds) for attributes, counts in found]
                data = ExplicitHistogram(explicit, self._temporality)
            yield Metric(name, None, unit, data)


class _Totals:
    """The sum of all batches so far."""

    def __init__(self) -> None:
        self._started_at: int | None = None
        self._histograms: dict[Series, Histogram] = {}
        self._sums: dict[Series, float] = {}

    def add(self, batch: Batch) -> Batch:
        """Add a batch, and return everything since the first."""
        if self._started_at is None:
            self._started_at = batch.started_at
        for series, value in batch.sums.items():
            self._sums[series] = self._sums.get(series, 0) + value
        for series, counts in batch.histograms.items():
            self._histograms.setdefault(series, Histogram()).add(counts)
        return replace(batch, started_at=self._started_at, histograms=self._histograms, sums=self._sums)


def temporalities(preference: otel_settings.Temporality) -> dict[type, AggregationTemporality]:
    """The temporality of each kind of instrument of other libraries, as OTLP's specification has it."""
    synchronous = _CUMULATIVE if preference == "cumulative" else _DELTA
    observed = _DELTA if preference == "delta" else _CUMULATIVE
    return {
        Counter: synchronous,
        HistogramInstrument: synchronous,
        ObservableCounter: observed,
        UpDownCounter: _CUMULATIVE,
        ObservableUpDownCounter: _CUMULATIVE,
        ObservableGauge: _CUMULATIVE,
    }


def aggregations(preference: otel_settings.Aggregation) -> dict[type, Aggregation]:
    """The histograms of other libraries."""
    is_exponential = preference == _EXPONENTIAL
    chosen = ExponentialBucketHistogramAggregation() if is_exponential else ExplicitBucketHistogramAggregation()
    return {HistogramInstrument: chosen}


def _by_name(points: Iterable[tuple[Series, P]]) -> dict[str, list[P]]:
    found: dict[str, list[P]] = {}
    for (name, _), point in points:
        found.setdefault(name, []).append(point)
    return found


def _exponential_point(batch: Batch, attributes: Attributes, counts: Histogram) -> ExponentialHistogramDataPoint:
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


def _explicit_point(
    batch: Batch, attributes: Attributes, counts: Histogram, bounds: Sequence[float]
) -> HistogramDataPoint:
    """Sort our buckets into the given ones by their middles, which are off by 4.4 % at most."""
    found = [0] * (len(bounds) + 1)
    found[bisect_left(bounds, 0)] += counts.zeros
    for index, count in counts.buckets.items():
        found[bisect_left(bounds, counts.middle(index))] += count
    return HistogramDataPoint(
        attributes=dict(attributes),
        start_time_unix_nano=batch.started_at,
        time_unix_nano=batch.ended_at,
        count=counts.count,
        sum=counts.total,
        bucket_counts=found,
        explicit_bounds=bounds,
        min=counts.low,
        max=counts.high,
    )


def _number_point(batch: Batch, attributes: Attributes, value: float) -> NumberDataPoint:
    return NumberDataPoint(dict(attributes), batch.started_at, batch.ended_at, value)
