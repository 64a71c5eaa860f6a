"""CloudWatch's Embedded Metric Format: metrics as log lines on stdout, as a Lambda function publishes them.

The lines follow CloudWatch's specification: the value of a metric is a number or a list of at most a hundred numbers.
"""

from collections.abc import Iterator

import msgspec

from telemetry import names
from telemetry.metrics import DIMENSIONS, UNITS, Attributes, Batch, Histogram

SERVICE = "service.name"
_EMF_UNITS = {"ms": "Milliseconds", "1": "Count"}
_MOST_VALUES = 100


def emf_lines(batch: Batch, service: str) -> Iterator[str]:
    """Yield the lines of every series that CloudWatch receives; metrics that are not in DIMENSIONS are left out."""
    for (name, attributes), histogram in batch.histograms.items():
        if sets := _dimension_sets(name, attributes):
            for values in _values(histogram):
                yield _line(batch, service, name, attributes, sets, values)
    for (name, attributes), value in (*batch.sums.items(), *batch.gauges.items()):
        if sets := _dimension_sets(name, attributes):
            yield _line(batch, service, name, attributes, sets, value)


def _dimension_sets(name: str, attributes: Attributes) -> list[list[str]]:
    """Return the dimension sets of the metric for which this series has every dimension."""
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
    """Yield the middle of each bucket, repeated by its count, in lists of at most a hundred values."""
    values = [0.0] * histogram.zeros
    for index, count in sorted(histogram.buckets.items()):
        values += [round(histogram.middle(index), 6)] * count
    for start in range(0, len(values), _MOST_VALUES):
        yield values[start : start + _MOST_VALUES]
