"""A log that cannot be written: the service serves on, one line says so, and no text of an exception is in any byte.

Real processes, with a standard output that is closed, full or without a reader, and a vendor that repeats the key.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support import timeless_entries

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CANARY = "sk-canary-4a7f09"
PATIENCE_SECONDS = 100.0
# How a shell starts a process without a standard output.
WITHOUT_STDOUT = ("sh", "-c", 'exec "$@" >&-', "sh")


class EchoingVendor:
    """Refuses every call, and repeats in its message the key that it was sent."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        self.keys.append(request.headers.get("x-api-key") or request.headers["Authorization"])
        error = {"type": "invalid_request_error", "message": f"Incorrect API key provided: {self.keys[-1]}"}
        return web.json_response({"type": "error", "error": error}, status=400)


@pytest.fixture
async def vendor() -> AsyncIterator[tuple[EchoingVendor, str]]:
    """The vendor and its URL."""
    vendor = EchoingVendor()
    runner = web.ServerRunner(web.Server(vendor.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield vendor, "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


class Programs:
    """Starts programs whose standard output is a file descriptor, or closed if that is None."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    async def start(self, *command: str, stdout: int | None = PIPE, **environ: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(() if stdout is not None else WITHOUT_STDOUT),
            sys.executable,
            *command,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SAYINGS_SIMULATOR": "off"} | environ,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=PIPE,
        )
        self._stack.push_async_callback(_end, process)
        return process

    async def serve(self, vendor_url: str, stdout: int | None) -> tuple[Process, str]:
        """The server, and the first line that it says."""
        own = {"base_url": vendor_url, "key_parameter": "CANARY_KEY"}
        catalogue = self.folder / "catalogue.json"
        catalogue.write_text(json.dumps({"models": [entry | own for entry in timeless_entries()]}))
        environ = {
            "SAYINGS_CATALOGUE": str(catalogue),
            "SAYINGS_STORE": f"sqlite:///{self.folder}/sayings.db",
            "SAYINGS_PORT": "0",
            "SAYINGS_ROUNDS": "off",
            "CANARY_KEY": CANARY,
        }
        process = await self.start("-m", "service", stdout=stdout, **environ)
        assert process.stderr is not None
        first = await asyncio.wait_for(process.stderr.readline(), PATIENCE_SECONDS)
        return process, first.decode()


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    async with AsyncExitStack() as stack:
        yield Programs(tmp_path, stack)


def url_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


async def visit(url: str) -> list[int]:
    """Ask for more sayings than the store gives without a model, and for a comparison; the statuses."""
    async with aiohttp.ClientSession() as visitor:
        statuses = []
        for _ in range(8):
            async with visitor.get(f"{url}/sayings") as answer:
                statuses.append(answer.status)
        async with visitor.post(f"{url}/compare", json={}) as answer:
            await answer.read()
            return [*statuses, answer.status]


# Opens the standard output of a process; None means that it has none.
OpenOutput = Callable[[], int | None]


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def pipe_without_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


BROKEN = [
    pytest.param(full_disk, "No space left on device", id="full disk"),
    pytest.param(pipe_without_reader, "Broken pipe", id="no reader"),
    pytest.param(lambda: None, "Bad file descriptor", id="closed"),
]


PRINTING = """
import sys
from service.process import run

async def main(settings):
    sys.stdout.write("fewer bytes than a buffer holds")
    return 0

run(main)
"""


class TestBrokenOutput:
    @pytest.mark.parametrize(("broken", "reason"), BROKEN)
    async def test_the_server_serves_on_and_says_it_once(
        self, programs: Programs, vendor: tuple[EchoingVendor, str], broken: OpenOutput, reason: str
    ) -> None:
        echoing, vendor_url = vendor
        stdout = broken()
        process, first = await programs.serve(vendor_url, stdout)

        statuses = await visit(url_in(first))
        process.send_signal(signal.SIGTERM)
        _, rest = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        if stdout is not None:
            os.close(stdout)

        assert any(CANARY in key for key in echoing.keys)
        assert set(statuses) == {200}
        assert CANARY not in first + rest.decode()
        assert [line.partition(". ")[0] for line in rest.decode().splitlines()] == [
            f"The log cannot be written ({reason})"
        ]
        assert process.returncode == 0

    async def test_a_reader_that_goes_away_is_no_different(
        self, programs: Programs, vendor: tuple[EchoingVendor, str]
    ) -> None:
        _, vendor_url = vendor
        reader, writer = os.pipe()
        process, first = await programs.serve(vendor_url, writer)
        os.close(writer)

        before = await visit(url_in(first))
        read = os.read(reader, 2**20)
        os.close(reader)
        after = await visit(url_in(first))
        process.send_signal(signal.SIGTERM)
        _, rest = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

        assert set(before + after) == {200}
        assert "ModelRequestRejected" in {json.loads(line)["error_type"] for line in read.splitlines()}
        assert CANARY not in f"{first}{rest.decode()}{read.decode()}"
        assert rest.decode().count("\n") == 1
        assert process.returncode == 0

    async def test_output_of_a_command_that_is_lost_is_a_failure(self, programs: Programs) -> None:
        stdout = full_disk()
        process = await programs.start("-c", PRINTING, stdout=stdout)

        _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        os.close(stdout)

        assert said.decode() == "The output could not be written: No space left on device\n"
        assert process.returncode == 1


# Every way in which an interpreter gets hold of an exception that no code receives. `START` runs `main`.
DYING = """
import asyncio, atexit, gc, logging, os, sys, threading, warnings

LOUD = ValueError(os.environ["CANARY"])

def fail(*_):
    raise LOUD

class Loud:
    def __del__(self):
        fail()

class Odd:
    def __str__(self):
        fail()

async def fail_later():
    fail()

async def main(settings=None):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Loud()
    warnings.warn(os.environ["CANARY"])
    logging.getLogger("a.library").error("odd: %s", Odd())
    asyncio.get_running_loop().call_soon(fail, LOUD)
    task = asyncio.create_task(fail_later())
    await asyncio.wait([task])
    del task
    gc.collect()
    return 0

atexit.register(fail)
still_there = Loud()
sys.until_the_very_end = Loud()
START
"""
OURS = "from service.process import run; run(main)"
PYTHONS = "asyncio.run(main())"
ON_LAMBDA = "from service.aws_lambda.runtime import start; start(os.environ).close(); asyncio.run(main())"


class TestDyingInterpreter:
    async def test_python_itself_would_print_the_texts(self, programs: Programs) -> None:
        process = await programs.start("-c", DYING.replace("START", PYTHONS), CANARY=CANARY)

        _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

        assert said.count(CANARY.encode()) >= 6

    async def test_errors_become_lines_of_the_log_without_their_texts(self, programs: Programs) -> None:
        process = await programs.start("-c", DYING.replace("START", OURS), CANARY=CANARY)

        written, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

        lines = [json.loads(line) for line in written.splitlines()]
        assert CANARY.encode() not in written
        assert said == b""
        assert [line["operation"] for line in lines if line["error_type"] == "ValueError" and "operation" in line] == [
            "thread", "finaliser", "finaliser",
        ]  # fmt: skip
        assert {line["message"] for line in lines} == {
            "unexpected error", "a warning was issued", "odd: Odd", "Exception in callback fail(…) at <string>:6",
            "Task exception was never retrieved",
        }  # fmt: skip

    @pytest.mark.parametrize(("broken", "reason"), BROKEN)
    async def test_without_a_log_one_line_is_all(self, programs: Programs, broken: OpenOutput, reason: str) -> None:
        stdout = broken()
        process = await programs.start("-X", "dev", "-c", DYING.replace("START", OURS), stdout=stdout, CANARY=CANARY)

        _, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        if stdout is not None:
            os.close(stdout)

        assert said.decode().partition(". ")[0] == f"The log cannot be written ({reason})"
        assert said.count(b"\n") == 1
        assert process.returncode == 0

    async def test_a_defect_that_ends_a_process_is_logged_without_its_text(self, programs: Programs) -> None:
        process = await programs.start("-c", DYING.replace("START", OURS.replace("main)", "fail)")), CANARY=CANARY)

        written, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

        assert json.loads(written.splitlines()[0])["operation"] == "process"
        assert CANARY.encode() not in written + said
        assert process.returncode == 1

    async def test_a_lambda_environment_prints_no_texts_either(self, programs: Programs) -> None:
        process = await programs.start(
            "-c", DYING.replace("START", ON_LAMBDA),
            CANARY=CANARY, AWS_LAMBDA_RUNTIME_API="127.0.0.1:1", SAYINGS_STORE=f"sqlite:///{programs.folder}/sayings.db",
        )  # fmt: skip

        written, said = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

        assert b"unexpected ValueError" in written
        assert CANARY.encode() not in written + said
