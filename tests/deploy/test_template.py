"""The SAM template against what the code defines, reads and emits: names, tables, settings, handlers, metrics."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]

from service import errors
from service.api.schemas import ErrorAnswer
from service.config import Settings
from service.page.document import CONTENT_SECURITY_POLICY
from service.page.files import page_files
from service.resources import open_resources
from service.store.dynamodb import TABLES
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from telemetry.events import Silence
from tests.deploy.stack import TEMPLATE, Stack

ROOT = TEMPLATE.parents[1]
STACK = Stack()
EMULATED = Stack(EmulatorPort="4566")
FUNCTIONS = STACK.of_type("AWS::Serverless::Function")

# Section 10 of the design.
METRICS = {
    "TotalExecutionTime", "APILatency", "TokensUsed", "Cost", "Feedback", "Fallbacks", "Errors", "PoolSize",
    "RoundSayings", "RoundsOverdue", "SayingsRefused", "SpendReserved", "ModelDaysLeft",
}  # fmt: skip
DIMENSIONS = {
    "service.name", "operation", "saying.origin", "gen_ai.provider.name", "gen_ai.request.model", "error.type",
}  # fmt: skip

# What MiniStack refuses to create.
UNKNOWN_TO_THE_EMULATOR = {
    "AWS::XRay::SamplingRule", "AWS::XRay::Group", "AWS::Logs::QueryDefinition", "AWS::Budgets::Budget",
}  # fmt: skip


@pytest.mark.slow
def test_the_linter_has_nothing_to_say() -> None:
    assert lint_file(TEMPLATE) == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_store_expects_and_cannot_lose_its_items(name: str) -> None:
    prefix = STACK.environment("ApiFunction")["SAYINGS_STORE"].removeprefix("dynamodb://")
    tables = {table.pop("TableName"): table for table in STACK.of_type("AWS::DynamoDB::Table").values()}

    table = tables.pop(prefix + name)

    protection = {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    expiry = {"TimeToLiveSpecification": {"AttributeName": EXPIRY_ATTRIBUTE, "Enabled": True}}
    assert table == dict(TABLES[name]) | protection | (expiry if name == STATE else {})
    assert len(tables) == len(TABLES) - 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_starts_with_the_settings_it_is_given(function: str) -> None:
    environ = STACK.environment(function)

    settings = Settings.from_env(environ)  # refuses what it does not know

    assert settings.keys == "ssm"
    assert settings.simulator == "off"
    assert settings.rounds == ("lambda:sayings-worker" if function == "ApiFunction" else "off")
    assert environ["OTEL_SERVICE_NAME"] == FUNCTIONS[function]["FunctionName"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_handler_it_names(function: str) -> None:
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")

    source = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())

    assert name in {node.name for node in source.body if isinstance(node, ast.FunctionDef)}


async def test_every_route_is_reached_through_gateway_and_distribution(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path / 'sayings.db'}", simulator="off")
    async with open_resources(settings, {}, Silence()) as resources:
        routes = resources.endpoints.routes
    methods = {event["Properties"]["Method"] for event in FUNCTIONS["ApiFunction"]["Events"].values()}

    assert {route.method for route in routes} | {"HEAD", "OPTIONS"} <= methods
    assert {route.path for route in routes if _origin(route.path) != "api"} == set()


@pytest.mark.slow
def test_every_file_of_the_page_comes_from_its_bucket(built_page: Path) -> None:
    paths = {"/", *(file.path for file in page_files(built_page))}

    assert {path for path in paths if _origin(path) != "page"} == set()


@pytest.mark.parametrize("path", ["/s/0123", "/s/0123.png", "/best/", "/nothing", "/nothing/at/all"])
def test_what_is_no_file_is_answered_by_the_function(path: str) -> None:
    assert _origin(path) == "api"


def test_the_distribution_and_the_server_send_the_same_policy() -> None:
    headers = STACK.properties("PageHeaders")["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]

    assert headers["ContentSecurityPolicy"]["ContentSecurityPolicy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("kind", STACK.properties("Api")["GatewayResponses"])
def test_the_gateways_own_errors_have_the_form_of_the_apis(kind: str) -> None:
    response = STACK.properties("Api")["GatewayResponses"][kind]

    answer = msgspec.json.decode(response["ResponseTemplates"]["application/json"], type=ErrorAnswer)

    assert answer.request_id == "$context.requestId"
    assert ("Retry-After" in response.get("ResponseParameters", {}).get("Headers", {})) is (
        kind in ("THROTTLED", "DEFAULT_5XX")
    )
    known = {each.code: each for each in vars(errors).values() if hasattr(each, "code")}
    if answer.error.code in known:
        assert answer.error.message == known[answer.error.code].message


@pytest.mark.parametrize("alarm", STACK.of_type("AWS::CloudWatch::Alarm"))
def test_an_alarm_watches_existing_metrics_and_notifies(alarm: str) -> None:
    properties = STACK.properties(alarm)

    metrics = list(_metrics(properties))

    assert properties["AlarmActions"] == ["Alarms"]
    assert metrics
    for namespace, name, dimensions in metrics:
        if namespace == "CloudSayings":
            assert name in METRICS
            assert dimensions <= DIMENSIONS
        else:
            assert namespace in {"AWS/ApiGateway", "AWS/Lambda", "AWS/SQS", "AWS/DynamoDB"}


@pytest.mark.parametrize(
    "metric",
    ["TotalExecutionTime", "Fallbacks", "Errors", "SpendReserved", "RoundSayings", "ModelDaysLeft", "5XXError"],
)
def test_there_is_an_alarm_on(metric: str) -> None:
    alarms = STACK.of_type("AWS::CloudWatch::Alarm").values()

    assert metric in {name for alarm in alarms for _, name, _ in _metrics(alarm)}


def test_the_dashboard_shows_every_metric_and_invents_none() -> None:
    body = STACK.properties("Dashboard")["DashboardBody"]
    expressions = [_written_out(widget["properties"].get("metrics", [])) for widget in json.loads(body)["widgets"]]

    listed = {row[1] for rows in expressions for row in rows if row[0] == "CloudSayings"}
    searched = set(re.findall(r"\{CloudSayings,[^}]*\} MetricName=(\w+)", body))
    dimensions = {name for names in re.findall(r"\{CloudSayings,([^}]*)\}", body) for name in names.split(",")}

    assert listed | searched == METRICS
    assert dimensions <= DIMENSIONS


def test_the_query_of_the_design_is_saved_word_for_word() -> None:
    query = STACK.properties("ErrorsByModelQuery")["QueryString"]

    assert query == (
        "fields @timestamp, error_type, error_message, model "
        '| filter error_type != "" | stats count() by error_type, model'
    )


def test_an_emulator_gets_only_what_it_knows() -> None:
    types = {resource["Type"] for resource in EMULATED.resources.values()}
    alarms = EMULATED.of_type("AWS::CloudWatch::Alarm").values()
    everywhere = {resource["Type"] for resource in Stack(MonthlyBudgetUsd="9", AlarmEmail="a@b.c").resources.values()}

    assert types.isdisjoint(UNKNOWN_TO_THE_EMULATOR)
    assert not any("Metrics" in alarm for alarm in alarms)
    assert everywhere >= UNKNOWN_TO_THE_EMULATOR


@pytest.mark.parametrize("type_", ["AWS::Serverless::Function", "AWS::DynamoDB::Table", "AWS::IAM::Role"])
def test_what_an_emulator_gets_is_otherwise_the_same(type_: str) -> None:
    real, emulated = STACK.of_type(type_), EMULATED.of_type(type_)
    for resource in (*real.values(), *emulated.values()):
        resource.pop("DeletionProtectionEnabled", None)

    assert emulated == real


def _origin(path: str) -> str:
    """Where the distribution sends the requests for a path: by the first pattern that it has."""
    config = STACK.properties("Distribution")["DistributionConfig"]
    matching = (each for each in config["CacheBehaviors"] if fnmatchcase(path, each["PathPattern"]))
    return str(next(matching, config["DefaultCacheBehavior"])["TargetOriginId"])


def _metrics(alarm: dict[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    """Namespace, name and dimensions of every metric that an alarm looks at."""
    if "MetricName" in alarm:
        yield alarm["Namespace"], alarm["MetricName"], {each["Name"] for each in alarm["Dimensions"]}
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield from _metrics(query["MetricStat"]["Metric"])
        elif insights := re.match(r'SELECT \w+\((\w+)\) FROM SCHEMA\("([^"]+)", (.+?)\)', query["Expression"]):
            yield insights[2], insights[1], set(re.findall(r'"([^"]+)"', insights[3]))


def _written_out(rows: list[list[Any]]) -> list[list[Any]]:
    """A dashboard's metrics without its shorthands: `.` is what stands above, `...` all of it."""
    full: list[list[Any]] = []
    for row in rows:
        above = full[-1] if full else []
        values = [value for value in row if isinstance(value, str)]
        if values[:1] == ["..."]:
            values = above[: len(above) - len(values) + 1] + values[1:]
        values = [above[n] if value == "." else value for n, value in enumerate(values)]
        full.append(values or [""])
    return full
