"""A second deployment after a first one that failed, whatever state that has left the stack in."""

from pathlib import Path
from typing import Any

import pytest

from deploy.environments import DeploymentFailed
from deploy.recovery import make_way
from service.store.dynamodb import TABLES
from tests.deploy.account import stack_in

pytestmark = pytest.mark.slow

LEFT = [
    {
        "LogicalResourceId": name,
        "PhysicalResourceId": f"sayings-{name}",
        "ResourceType": "AWS::DynamoDB::Table",
        "ResourceStatus": "DELETE_FAILED",
    }
    for name in TABLES
]


@pytest.mark.parametrize(
    "status",
    [None, "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"],
)
def test_a_stack_that_can_be_updated_is_left_as_it_is(moto_url: str, status: str | None) -> None:
    stack = stack_in(moto_url, status)

    make_way(stack)

    assert clouds(stack).asked == []


def test_what_failed_half_way_has_something_new_to_publish(moto_url: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"code")

    failed, complete = stack_in(moto_url, "CREATE_FAILED"), stack_in(moto_url, "CREATE_COMPLETE")

    assert failed.release({}, archive) != failed.release({}, archive)
    assert complete.release({}, archive) == complete.release({}, archive)


def test_a_release_is_what_the_functions_are_made_of(moto_url: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(b"code")
    first, second = (
        stack_in(moto_url, None),
        stack_in(moto_url, "CREATE_COMPLETE", {"DailyCapUsd": "5", "Rollout": "x"}),
    )

    release = first.release({}, archive)

    assert second.release({}, archive) == release  # the default, given by name
    assert second.release({"DailyCapUsd": "3"}, archive) != release
    archive.write_bytes(b"other code")
    assert second.release({}, archive) != release


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_stack_that_was_never_made_goes_with_its_protected_tables(moto_url: str, status: str) -> None:
    stack = stack_in(moto_url, status, resources=LEFT)
    create_tables(stack)

    make_way(stack)

    assert stack.status() is None
    assert stack.session.client("dynamodb").list_tables()["TableNames"] == []
    assert clouds(stack).asked == ["delete_stack", "stack_delete_complete"]


def test_what_was_never_made_leaves_no_parameters_to_the_next_one(moto_url: str) -> None:
    never_made, half_made = (
        stack_in(moto_url, status, {"Architecture": "x86_64"}) for status in ("ROLLBACK_COMPLETE", "CREATE_FAILED")
    )

    assert never_made.parameters() == {}
    assert half_made.parameters() == {"Architecture": "x86_64"}


def test_tables_that_the_rollback_deleted_are_not_missed(moto_url: str) -> None:
    stack = stack_in(moto_url, "ROLLBACK_COMPLETE", resources=LEFT)

    make_way(stack)

    assert stack.status() is None


def test_votes_are_never_removed(moto_url: str) -> None:
    stack = stack_in(moto_url, "ROLLBACK_FAILED", resources=LEFT)
    create_tables(stack)
    vote = {"saying_id": {"S": "1"}, "voter": {"S": "somebody"}}
    stack.session.client("dynamodb").put_item(TableName="sayings-saying_feedback", Item=vote)

    with pytest.raises(DeploymentFailed, match="sayings-saying_feedback has votes"):
        make_way(stack)

    assert len(stack.session.client("dynamodb").list_tables()["TableNames"]) == len(TABLES)
    assert clouds(stack).asked == []


def test_a_rollback_that_failed_is_gone_on_with(moto_url: str) -> None:
    stack = stack_in(moto_url, "UPDATE_ROLLBACK_FAILED")

    make_way(stack)

    assert clouds(stack).asked == ["continue_update_rollback", "stack_rollback_complete"]


def test_a_deletion_under_way_is_waited_for(moto_url: str) -> None:
    stack = stack_in(moto_url, "DELETE_IN_PROGRESS")

    make_way(stack)

    assert clouds(stack).asked == ["stack_delete_complete"]


def test_a_failed_deletion_is_told_with_its_reason(moto_url: str) -> None:
    bucket = {
        "LogicalResourceId": "PageBucket",
        "ResourceType": "AWS::S3::Bucket",
        "ResourceStatus": "DELETE_FAILED",
        "ResourceStatusReason": "not empty",
    }

    with pytest.raises(DeploymentFailed, match=r"PageBucket \(not empty\)"):
        make_way(stack_in(moto_url, "DELETE_FAILED", resources=[bucket]))


def test_two_deployments_at_once_are_refused(moto_url: str) -> None:
    with pytest.raises(DeploymentFailed, match="being changed at this moment"):
        make_way(stack_in(moto_url, "UPDATE_IN_PROGRESS"))


def create_tables(stack: Any) -> None:
    for name, table in TABLES.items():
        stack.session.client("dynamodb").create_table(
            TableName=f"sayings-{name}", DeletionProtectionEnabled=True, **table
        )


def clouds(stack: Any) -> Any:
    return stack.session.client("cloudformation")
