"""A small judge of IAM: whether the statements of a role allow an access. Knows what our policies use, and no more."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.deploy.stack import Stack


@dataclass(frozen=True)
class Access:
    """One action on one resource; `context` is what conditions look at."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Statement:
    """One statement that allows: any of its actions on any of its resources, if every condition holds.

    A condition holds if what the access has for its key matches one of the condition's patterns.
    """

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, Sequence[str]]

    def allows(self, access: Access) -> bool:
        return (
            any(_matches(action.lower(), access.action.lower()) for action in self.actions)
            and any(_matches(resource, access.resource) for resource in self.resources)
            and all(self._holds(key, access.context.get(key, "")) for key in self.conditions)
        )

    def _holds(self, key: str, value: str) -> bool:
        return any(_matches(pattern, value) for pattern in self.conditions[key])


def statements(stack: Stack, role: str) -> list[Statement]:
    """All that a role may do. Anything that could not be judged here fails."""
    properties = stack.properties(role)
    assert "ManagedPolicyArns" not in properties
    return [
        _statement(each) for policy in properties.get("Policies", []) for each in policy["PolicyDocument"]["Statement"]
    ]


def allowed(access: Access, granted: Sequence[Statement]) -> bool:
    return any(statement.allows(access) for statement in granted)


def in_vain(granted: Sequence[Statement], needed: Sequence[Access]) -> list[Statement]:
    """Return what a role does not need: statements that others cover, and single actions or resources."""
    spare = [
        statement
        for statement in granted
        if all(allowed(access, [other for other in granted if other != statement]) for access in needed)
    ]
    parts = [replace(statement, actions=[action]) for statement in granted for action in statement.actions]
    parts += [replace(statement, resources=[resource]) for statement in granted for resource in statement.resources]
    return spare + [part for part in parts if not any(part.allows(access) for access in needed)]


def _statement(raw: dict[str, Any]) -> Statement:
    assert raw["Effect"] == "Allow"
    assert set(raw) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    conditions = raw.get("Condition", {})
    assert set(conditions) <= {"StringEquals", "StringLike"}
    equal, like = conditions.get("StringEquals", {}), conditions.get("StringLike", {})
    assert not [value for value in equal.values() if set("*?") & set(value)]  # or it would be taken for a pattern
    return Statement(
        raw["Sid"],
        _listed(raw["Action"]),
        _listed(raw["Resource"]),
        {key: _listed(values) for key, values in (equal | like).items()},
    )


def _listed(one_or_more: str | list[str]) -> list[str]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _matches(pattern: str, text: str) -> bool:
    """As IAM has it: `*` is any text, `?` any character."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None
