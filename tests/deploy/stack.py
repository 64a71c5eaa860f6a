"""The SAM template as a stack, and the one that it nests: read once, intrinsic functions resolved with fixed names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode import decode  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).parents[2] / "deploy/template.yaml"
NESTED = TEMPLATE.with_name("observability.yaml")
REGION, ACCOUNT = "eu-west-1", "111122223333"
PSEUDO = {
    "AWS::StackName": "sayings",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}

# The property that names a resource, and its ARN after region and account.
_NAMED: dict[str, tuple[str, str]] = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb:{place}:table/{name}"),
    "AWS::Serverless::Function": ("FunctionName", "lambda:{place}:function:{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs:{place}:log-group:{name}:*"),
    "AWS::SQS::Queue": ("QueueName", "sqs:{place}:{name}"),
    "AWS::KMS::Key": ("", "kms:{place}:key/{name}"),
}


class Stack:
    """The template with its default parameters, or others. A resource without a name goes by its logical id."""

    def __init__(self, path: Path = TEMPLATE, /, **parameters: str) -> None:
        template, problems = decode(str(path))
        assert template, problems
        self.template: Mapping[str, Any] = template
        declared = self.template["Parameters"].items()
        defaults = {name: parameter["Default"] for name, parameter in declared if "Default" in parameter}
        self._values = PSEUDO | defaults | parameters

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources whose condition holds."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self._holds({"Condition": resource["Condition"]})
        }

    def of_type(self, type_: str) -> dict[str, Any]:
        """The properties of all resources of a type, resolved."""
        return {
            name: self.resolve(resource["Properties"])
            for name, resource in self.resources.items()
            if resource["Type"] == type_
        }

    def properties(self, name: str) -> Any:
        return self.resolve(self.template["Resources"][name]["Properties"])

    def broken_rules(self) -> list[str]:
        """The names of the rules that the parameters break."""
        return [
            name
            for name, rule in self.template["Rules"].items()
            if self._holds(rule["RuleCondition"])
            and not all(self._holds(assertion["Assert"]) for assertion in rule["Assertions"])
        ]

    def arn(self, name: str) -> str:
        """A resource's ARN; one that is of no interest here is made up."""
        _, pattern = _NAMED.get(self.template["Resources"][name]["Type"], ("", "other:{place}:{name}"))
        return "arn:aws:" + pattern.format(place=f"{REGION}:{ACCOUNT}", name=self._reference(name))

    def environment(self, function: str) -> dict[str, str]:
        """The variables that Lambda gives to a function, its own region among them."""
        common = self.resolve(self.template["Globals"]["Function"]["Environment"]["Variables"])
        own = self.properties(function)["Environment"]["Variables"]
        return {name: str(value) for name, value in {**common, **own}.items()} | {"AWS_REGION": REGION}

    def resolve(self, node: Any) -> Any:
        if isinstance(node, Mapping):
            if len(node) == 1:
                ((function, argument),) = node.items()
                if function == "Ref" or function.startswith("Fn::"):
                    return self._call(function, argument)
            resolved = {str(key): self.resolve(value) for key, value in node.items()}
            return {key: value for key, value in resolved.items() if value is not None}
        if isinstance(node, list):
            return [item for item in map(self.resolve, node) if item is not None]
        return str(node) if isinstance(node, str) else node  # cfn-lint's strings know where they stand in the file

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._reference(argument)
            case "Fn::GetAtt":
                return self._attribute(*(argument.split(".", 1) if isinstance(argument, str) else argument))
            case "Fn::FindInMap":
                first, second, third = map(self.resolve, argument)
                return self.resolve(self.template["Mappings"][first][str(second)][third])
            case "Fn::Sub":
                text, own = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))
                return re.sub(
                    r"\$\{([^}]+)\}",
                    lambda found: str(own[found[1]] if found[1] in own else self._variable(found[1])),
                    text,
                )
            case "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self._holds({"Condition": condition}) else otherwise)
        raise NotImplementedError(function)

    def _variable(self, name: str) -> Any:
        resource, dot, attribute = name.partition(".")
        return self._attribute(resource, attribute) if dot else self._reference(name)

    def _reference(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name.endswith(".Alias"):  # SAM's word for the alias that it publishes versions under
            return f"{self.arn(name.removesuffix('.Alias'))}:{self._alias}"
        resource = self.template["Resources"][name]
        named_by, _ = _NAMED.get(resource["Type"], ("", ""))
        return self.resolve(resource.get("Properties", {}).get(named_by, name))

    @property
    def _alias(self) -> str:
        return str(self.template["Globals"]["Function"]["AutoPublishAlias"])

    def _attribute(self, resource: str, attribute: str) -> str:
        return self.arn(resource) if attribute == "Arn" else f"{resource}.{attribute}"

    def _holds(self, condition: Any) -> bool:
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self._holds(self.template["Conditions"][argument])
            case "Fn::Equals":
                left, right = (str(self.resolve(side)) for side in argument)
                return left == right
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(map(self._holds, argument))
        raise NotImplementedError(function)


def observability(parent: Stack) -> Stack:
    """The stack of alarms and dashboard that a stack nests, with the parameters that it is given."""
    given = parent.properties("Observability")["Parameters"]
    return Stack(NESTED, **{name: str(value) for name, value in given.items()})
