"""CloudWatch's Embedded Metric Format: metrics as log lines on stdout, as a Lambda function publishes them.

The lines follow CloudWatch's specification: the value of a metric is a number or a list of at most a hundred numbers.
Metrics with the same dimensions share a line, and attributes that are no dimensions are left out, because every byte of
a line is billed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from telemetry import names
from telemetry.metrics import DIMENSIONS, UNITS, Attributes, Batch, Histogram, Series

SERVICE = "service.name"
_EMF_UNITS = {"ms": "Milliseconds"}
_MOST_VALUES = 100

_Sets = tuple[tuple[str, ...], ...]


def emf_lines(batch: Batch, service: str) -> Iterator[str]:
    """Yield the lines of every series that CloudWatch receives; metrics that are not in DIMENSIONS are left out."""
    for (sets, dimensions), metrics in _published(batch).items():
        for start in range(0, max(map(len, metrics.values())), _MOST_VALUES):
            parts = {name: values[start : start + _MOST_VALUES] for name, values in metrics.items()}
            filled = {name: values for name, values in parts.items() if values}
            yield _line(batch, {SERVICE: service, **dict(dimensions)}, sets, filled)


def emf_unit(name: str) -> str:
    """The unit of a metric as CloudWatch calls it, which has no word for dollars and for days."""
    unit = UNITS[name]
    return "Count" if unit.startswith("{") else _EMF_UNITS.get(unit, "None")


def _published(batch: Batch) -> dict[tuple[_Sets, Attributes], dict[str, list[float]]]:
    """The values of each metric by the sets of dimensions under which it is published, and by their values."""
    found: defaultdict[tuple[_Sets, Attributes], dict[str, list[float]]] = defaultdict(dict)
    for (name, attributes), values in _all_values(batch):
        has = {key for key, _ in attributes}
        sets = tuple(each for each in DIMENSIONS.get(name, ()) if has.issuperset(each))
        if sets and values:
            used = {key for each in sets for key in each}
            dimensions = tuple((key, value) for key, value in attributes if key in used)
            found[sets, dimensions].setdefault(name, []).extend(values)
    return found


def _all_values(batch: Batch) -> Iterable[tuple[Series, list[float]]]:
    for series, histogram in batch.histograms.items():
        yield series, _values(histogram)
    for series, value in (*batch.sums.items(), *batch.gauges.items()):
        yield series, [value]


def _line(batch: Batch, dimensions: dict[str, str], sets: _Sets, metrics: dict[str, list[float]]) -> str:
    directive = {
        "Namespace": names.NAMESPACE,
        "Dimensions": [[SERVICE, *each] for each in sets],
        "Metrics": [{"Name": name, "Unit": emf_unit(name)} for name in metrics],
    }
    line = {
        "_aws": {"Timestamp": batch.ended_at // 1_000_000, "CloudWatchMetrics": [directive]},
        **dimensions,
        **{name: values[0] if len(values) == 1 else values for name, values in metrics.items()},
    }
    return msgspec.json.encode(line).decode()


def _values(histogram: Histogram) -> list[float]:
    """The middle of each bucket, repeated by its count."""
    values = [0.0] * histogram.zeros
    for index, count in sorted(histogram.buckets.items()):
        values += [round(histogram.middle(index), 6)] * count
    return values
