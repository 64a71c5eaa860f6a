"""What a rollback goes back to: template and parameters from before the last deployment that changed anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy import cloud
from deploy.environments import DeploymentFailed
from deploy.history import History
from deploy.stack import Stack
from tests.deploy.account import SAM_BUCKET, stack_in
from tests.deploy.stack import REGION

pytestmark = pytest.mark.slow


@pytest.fixture
def stack(moto_url: str) -> Stack:
    stack = stack_in(moto_url, "UPDATE_COMPLETE", {"DailyCapUsd": "5", "Rollout": "canary", "OriginSecret": "****"})
    stack.session.client("s3").create_bucket(
        Bucket=SAM_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return stack


def change(stack: Stack, template: str, **parameters: str) -> None:
    clouds: Any = stack.session.client("cloudformation")
    clouds.template, clouds.parameters = template, {**clouds.parameters, **parameters}


def test_a_deployment_leaves_what_was_there_before(stack: Stack, tmp_path: Path) -> None:
    history = History(stack)

    change(stack, "another template", DailyCapUsd="9")
    history.keep()

    template, parameters = History(stack).before(tmp_path)
    assert template.read_text() == "the template"
    assert parameters == {"DailyCapUsd": "5", "Rollout": "canary"}  # a hidden value stays the stack's


def test_a_deployment_that_changes_nothing_leaves_what_is_kept(stack: Stack, tmp_path: Path) -> None:
    first = History(stack)
    change(stack, "another template")
    first.keep()

    History(stack).keep()

    assert History(stack).before(tmp_path)[0].read_text() == "the template"


def test_after_a_first_deployment_there_is_nothing_to_go_back_to(stack: Stack) -> None:
    of_an_earlier_stack = History(stack)
    change(stack, "another template")
    of_an_earlier_stack.keep()
    clouds: Any = stack.session.client("cloudformation")
    clouds.status = None
    history = History(stack)
    clouds.status = "CREATE_COMPLETE"
    history.keep()

    with pytest.raises(DeploymentFailed, match="Nothing is known of sayings"):
        History(stack).before()


def test_a_rollback_is_at_once_and_can_be_undone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(stack)
    change(stack, "a template that fails", DailyCapUsd="9")
    history.keep()
    deployed = []

    def deploy(parameters: Mapping[str, str], *_: str, template: Path) -> None:
        deployed.append((template.read_text(), dict(parameters)))
        change(stack, template.read_text(), **parameters)

    monkeypatch.setattr(cloud, "Stack", lambda _: stack)
    monkeypatch.setattr(stack, "deploy", deploy)

    cloud.roll_back("sayings")
    cloud.roll_back("sayings")

    assert deployed == [
        ("the template", {"DailyCapUsd": "5", "Rollout": "at-once"}),
        ("a template that fails", {"DailyCapUsd": "9", "Rollout": "at-once"}),
    ]
