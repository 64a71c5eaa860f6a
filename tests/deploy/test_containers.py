"""The image as far as it goes without Docker: Dockerfile, context, and its commands where nothing can be written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.dockerfile import DOCKERFILE, ROOT, USER, health_check, steps
from tests.test_architecture import SHIPPED
from tests.test_processes import Machine, machine, new_visitor

__all__ = ["machine"]

# Refuses every write to a file as a read-only file system does: `sitecustomize` is what Python imports first.
READ_ONLY = """
import errno, os, sys

# The database of these tests. In a container its place is taken by DynamoDB.
_DATABASE = "sayings.db"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

def refuse(event, arguments):
    opened = event == "open" and arguments[2] & _WRITES and arguments[0] not in ("/dev/null", 1, 2)
    opened = opened and not str(arguments[0]).endswith(_DATABASE)
    if opened or event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink"):
        sys.stderr.write(f"WROTE {event} {arguments}\\n")
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

sys.addaudithook(refuse)
"""


class TestDockerfile:
    def test_hadolint_has_nothing_to_say(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")

        said = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)

        assert (said.returncode, said.stdout + said.stderr) == (0, "")

    def test_packages_come_from_locks_as_wheels(self) -> None:
        installs = [step.words for step in steps("RUN") if "pip " in step.arguments]

        assert [words[-2:] for words in installs] == [["-r", "/tmp/node.txt"], ["-r", "/tmp/runtime.txt"]]
        for words in installs:
            assert {"--require-hashes", "--only-binary", "--no-cache-dir"} <= set(words)
        assert "npm ci --omit=dev && npm run build" in [step.arguments for step in steps("RUN")]

    def test_every_base_is_the_official_slim_one(self) -> None:
        version = next(step.arguments for step in steps("ARG") if step.arguments.startswith("PYTHON="))

        assert {step.words[0] for step in steps("FROM")} == {"python:${PYTHON}"}
        assert re.fullmatch(r"PYTHON=3\.\d+(\.\d+)?-slim-[a-z]+", version)

    def test_it_runs_as_a_number_and_stops_by_sigterm(self) -> None:
        assert [step.arguments for step in steps("USER")] == [f"{USER}:{USER}"]
        assert [step.arguments for step in steps("STOPSIGNAL")] == ["SIGTERM"]
        assert [step.words for step in steps("ENTRYPOINT") + steps("CMD")] == [["python", "-m"], ["service"]]

    def test_nothing_secret_is_set_while_it_is_built(self) -> None:
        names = [step.arguments.upper() for step in steps("ARG") + steps("ENV")]

        assert not [name for name in names for word in ("KEY", "SECRET", "TOKEN", "PASSWORD") if word in name]


RULES = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]


class TestContext:
    def test_only_what_is_named_gets_in(self) -> None:
        named = {rule.removeprefix("!") for rule in RULES if rule.startswith("!")}

        assert RULES[0] == "*"
        assert {name for name in named if "/" not in name} == set(SHIPPED)
        assert {name for name in named if name.startswith("requirements/")} == {
            "requirements/runtime.txt", "requirements/node.txt",
        }  # fmt: skip
        assert [name for name in named if not (ROOT / name).exists()] == []

    def test_hidden_and_compiled_files_and_tests_stay_out(self) -> None:
        refused = {"**/.*", "**/__pycache__", "**/*.py[cod]", "**/*.test.*"}

        after_the_packages = RULES[max(RULES.index(f"!{package}") for package in SHIPPED) :]

        assert refused <= set(after_the_packages)
        assert [rule for rule in after_the_packages if rule.startswith("!") and "/." in rule] == ["!web/.npmrc"]

    def test_every_package_is_copied(self) -> None:
        copied = {step.words[0] for step in steps("COPY") if not step.arguments.startswith("--from")}

        assert copied >= set(SHIPPED)


@pytest.fixture
def read_only(machine: Machine, tmp_path: Path) -> Machine:
    """Processes as they run in a container, with every write refused and reported but SQLite's own."""
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    machine.environ |= {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    return machine


@pytest.mark.slow
async def test_its_commands_write_no_file(read_only: Machine) -> None:
    seeded, seeding = await read_only.run("-m", "service", "seed")
    checked, gate = await read_only.run("-m", "service", "check")
    worked, worker = await read_only.run("-m", "workers", "--once")
    server = await read_only.serve("service")
    async with new_visitor() as visitor:
        await server.get("/sayings", visitor)
    check = {"SAYINGS_PORT": server.url.rpartition(":")[2].strip("/")}
    while_it_serves, _ = await read_only.run(*health_check()[1:], **check)
    stopped = await server.stop()
    afterwards, _ = await read_only.run(*health_check()[1:], **check)

    assert (seeded, checked, worked, stopped) == (0, 0, 0, 0)
    assert "round finished" in worker.messages
    assert (while_it_serves, afterwards) == (0, 1)
    assert not [line for line in seeding.said + gate.said + worker.said + server.said if "WROTE" in line]
