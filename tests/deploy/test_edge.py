"""What CloudFront has in us-east-1 only is deployed there, wherever the rest is."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from deploy import edge
from deploy.stack import Stack
from tests.deploy import stack as stacks


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Mapping[str, str], Any]]:
    """Of each deployment the stack, its region, its parameters and its template, instead of the deployment.

    The whole stack has been deployed before.
    """
    found: list[tuple[str, str, Mapping[str, str], Any]] = []
    whole = {"AlarmEmail": "old@b.c", "LogRetentionDays": "7", "LiveEvery": "20"}

    def deploy(self: Stack, parameters: Mapping[str, str], *_: str, template: Any) -> None:
        found.append((self.name, self.region, parameters, template))

    monkeypatch.setattr(Stack, "deploy", deploy)
    monkeypatch.setattr(Stack, "parameters", lambda _: whole)
    monkeypatch.setattr(Stack, "status", lambda _: "CREATE_COMPLETE")
    monkeypatch.setattr(Stack, "outputs", {"DistributionId": "E1"})
    return found


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_it_goes_to_virginia_with_the_parameters_that_it_shares(deployed: list[Any], region: str) -> None:
    stack = Stack("sayings", boto3.Session(region_name=region))

    edge.deploy_edge(stack, {"AlarmEmail": "a@b.c", "DailyCapUsd": "5"})

    parameters = {"Name": "sayings", "DistributionId": "E1", "AlarmEmail": "a@b.c", "LogRetentionDays": "7"}
    assert deployed == [("sayings-edge", "us-east-1", parameters, stacks.EDGE)]


def test_what_a_failed_deployment_has_left_is_removed_first(
    deployed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(edge, "make_way", lambda stack: steps.append(f"{stack.name} after {len(deployed)}"))

    edge.deploy_edge(Stack("sayings", boto3.Session(region_name="eu-west-1")), {})

    assert steps == ["sayings-edge after 0"]


def test_it_has_the_parameters_that_it_is_given() -> None:
    own, whole = stacks.edge().template["Parameters"], stacks.Stack().template["Parameters"]

    assert own.keys() == {"Name", "DistributionId", *edge.SHARED}
    assert [own[name]["Default"] for name in edge.SHARED] == [whole[name]["Default"] for name in edge.SHARED]
