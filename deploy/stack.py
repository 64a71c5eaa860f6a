"""The stack of deploy/template.yaml with its data and page, in an account or an emulator, as the AWS settings say."""

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.environments import ROOT, Command, DeploymentFailed, environment, run
from service.config import Settings
from service.page.files import page_files
from service.process import say
from telemetry.outbound import Outbound, SettingError, read_outbound

TEMPLATE = ROOT / "deploy/template.yaml"
NESTED = ROOT / "deploy/observability.yaml"
NAME = "sayings"
# X-Ray's group and sampling rule are called like the stack, and their names have so many characters at most.
LONGEST_NAME = 32


# A stack in these states has been created in part, and its next update goes on with that.
HALF_MADE = ("CREATE_FAILED", "UPDATE_FAILED")
# CloudFormation wants a stack in these removed before there can be another of its name.
NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
# The parameters that say how to deploy, not what.
ABOUT_THE_DEPLOYMENT = ("Release", "Rollout")
# Each version of a function counts towards what an account may store.
KEPT_VERSIONS = 5
# What CloudFormation shows in place of a secret parameter.
_HIDDEN = "****"


class Stack:
    """A stack by its name, in the account and region of a session. Every method raises DeploymentFailed."""

    def __init__(self, name: str = NAME, session: boto3.Session | None = None) -> None:
        self.name = name
        # All tools of AWS read AWS_REGION except boto3, which only reads AWS_DEFAULT_REGION.
        self.session = session or new_session(os.environ.get("AWS_REGION"))
        if self.session.region_name is None:
            raise DeploymentFailed("AWS_REGION is not set, nor is there a region in your AWS configuration.")
        self.region: str = self.session.region_name

    def deploy(
        self, parameters: Mapping[str, str], *options: str, template: Path = TEMPLATE, log: Path | None = None
    ) -> None:
        """Create or update the stack by the SAM CLI, whose output goes to the terminal or to `log`."""
        # Without the quotation marks the SAM CLI would cut a value off at its first space.
        values = [f'{name}="{value}"' for name, value in parameters.items()]
        overrides = ["--parameter-overrides", *values] if values else []
        command: Command = [
            environment("sam") / "sam", "deploy", "--template-file", template, "--stack-name", self.name,
            "--region", self.region, "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-progressbar",
            "--no-fail-on-empty-changeset", *options, *overrides,
        ]  # fmt: skip
        way = outbound()
        # Written like this, the variable of the proxy goes before HTTPS_PROXY.
        connections = {"https_proxy": way.proxy, "AWS_CA_BUNDLE": way.authorities}
        environ = {"SAM_CLI_TELEMETRY": "0"} | {name: value for name, value in connections.items() if value}
        run(command, f"The stack {self.name} could not be deployed", environ, log)

    @property
    def key_alias(self) -> str:
        """The name of the KMS key that the API keys are encrypted with."""
        return f"alias/{self.name}-api-keys"

    def status(self) -> str | None:
        """The state that CloudFormation calls the stack to be in; None where there is no such stack."""
        status = self._described().get("StackStatus")
        return None if status == "REVIEW_IN_PROGRESS" else status  # all that there is is a plan

    def parameters(self) -> dict[str, str]:
        """The values that the stack was deployed with last, without secret ones."""
        if self.status() in NEVER_MADE:
            return {}
        found = {each["ParameterKey"]: each["ParameterValue"] for each in self._described().get("Parameters", [])}
        return {name: value for name, value in found.items() if value != _HIDDEN}

    def release(self, parameters: Mapping[str, str], archive: Path, *, template: Path = TEMPLATE) -> dict[str, str]:
        """The parameter by which the functions publish a new version: what they are made of, hashed.

        SAM publishes one for new code, but a changed parameter must get to the alias, too.
        """
        declared = declared_in(template)["Parameters"]
        defaults = {name: str(each["Default"]) for name, each in declared.items() if "Default" in each}
        chosen = {**defaults, **self.parameters(), **parameters}
        values = [chosen[name] for name in sorted(declared.keys() & chosen) if name not in ABOUT_THE_DEPLOYMENT]
        digest = hashlib.sha256(archive.read_bytes() + template.read_bytes() + repr(values).encode())
        if self.status() in HALF_MADE:  # a deployment without a change would not go on with what has failed
            digest.update(str(time.time()).encode())
        return {"Release": digest.hexdigest()[:32]}

    def _described(self) -> Mapping[str, Any]:
        with refusals(f"The stack {self.name} cannot be read"):
            try:
                described = self.session.client("cloudformation").describe_stacks(StackName=self.name)
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
                return {}
        stack: Mapping[str, Any] = described["Stacks"][0]
        return stack

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self._described().get("Outputs", [])}

    @cached_property
    def settings(self) -> Settings:
        """The settings of the API's function, as it has them. Lambda adds the region."""
        with refusals("The function cannot be read"):
            functions = self.session.client("lambda")
            function = functions.get_function_configuration(FunctionName=self.outputs["ApiFunctionName"])
        return Settings.from_env({"AWS_REGION": self.region, **function["Environment"]["Variables"]})

    def protect(self) -> None:
        """Let nobody delete the stack by mistake."""
        with refusals(f"The stack {self.name} could not be protected"):
            client = self.session.client("cloudformation")
            client.update_termination_protection(StackName=self.name, EnableTerminationProtection=True)

    def forget_old_versions(self) -> None:
        """Delete all but the newest versions of the functions. CloudFormation leaves them, and they take up space."""
        client = self.session.client("lambda")
        for function in (self.outputs["ApiFunctionName"], self.outputs["WorkerFunctionName"]):
            with refusals(f"The old versions of {function} could not be deleted"):
                pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
                versions = [each["Version"] for page in pages for each in page["Versions"]]
                numbers = sorted(int(version) for version in versions if version != "$LATEST")
                for number in numbers[:-KEPT_VERSIONS]:
                    client.delete_function(FunctionName=function, Qualifier=str(number))

    def load_collection(self) -> None:
        settings = {"SAYINGS_STORE": self.outputs["Store"], "AWS_REGION": self.region}
        run([sys.executable, "-m", "service", "seed"], "The collection could not be loaded", settings)

    def upload_page(self) -> None:
        """Upload the page's files to their bucket, and invalidate the distribution's cache."""
        say("Uploading the page …")
        storage, distributions = self.session.client("s3"), self.session.client("cloudfront")
        with refusals("The page could not be uploaded"):
            for file in page_files():
                storage.put_object(
                    Bucket=self.outputs["PageBucketName"],
                    Key=file.path.removeprefix("/"),
                    Body=file.content,
                    ContentType=file.content_type,
                    CacheControl=file.cache_control,
                )
            distributions.create_invalidation(
                DistributionId=self.outputs["DistributionId"],
                InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(time.time())},
            )


