"""A model of the collector's metrics pipeline: points from OTLP to lines in EMF, as collector/ecs.yaml says.

It follows the filter processor, the resource processor and the awsemf exporter of the collector's contrib repository in
what that file uses of them. It was written from their documentation and source, and has not run beside them.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from opentelemetry.proto.metrics.v1 import metrics_pb2

from tests.deploy.dockerfile import ROOT
from tests.telemetry.receiver import Point

COLLECTOR = yaml.safe_load((ROOT / "deploy/collector/ecs.yaml").read_text())
EMF = COLLECTOR["exporters"]["awsemf"]
PROCESSORS = COLLECTOR["processors"]
# What it makes of units that no descriptor overwrites.
_UNITS = {"ms": "Milliseconds", "s": "Seconds", "us": "Microseconds", "By": "Bytes", "Bi": "Bits", "1": ""}


def emf_lines(points: Iterable[Point], resource: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one export. Points with the same attributes share a line."""
    common = {name: str(value) for name, value in resource.items() if not _is_deleted(name)}
    groups: defaultdict[tuple[Any, ...], list[Point]] = defaultdict(list)
    for point in points:
        if is_let_through(point.name):
            groups[point.proto.time_unix_nano, *sorted(point.attributes.items())].append(point)
    for (nanos, *attributes), group in groups.items():
        yield _line(nanos // 1_000_000, common | dict(attributes), group)


def is_let_through(metric: str) -> bool:
    """Whether the filter lets a metric through; its condition names what it drops."""
    (condition,) = PROCESSORS["filter/declared"]["metrics"]["metric"]
    pattern = re.fullmatch(r'not IsMatch\(name, "(.+)"\)', condition)
    assert pattern
    return re.search(pattern[1], metric) is not None


def declared(metric: str) -> list[list[str]]:
    """The sets of dimensions under which a metric is published."""
    return [
        dimensions
        for declaration in EMF["metric_declarations"]
        if any(re.search(pattern, metric) for pattern in declaration["metric_name_selectors"])
        for dimensions in declaration["dimensions"]
    ]


def _is_deleted(attribute: str) -> bool:
    return any(re.search(each["pattern"], attribute) for each in PROCESSORS["resource/name"]["attributes"])


def _line(at: int, labels: Mapping[str, str], group: Iterable[Point]) -> str:
    directives: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    values: dict[str, Any] = {}
    for point in group:
        sets = [each for each in declared(point.name) if labels.keys() >= set(each)]
        values[point.name] = _value(point)
        if sets:
            directives[json.dumps(sets)].append({"Name": point.name, "Unit": _unit(point)})
    metrics = [
        {"Namespace": EMF["namespace"], "Dimensions": json.loads(sets), "Metrics": each}
        for sets, each in directives.items()
    ]
    return json.dumps({**labels, **values, "_aws": {"Timestamp": at, "CloudWatchMetrics": metrics}})


def _unit(point: Point) -> str:
    for each in EMF["metric_descriptors"]:
        if each["metric_name"] == point.name and each["overwrite"]:
            return str(each["unit"])
    return _UNITS.get(point.unit, point.unit)


def _value(point: Point) -> Any:
    """A number, or an exponential histogram as the middles of its buckets with their counts."""
    proto = point.proto
    if not isinstance(proto, metrics_pb2.ExponentialHistogramDataPoint):
        return point.value
    base, first = 2 ** (2**-proto.scale), proto.positive.offset
    middles = {
        (base ** (first + n) + base ** (first + n + 1)) / 2: count
        for n, count in enumerate(proto.positive.bucket_counts)
        if count
    }
    if proto.zero_count:
        middles[0.0] = proto.zero_count
    return {
        "Values": list(middles), "Counts": list(middles.values()),
        "Max": proto.max, "Min": proto.min, "Count": proto.count, "Sum": proto.sum,
    }  # fmt: skip
