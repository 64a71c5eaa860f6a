"""An image without Docker: the Dockerfile read, the context picked by .dockerignore, the steps replayed into a folder.

Packages are not installed again: /venv of the image is the environment that the tests run in, which comes from the same
lock file, and so do the packages that the page is built with.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.npm import WEB, npm

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

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The arguments as names and values."""
        return [(name, value) for name, _, value in (word.partition("=") for word in self.words)]


def read_steps(text: str) -> list[Step]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def context_files(root: Path) -> set[PurePosixPath]:
    """What the builder gets to see of a folder: git's own data aside, all that .dockerignore lets through."""
    rules = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    files = (PurePosixPath(file.relative_to(root)) for file in _files_below(root))
    return {file for file in files if not _is_ignored(file, rules)}


def _files_below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", ".venv", "build", "node_modules")]
        yield from (Path(folder, file) for file in files)


def _is_ignored(file: PurePosixPath, rules: list[str]) -> bool:
    """By the last rule that matches the file or a folder above it, as Docker has it."""
    ignored = False
    for rule in rules:
        pattern = _as_regex(rule.removeprefix("!").strip("/"))
        if any(pattern.fullmatch(str(part)) for part in (file, *file.parents) if part.name):
            ignored = not rule.startswith("!")
    return ignored


def _as_regex(rule: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", ".": r"\."}
    return re.compile(re.sub(r"\*\*/|\*\*|\*|\?|\.", lambda found: words[found[0]], rule))


@dataclass(slots=True)
class Image:
    """The last stage as it would run: `folder` is its root."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health_check: list[str] = field(default_factory=list)
    stop_signal: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        return self.folder / inside.lstrip("/")


def build(into: Path, dockerfile: str, context: Path) -> Image:
    """Replay every step, in a folder for each stage; the last one is what runs. Nobody can write to it afterwards."""
    visible = context_files(context)
    stages: dict[str, Image] = {}
    image = Image(into)
    for step in read_steps(dockerfile):
        if step.instruction == "FROM":
            name = step.words[-1] if "AS" in step.words else "final"
            image = stages[name] = Image(into / name)
            image.folder.mkdir()
        elif step.instruction == "COPY" and step.words[0].startswith("--from="):
            _copy_from(stages[step.words[0].removeprefix("--from=")], image, *step.words[1:])
        elif step.instruction == "COPY":
            _copy(context, visible, image, *step.words)
        elif step.instruction == "RUN":
            _run(step, image)
        elif step.instruction != "ARG":
            _configure(step, image)
    _make_read_only(image.folder)
    return image


def _copy(context: Path, visible: set[PurePosixPath], image: Image, source: str, target: str) -> None:
    files = [file for file in visible if file == PurePosixPath(source) or PurePosixPath(source) in file.parents]
    if not files:
        raise FileNotFoundError(f"COPY {source}: nothing of it is in the context")
    for file in files:
        destination = image.path(target) / file.relative_to(source)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(context / file, destination)


def _copy_from(stage: Image, image: Image, source: str, target: str) -> None:
    if stage.path(source).is_symlink():
        image.path(target).symlink_to(stage.path(source).readlink())
    else:
        shutil.copytree(stage.path(source), image.path(target))


def _run(step: Step, image: Image) -> None:
    if " /venv " in step.arguments:
        image.path("/venv").symlink_to(sys.prefix)
        return
    if step.words[0] == "pip":  # Node.js, which is where the tests run as well
        return
    if step.words[:2] == ["npm", "ci"]:
        folder = image.path(image.directory)
        (folder / "node_modules").symlink_to(WEB / "node_modules")
        npm("run", "build", folder=folder)
        return
    words = [str(image.path(word)) if word.startswith("/") else word for word in step.words]
    assert words[0] == "python", f"RUN {step.arguments}: no way to replay this"
    subprocess.run([sys.executable, *words[1:]], check=True)


_TEXTS = {"WORKDIR": "directory", "USER": "user", "STOPSIGNAL": "stop_signal"}
_COMMANDS = {"ENTRYPOINT": "entrypoint", "CMD": "command"}


def _configure(step: Step, image: Image) -> None:
    match step.instruction:
        case "ENV":
            # What is in the image is looked for below its folder.
            venv, paths = str(image.path("/venv")), os.defpath
            image.environ |= {name: value.replace("/venv", venv).replace("$PATH", paths) for name, value in step.pairs}
        case "LABEL":
            image.labels |= step.pairs
        case "HEALTHCHECK":
            image.health_check = Step("CMD", step.arguments.split("CMD ", 1)[1]).words
        case name if name in _TEXTS:
            setattr(image, _TEXTS[name], step.arguments)
        case name if name in _COMMANDS:
            setattr(image, _COMMANDS[name], step.words)
        case unknown if unknown != "EXPOSE":
            raise NotImplementedError(unknown)


def _make_read_only(folder: Path) -> None:
    folders = [folder]
    while folders:
        current = folders.pop()
        for entry in current.iterdir():
            if entry.is_symlink():
                continue
            if entry.is_dir():
                folders.append(entry)
            else:
                entry.chmod(0o444)
        current.chmod(0o555)


def make_writable(folder: Path) -> None:
    """So that it can be deleted."""
    for current, _, _ in os.walk(folder):
        Path(current).chmod(0o755)


def as_nobody() -> list[str]:
    """What to put before a command so that it runs as the image's user; nothing for who is not root anyway.

    The interpreter may live in root's home: then its files may be read from there, and still nothing be written.
    """
    if os.geteuid() != 0:
        return []
    reachable = all(parent.stat().st_mode & 0o001 for parent in Path(sys.base_prefix, "bin").resolve().parents)
    read = [] if reachable else ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", *read, "--"]
