"""An account: moto, and before it a CloudFormation whose only stack is in the state that a test wants it in."""

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.stack import Stack
from tests.deploy.stack import REGION

SAM_BUCKET = "archives"


class CloudFormation:
    """The stack `sayings`. What ends an operation is waited for, and then is the stack's state."""

    def __init__(self, status: str | None, parameters: dict[str, str], resources: list[dict[str, str]]) -> None:
        self.status = status
        self.parameters = parameters
        self.resources = resources
        self.template = "the template"
        self.asked: list[str] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - the names are AWS's
        if StackName == "aws-sam-cli-managed-default":
            return {"Stacks": [{"Outputs": [{"OutputKey": "SourceBucket", "OutputValue": SAM_BUCKET}]}]}
        if self.status is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        return {"Stacks": [{"StackStatus": self.status, "Parameters": parameters}]}

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"TemplateBody": self.template}

    def get_paginator(self, operation: str) -> "CloudFormation":
        assert operation == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {"StackResourceSummaries": self.resources}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.asked.append("delete_stack")

    def continue_update_rollback(self, StackName: str) -> None:  # noqa: N803
        self.asked.append("continue_update_rollback")

    def get_waiter(self, name: str) -> "CloudFormation":
        self.asked.append(name)
        return self

    def wait(self, **_: object) -> None:
        self.status = None if self.asked[-1] == "stack_delete_complete" else "UPDATE_ROLLBACK_COMPLETE"


class Account:
    """Takes the place of a stack's session."""

    def __init__(self, url: str, clouds: CloudFormation) -> None:
        self._session = boto3.Session("testing", "testing", region_name=REGION)
        self._url = url
        self.clients: dict[str, Any] = {"cloudformation": clouds}
        self.region_name = REGION

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self._session.client(service, endpoint_url=self._url)  # type: ignore[call-overload]
        return self.clients[service]


def stack_in(
    url: str,
    status: str | None,
    parameters: dict[str, str] | None = None,
    resources: list[dict[str, str]] | None = None,
) -> Stack:
    """The stack `sayings` of an account whose other services are moto at this URL."""
    account: Any = Account(url, CloudFormation(status, parameters or {}, resources or []))
    return Stack("sayings", account)
