"""What can be known before anything is made: each check that fails ends the deployment with one line that says why."""

import re
from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from deploy.environments import DeploymentFailed
from deploy.recovery import exists
from deploy.stack import LONGEST_NAME, Stack, refusals
from service.process import say
from service.store.dynamodb.tables import TABLES

# Parameter Store takes no names that begin like Amazon's own.
_NAME = re.compile(rf"(?!aws|ssm)[A-Za-z][A-Za-z0-9-]{{0,{LONGEST_NAME - 1}}}", re.IGNORECASE)
# Lambda never reserves the last of an account's executions: a hundred, or all that small accounts have.
_KEPT_FREE = 100
# The account's own key, which everybody in it may use by way of Parameter Store.
_OF_THE_ACCOUNT = "alias/aws/ssm"
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def check_name(name: str) -> None:
    """Raises DeploymentFailed."""
    if not _NAME.fullmatch(name):
        rule = f"at most {LONGEST_NAME} letters, digits and hyphens, with a letter first, and not aws or ssm"
        raise DeploymentFailed(f"A stack cannot be called {name!r}: its name has {rule}.")


def check(stack: Stack, given: Mapping[str, str]) -> None:
    """Check account, credentials, quotas and keys for a deployment with these parameters. Raises DeploymentFailed."""
    _check_identity(stack)
    chosen = {**stack.parameters(), **given}
    if chosen.get("EmulatorPort", "0") != "0":
        raise DeploymentFailed("EmulatorPort is for MiniStack on your own machine: make deploy-local.")
    checks: dict[str, Callable[[], None]] = {
        "the account's concurrency": lambda: _check_concurrency(stack, chosen),
        "the parameters of the keys": lambda: _check_keys(stack, key_names(stack.name, chosen)),
    }
    if stack.status() is None:
        checks["tables of an earlier stack"] = lambda: _check_leftovers(stack)
        checks["the account's distributions"] = lambda: _warn_of_a_first_distribution(stack)
    for what, look in checks.items():
        _unless_denied(what, look)


def key_names(stack: str, chosen: Mapping[str, str]) -> list[str]:
    """The names of the parameters with the API keys, as the template has them."""
    return [
        chosen.get("ClaudeParameterName") or f"/{stack}/api-key/anthropic",
        chosen.get("OpenAIParameterName") or f"/{stack}/api-key/openai",
        *filter(None, [chosen.get("OperatorKeyParameterName")]),
    ]


def _unless_denied(what: str, look: Callable[[], None]) -> None:
    """Look, unless the credentials do not suffice for that: a deployment itself needs no such permissions."""
    with refusals(f"Nobody can say whether {what} will do"):
        try:
            look()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            say(f"Your credentials may not look at {what}, so that this is not checked.")


def _check_identity(stack: Stack) -> None:
    with refusals(f"AWS does not accept your credentials in {stack.region}"):
        identity = stack.session.client("sts").get_caller_identity()
    say(f"The stack {stack.name} is in account {identity['Account']} and {stack.region}; you are {identity['Arn']}.")


def _check_concurrency(stack: Stack, chosen: Mapping[str, str]) -> None:
    functions = stack.session.client("lambda")
    limits = functions.get_account_settings()["AccountLimit"]
    wanted = int(chosen.get("ApiConcurrency", 0)) + int(chosen.get("WorkerConcurrency", 0))
    if not wanted:
        return
    all_of_them, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    for function in (f"{stack.name}-api", f"{stack.name}-worker"):
        try:
            free += functions.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions", 0)
        except functions.exceptions.ResourceNotFoundException:
            continue
    kept_free = min(_KEPT_FREE, all_of_them)
    if free - wanted < kept_free:
        raise DeploymentFailed(
            f"ApiConcurrency and WorkerConcurrency reserve {wanted} executions, but this account has {all_of_them}, "
            f"and {free} to reserve from, of which Lambda keeps {kept_free} free. Choose 0, or have the quota raised."
        )


def _check_keys(stack: Stack, names: list[str]) -> None:
    chosen = {"Key": "Name", "Option": "Equals", "Values": names}
    parameters = stack.session.client("ssm").describe_parameters(ParameterFilters=[chosen])["Parameters"]
    for parameter in parameters:
        name, key = parameter["Name"], parameter.get("KeyId", "")
        if parameter["Type"] != "SecureString":
            raise DeploymentFailed(f"The parameter {name} is no SecureString. Put the key in again as one.")
        if key != _OF_THE_ACCOUNT and _arn_of(stack, key) != _arn_of(stack, stack.key_alias):
            own = f"{stack.key_alias}{'' if stack.status() else ', which the first deployment makes'}"
            raise DeploymentFailed(
                f"The functions could not read {name}: it is encrypted with {key}, and they may only use {own}. Put "
                "the key in again with that, as deploy/README.md says; until then delete the parameter or name another."
            )


def _arn_of(stack: Stack, key: str) -> str | None:
    """The ARN of a KMS key by its id, ARN or alias. None where there is no such key."""
    client = stack.session.client("kms")
    try:
        return str(client.describe_key(KeyId=key)["KeyMetadata"]["Arn"])
    except client.exceptions.NotFoundException:
        return None


def _check_leftovers(stack: Stack) -> None:
    if found := [name for name in (f"{stack.name}-{table}" for table in TABLES) if exists(stack, name)]:
        raise DeploymentFailed(
            f"There is no stack {stack.name}, but a former one has left {', '.join(found)}. Choose another name by "
            "STACK=, or delete these tables if nobody needs what is in them."
        )


def _warn_of_a_first_distribution(stack: Stack) -> None:
    if not stack.session.client("cloudfront").list_distributions(MaxItems="1")["DistributionList"]["Quantity"]:
        say("This account has no CloudFront distribution yet. If AWS refuses the first one because the account must be")
        say("verified, ask AWS Support to do so, and deploy again: the deployment goes on where it has stopped.")
