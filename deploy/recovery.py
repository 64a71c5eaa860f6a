"""Makes way for a deployment, whatever state an earlier one has left the stack in."""

from typing import Any

from botocore.exceptions import WaiterError

from deploy.environments import DeploymentFailed
from deploy.stack import HALF_MADE, NEVER_MADE, Stack, refusals
from service.process import say
from service.store.dynamodb.tables import COMPARISONS, FEEDBACK

# The tables with what people have given. Nothing else is lost that a deployment would not make again.
_GIVEN = (FEEDBACK, COMPARISONS)


def make_way(stack: Stack) -> None:
    """Bring the stack into a state that can be deployed. Raises DeploymentFailed with what is in the way."""
    match stack.status():
        case "DELETE_IN_PROGRESS":
            say(f"Waiting until the stack {stack.name} is deleted …")
            _wait(stack, "stack_delete_complete")
        case "UPDATE_ROLLBACK_FAILED":
            say(f"Going on with the rollback of {stack.name}, which had failed …")
            with refusals(f"The rollback of {stack.name} cannot go on"):
                stack.session.client("cloudformation").continue_update_rollback(StackName=stack.name)
            _wait(stack, "stack_rollback_complete")
        case status if status in NEVER_MADE:
            say(f"The first deployment of {stack.name} had failed; removing what it left …")
            _remove_never_made(stack)
        case status if status in HALF_MADE:
            say(f"An earlier deployment of {stack.name} had stopped half-way; going on with it …")
        case "DELETE_FAILED":
            problem = f"The stack {stack.name} was to be deleted, and is in part. Finish that first"
            raise DeploymentFailed(f"{problem}: {_failures(stack)}")
        case str(status) if status.endswith("_IN_PROGRESS"):
            raise DeploymentFailed(f"The stack {stack.name} is being changed at this moment ({status}); wait for that.")


def _remove_never_made(stack: Stack) -> None:
    """Delete a stack that was never made, with its tables, which are protected. Refuses if they hold votes."""
    with refusals(f"What is left of {stack.name} could not be removed"):
        tables = _tables(stack)
        for table in tables:
            if table.endswith(_GIVEN) and _has_items(stack, table):
                raise DeploymentFailed(f"The stack {stack.name} was never made, but its table {table} has votes in it.")
        for table in tables:
            _delete_table(stack, table)
        stack.session.client("cloudformation").delete_stack(StackName=stack.name)
    _wait(stack, "stack_delete_complete")


def _tables(stack: Stack) -> list[str]:
    """The tables of the stack that exist."""
    found = [each["PhysicalResourceId"] for each in _resources(stack) if each["ResourceType"] == "AWS::DynamoDB::Table"]
    return [table for table in found if exists(stack, table)]


def exists(stack: Stack, table: str) -> bool:
    client = stack.session.client("dynamodb")
    try:
        client.describe_table(TableName=table)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _has_items(stack: Stack, table: str) -> bool:
    return bool(stack.session.client("dynamodb").scan(TableName=table, Limit=1, ConsistentRead=True)["Count"])


def _delete_table(stack: Stack, table: str) -> None:
    client = stack.session.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2})  # and is not being changed
    client.delete_table(TableName=table)
    client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2})


def _wait(stack: Stack, what: str) -> None:
    client = stack.session.client("cloudformation")
    try:
        client.get_waiter(what).wait(StackName=stack.name, WaiterConfig={"Delay": 5, "MaxAttempts": 720})
    except WaiterError as error:
        raise DeploymentFailed(f"The stack {stack.name} is stuck in {stack.status()}: {_failures(stack)}") from error


def _failures(stack: Stack) -> str:
    """The resources that failed, each with AWS's reason."""
    failed = [each for each in _resources(stack) if each["ResourceStatus"].endswith("_FAILED")]
    reasons = {each["LogicalResourceId"]: each.get("ResourceStatusReason", "without a reason") for each in failed}
    return "; ".join(f"{name} ({reason})" for name, reason in reasons.items()) or "AWS names no resource"


def _resources(stack: Stack) -> list[dict[str, Any]]:
    with refusals(f"The resources of {stack.name} cannot be listed"):
        pages = stack.session.client("cloudformation").get_paginator("list_stack_resources")
        return [each for page in pages.paginate(StackName=stack.name) for each in page["StackResourceSummaries"]]
