"""The roles of the SAM template against every call that is made with them, ARN by ARN, and nothing beyond."""

from dataclasses import replace

import pytest

from tests.deploy.iam import Access, Statement, allowed, in_vain, statements
from tests.deploy.recording import Call, Needs, needs
from tests.deploy.stack import Stack

pytestmark = pytest.mark.slow

STACK = Stack()
ROLES = {role: statements(STACK, role) for role in STACK.of_type("AWS::IAM::Role")}
each_role = pytest.mark.parametrize("role", ROLES)


@pytest.fixture
def needed(recorded: dict[str, list[Call]]) -> Needs:
    return needs(STACK, recorded)


def refused(wanted: list[Access], granted: list[Statement]) -> list[Access]:
    return [access for access in wanted if not allowed(access, granted)]


@each_role
def test_every_call_is_allowed(role: str, needed: Needs) -> None:
    assert refused(needed[role], ROLES[role]) == []


@each_role
def test_no_statement_action_or_resource_is_granted_in_vain(role: str, needed: Needs) -> None:
    assert in_vain(ROLES[role], needed[role]) == []


def test_only_traces_are_granted_without_a_resource() -> None:
    wildcards = {
        (statement.sid, text)
        for granted in ROLES.values()
        for statement in granted
        for text in (*statement.actions, *statement.resources)
        # What ends a log group's ARN stands for the group's own streams.
        if "*" in text and not (text.startswith("arn:aws:logs:") and text.endswith(":*"))
    }

    assert wildcards == {("SendTraces", "*")}


@pytest.mark.parametrize(
    ("resource", "covers"), [("parameter/api-key-*", False), ("parameter/api-key/*", True), ("parameter/*", True)]
)
def test_a_key_is_covered_by_a_pattern_with_its_slash_only(resource: str, covers: bool, needed: Needs) -> None:
    granted = [
        replace(statement, resources=[f"arn:aws:ssm:eu-west-1:111122223333:{resource}"])
        if statement.sid == "ReadKeys"
        else statement
        for statement in ROLES["ApiRole"]
    ]

    assert (refused(needed["ApiRole"], granted) == []) is covers


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
