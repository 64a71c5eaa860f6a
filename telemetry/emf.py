"""CloudWatch's Embedded Metric Format: metrics as log lines on stdout, as a Lambda function hands them over.

Lines keep to what CloudWatch publishes of the format: a metric's value is a number or a list of at most a hundred.
"""

from collections.abc import Iterator

import msgspec

from telemetry import names
from telemetry.metrics import DIMENSIONS, SCALE, UNITS, Attributes, Batch, Histogram

SERVICE = "service.name"
_EMF_UNITS = {"ms": "Milliseconds", "1": "Count"}
_MOST_VALUES = 100


def emf_lines(batch: Batch, service: str) -> Iterator[str]:
    """Lines for every series that CloudWatch is to have; what has no place in DIMENSIONS is left out."""
    for (name, attributes), histogram in batch.histograms.items():
        if sets := _dimension_sets(name, attributes):
            for values in _values(histogram):
                yield _line(batch, service, name, attributes, sets, values)
    for (name, attributes), value in (*batch.sums.items(), *batch.gauges.items()):
        if sets := _dimension_sets(name, attributes):
            yield _line(batch, service, name, attributes, sets, value)


def _dimension_sets(name: str, attributes: Attributes) -> list[list[str]]:
    """Those of the metric's sets of which this series has every dimension."""
    has = {key for key, _ in attributes}
    return [[SERVICE, *dimensions] for dimensions in DIMENSIONS.get(name, ()) if has.issuperset(dimensions)]


def _line(
    batch: Batch, service: str, name: str, attributes: Attributes, sets: list[list[str]], value: float | list[float]
) -> str:
    unit = _EMF_UNITS.get(UNITS.get(name, "1"), "None")
    directive = {"Namespace": names.NAMESPACE, "Dimensions": sets, "Metrics": [{"Name": name, "Unit": unit}]}
    line = {
        "_aws": {"Timestamp": batch.ended_at // 1_000_000, "CloudWatchMetrics": [directive]},
        SERVICE: service,
        **dict(attributes),
        name: value,
    }
    return msgspec.json.encode(line).decode()


def _values(histogram: Histogram) -> Iterator[list[float]]:
    """Each bucket's middle as often as it was hit, a hundred at a time."""
    values = [0.0] * histogram.zeros
    for index, count in sorted(histogram.buckets.items()):
        values += [_middle(index, histogram)] * count
    for start in range(0, len(values), _MOST_VALUES):
        yield values[start : start + _MOST_VALUES]


def _middle(index: int, histogram: Histogram) -> float:
    """The geometric middle of a bucket, never outside what was really measured: a single value stays as it was."""
    middle: float = 2.0 ** ((index + 0.5) / 2**SCALE)
    return round(min(max(middle, histogram.low), histogram.high), 6)
