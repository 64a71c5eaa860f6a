"""deploy/containers/Dockerfile in its instructions."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/containers/Dockerfile"
USER = 10001


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, with its continued lines joined."""

    instruction: str
    arguments: str

    @property
    def words(self) -> list[str]:
        """The arguments, of the exec form or not."""
        text = self.arguments
        words: list[str] = json.loads(text) if text.startswith("[") else shlex.split(text)
        return words


def steps(instruction: str) -> list[Step]:
    """Every such instruction, in order."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [Step(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]
    return [step for step in found if step.instruction == instruction]


def health_check() -> list[str]:
    """Docker's own, which ECS does not see."""
    (check,) = steps("HEALTHCHECK")
    return Step("CMD", check.arguments.split("CMD ", 1)[1]).words
