"""The evaluator itself: searches and metric maths as CloudWatch documents them, and alarms that count periods."""

from typing import Any

import pytest

from tests.observability.alarms import Alarm, Value, calculated
from tests.observability.dashboard import rows, searched
from tests.observability.recording import Recording, series

API = series("CloudSayings", "Errors", [("service.name", "sayings-api"), ("error.type", "Unexpected")])
OTHER = series("CloudSayings", "Errors", [("service.name", "other-api"), ("error.type", "Unexpected")])
BY_MODEL = series("CloudSayings", "Errors", [("service.name", "sayings-api"), ("gen_ai.request.model", "gpt-4.1")])


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ('MetricName="Errors"', {API, OTHER}),
        ('MetricName="Errors" "sayings"', set()),
        ('MetricName="Errors" sayings', {API}),
        ('MetricName="Errors" "sayings-api"', {API}),
        ('MetricName="Errors" "service.name"="sayings-api"', {API}),
        ('MetricName="Errors" "service.name"=("sayings-api" OR "other-api")', {API, OTHER}),
        ('MetricName="Error"', set()),
    ],
)
def test_a_search_finds_whole_values_in_quotes_and_exact_schemas(terms: str, found: set[Any]) -> None:
    expression = f"SEARCH('{{CloudSayings,\"service.name\",\"error.type\"}} {terms}', 'Sum')"

    assert searched(expression, {API, OTHER, BY_MODEL}) == found


def test_a_row_may_leave_out_what_stands_above_it() -> None:
    metrics: list[list[Any]] = [["N", "A", "x", "1", {"stat": "p50"}], ["...", "2"], [".", "B", ".", "."], ["..."]]

    found = list(rows({"properties": {"metrics": metrics}}))

    values = [("A", "1"), ("A", "2"), ("B", "2"), ("B", "2")]
    assert found == [series("N", metric, [("x", value)]) for metric, value in values]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("SUM([FILL(one, 0), FILL(none, 0)])", 1), ("MAX([one, none])", 1), ("MAX([none])", None), ("one + none", None),
        ("100 * one / two", 50), ("IF((one > 0 AND two < 1) OR FILL(none, 0) > 0, 1, 0)", 0),
    ],
)  # fmt: skip
def test_a_missing_value_stays_missing_unless_it_is_filled(expression: str, value: Value) -> None:
    assert calculated(expression, {"one": 1.0, "two": 2.0, "none": None}) == value


@pytest.mark.parametrize(("missing", "first"), [("notBreaching", 3), ("breaching", 4)])
def test_an_alarm_needs_so_many_of_its_periods(missing: str, first: int) -> None:
    recording, dimensions = Recording(), [{"Name": "x", "Value": "1"}]
    for minute in (1, 2):
        recording.add(series("N", "A", [("x", "1")]), 60 * minute, [5])
    properties = {
        "Namespace": "N", "MetricName": "A", "Dimensions": dimensions, "Statistic": "Sum", "Period": 60, "Threshold": 4,
        "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 4, "DatapointsToAlarm": 2,
        "TreatMissingData": missing,
    }  # fmt: skip

    firing = Alarm(properties).firing(recording, 0, 360)

    assert firing[0] == 60 * first
