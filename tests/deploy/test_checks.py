"""What a deployment checks before it makes anything: one line says what is wrong, and nothing is changed."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.checks import check, check_name, key_names
from deploy.environments import DeploymentFailed
from deploy.stack import LONGEST_NAME, Stack
from service.config import Settings
from service.store.dynamodb import TABLES
from tests.deploy import stack as templates
from tests.deploy.account import stack_in

pytestmark = pytest.mark.slow

KEY = "/sayings/api-key/anthropic"


class Functions:
    """Lambda in an account with some executions, of which the worker has reserved some already."""

    def __init__(self, executions: int, reserved: int = 0) -> None:
        self._limits = {"ConcurrentExecutions": executions, "UnreservedConcurrentExecutions": executions - reserved}
        self._reserved = reserved
        self.exceptions = self
        self.ResourceNotFoundException = KeyError

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": self._limits}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, int]:  # noqa: N803 - AWS's name
        if FunctionName == "sayings-worker" and self._reserved:
            return {"ReservedConcurrentExecutions": self._reserved}
        raise self.ResourceNotFoundException


@pytest.fixture
def stack(moto_url: str) -> Stack:
    return stack_with(Functions(1_000), stack_in(moto_url, None))


def stack_with(functions: Any, stack: Stack) -> Stack:
    stack.session.clients["lambda"] = functions  # type: ignore[attr-defined]
    return stack


def test_a_new_account_with_the_defaults_passes(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    check(stack_with(Functions(10), stack), {})

    said = capsys.readouterr().err
    assert "in account 123456789012 and eu-west-1" in said
    assert "no CloudFront distribution yet" in said


@pytest.mark.parametrize("name", ["s" * LONGEST_NAME, "Sayings-2"])
def test_a_name_for_a_stack(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "2sayings", "my_sayings", "s" * (LONGEST_NAME + 1), "aws-sayings", "SSM"])
def test_a_name_that_cannot_be_a_stacks_is_refused(name: str) -> None:
    with pytest.raises(DeploymentFailed, match="cannot be called"):
        check_name(name)


def test_credentials_that_are_not_accepted_are_told_with_the_region(stack: Stack) -> None:
    class Sts:
        def get_caller_identity(self) -> None:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")

    stack.session.clients["sts"] = Sts()  # type: ignore[attr-defined]

    with pytest.raises(DeploymentFailed, match="AWS does not accept your credentials in eu-west-1"):
        check(stack, {})


def test_an_emulators_port_is_refused(stack: Stack) -> None:
    with pytest.raises(DeploymentFailed, match="make deploy-local"):
        check(stack, {"EmulatorPort": "4566"})


@pytest.mark.parametrize(("executions", "wanted"), [(10, 1), (50, 1), (101, 2), (1_000, 901)])
def test_a_reservation_that_the_account_refuses_is_refused_before(stack: Stack, executions: int, wanted: int) -> None:
    stack_with(Functions(executions), stack)

    with pytest.raises(DeploymentFailed, match=f"this account has {executions}, "):
        check(stack, {"ApiConcurrency": str(wanted)})


def test_what_the_stack_has_reserved_already_does_not_count_twice(moto_url: str) -> None:
    stack = stack_in(moto_url, "CREATE_COMPLETE", {"WorkerConcurrency": "2"})

    check(stack_with(Functions(102, reserved=2), stack), {})


@pytest.mark.parametrize("key", ["", "alias/aws/ssm", "alias/sayings-api-keys"])
def test_a_key_that_the_functions_can_decrypt_passes(stack: Stack, key: str) -> None:
    make_key(stack, "alias/sayings-api-keys")
    put(stack, KEY, key)

    check(stack, {})


def test_a_key_that_is_encrypted_for_others_is_refused(stack: Stack) -> None:
    make_key(stack, "alias/sayings-api-keys")
    make_key(stack, "alias/theirs")
    put(stack, "/api-key/anthropic", "alias/theirs")

    with pytest.raises(DeploymentFailed, match="/api-key/anthropic: it is encrypted with alias/theirs"):
        check(stack, {"ClaudeParameterName": "/api-key/anthropic"})
    check(stack, {})  # that one does not read it


def test_a_key_in_the_clear_is_refused(stack: Stack) -> None:
    stack.session.client("ssm").put_parameter(Name=KEY, Value="sk-simulated", Type="String")

    with pytest.raises(DeploymentFailed, match="no SecureString"):
        check(stack, {})


def test_tables_of_a_stack_that_is_gone_are_told(stack: Stack) -> None:
    stack.session.client("dynamodb").create_table(TableName="sayings-main_humor", **TABLES["main_humor"])

    with pytest.raises(DeploymentFailed, match="a former one has left sayings-main_humor"):
        check(stack, {})


def test_what_may_not_be_looked_at_does_not_stop_a_deployment(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    class Denying(Functions):
        def get_account_settings(self) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetAccountSettings")

    check(stack_with(Denying(10), stack), {"WorkerConcurrency": "1"})

    assert "may not look at the account's concurrency" in capsys.readouterr().err


@pytest.mark.parametrize("parameters", [{}, {"ClaudeParameterName": "/a", "OperatorKeyParameterName": "/b"}])
def test_the_names_of_the_keys_are_those_of_the_functions(parameters: dict[str, str]) -> None:
    settings = Settings.from_env(templates.Stack(**parameters).environment("ApiFunction"))

    names = [*settings.key_parameters.values(), *filter(None, [settings.operator_key_parameter])]
    assert key_names("sayings", parameters) == names


def make_key(stack: Stack, alias: str) -> None:
    client = stack.session.client("kms")
    client.create_alias(AliasName=alias, TargetKeyId=client.create_key()["KeyMetadata"]["KeyId"])


def put(stack: Stack, name: str, key: str) -> None:
    encryption: Any = {"KeyId": key} if key else {}
    stack.session.client("ssm").put_parameter(Name=name, Value="sk-simulated", Type="SecureString", **encryption)
