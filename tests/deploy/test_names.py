"""The names that the templates give: none is too long, and none is the same in two stacks of one account."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from deploy.stack import LONGEST_NAME
from tests.deploy.dockerfile import ROOT
from tests.deploy.ecs import EcsStack
from tests.deploy.stack import Stack, observability

# With everything that a parameter adds.
EVERYTHING = {"WebAcl": "on", "MonthlyBudgetUsd": "9", "AlarmEmail": "a@b.c"}
EVERYTHING_ON_ECS = {"WebAcl": "on", "AccessLog": "on", "AlarmEmail": "a@b.c"}
# What SAM's resources are called in the registry.
REGISTERED = {"AWS::Serverless::Function": "AWS::Lambda::Function", "AWS::Serverless::Api": "AWS::ApiGateway::RestApi"}
# Names of what is part of a resource.
OF_PARTS = {"AttributeName", "MetricName", "PolicyName", "StageName"}


def resources_of(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of stacks of that name, on Lambda and on ECS, and of those they nest, by their logical ids."""
    named = {"AWS::StackName": name}
    outer = [Stack(**named, **EVERYTHING), EcsStack(**named, **EVERYTHING_ON_ECS)]
    for stack in [*outer, *map(observability, outer)]:
        for logical_id, resource in stack.resources.items():
            if resource["Type"] != "AWS::CloudFormation::Stack":
                yield logical_id, {**resource, "Properties": stack.resolve(resource["Properties"])}


def texts(schema: Mapping[str, Any], node: Any, definitions: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Every text of a resource's properties, with the schema that it must meet."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(schema.get("properties", {}).get(key, {}), value, definitions)
    elif isinstance(node, list):
        for item in node:
            yield from texts(schema.get("items", {}), item, definitions)
    elif isinstance(node, str):
        yield schema, node


def names(node: Mapping[str, Any]) -> Iterator[str]:
    """The names among a resource's properties. Those in lists are of parts of it, too."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from names(value)
        elif isinstance(value, str) and re.search(r"Name$|^Family$", key) and key not in OF_PARTS:
            yield value


def test_the_longest_name_of_a_stack_is_the_one_that_is_promised() -> None:
    (promised,) = re.findall(r"at most (\d+) characters", (ROOT / "deploy/README.md").read_text())

    assert int(promised) == LONGEST_NAME


def test_no_text_is_longer_than_the_registry_allows() -> None:
    checked, too_long = set(), []

    for logical_id, resource in resources_of("s" * LONGEST_NAME):
        kind = REGISTERED.get(resource["Type"], resource["Type"])
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        for limits, text in texts(schema, resource["Properties"], schema.get("definitions", {})):
            if "s" * LONGEST_NAME in text and ("maxLength" in limits or "pattern" in limits):
                checked.add(kind)
                fits = len(text) <= limits.get("maxLength", len(text)) and re.search(limits.get("pattern", ""), text)
                too_long += [] if fits else [(logical_id, text)]

    assert too_long == []
    assert checked >= {"AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::CloudFront::Function", "AWS::XRay::Group"}


def test_two_stacks_in_an_account_share_no_name() -> None:
    first, second = (
        {name for _, resource in resources_of(stack) for name in names(resource["Properties"])}
        for stack in ("first", "second")
    )

    parts = {logical_id for logical_id, _ in resources_of("first")}  # a reference to a part has its own name here

    assert len(first) > 15
    assert first & second <= parts


@pytest.mark.parametrize("function", ["ApiFunction", "WorkerFunction"])
def test_two_stacks_in_an_account_have_keys_and_tables_of_their_own(function: str) -> None:
    first, second = (Stack(**{"AWS::StackName": name}).environment(function) for name in ("first", "second"))

    for variable in ("SAYINGS_STORE", "CLAUDE_PARAMETER_NAME", "OPENAI_PARAMETER_NAME", "OTEL_SERVICE_NAME"):
        assert "first" in first[variable]
        assert first[variable] != second[variable]
