"""How a new version of the functions gets its requests, in the template as SAM translates it."""

import json
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import pytest

from deploy.environments import Command, environment
from tests.deploy.stack import REGION, Stack

pytestmark = pytest.mark.slow

FUNCTIONS = ["ApiFunction", "WorkerFunction"]

# SAM's translator is in the environment of the SAM CLI only.
TRANSLATE = """
import json, sys
from unittest.mock import Mock
from samtranslator.translator.transform import transform
template, parameters = json.load(sys.stdin)
print(json.dumps(transform(template, parameters, Mock())["Resources"]))
"""


@cache
def translated(**parameters: str) -> dict[str, Any]:
    """The resources of a deployment after the first, or of another one that the parameters describe."""
    template = json.loads(json.dumps(Stack().template))
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/archive"
    command: Command = [environment("sam") / "python", "-c", TRANSLATE]
    done = subprocess.run(
        command,
        input=json.dumps([template, {"Rollout": "canary"} | parameters]),
        env={"AWS_DEFAULT_REGION": REGION},  # from which it knows the partition
        capture_output=True,
        text=True,
        check=True,
    )
    resources: dict[str, Any] = json.loads(done.stdout)
    return resources


def versions(resources: dict[str, Any], function: str) -> dict[str, Any]:
    return {name: each for name, each in resources.items() if name.startswith(f"{function}Version")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_release_is_a_version_and_the_former_ones_are_kept(function: str) -> None:
    first, second = (versions(translated(Release=release), function) for release in ("1a2b3c", "4d5e6f"))

    assert len(first) == len(second) == 1
    assert first.keys() != second.keys()
    assert {version["DeletionPolicy"] for version in first.values()} == {"Retain"}


def test_gateway_schedule_and_failures_are_those_of_the_alias() -> None:
    resources = translated()

    paths = resources["Api"]["Properties"]["Body"]["paths"].values()
    uris = {str(method["x-amazon-apigateway-integration"]["uri"]) for path in paths for method in path.values()}
    permitted = {
        json.dumps(each["Properties"]["FunctionName"])
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Permission"
    }
    (invocations,) = [each for each in resources.values() if each["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert len(uris) == 1
    assert "${ApiFunctionAliaslive}" in uris.pop()
    assert permitted == {'{"Ref": "ApiFunctionAliaslive"}'}
    assert invocations["Properties"]["Qualifier"] == "live"
    assert resources["WorkerSchedule"]["Properties"]["Target"]["Arn"] == {"Ref": "WorkerFunctionAliaslive"}


def test_a_new_version_of_the_api_is_tried_first_and_taken_back_on_an_alarm() -> None:
    resources = translated()

    group = resources["ApiFunctionDeploymentGroup"]["Properties"]
    assert resources["ApiFunctionAliaslive"]["UpdatePolicy"].keys() == {"CodeDeployLambdaAliasUpdate"}
    assert "UpdatePolicy" not in resources["WorkerFunctionAliaslive"]  # in ten minutes there may be no round
    assert group["AlarmConfiguration"]["Alarms"] == [
        {"Name": {"Ref": "NewVersionFails"}},
        {"Name": {"Ref": "AnswersFail"}},
    ]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert "CodeDeployServiceRole" not in resources  # SAM's own, which may change every function


def needed_by(resource: dict[str, Any], names: Iterable[str]) -> set[str]:
    """The resources among those names that CloudFormation makes before this one."""
    written = json.dumps({key: value for key, value in resource.items() if key != "Metadata"})
    return {name for name in names if re.search(rf'"{name}"|\$\{{{name}[.}}]', written)}


def test_no_resource_waits_for_itself() -> None:
    """CloudFormation follows what an UpdatePolicy names, too, which the linter does not."""
    resources = translated()

    graph = {name: needed_by(each, resources) - {name} for name, each in resources.items()}

    assert "ApiFunctionDeploymentGroup" in graph["ApiFunctionAliaslive"]
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_release_changes_the_function_because_lambda_publishes_nothing_twice(function: str) -> None:
    first, second = (translated(Release=release)[function]["Properties"] for release in ("1a2b3c", "4d5e6f"))

    assert first != second


def test_a_mend_need_not_wait_for_alarms_that_ring_already() -> None:
    resources = translated(Rollout="at-once")

    assert not [name for name, each in resources.items() if each["Type"].startswith("AWS::CodeDeploy::")]
    assert "UpdatePolicy" not in resources["ApiFunctionAliaslive"]
