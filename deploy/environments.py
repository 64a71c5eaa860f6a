"""Tools in virtual environments of their own, because they pin other versions of packages that the service uses."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from service.process import say

ROOT = Path(__file__).parents[1]
WHAT = {
    "bench": "what the benchmark compares with",
    "emulator": "MiniStack",
    "litellm": "LiteLLM",
    "runtime": "the packages that are shipped",
    "sam": "the SAM CLI",
    "sbom": "the generator of bills of materials",
}

Command = Sequence[str | Path]


class DeploymentFailed(Exception):
    """A deployment failed. The message is for the operator."""


def environment(name: str) -> Path:
    """The folder with the programs of build/venv-<name>.

    The environment is first set up from requirements/<name>.txt, unless it is up to date. Raises DeploymentFailed.
    """
    lock, folder = ROOT / f"requirements/{name}.txt", ROOT / f"build/venv-{name}"
    ready, digest = folder / "ready", hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if not ready.is_file() or ready.read_text() != digest:
        say(f"Setting up {WHAT[name]} in build/{folder.name} (once) …")
        run_uv("venv", "--clear", "--python", sys.executable, folder)
        run_uv("pip", "install", "--python", folder, "--require-hashes", "-r", lock)
        ready.write_text(digest)
    return folder / "bin"


def run_uv(*arguments: str | Path) -> None:
    """Run uv, without output unless it fails, and with the system's certificates. Raises DeploymentFailed."""
    run([sys.executable, "-m", "uv", "--quiet", "--system-certs", *arguments], "Packages could not be installed")


def run(
    command: Command,
    failure: str,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    *,
    document: Path | None = None,
) -> None:
    """Run a program until it ends, with its output on the terminal or in `log`.

    `document` gets what it writes to the standard output, without the warnings that go to the standard error.
    Raises DeploymentFailed, with the text of `failure`, when its exit code is not 0.
    """
    full = os.environ | (environ or {})
    written = log or document
    if written is None:
        code = subprocess.run(command, cwd=ROOT, env=full, check=False).returncode  # noqa: S603
    else:
        errors = subprocess.STDOUT if log else None
        with written.open("w") as file:
            code = subprocess.run(  # noqa: S603
                command, cwd=ROOT, env=full, stdout=file, stderr=errors, check=False
            ).returncode
    if code:
        raise DeploymentFailed(f"{failure}{'.' if log is None else last_lines(log)}")


def last_lines(log: Path) -> str:
    """The last lines of a log, as text to append to an error message."""
    ending = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-12:])
    return f"; {os.path.relpath(log)} ends in\n{ending}"
