"""The SAM template against what the code defines, reads and emits: names, tables, settings and handlers."""

import ast
import re
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
from tests.deploy.stack import TEMPLATE, Stack, observability
from workers.fleet import LONGEST_REST_SECONDS

ROOT = TEMPLATE.parents[1]
STACK = Stack()
EMULATED = Stack(EmulatorPort="4566")
FUNCTIONS = STACK.of_type("AWS::Serverless::Function")

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
    assert settings.rounds == ("lambda:sayings-worker:live" if function == "ApiFunction" else "off")
    assert environ["OTEL_SERVICE_NAME"] == FUNCTIONS[function]["FunctionName"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_handler_it_names(function: str) -> None:
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")

    source = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())

    assert name in {node.name for node in source.body if isinstance(node, ast.FunctionDef)}


PATTERNED = {
    name: parameter
    for name, parameter in STACK.template["Parameters"].items()
    if parameter["Type"] == "String" and "AllowedValues" not in parameter
}


@pytest.mark.parametrize("name", PATTERNED)
def test_a_text_that_makes_no_sense_is_refused_with_a_sentence(name: str) -> None:
    pattern = re.compile(PATTERNED[name]["AllowedPattern"])

    assert pattern.fullmatch(PATTERNED[name]["Default"])
    assert not [junk for junk in ("two words", "a;b", " ", "é") if pattern.fullmatch(junk)]
    assert PATTERNED[name]["ConstraintDescription"].startswith("must be ")


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({}, False),
        ({"EmulatorPort": "4566"}, True),
        ({"EmulatorPort": "4566", "AWS::AccountId": "000000000000"}, False),
        ({"WebAcl": "on"}, True),
        ({"WebAcl": "on", "AWS::Region": "us-east-1"}, False),
        ({"DomainName": "sayings.example.org"}, True),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(parameters: dict[str, str], refused: bool) -> None:
    assert bool(Stack(**parameters).broken_rules()) is refused


def test_a_failed_creation_leaves_nothing_that_cannot_be_deployed_again() -> None:
    kept = {
        name: resource["DeletionPolicy"]
        for name, resource in STACK.resources.items()
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::KMS::Key")
    }

    assert len(kept) == len(TABLES) + 1
    assert set(kept.values()) == {"RetainExceptOnCreate"}
    assert not any("ReservedConcurrentExecutions" in function for function in FUNCTIONS.values())


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


@pytest.mark.parametrize("minutes", STACK.template["Parameters"]["RoundMinutes"]["AllowedValues"])
def test_rounds_come_as_often_as_their_alarms_expect(minutes: str) -> None:
    stack = Stack(RoundMinutes=str(minutes))

    rate = stack.properties("WorkerSchedule")["ScheduleExpression"]
    period = observability(stack).properties("NoFreshSayings")["Period"]

    assert rate == f"rate({minutes} {'minute' if minutes == '1' else 'minutes'})"
    assert period == max(60 * int(minutes), LONGEST_REST_SECONDS)


def test_the_nested_stack_knows_the_functions_by_their_names() -> None:
    given = STACK.properties("Observability")["Parameters"]

    services = {STACK.environment(name)["OTEL_SERVICE_NAME"] for name in FUNCTIONS}
    assert {given["ApiService"], given["WorkerService"]} == services
    assert {given["ApiLogGroup"], given["WorkerLogGroup"]} == {f"/aws/lambda/{service}" for service in services}
    assert given["ApiGatewayName"] == STACK.properties("Api")["Name"]
    assert given["TablePrefix"] == STACK.environment("ApiFunction")["SAYINGS_STORE"].removeprefix("dynamodb://")


def test_an_emulator_gets_only_what_it_knows() -> None:
    emulated = EMULATED.resources | observability(EMULATED).resources
    real = Stack(MonthlyBudgetUsd="9", AlarmEmail="a@b.c")
    everywhere = real.resources | observability(real).resources

    assert types_of(emulated).isdisjoint(UNKNOWN_TO_THE_EMULATOR)
    assert not any("Metrics" in alarm for alarm in observability(EMULATED).of_type("AWS::CloudWatch::Alarm").values())
    assert types_of(everywhere) >= UNKNOWN_TO_THE_EMULATOR


def types_of(resources: dict[str, dict[str, Any]]) -> set[str]:
    return {resource["Type"] for resource in resources.values()}


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
