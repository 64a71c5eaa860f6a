"""The nested template of alarms and dashboard, for Lambda and for ECS; tests/observability evaluates it."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]

from service.limits import DEFAULT_TIMEOUTS
from telemetry.metrics import DIMENSIONS
from tests.deploy.ecs import EcsStack
from tests.deploy.iam import statements
from tests.deploy.stack import EDGE, NESTED, Stack, edge, observability
from tests.observability.dashboard import rows
from tests.observability.recording import Series

STACKS = {"Lambda": observability(Stack()), "ECS": observability(EcsStack())}
# What there is of Lambda and API Gateway only, and what of a worker.
LAMBDAS = {"RoundsLost", "TurnedAway", "Unreachable"}

each_stack = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


@pytest.mark.slow
@pytest.mark.parametrize("template", [NESTED, EDGE], ids=lambda path: path.name)
def test_the_linter_has_nothing_to_say(template: Path) -> None:
    assert lint_file(template) == []


def test_ecs_has_the_alarms_of_lambda_but_for_what_only_lambda_has() -> None:
    alarms = {platform: set(alarms_of(stack)) for platform, stack in STACKS.items()}

    assert alarms["Lambda"] - alarms["ECS"] == LAMBDAS
    assert alarms["ECS"] <= alarms["Lambda"]


def test_where_no_rounds_are_made_nobody_waits_for_them() -> None:
    without_worker = observability(EcsStack(WorkerTasks="0"))

    assert set(alarms_of(STACKS["ECS"])) - set(alarms_of(without_worker)) == {"NoFreshSayings"}


@each_stack
def test_every_alarm_notifies_and_says_when_it_is_over(stack: Stack) -> None:
    for alarm in alarms_of(stack).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["Alarms"]


@each_stack
def test_no_alarm_reads_what_the_platform_does_not_have(stack: Stack) -> None:
    assert '"none"' not in json.dumps(alarms_of(stack)) + json.dumps(dashboard(stack))


@each_stack
def test_a_window_is_one_that_cloudwatch_allows(stack: Stack) -> None:
    """At most a day, or a week where every period is an hour or longer."""
    for alarm in alarms_of(stack).values():
        stats = [query["MetricStat"] for query in alarm.get("Metrics", []) if "MetricStat" in query] or [alarm]
        periods = [stat["Period"] for stat in stats]
        assert all(period % 60 == 0 for period in periods)
        assert max(periods) * alarm["EvaluationPeriods"] <= (604_800 if min(periods) >= 3_600 else 86_400)


def test_bounds_of_time_lie_below_the_deadlines_that_the_service_keeps() -> None:
    reads, comparisons = (STACKS["Lambda"].properties(name)["Threshold"] for name in ("SlowReads", "SlowComparisons"))

    assert reads < 1000 * DEFAULT_TIMEOUTS.saying_read
    assert comparisons < 1000 * DEFAULT_TIMEOUTS.comparison


@each_stack
def test_the_dashboard_shows_every_metric_and_invents_none(stack: Stack) -> None:
    widgets = dashboard(stack)["widgets"]
    asked = [row for widget in widgets if widget["type"] == "metric" for row in rows(widget)]

    listed = {row.metric for row in asked if isinstance(row, Series) and row.namespace == "CloudSayings"}
    searched = {name for name in DIMENSIONS for row in asked if f'MetricName="{name}"' in str(row)}

    assert listed | searched == DIMENSIONS.keys() - {"TelemetryDropped"}  # of which an alarm tells


@each_stack
def test_no_widget_covers_another(stack: Stack) -> None:
    places = [(widget["x"], widget["y"]) for widget in dashboard(stack)["widgets"]]

    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) + 8 <= 24


def test_the_query_of_the_design_is_saved_word_for_word() -> None:
    query = STACKS["Lambda"].properties("ErrorsByModelQuery")["QueryString"]

    assert query == (
        "fields @timestamp, error_type, error_message, model "
        '| filter error_type != "" | stats count() by error_type, model'
    )


def test_the_probe_asks_through_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, asked = STACKS["Lambda"], list[tuple[str, int]]()
    monkeypatch.setenv("PUBLIC_URL", stack.properties("Probe")["Environment"]["Variables"]["PUBLIC_URL"])
    module: dict[str, Any] = {}
    exec(stack.properties("Probe")["Code"]["ZipFile"], module)

    def urlopen(request: Request, timeout: int) -> BytesIO:
        asked.append((request.full_url, timeout))
        return BytesIO()

    module["urlopen"] = urlopen

    module["handler"](None, None)

    assert asked == [(f"https://Distribution.DomainName{path}", 10) for path in ("/", "/health/ready")]
    assert 10 * len(asked) < stack.properties("Probe")["Timeout"]


def test_the_probe_may_write_its_log_and_its_schedule_may_start_it() -> None:
    stack = STACKS["Lambda"]

    granted = {
        role: [(each.actions, each.resources) for each in statements(stack, role)]
        for role in stack.of_type("AWS::IAM::Role")
    }

    assert granted == {
        "ProbeRole": [(["logs:CreateLogStream", "logs:PutLogEvents"], [stack.arn("ProbeLogs")])],
        "ProbeScheduleRole": [(["lambda:InvokeFunction"], [stack.arn("Probe")])],
    }


def test_the_access_log_of_the_edge_names_nobody() -> None:
    fields = set(edge().properties("AccessLogDelivery")["RecordFields"])

    assert fields >= {"cs-uri-stem", "sc-status", "time-taken"}
    assert not [field for field in fields if field.startswith(("c-", "cs("))]
    assert not fields & {"x-forwarded-for", "cs-uri-query"}


def alarms_of(stack: Stack) -> dict[str, Any]:
    return stack.of_type("AWS::CloudWatch::Alarm")


def dashboard(stack: Stack) -> Any:
    return json.loads(stack.properties("Dashboard")["DashboardBody"])
