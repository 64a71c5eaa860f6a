"""Takes one guard after the other out of a copy of the code and sees whether its tests fail."""

import difflib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TextIO

from tests.guards.table import Removal

ROOT = Path(__file__).parent.parent.parent
COPIED = ("service", "workers", "telemetry", "tests", "deploy", "requirements", "web", "pyproject.toml", "Makefile")
WORKERS = 2
# Without a time limit a test may wait for ever, which is noticed as well.
PATIENCE_SECONDS = 40.0
BEFORE_SECONDS = 600.0
PASSED, FAILED, TOOK_TOO_LONG = 0, 1, -1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went: `trouble` is what pytest said where it is neither."""

    removal: Removal
    killed: bool
    trouble: str = ""

    def __str__(self) -> str:
        word = "killed" if self.killed else "BROKEN" if self.trouble else "SURVIVED"
        return f"{word:8}  {self.removal.kind:11}  {self.removal.guard}"


def run(removals: Iterable[Removal], out: TextIO, root: Path = ROOT) -> bool:
    """Whether every removal was noticed. Tells of each, and shows what was not. Raises ValueError as `without` does."""
    removals = list(removals)
    for removal in removals:
        without(removal, root)
    with TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(WORKERS):
            copies.put(_copy(root, Path(folder, str(number))))
        if trouble := _trouble_before(removals, pool, copies):
            print(f"The tests fail with all guards in their places.\n{trouble}", file=out)
            return False
        verdicts = []
        for verdict in pool.map(lambda removal: _judge(removal, copies), removals):
            print(verdict, file=out, flush=True)
            verdicts.append(verdict)
    missed = [verdict for verdict in verdicts if not verdict.killed]
    for verdict in missed:
        print(f"\n{verdict}\n{_difference(verdict.removal, root)}{verdict.trouble}", file=out)
    print(f"\n{len(verdicts) - len(missed)} of {len(verdicts)} guards are proven.", file=out)
    return not missed


def without(removal: Removal, root: Path) -> str:
    """The file without its guard. Raises ValueError when the text is not there exactly once."""
    source = (root / removal.file).read_text()
    if source.count(removal.text) != 1:
        raise ValueError(f"{removal.file} has it {source.count(removal.text)} times: {removal.text}")
    return source.replace(removal.text, removal.instead)


def _copy(root: Path, copy: Path) -> Path:
    copy.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        elif (root / name).exists():
            shutil.copy(root / name, copy / name)
    return copy


def _judge(removal: Removal, copies: "SimpleQueue[Path]") -> Verdict:
    copy = copies.get()
    try:
        with _removed(removal, copy):
            code, told = _pytest(shlex.split(removal.tests), copy)
    finally:
        copies.put(copy)
    killed = code in (FAILED, TOOK_TOO_LONG)
    return Verdict(removal, killed, trouble="" if killed or code == PASSED else told)


def _trouble_before(removals: list[Removal], pool: ThreadPoolExecutor, copies: "SimpleQueue[Path]") -> str:
    """What fails of the tests with all guards in place: then a failure without one would prove nothing."""
    return "".join(pool.map(lambda tests: _trouble(tests, copies), _together(removals)))


def _trouble(tests: list[str], copies: "SimpleQueue[Path]") -> str:
    copy = copies.get()
    try:
        code, told = _pytest(tests, copy, seconds=BEFORE_SECONDS)
    finally:
        copies.put(copy)
    return "" if code == PASSED else told


def _together(removals: list[Removal]) -> Iterator[list[str]]:
    """The tests of all removals in two runs: whole files, and those chosen from files by their names."""
    words = [shlex.split(removal.tests) for removal in removals]
    if whole := {file for each in words if "-k" not in each for file in each}:
        yield sorted(whole)
    if chosen := [each for each in words if "-k" in each]:
        files = {word for each in chosen for word in each if word.startswith("tests/")}
        yield [*sorted(files), "-k", " or ".join(sorted({f"({each[-1]})" for each in chosen}))]


@contextmanager
def _removed(removal: Removal, copy: Path) -> Iterator[None]:
    file = copy / removal.file
    before = file.read_text()
    file.write_text(without(removal, copy))
    try:
        yield
    finally:
        file.write_text(before)


def _pytest(tests: list[str], copy: Path, seconds: float = PATIENCE_SECONDS) -> tuple[int, str]:
    """pytest's exit code, or TOOK_TOO_LONG, and what it printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    # Compiled files are told apart by second and size, which a removal may leave as they were.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return TOOK_TOO_LONG, f"It took more than {seconds:.0f} seconds.\n"
    return done.returncode, done.stdout[-2_000:]


def _difference(removal: Removal, root: Path) -> str:
    before, after = (root / removal.file).read_text(), without(removal, root)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), removal.file, removal.file, n=1
    )
    return "".join(lines)
