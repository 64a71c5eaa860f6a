"""The roles of the SAM template against every call that is made with them, ARN by ARN, and nothing beyond."""

import re

import pytest

from tests.deploy.iam import Access, Statement, allowed, in_vain, statements
from tests.deploy.recording import Call, Needs, needs
from tests.deploy.stack import Stack

pytestmark = pytest.mark.slow

STACK = Stack()
ROLES = {role: statements(STACK, role) for role in STACK.of_type("AWS::IAM::Role")}
# What a wildcard may stand for: a log group's own streams, and the keys of all vendors.
NARROW = re.compile(r"arn:aws:logs:.+:\*|arn:aws:ssm:.+:parameter/api-key/\*")
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
        if "*" in text and not NARROW.fullmatch(text)
    }

    assert wildcards == {("SendTraces", "*")}


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
