"""The roles of the SAM template against every call that is made with them, ARN by ARN, and nothing beyond."""

import re

import pytest

from tests.deploy.iam import Access, Statement, allowed, in_vain, statements
from tests.deploy.recording import OPERATOR_KEY_PARAMETER, Call, Needs, needs
from tests.deploy.stack import Stack

pytestmark = pytest.mark.slow

STACK = Stack(OperatorKeyParameterName=OPERATOR_KEY_PARAMETER)
ROLES = {role: statements(STACK, role) for role in STACK.of_type("AWS::IAM::Role")}
# What a wildcard may stand for: a log group's own streams, and the keys of all vendors.
NARROW = re.compile(r"arn:aws:logs:.+:\*|arn:aws:ssm:.+:parameter/sayings/api-key/\*")
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


def test_only_traces_and_alarms_are_granted_without_a_resource() -> None:
    wildcards = {
        (statement.sid, text)
        for granted in ROLES.values()
        for statement in granted
        for text in (*statement.actions, *statement.resources)
        if "*" in text and not NARROW.fullmatch(text)
    }

    assert wildcards == {("SendTraces", "*"), ("WatchAlarms", "*")}


@pytest.mark.parametrize("role", ["ApiRole", "WorkerRole"])
@pytest.mark.parametrize(
    ("parameter", "covered"),
    [
        ("sayings/api-key/anthropic", True),
        ("sayings/api-key/another-vendor", True),
        ("sayings/api-key-anthropic", False),
        ("api-key/anthropic", False),
        ("other/api-key/anthropic", False),
    ],
)
def test_the_keys_of_all_vendors_are_covered_and_nothing_else(role: str, parameter: str, covered: bool) -> None:
    arn = f"arn:aws:ssm:eu-west-1:111122223333:parameter/{parameter}"
    context = {"kms:ViaService": "ssm.eu-west-1.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": arn}

    reading = Access("ssm:GetParameter", arn)
    decrypting = Access("kms:Decrypt", STACK.arn("ParameterKey"), context)

    assert [allowed(access, ROLES[role]) for access in (reading, decrypting)] == [covered, covered]


@pytest.mark.parametrize("role", ["ApiRole", "WorkerRole"])
def test_a_key_by_a_name_of_its_own_is_covered_and_none_beside_it(role: str) -> None:
    granted = statements(Stack(ClaudeParameterName="/api-key/anthropic"), role)

    names = [f"arn:aws:ssm:eu-west-1:111122223333:parameter/api-key/{name}" for name in ("anthropic", "openai")]

    assert [allowed(Access("ssm:GetParameter", name), granted) for name in names] == [True, False]


def test_only_the_api_reads_the_operators_key() -> None:
    reading = Access("ssm:GetParameter", f"arn:aws:ssm:eu-west-1:111122223333:parameter{OPERATOR_KEY_PARAMETER}")

    assert [allowed(reading, ROLES[role]) for role in ("ApiRole", "WorkerRole")] == [True, False]


STATE = STACK.arn("StateTable")
SECRET = {"dynamodb:LeadingKeys": ("secret#2026-11-29",)}


@pytest.mark.parametrize(
    "access",
    [
        Access("dynamodb:GetItem", STATE, SECRET),
        Access("dynamodb:Query", STATE, SECRET),
        Access("dynamodb:UpdateItem", STATE, SECRET),
        Access("dynamodb:DeleteItem", STATE, {**SECRET, "dynamodb:ReturnValues": "ALL_OLD"}),
        Access("dynamodb:Scan", STATE, {"dynamodb:Select": "ALL_ATTRIBUTES"}),
        Access(
            "dynamodb:Scan",
            STATE,
            {"dynamodb:Select": "SPECIFIC_ATTRIBUTES", "dynamodb:Attributes": ("name", "secret")},
        ),
    ],
    ids=["get", "query", "update", "delete", "scan", "scan of it"],
)
def test_the_worker_cannot_read_the_secret_of_the_votes(access: Access) -> None:
    assert not allowed(access, ROLES["WorkerRole"])


@pytest.mark.parametrize("name", ["tallies", "lease#round", "lists#real", "prune", "analysis"])
def test_the_api_cannot_write_what_the_worker_keeps(name: str) -> None:
    writing = Access("dynamodb:UpdateItem", STATE, {"dynamodb:LeadingKeys": (name,)})

    assert not allowed(writing, ROLES["ApiRole"])


def test_the_key_refuses_every_way_to_the_plain_text_but_parameter_store() -> None:
    policy = STACK.properties("ParameterKey")["KeyPolicy"]["Statement"]

    (denied,) = [statement for statement in policy if statement["Effect"] == "Deny"]

    assert denied["Action"] == ["kms:Decrypt", "kms:ReEncryptFrom"]
    assert denied["Condition"] == {"StringNotEquals": {"kms:ViaService": "ssm.eu-west-1.amazonaws.com"}}


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
