"""The deployment to the AWS account of your credentials: `python -m deploy.cloud [--plan] [Name=value …]`.

With --plan it only shows what would change in the account or, without credentials, what the template would create. With
--roll-back it deploys what was there before the last deployment.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from deploy.checks import check, check_name, key_names
from deploy.edge import deploy_edge
from deploy.environments import Command, DeploymentFailed, environment, run
from deploy.history import History
from deploy.package import ON_AWS, WHEELS, Target, package
from deploy.recovery import make_way
from deploy.stack import HALF_MADE, NAME, TEMPLATE, Stack, declared_in, given, new_session, refusals
from service.process import say

# These are always given, because CloudFormation would keep to the last choice.
GRADUALLY, AT_ONCE = {"Rollout": "canary"}, {"Rollout": "at-once"}


def deploy(name: str, parameters: Mapping[str, str], *, plan: bool) -> None:
    """Deploy the stack, load the collection and upload the page, or show the plan. Raises DeploymentFailed."""
    check_name(name)
    template = declared_in(TEMPLATE)
    if unknown := parameters.keys() - template["Parameters"].keys():
        raise DeploymentFailed(f"The template knows no parameter {', '.join(sorted(unknown))}.")
    if plan and not _has_credentials():
        package(target(parameters))
        _plan_without_account(template, parameters)
        return
    stack = Stack(name)
    check(stack, parameters)
    archive = package(target({**stack.parameters(), **parameters}))
    if not plan:
        make_way(stack)
    chosen = {**(AT_ONCE if _is_first(stack) else GRADUALLY), **parameters, **stack.release(parameters, archive)}
    if plan:
        stack.deploy(chosen, "--no-execute-changeset")
        return
    history = History(stack)
    _deploy(stack, chosen)
    history.keep()
    stack.protect()
    stack.forget_old_versions()
    stack.load_collection()
    stack.upload_page()
    deploy_edge(stack, parameters)
    say(f"\nThe page is at {stack.outputs['PageUrl']}, the API at {stack.outputs['ApiUrl']}.")
    _say_what_keys_are_missing(stack)


def _deploy(stack: Stack, parameters: Mapping[str, str]) -> None:
    """Deploy for good. A first deployment that fails is not rolled back, so that the next one can go on with it."""
    is_first = _is_first(stack)
    try:
        stack.deploy(parameters, "--no-confirm-changeset", *(["--disable-rollback"] if is_first else []))
    except DeploymentFailed as failure:
        if not is_first:
            raise
        hint = "What was made stays. Mend what the events above name, and deploy again: it goes on from there."
        raise DeploymentFailed(f"{failure} {hint}") from None
    if stack.status() in HALF_MADE:
        raise DeploymentFailed(f"The stack {stack.name} is still {stack.status()}.")


def _is_first(stack: Stack) -> bool:
    """Whether the stack has never been complete."""
    return stack.status() in (None, *HALF_MADE)


def roll_back(name: str) -> None:
    """Deploy the template and parameters from before the last deployment. Raises DeploymentFailed."""
    stack = Stack(name)
    template, parameters = History(stack).before()
    make_way(stack)
    history = History(stack)
    say(f"Rolling {name} back to what was there before its last deployment …")
    # At once, because a canary would be ended by the very alarms for which somebody rolls back.
    known = AT_ONCE if "Rollout" in parameters else {}
    stack.deploy({**parameters, **known}, "--no-confirm-changeset", template=template)
    history.keep()
    say("\nFunctions, roles and everything else of the template are as before. The data in the tables and the files of")
    say("the page stay as they are; deploy the former commit to get its page. Rolling back again undoes this.")


def target(parameters: Mapping[str, str]) -> Target:
    """The Python version and architecture of the functions with these parameters. Raises DeploymentFailed."""
    runtime = parameters.get("PythonRuntime", f"python{ON_AWS.python}")
    architecture = parameters.get("Architecture", ON_AWS.architecture)
    if architecture not in WHEELS:
        raise DeploymentFailed(f"Architecture must be one of {', '.join(WHEELS)}.")
    return Target(runtime.removeprefix("python"), architecture)


def _has_credentials() -> bool:
    with refusals("The AWS configuration cannot be used"):
        return new_session().get_credentials() is not None


def _plan_without_account(template: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Check the template, and list its parameters and resources. Raises DeploymentFailed."""
    sam = environment("sam") / "sam"
    command: Command = [sam, "validate", "--lint", "--region", "us-east-1", "--template-file", TEMPLATE]
    run(command, "The template is not valid", {"SAM_CLI_TELEMETRY": "0"})
    say("\nParameters (choose others by PARAMETERS='Name=value …'):")
    for name, parameter in template["Parameters"].items():
        say(f"  {name:<22} {parameters.get(name, parameter['Default'])}")
    say("\nResources, those with a condition only where it holds:")
    kinds = Counter((resource["Type"], resource.get("Condition", "")) for resource in template["Resources"].values())
    for (kind, condition), count in sorted(kinds.items()):
        say(f"  {count:>2} {kind}{f'  (if {condition})' if condition else ''}")
    say("\nWith credentials of an account this is what would change there. Nothing was deployed.")


def _say_what_keys_are_missing(stack: Stack) -> None:
    with refusals("Nobody can say whether the keys are in Parameter Store"):
        names = key_names(stack.name, stack.parameters())
        found = stack.session.client("ssm").get_parameters(Names=names)
    for name in found["InvalidParameters"]:
        say(f"The key {name} is missing; put it in, and its models take part at once:")
        say(f'  read -rs KEY && printf %s "$KEY" | aws ssm put-parameter --name {name} --type SecureString \\')
        say(f"    --key-id {stack.key_alias} --region {stack.region} --value file:///dev/stdin")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.cloud", description=__doc__)
    parser.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters of the template")
    parser.add_argument("--stack", default=NAME, help="the stack's name (%(default)s)")
    parser.add_argument("--plan", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("--roll-back", action="store_true", help="deploy what was there before the last deployment")
    options = parser.parse_intermixed_args()
    try:
        if options.roll_back:
            roll_back(options.stack)
        else:
            deploy(options.stack, given(options.parameters), plan=options.plan)
    except DeploymentFailed as error:
        say(f"Cannot deploy. {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
