"""Latencies by bucket: percentiles close to the exact ones, histograms merged by adding."""

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from service.store.latency_buckets import RELATIVE_ERROR, bounds, bucket_of, percentile

DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "log-normal": lambda chance: chance.lognormvariate(7, 0.5),
    "uniform": lambda chance: chance.uniform(100, 20_000),
    "long tail": lambda chance: 300 * chance.paretovariate(1.2),
    "two humps": lambda chance: chance.gauss(400, 20) if chance.random() < 0.7 else chance.gauss(6_000, 500),
    "fast": lambda chance: 0.002 + chance.expovariate(100),
}


def latencies(name: str, count: int = 5_000) -> list[float]:
    chance = random.Random(name)
    return [DISTRIBUTIONS[name](chance) for _ in range(count)]


def buckets(values: list[float]) -> Counter[int]:
    return Counter(map(bucket_of, values))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("share", [0.001, 0.5, 0.9, 0.99, 1.0])
def test_percentiles_are_as_close_to_the_exact_ones_as_promised(name: str, share: float) -> None:
    values = sorted(latencies(name))

    exact = values[math.ceil(share * len(values)) - 1]

    assert percentile(buckets(values), share) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.000_001)
    assert RELATIVE_ERROR < 0.05


def test_two_histograms_are_merged_by_adding() -> None:
    ours, theirs = latencies("log-normal"), latencies("two humps")

    merged = buckets(ours) + buckets(theirs)

    assert merged == buckets(ours + theirs)


@pytest.mark.parametrize("latency", [0.0, -1.0, 1e-9, 0.25, 1.0, 1204.2, 86_400_000.0])
def test_a_latency_lies_within_the_bounds_of_its_bucket(latency: float) -> None:
    low, high = bounds(bucket_of(latency))

    assert low < max(latency, 0.001) <= high * 1.000_001


def test_without_calls_there_are_no_percentiles() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({3: 0}, 0.5) is None
