"""The ECS template as a stack, with made-up values for what has no default."""

from typing import Any

from tests.deploy.dockerfile import ROOT
from tests.deploy.stack import Stack

TEMPLATE = ROOT / "deploy/containers/ecs.yaml"
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/the-one"
PREFIX = "sayings-"
PARAMETERS: dict[str, Any] = {
    "VpcId": "vpc-1",
    "LoadBalancerSubnets": ["subnet-1", "subnet-2"],
    "TaskSubnets": ["subnet-3", "subnet-4"],
    "CertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/1",
    "ImageTag": "1.0",
    "TablePrefix": PREFIX,
    "ClaudeParameterName": "/sayings/api-key/anthropic",
    "OpenAiParameterName": "/sayings/api-key/openai",
    "KeyArn": KEY_ARN,
}


class EcsStack(Stack):
    """Roles are read together with the managed policies of this template that they carry."""

    def __init__(self, **parameters: str) -> None:
        super().__init__(TEMPLATE, **(PARAMETERS | parameters))

    def properties(self, name: str) -> Any:
        properties = super().properties(name)
        if managed := properties.pop("ManagedPolicyArns", []):
            properties["Policies"] = [*map(self.properties, managed), *properties["Policies"]]
        return properties

    def container(self, task: str, name: str) -> Any:
        containers = self.properties(task)["ContainerDefinitions"]
        return next(container for container in containers if container["Name"] == name)

    def environ(self, task: str, name: str) -> dict[str, str]:
        return {entry["Name"]: str(entry["Value"]) for entry in self.container(task, name)["Environment"]}