def outbound() -> Outbound:
    """The way of all connections to AWS, as the settings say. Raises DeploymentFailed."""
    try:
        return read_outbound(os.environ)
    except SettingError as error:
        raise DeploymentFailed(f"{error}.") from None


def new_session(region: str | None = None) -> boto3.Session:
    """A session that goes this way. Raises DeploymentFailed."""
    way, session = outbound(), botocore.session.get_session()
    # Without a value the SDK would take each of them from a variable that changes nothing elsewhere.
    session.set_config_variable("ca_bundle", way.authorities or True)
    session.set_default_client_config(Config(proxies={"https": way.proxy} if way.proxy else {}))
    return boto3.Session(region_name=region, botocore_session=session)


def declared_in(template: Path = TEMPLATE) -> Mapping[str, Any]:
    """The template as it is written."""
    from cfnlint.decode import decode  # type: ignore[import-untyped]  # the import takes two seconds, so only here

    declared: Mapping[str, Any] = decode(str(template))[0]
    return declared


def given(parameters: Sequence[str]) -> dict[str, str]:
    """Parse `Name=value` arguments into the template's parameters by name. Raises DeploymentFailed."""
    for parameter in parameters:
        if not re.fullmatch(r"[A-Za-z0-9]+=[^\"\\]*", parameter):
            raise DeploymentFailed(f"{parameter!r} is not of the form Name=value.")
    return dict(parameter.split("=", 1) for parameter in parameters)


@contextmanager
def refusals(failure: str) -> Iterator[None]:
    """Translate the errors of AWS calls into DeploymentFailed; `failure` begins its message."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise DeploymentFailed(f"{failure}: {error}") from error
