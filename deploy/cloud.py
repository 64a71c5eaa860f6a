"""The deployment to the AWS account of your credentials: `python -m deploy.cloud [--plan] [Name=value …]`.

With --plan it only shows what would change in the account or, without credentials, what the template would create.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping

import boto3

from deploy.edge import deploy_edge
from deploy.environments import Command, DeploymentFailed, environment, run
from deploy.package import ON_AWS, WHEELS, Target, package
from deploy.stack import NAME, TEMPLATE, Stack, given, refusals
from service.config import Settings
from service.process import say


def deploy(name: str, parameters: Mapping[str, str], *, plan: bool) -> None:
    """Deploy the stack, load the collection and upload the page, or show the plan. Raises DeploymentFailed."""
    package(target(parameters))
    if plan and not _has_credentials():
        _plan_without_account(parameters)
        return
    stack = Stack(name)
    stack.deploy(parameters, "--no-execute-changeset" if plan else "--no-confirm-changeset")
    if not plan:
        stack.load_collection()
        stack.upload_page()
        deploy_edge(stack, parameters)
        say(f"\nThe page is at {stack.outputs['PageUrl']}, the API at {stack.outputs['ApiUrl']}.")
        _say_what_keys_are_missing(stack)


def target(parameters: Mapping[str, str]) -> Target:
    """The Python version and architecture of the functions with these parameters. Raises DeploymentFailed."""
    runtime = parameters.get("PythonRuntime", f"python{ON_AWS.python}")
    architecture = parameters.get("Architecture", ON_AWS.architecture)
    if architecture not in WHEELS:
        raise DeploymentFailed(f"Architecture must be one of {', '.join(WHEELS)}.")
    return Target(runtime.removeprefix("python"), architecture)


def _has_credentials() -> bool:
    with refusals("The AWS configuration cannot be used"):
        return boto3.Session().get_credentials() is not None


def _plan_without_account(parameters: Mapping[str, str]) -> None:
    """Check the template, and list its parameters and resources. Raises DeploymentFailed."""
    from cfnlint.decode import decode  # type: ignore[import-untyped]  # the import takes two seconds, so only here

    template, _ = decode(str(TEMPLATE))
    if unknown := parameters.keys() - template["Parameters"].keys():
        raise DeploymentFailed(f"The template knows no parameter {', '.join(sorted(unknown))}.")
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
        names = list(Settings().key_parameters.values())
        found = stack.session.client("ssm").get_parameters(Names=names)
    for name in found["InvalidParameters"]:
        say(f"The key {name} is missing; put it in, and its models take part at once:")
        say(f"  read -rs KEY && aws ssm put-parameter --name {name} --type SecureString \\")
        say(f'    --key-id alias/{stack.name}-api-keys --region {stack.region} --value "$KEY"')


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.cloud", description=__doc__)
    parser.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters of the template")
    parser.add_argument("--stack", default=NAME, help="the stack's name (%(default)s)")
    parser.add_argument("--plan", action="store_true", help="say what would change, and change nothing")
    options = parser.parse_intermixed_args()
    try:
        deploy(options.stack, given(options.parameters), plan=options.plan)
    except DeploymentFailed as error:
        say(f"Cannot deploy. {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
