"""The stack of deploy/template.yaml with its data and page, in an account or an emulator, as the AWS settings say."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.environments import ROOT, Command, DeploymentFailed, environment, run
from service.page.files import page_files
from service.process import say

TEMPLATE = ROOT / "deploy/template.yaml"
NESTED = ROOT / "deploy/observability.yaml"
NAME = "sayings"


class Stack:
    """A stack by its name, in the account and region of a session. Every method raises DeploymentFailed."""

    def __init__(self, name: str = NAME, session: boto3.Session | None = None) -> None:
        self.name = name
        # All tools of AWS read AWS_REGION except boto3, which only reads AWS_DEFAULT_REGION.
        self.session = session or boto3.Session(region_name=os.environ.get("AWS_REGION"))
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
        run(command, f"The stack {self.name} could not be deployed", {"SAM_CLI_TELEMETRY": "0"}, log)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        with refusals(f"The stack {self.name} cannot be read"):
            stack = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

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
