"""Metrics as EMF lines: what CloudWatch accepts, and reads as exactly the metrics and dimensions of the design."""

import json

import pytest

from telemetry import names
from telemetry.emf import emf_lines
from telemetry.events import Event, ModelCalled, RequestServed
from telemetry.metrics import DIMENSIONS, Metrics
from tests.telemetry.emf import Point, points
from tests.telemetry.stories import ANSWERED, EVERYTHING, LIMITED, SERVED

SERVICE = "sayings-api"
NOW = 1_700_000_000_123_456_789


def lines_of(metrics: Metrics) -> list[str]:
    return list(emf_lines(metrics.take(), SERVICE))


def points_of(*events: Event) -> list[Point]:
    metrics = Metrics(lambda: NOW)
    for event in events:
        metrics.emit(event)
    return [point for line in lines_of(metrics) for point in points(line)]


def test_every_metric_has_exactly_its_sets_of_dimensions() -> None:
    metrics = Metrics()
    for event in EVERYTHING:
        metrics.emit(event)
    metrics.count_dropped(1)

    read = [point for line in lines_of(metrics) for point in points(line)]

    found: dict[str, set[frozenset[str]]] = {}
    for point in read:
        found.setdefault(point.metric, set()).add(frozenset(point.dimensions))
    assert found == {
        name: {frozenset(("service.name", *dimensions)) for dimensions in sets} for name, sets in DIMENSIONS.items()
    }


def test_every_point_has_the_service_name_and_the_alarms_namespace() -> None:
    metrics = Metrics()
    metrics.emit(SERVED)

    (line,) = lines_of(metrics)

    (directive,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == names.NAMESPACE
    assert {point.dimensions["service.name"] for point in points(line)} == {SERVICE}


@pytest.mark.parametrize(
    ("metric", "unit"),
    [("TotalExecutionTime", "Milliseconds"), ("APILatency", "Milliseconds"), ("TokensUsed", "Count"), ("Cost", "None"),
     ("Errors", "Count"), ("SpendReserved", "None"), ("PoolSize", "Count")],
)  # fmt: skip
def test_a_unit_is_one_that_cloudwatch_knows(metric: str, unit: str) -> None:
    assert {point.unit for point in points_of(*EVERYTHING) if point.metric == metric} == {unit}


def test_the_time_is_that_of_the_hand_over_in_milliseconds() -> None:
    metrics = Metrics(lambda: NOW)
    metrics.emit(SERVED)

    (line,) = lines_of(metrics)

    assert json.loads(line)["_aws"]["Timestamp"] == 1_700_000_000_123


def test_a_single_time_arrives_as_it_was_measured() -> None:
    read = points_of(ANSWERED)

    assert [point.values for point in read if point.metric == "APILatency"] == [[1204.2]]


def test_many_times_are_all_kept_to_within_a_bucket() -> None:
    times = [0.0, *(1.07**n for n in range(120)), *[5.0] * 130]

    read = points_of(*(RequestServed("getSaying", 200, time, "", "GET", "/sayings") for time in times))

    values = sorted(value for p in read if p.dimensions.keys() == {"service.name"} for value in p.values)
    assert values == pytest.approx(sorted(times), rel=2 ** (1 / 16) - 1)


def test_a_failed_call_has_latency_and_error_but_no_tokens_or_cost() -> None:
    read = points_of(LIMITED)

    assert {point.metric for point in read} == {"APILatency", "Errors"}


def test_a_model_without_a_price_has_tokens_but_no_cost() -> None:
    unpriced = ModelCalled("m", "openai", "live", 1, 10.0, input_tokens=3, output_tokens=4)

    read = points_of(unpriced)

    assert [point.values for point in read if point.metric == "TokensUsed"] == [[7]]
    assert "Cost" not in {point.metric for point in read}


def test_what_is_for_other_backends_is_not_published() -> None:
    read = points_of(*EVERYTHING)

    assert not [point.metric for point in read if point.metric.startswith("gen_ai.")]


def test_a_batch_of_nothing_is_no_line() -> None:
    assert lines_of(Metrics()) == []
