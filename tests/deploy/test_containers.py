"""The image, replayed and run as it would be: nobody's user, nothing to write to; and the ECS template around it."""

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import aiohttp
import pytest

from service.server.static_files import page_files
from service.simulator import Simulator
from tests.deploy.image import (
    DOCKERFILE,
    ROOT,
    USER,
    Image,
    as_nobody,
    build,
    context_files,
    make_writable,
    read_steps,
)

PATIENCE_SECONDS = 60.0
STOP_SECONDS = 10.0

# Refuses every write to a file with what a read-only file system says, wherever the file is: `sitecustomize` is what
# Python imports first.
READ_ONLY = """
import errno, os, sys

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

def refuse(event, arguments):
    opened = event == "open" and arguments[2] & _WRITES and arguments[0] not in ("/dev/null", 1, 2)
    if opened or event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "sqlite3.connect"):
        sys.stderr.write(f"WROTE {event} {arguments}\\n")
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not in pytest's folder, which is its owner's alone.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield build(folder, DOCKERFILE.read_text(), ROOT)
    make_writable(folder)
    shutil.rmtree(folder)


class TestDockerfile:
    def test_hadolint_has_nothing_to_say(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")

        said = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)

        assert said.stdout + said.stderr == ""
        assert said.returncode == 0

    def test_packages_come_from_the_lock_by_their_hashes_and_as_wheels(self) -> None:
        installs = [step.words for step in read_steps(DOCKERFILE.read_text()) if "pip " in step.arguments]

        assert [words[-2:] for words in installs] == [["-r", "/tmp/node.txt"], ["-r", "/tmp/runtime.txt"]]
        for words in installs:
            assert {"--require-hashes", "--only-binary", "--no-cache-dir"} <= set(words)

    def test_the_page_is_built_from_its_lock_in_a_stage_of_its_own(self) -> None:
        steps = read_steps(DOCKERFILE.read_text())

        assert "npm ci --omit=dev && npm run build" in [step.arguments for step in steps]
        assert [step.arguments for step in steps if "--from=page" in step.words] == [
            "--from=page /app/web/dist /app/web/dist"
        ]

    def test_every_base_is_the_official_slim_one_of_a_named_version(self) -> None:
        steps = read_steps(DOCKERFILE.read_text())

        assert {step.words[0] for step in steps if step.instruction == "FROM"} == {"python:${PYTHON}"}
        (version,) = (step.arguments for step in steps if step.arguments.startswith("PYTHON="))
        assert re.fullmatch(r"PYTHON=3\.\d+(\.\d+)?-slim-[a-z]+", version)

    def test_it_runs_as_a_number_and_stops_by_sigterm(self, image: Image) -> None:
        assert image.user == f"{USER}:{USER}"
        assert image.stop_signal == "SIGTERM"
        assert (image.entrypoint, image.command) == (["python", "-m"], ["service"])
        assert image.labels["org.opencontainers.image.title"] == "Cloud Sayings"

    def test_nothing_secret_is_set_or_asked_for_while_it_is_built(self) -> None:
        steps = read_steps(DOCKERFILE.read_text())
        names = [step.arguments for step in steps if step.instruction in ("ARG", "ENV")]

        assert not [name for name in names for word in ("KEY", "SECRET", "TOKEN", "PASSWORD") if word in name.upper()]


class TestContext:
    def test_it_is_the_packages_the_page_and_the_lock(self) -> None:
        page = [f"web/{name}" for name in (
            "src", "public", "index.html", "package.json", "package-lock.json", ".npmrc", "tsconfig.json",
            "vite.config.ts",
        )]  # fmt: skip
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "service", "workers", "telemetry", *page],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip

        wanted = {*tracked, "requirements/runtime.txt", "requirements/node.txt"}

        assert {str(file) for file in context_files(ROOT)} == {
            name for name in wanted if (ROOT / name).exists() and ".test." not in name
        }

    @pytest.mark.parametrize(
        "stray", [".env", "service/.env", "service/__pycache__/x.pyc", "keys.json", "web/notes.md", "tests/x.py",
                  ".git/config", "requirements/dev.txt", "web/dist/index.html", "web/src/x.test.ts",
                  "web/browser/x.ts", "web/.env"]
    )  # fmt: skip
    def test_what_lies_about_does_not_get_in(self, tmp_path: Path, stray: str) -> None:
        shutil.copy(ROOT / ".dockerignore", tmp_path)
        for name in (stray, "service/server/app.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

        assert context_files(tmp_path) == {PurePosixPath("service/server/app.py")}

    def test_everything_in_the_context_is_in_the_image_compiled_and_the_page_built(
        self, image: Image, built_page: Path
    ) -> None:
        app = image.path("/app")
        wanted = {file for file in context_files(ROOT) if file.parts[0] not in ("requirements", "web")}
        wanted |= {PurePosixPath(file.relative_to(ROOT)) for file in page_files(built_page)}

        files = {PurePosixPath(file.relative_to(app)) for file in app.rglob("*") if file.is_file()}
        compiled = {file for file in files if file.suffix == ".pyc"}

        assert files - compiled == wanted
        assert len(compiled) == len([file for file in wanted if file.suffix == ".py"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


class Container:
    """The image with settings, as `docker run --read-only` would start it."""

    def __init__(self, image: Image, environ: dict[str, str], hook: Path) -> None:
        self._image = image
        self._environ = {**image.environ, "HOME": "/", "PYTHONPATH": str(hook), **environ}
        self.url = f"http://127.0.0.1:{self._environ['SAYINGS_PORT']}"

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        """Run a command of the image, as its user."""
        program = shutil.which(command[0], path=self._environ["PATH"])
        assert program is not None
        return await asyncio.create_subprocess_exec(
            *as_nobody(),
            program,
            *command[1:],
            cwd=self._image.path(self._image.directory),
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int | None, str, str]:
        """What the entry point does with these arguments: its exit code, logs and words."""
        return await self._ended(await self.start(*self._image.entrypoint, *arguments))

    async def seed(self) -> str:
        """Tables, and the collection in them; what was said about it."""
        code, logs, words = await self.run("service", "seed", "--create-tables")
        assert code == 0, logs + words
        return words

    async def is_healthy(self) -> bool:
        code, _, _ = await self._ended(await self.start(*self._image.health_check))
        return code == 0

    async def _ended(self, process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            logs, words = await process.communicate()
        return process.returncode, logs.decode(), words.decode()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The image's own command, once it listens."""
        process = await self.start(*self._image.entrypoint, *self._image.command)
        try:
            assert process.stderr is not None
            async with asyncio.timeout(PATIENCE_SECONDS):
                first = (await process.stderr.readline()).decode()
            assert "listens on" in first, first
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
def hook() -> Iterator[Path]:
    """A folder for PYTHONPATH in which every write is refused and told."""
    folder = Path(tempfile.mkdtemp())
    (folder / "sitecustomize.py").write_text(READ_ONLY)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def container(image: Image, hook: Path, moto_url: str, simulator_url: str) -> Container:
    """With empty tables of its own."""
    environ = {
        "SAYINGS_STORE": f"dynamodb://image-{uuid.uuid4().hex[:8]}-",
        "SAYINGS_PORT": str(free_port()),
        "SAYINGS_SIMULATOR": simulator_url,
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    return Container(image, environ, hook)


@pytest.mark.slow
class TestRunning:
    async def test_it_serves_page_and_sayings_from_dynamodb_and_its_health_check_sees_it_come_and_go(
        self, container: Container
    ) -> None:
        seeded = await container.seed()
        before = await container.is_healthy()

        async with container.running() as process, aiohttp.ClientSession(container.url) as visitor:
            async with visitor.get("/sayings") as answer:
                saying = await answer.json()
            async with visitor.get("/") as answer:
                page = await answer.text()
            async with visitor.get("/health/ready") as answer:
                ready = answer.status
            during = await container.is_healthy()
            process.send_signal(signal.SIGTERM)
            _, words = await asyncio.wait_for(process.communicate(), STOP_SECONDS)

        assert process.returncode == 0
        assert (saying["origin"], saying["degraded"]) == ("database", None)
        assert "Cloud Sayings" in page
        assert ready == 200
        assert (before, during) == (False, True)
        assert "WROTE" not in seeded + words.decode()

    async def test_sigterm_lets_the_request_under_way_finish(self, container: Container, simulator: Simulator) -> None:
        await container.seed()
        simulator.speed = 0.1  # slow enough to be met on its way, and well within what a stopping server waits

        async with container.running() as process, aiohttp.ClientSession(container.url) as visitor:
            for _ in range(3):
                await (await visitor.get("/sayings")).read()
            live = asyncio.create_task(_json(visitor, "/sayings"))
            await asyncio.wait_for(simulator.until(lambda: simulator.in_flight == 1), PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                saying = await live
                await process.wait()

        assert (saying["origin"], saying["requestNumber"]) == ("live", 4)
        assert process.returncode == 0

    async def test_the_worker_of_the_same_image_makes_a_round(self, container: Container) -> None:
        await container.seed()

        code, logs, words = await container.run("workers", "--once")

        finished = [line for line in map(json.loads, logs.splitlines()) if line["message"] == "round finished"]
        assert (code, words) == (0, ""), logs
        assert len(finished) == 1


async def _json(visitor: aiohttp.ClientSession, path: str) -> Any:
    async with visitor.get(path) as answer:
        return await answer.json()
