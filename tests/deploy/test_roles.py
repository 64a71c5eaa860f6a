"""The roles of the SAM template against every call that is made with them, ARN by ARN, and nothing beyond."""

import asyncio
import re
from dataclasses import replace

import pytest

from tests.deploy.iam import Access, Statement, allowed, statements
from tests.deploy.recording import Needs, needs
from tests.deploy.stack import Stack

pytestmark = pytest.mark.slow

STACK = Stack()
ROLES = {role: statements(STACK, role) for role in STACK.of_type("AWS::IAM::Role")}
STATEMENTS = [(role, statement) for role, granted in ROLES.items() for statement in granted]
# What a wildcard may stand for: a log group's own streams, and the keys of all vendors.
NARROW = re.compile(r"arn:aws:logs:.+:\*|arn:aws:ssm:.+:parameter/api-key/\*")
each_role = pytest.mark.parametrize("role", ROLES)
each_statement = pytest.mark.parametrize(
    ("role", "statement"), STATEMENTS, ids=[f"{role}-{statement.sid}" for role, statement in STATEMENTS]
)


@pytest.fixture(scope="module")
def needed(moto_url: str) -> Needs:
    return asyncio.run(needs(STACK, moto_url))


def refused(wanted: list[Access], granted: list[Statement]) -> list[Access]:
    return [access for access in wanted if not allowed(access, granted)]


@each_role
def test_every_call_is_allowed(role: str, needed: Needs) -> None:
    assert refused(needed[role], ROLES[role]) == []


@each_statement
def test_one_missing_statement_is_noticed(role: str, statement: Statement, needed: Needs) -> None:
    others = [other for other in ROLES[role] if other != statement]

    assert refused(needed[role], others)


@each_statement
def test_no_action_and_no_resource_is_granted_in_vain(role: str, statement: Statement, needed: Needs) -> None:
    parts = [replace(statement, actions=[action]) for action in statement.actions]
    parts += [replace(statement, resources=[resource]) for resource in statement.resources]

    unused = [part for part in parts if not any(part.allows(access) for access in needed[role])]

    assert unused == []


@each_statement
def test_only_traces_are_granted_without_a_resource(role: str, statement: Statement) -> None:
    wildcards = [text for text in (*statement.actions, *statement.resources) if "*" in text]

    assert [text for text in wildcards if not NARROW.fullmatch(text)] == (
        ["*"] if statement.sid == "SendTraces" else []
    )


@pytest.mark.parametrize("role", ["ApiRole", "WorkerRole"])
@pytest.mark.parametrize(
    ("parameter", "covered"),
    [("api-key/anthropic", True), ("api-key/another-vendor", True), ("api-key-anthropic", False), ("other", False)],
)
def test_the_keys_of_all_vendors_are_covered_and_nothing_else(role: str, parameter: str, covered: bool) -> None:
    arn = f"arn:aws:ssm:eu-west-1:111122223333:parameter/{parameter}"
    context = {"kms:ViaService": "ssm.eu-west-1.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": arn}

    reading = Access("ssm:GetParameter", arn)
    decrypting = Access("kms:Decrypt", STACK.arn("ParameterKey"), context)

    assert [allowed(access, ROLES[role]) for access in (reading, decrypting)] == [covered, covered]


def test_keys_are_decrypted_by_way_of_parameter_store_only() -> None:
    key = STACK.arn("ParameterKey")

    directly = Access("kms:Decrypt", key)
    for_another_parameter = Access(
        "kms:Decrypt",
        key,
        {
            "kms:ViaService": "ssm.eu-west-1.amazonaws.com",
            "kms:EncryptionContext:PARAMETER_ARN": "arn:aws:ssm:eu-west-1:111122223333:parameter/other",
        },
    )

    assert refused([directly, for_another_parameter], ROLES["ApiRole"]) == [directly, for_another_parameter]
