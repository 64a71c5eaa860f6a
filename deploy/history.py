"""What a stack was deployed from before its last deployment, kept where the SAM CLI keeps the archives."""

import json
from pathlib import Path
from typing import NamedTuple

from deploy.environments import ROOT, DeploymentFailed
from deploy.stack import Stack, refusals

# The stack of the bucket that `sam deploy --resolve-s3` makes.
_SAM = "aws-sam-cli-managed-default"
FOLDER = ROOT / "build/before"


class Deployed(NamedTuple):
    """The template as it was uploaded, whose archives are in the SAM CLI's bucket, and the parameters' values."""

    template: str
    parameters: dict[str, str]


class History:
    """Notes what is deployed when it is made, and keeps that once something else is."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._noted = self._deployed()

    def keep(self) -> None:
        """Keep what had been noted, unless nothing has changed since. Raises DeploymentFailed.

        Where there was nothing, what is kept is of an earlier stack of this name, and is removed.
        """
        storage = self._stack.session.client("s3")
        with refusals("The deployment before this one could not be kept"):
            if self._noted is None:
                storage.delete_object(Bucket=self._bucket(), Key=self._key)
            elif _content(self._noted) != _content(self._deployed()):
                body = json.dumps(self._noted._asdict()).encode()
                storage.put_object(Bucket=self._bucket(), Key=self._key, Body=body)

    def before(self, folder: Path = FOLDER) -> tuple[Path, dict[str, str]]:
        """A file in the folder with the template that was kept, and its parameters. Raises DeploymentFailed."""
        storage = self._stack.session.client("s3")
        with refusals("The deployment before the last one cannot be read"):
            try:
                body = storage.get_object(Bucket=self._bucket(), Key=self._key)["Body"].read()
            except storage.exceptions.NoSuchKey:
                raise DeploymentFailed(f"Nothing is known of {self._stack.name} before its last deployment.") from None
        kept = Deployed(**json.loads(body))
        path = folder / f"{self._stack.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kept.template)
        return path, kept.parameters

    @property
    def _key(self) -> str:
        return f"{self._stack.name}/before.json"

    def _bucket(self) -> str:
        bucket = Stack(_SAM, self._stack.session).outputs.get("SourceBucket")
        if bucket is None:
            raise DeploymentFailed(f"The SAM CLI has no bucket in {self._stack.region}.")
        return bucket

    def _deployed(self) -> Deployed | None:
        """What the stack is deployed from. None unless its last deployment has ended well."""
        if not (self._stack.status() or "").endswith("_COMPLETE"):
            return None
        with refusals(f"The template of {self._stack.name} cannot be read"):
            found = self._stack.session.client("cloudformation").get_template(StackName=self._stack.name)
        body = found["TemplateBody"]
        return Deployed(body if isinstance(body, str) else json.dumps(body), self._stack.parameters())


def _content(deployed: Deployed | None) -> object:
    """What was deployed, however gradually."""
    return deployed and (deployed.template, {**deployed.parameters, "Rollout": ""})
