"""A small judge of IAM: whether the statements of a role allow an access. Knows what our policies use, and no more."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.deploy.stack import Stack


@dataclass(frozen=True)
class Access:
    """One action on one resource; `context` is what conditions look at. A key of several values has a tuple."""

    action: str
    resource: str
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Condition:
    """What an access must have for a key: nothing but what matches one of the patterns.

    A key that the access does not have is enough for `ForAllValues:` and `IfExists`, as in IAM.
    """

    key: str
    patterns: Sequence[str]
    may_be_absent: bool

    def holds(self, context: Mapping[str, str | tuple[str, ...]]) -> bool:
        if self.key not in context:
            return self.may_be_absent
        found = context[self.key]
        values = (found,) if isinstance(found, str) else found
        return all(any(_matches(pattern, value) for pattern in self.patterns) for value in values)


@dataclass(frozen=True)
class Statement:
    """One statement that allows: any of its actions on any of its resources, if every condition holds."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Sequence[Condition]

    def allows(self, access: Access) -> bool:
        return (
            any(_matches(action.lower(), access.action.lower()) for action in self.actions)
            and any(_matches(resource, access.resource) for resource in self.resources)
            and all(condition.holds(access.context) for condition in self.conditions)
        )

    def parts(self) -> "Iterator[Statement]":
        """The statement with one of its actions only, with one of its resources, with one of the patterns of a key."""
        yield from (replace(self, actions=[action]) for action in self.actions)
        yield from (replace(self, resources=[resource]) for resource in self.resources)
        for number, condition in enumerate(self.conditions):
            others = [*self.conditions[:number], *self.conditions[number + 1 :]]
            for pattern in condition.patterns if condition.key == "dynamodb:LeadingKeys" else ():
                yield replace(self, conditions=[*others, replace(condition, patterns=[pattern])])


def statements(stack: Stack, role: str) -> list[Statement]:
    """All that a role may do. Anything that could not be judged here fails."""
    properties = stack.properties(role)
    assert "ManagedPolicyArns" not in properties
    return [_statement(each) for policy in properties["Policies"] for each in policy["PolicyDocument"]["Statement"]]


def allowed(access: Access, granted: Sequence[Statement]) -> bool:
    return any(statement.allows(access) for statement in granted)


def in_vain(granted: Sequence[Statement], needed: Sequence[Access]) -> list[Statement]:
    """Return what a role does not need: statements that others cover, and single actions, resources or items."""
    spare = [
        statement
        for statement in granted
        if all(allowed(access, [other for other in granted if other != statement]) for access in needed)
    ]
    parts = [part for statement in granted for part in statement.parts()]
    return spare + [part for part in parts if not any(part.allows(access) for access in needed)]


# The operators of conditions that our policies have: whether they take patterns, and whether the key may be absent.
_OPERATORS = {
    "StringEquals": (False, False),
    "StringLike": (True, False),
    "StringEqualsIfExists": (False, True),
    "ForAllValues:StringEquals": (False, True),
    "ForAllValues:StringLike": (True, True),
}


def _statement(raw: dict[str, Any]) -> Statement:
    assert raw["Effect"] == "Allow"
    assert set(raw) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    conditions = [
        _condition(operator, key, _listed(values))
        for operator, keys in raw.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    return Statement(raw["Sid"], _listed(raw["Action"]), _listed(raw["Resource"]), conditions)


def _condition(operator: str, key: str, values: list[str]) -> Condition:
    takes_patterns, may_be_absent = _OPERATORS[operator]
    assert takes_patterns or not [value for value in values if set("*?") & set(value)]
    return Condition(key, values, may_be_absent)


def _listed(one_or_more: str | list[str]) -> list[str]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _matches(pattern: str, text: str) -> bool:
    """As IAM has it: `*` is any text, `?` any character."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text) is not None
