"""CloudWatch's published rules for a line in Embedded Metric Format, and what it would make of one."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

# Of the PutMetricData API, which the format's own page refers to.
UNITS = {
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Count/Second", "None",
}  # fmt: skip
MOST_BYTES = 256 * 1024


class Point(NamedTuple):
    """One value of one metric under one set of dimensions."""

    metric: str
    unit: str
    dimensions: dict[str, str]
    values: list[float]
    namespace: str
    at: int  # milliseconds since the epoch


def points(line: str) -> Iterator[Point]:
    """What CloudWatch reads from a line. Raises AssertionError where it would refuse the line."""
    assert len(line.encode()) <= MOST_BYTES
    root = json.loads(line)
    metadata = root["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    timestamp = metadata["Timestamp"]
    assert isinstance(timestamp, int)
    assert 1_600_000_000_000 < timestamp < 4_000_000_000_000, "not in milliseconds"
    for directive in metadata["CloudWatchMetrics"]:
        yield from _directive(root, directive, timestamp)


def _directive(root: dict[str, Any], directive: dict[str, Any], at: int) -> Iterator[Point]:
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 255
    assert 1 <= len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert metric["Unit"] in UNITS
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            assert len(set(names)) == len(names)
            dimensions = {name: root[name] for name in names}
            assert all(isinstance(value, str) and 1 <= len(value) <= 1024 for value in dimensions.values())
            values = _values(root[metric["Name"]])
            yield Point(metric["Name"], metric["Unit"], dimensions, values, directive["Namespace"], at)


def _values(value: object) -> list[float]:
    if isinstance(value, dict):  # as the collector sends a histogram
        assert 1 <= len(value["Values"]) == len(value["Counts"]) <= 100
        pairs = zip(value["Values"], value["Counts"], strict=True)
        return [each for each, count in pairs for _ in range(int(count))]
    values: list[Any] = value if isinstance(value, list) else [value]
    assert 1 <= len(values) <= 100
    assert all(isinstance(each, int | float) and math.isfinite(each) for each in values)
    return values
