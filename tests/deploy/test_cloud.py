"""The deployment to an account, as far as it goes without one."""

import os
import subprocess
import sys

import pytest

from deploy import cloud
from deploy.cloud import target
from deploy.environments import DeploymentFailed
from deploy.package import ON_AWS, Target
from deploy.stack import TEMPLATE, given
from tests.deploy.account import stack_in
from tests.deploy.stack import Stack


def test_the_package_fits_the_parameters() -> None:
    assert target({}) == ON_AWS
    assert target({"PythonRuntime": "python3.12", "Architecture": "x86_64"}) == Target("3.12", "x86_64")


def test_an_architecture_that_lambda_does_not_have_is_refused() -> None:
    with pytest.raises(DeploymentFailed, match="one of arm64, x86_64"):
        target({"Architecture": "riscv"})


def test_parameters_are_names_and_values() -> None:
    assert given(["AlarmEmail=a@b.c", "LineUp=gpt-4.1, gpt-4.1-mini", "WebAcl="]) == {
        "AlarmEmail": "a@b.c",
        "LineUp": "gpt-4.1, gpt-4.1-mini",
        "WebAcl": "",
    }


@pytest.mark.parametrize("junk", ["AlarmEmail", "=5", 'LineUp="gpt-4.1"'])
def test_anything_else_is_no_parameter(junk: str) -> None:
    with pytest.raises(DeploymentFailed, match="is not of the form Name=value"):
        given([junk])


@pytest.mark.parametrize(
    ("status", "options"),
    [(None, {"--disable-rollback"}), ("CREATE_FAILED", {"--disable-rollback"}), ("UPDATE_COMPLETE", set())],
)
def test_only_a_first_deployment_is_never_rolled_back(
    monkeypatch: pytest.MonkeyPatch, status: str | None, options: set[str]
) -> None:
    stack = stack_in("http://nowhere", status)
    given_options: set[str] = set()

    def deploy(_: object, *options: str) -> None:
        given_options.update(options)
        raise DeploymentFailed("It could not be deployed.")

    monkeypatch.setattr(stack, "deploy", deploy)
    with pytest.raises(DeploymentFailed) as failure:
        cloud._deploy(stack, {})

    assert given_options - {"--no-confirm-changeset"} == options
    assert ("it goes on from there" in str(failure.value)) is bool(options)


def plan(*parameters: str) -> subprocess.CompletedProcess[str]:
    """Run the dry run where there is no account."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    environ |= files | {"AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-m", "deploy.cloud", "--plan", *parameters]
    return subprocess.run(command, cwd=TEMPLATE.parents[1], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_without_an_account_the_plan_is_what_the_template_makes() -> None:
    planned = plan("LiveEvery=20")

    assert planned.returncode == 0, planned.stderr
    assert "is a valid SAM Template" in planned.stdout
    assert "LiveEvery              20\n" in planned.stderr
    for resource in Stack().template["Resources"].values():
        assert resource["Type"] in planned.stderr


@pytest.mark.slow
def test_a_parameter_that_the_template_does_not_know_is_refused() -> None:
    planned = plan("LifeEvery=20")

    assert planned.returncode == 1
    assert planned.stderr.endswith("Cannot deploy. The template knows no parameter LifeEvery.\n")
