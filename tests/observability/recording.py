"""Metrics as CloudWatch keeps them: values by series and time, and the statistics of a period."""

import json
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from tests.telemetry.emf import points


class Series(NamedTuple):
    """A metric under one set of dimensions."""

    namespace: str
    metric: str
    dimensions: frozenset[tuple[str, str]]

    def __str__(self) -> str:
        return f"{self.namespace} {self.metric} {' '.join(value for _, value in sorted(self.dimensions))}"


def series(namespace: str, metric: str, dimensions: Iterable[tuple[str, str]]) -> Series:
    return Series(namespace, metric, frozenset(dimensions))


class Recording:
    """What was measured, by time in seconds since the epoch. Times are added in order."""

    def __init__(self) -> None:
        self._times: defaultdict[Series, list[float]] = defaultdict(list)
        self._values: defaultdict[Series, list[float]] = defaultdict(list)

    def add(self, of: Series, at: float, values: Iterable[float]) -> None:
        for value in values:
            self._times[of].append(at)
            self._values[of].append(value)

    def add_emf(self, lines: Iterable[str]) -> None:
        """Add what CloudWatch reads from lines of a log; others than EMF are no metrics."""
        for line in lines:
            if "_aws" in json.loads(line):
                for point in points(line):
                    of = series(point.namespace, point.metric, point.dimensions.items())
                    self.add(of, point.at / 1000, point.values)

    @property
    def series(self) -> set[Series]:
        return set(self._values)

    def statistic(self, name: str, of: Series, start: float, end: float) -> float | None:
        """The statistic of the values from `start` until before `end`; None when there are none."""
        times = self._times.get(of, [])
        values = self._values.get(of, [])[bisect_left(times, start) : bisect_left(times, end)]
        if not values:
            return None
        if name.startswith("p"):
            return sorted(values)[math.ceil(float(name[1:]) / 100 * len(values)) - 1]
        simple = {"Sum": sum, "Minimum": min, "Maximum": max, "SampleCount": len}
        return sum(values) / len(values) if name == "Average" else float(simple[name](values))  # type: ignore[operator]
