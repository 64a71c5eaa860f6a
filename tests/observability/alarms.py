"""CloudWatch's alarms: statistics and metric maths of periods, and how many of them must breach.

Simpler than the original in one thing: periods without data count as TreatMissingData says, although CloudWatch first
looks whether there is older data.
"""

import ast
import operator
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.observability.recording import Recording, series

Value = float | None

_COMPARE = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
}  # fmt: skip
MINUTE = 60.0


class Alarm:
    """An alarm, from the properties of its resource."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._properties = properties
        self._queries = properties.get("Metrics") or [{"Id": "it", "MetricStat": _stat_of(properties)}]
        self._period = float(max(each["MetricStat"]["Period"] for each in self._queries if "MetricStat" in each))
        self._periods: int = properties["EvaluationPeriods"]
        self.window_seconds = self._period * self._periods

    def firing(self, recording: Recording, start: float, end: float) -> list[float]:
        """The times, minute by minute, at which the alarm is on.

        One to which missing data is bad is judged once its window is full of what was recorded.
        """
        found, on = [], False
        begin = self.window_seconds if self._properties["TreatMissingData"] == "breaching" else MINUTE
        for at in _minutes(start + begin, end):
            on = self._is_on(recording, at, on=on)
            found += [at] if on else []
        return found

    def _is_on(self, recording: Recording, at: float, *, on: bool) -> bool:
        values = [
            self._value(recording, at - (n + 1) * self._period, at - n * self._period) for n in range(self._periods)
        ]
        missing = self._properties["TreatMissingData"]
        if missing == "ignore" and all(value is None for value in values):
            return on
        compare, threshold = _COMPARE[self._properties["ComparisonOperator"]], float(self._properties["Threshold"])
        breaching = [missing == "breaching" if value is None else bool(compare(value, threshold)) for value in values]
        needed: int = self._properties.get("DatapointsToAlarm", self._periods)
        return breaching.count(True) >= needed

    def _value(self, recording: Recording, start: float, end: float) -> Value:
        """The value of the one query that is returned."""
        values: dict[str, Value] = {}
        for query in self._queries:
            if "MetricStat" in query:
                stat = query["MetricStat"]
                values[query["Id"]] = recording.statistic(stat["Stat"], _series_of(stat["Metric"]), start, end)
        (returned,) = [query for query in self._queries if query.get("ReturnData", True)]
        return calculated(returned["Expression"], values) if "Expression" in returned else values[returned["Id"]]


def calculated(expression: str, values: Mapping[str, Value]) -> Value:
    """The value of a period by metric maths. A missing value stays missing, but in FILL, SUM, MAX and IF."""
    python = re.sub(r"\b(AND|OR)\b", lambda word: word[0].lower(), expression)
    value: Value = _evaluated(ast.parse(python.strip(), mode="eval").body, values)
    return value


def _evaluated(node: ast.expr, values: Mapping[str, Value]) -> Any:  # noqa: C901 - one case per form is the plainest
    def of(child: ast.expr) -> Any:
        return _evaluated(child, values)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.List(elts=elements):
            return [value for value in map(of, elements) if value is not None]
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            one, other = of(left), of(right)
            return None if one is None or other is None else _OPERATORS[type(op)](one, other)
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(map(of, parts))
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(map(of, parts))
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, by]):
            value = of(filled)
            return of(by) if value is None else value
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
            return of(then) if of(condition) else of(otherwise)
        case ast.Call(func=ast.Name(id="SUM" | "MAX" as name), args=[among]):
            present = of(among)
            return (sum(present) if name == "SUM" else max(present)) if present else None
    raise NotImplementedError(ast.dump(node))


def _stat_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    metric = {name: properties[name] for name in ("Namespace", "MetricName", "Dimensions")}
    stat = properties.get("Statistic") or properties["ExtendedStatistic"]
    return {"Metric": metric, "Stat": stat, "Period": properties["Period"]}


def _series_of(metric: Mapping[str, Any]) -> Any:
    dimensions = ((each["Name"], each["Value"]) for each in metric["Dimensions"])
    return series(metric["Namespace"], metric["MetricName"], dimensions)


def _minutes(first: float, end: float) -> Iterator[float]:
    at = first
    while at <= end:
        yield at
        at += MINUTE
