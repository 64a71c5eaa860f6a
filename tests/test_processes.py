"""The processes as a user meets them: started from a shell, asked over HTTP, stopped by a signal, killed.

Models are the simulator's, served by the test, so that it can count calls and order faults; each process runs in
Python's development mode, and what it writes to stderr must be exactly what it means to say.
"""

import asyncio
import json
import os
import pty
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from service.catalogue.collection import collection
from service.simulator import Fault, FaultKind, Simulator
from tests.support import timeless_entries

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PYTHON = (sys.executable, "-X", "dev", "-W", "error::ResourceWarning")
MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini")
# Longer than anything takes, so that a hang becomes a failure.
PATIENCE_SECONDS = 100.0
# Longer than that: no call fails because the machine is busy, and no process stops by waiting for one that hangs.
CALL_SECONDS = 120.0
ONE_PROCESS = ("workers", "--serve")


class Child:
    """A process of ours."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []
        self.logged: list[dict[str, Any]] = []
        self._reading = [
            asyncio.create_task(self._read(process.stderr, self.said.append)),
            asyncio.create_task(self._read(process.stdout, self._keep_logged)),
        ]
        self._changed = asyncio.Event()

    async def _read(self, stream: asyncio.StreamReader | None, keep: Callable[[str], None]) -> None:
        while stream and (line := await stream.readline()):
            keep(line.decode().rstrip("\n"))
            self._changed.set()
        self._changed.set()

    def _keep_logged(self, line: str) -> None:
        logged = json.loads(line)
        if logged.get("operation") in ("finaliser", "thread", "warning"):  # Python would print it
            self.said.append(line)
        # Development mode warns of every callback that takes 0.1 s, as any of them may on a busy machine.
        if not (logged.get("logger") == "asyncio" and logged["message"].startswith("Executing ")):
            self.logged.append(logged)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the process will have said or logged."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                assert not all(reading.done() for reading in self._reading), f"it ended: {self.said}"
                self._changed.clear()
                await self._changed.wait()

    async def logs(self, message: str) -> dict[str, Any]:
        """The first line of the log with that message, once it is there."""
        await self.until(lambda: message in self.messages)
        return next(line for line in self.logged if line["message"] == message)

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.logged]

    async def ended(self) -> int:
        """The exit code, once everything it wrote has been read; a line of the log that is no JSON is an error."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self.process.wait()
            await asyncio.gather(*self._reading)
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await self.ended()

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self._reading, return_exceptions=True)


class Server(Child):
    """One that answers on `url`."""

    url: str

    async def started(self) -> "Server":
        await self.until(lambda: any("http://" in line for line in self.said))
        self.url = next(word for word in self.said[-1].split() if word.startswith("http://"))
        return self

    async def get(self, path: str, visitor: aiohttp.ClientSession) -> Any:
        async with visitor.get(self.url + path) as answer:
            assert answer.status == 200
            return await answer.json()

    async def next_saying(self, visitor: aiohttp.ClientSession) -> Any:
        """A saying, or None from a server that is overloaded."""
        async with visitor.get(f"{self.url}/sayings") as answer:
            assert answer.status in (200, 503)
            return await answer.json() if answer.status == 200 else None

    async def vote(self, saying: dict[str, Any], opinion: str, visitor: aiohttp.ClientSession) -> Any:
        vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion}
        async with visitor.post(f"{self.url}/feedback", json=vote) as answer:
            assert answer.status == 200
            return await answer.json()

    async def compare(self, visitor: aiohttp.ClientSession) -> Any:
        async with visitor.post(f"{self.url}/compare", json={}, headers={"Accept": "application/json"}) as answer:
            assert answer.status == 200
            return await answer.json()

    def peak_bytes(self) -> int:
        """The most memory that the process has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


C = TypeVar("C", bound=Child)


class Machine:
    """Where processes run: a directory, an environment, a simulator."""

    def __init__(self, directory: Path, simulator_url: str, stack: AsyncExitStack) -> None:
        self.directory = directory
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "SAYINGS_STORE": f"sqlite:///{directory}/sayings.db",
            "SAYINGS_PORT": "0",
            "SAYINGS_SIMULATOR": simulator_url,
            "SAYINGS_CATALOGUE": _patient_catalogue(directory),
        }
        self._stack = stack
        self._wrapper: tuple[str, ...] = ()

    async def start(self, *command: str, **environ: str) -> Child:
        return await self._start(Child, command, environ)

    async def serve(self, *command: str, **environ: str) -> Server:
        """The whole service in one process, unless another command is given."""
        server = await self._start(Server, ("-m", *(command or ONE_PROCESS)), environ)
        return await server.started()

    def under(self, *wrapper: str) -> None:
        """Start all further processes through that command, which ends in an `exec` of its arguments."""
        self._wrapper = wrapper

    async def _start(self, kind: type[C], command: tuple[str, ...], environ: dict[str, str]) -> C:
        process = await asyncio.create_subprocess_exec(
            *self._wrapper,
            *PYTHON,
            *command,
            cwd=self.directory,
            env={name: value for name, value in (self.environ | environ).items() if value},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        child = kind(process)
        self._stack.push_async_callback(child.close)
        return child

    async def run(self, *command: str, **environ: str) -> tuple[int, Child]:
        child = await self.start(*command, **environ)
        return await child.ended(), child


def _patient_catalogue(directory: Path) -> str:
    """The path of a catalogue of the original models with more time for every call."""
    models = [model | {"timeout_seconds": CALL_SECONDS} for model in timeless_entries()]
    path = directory / "patient-catalogue.json"
    path.write_text(json.dumps({"models": models}))
    return str(path)


@pytest.fixture
async def machine(tmp_path: Path, simulator_url: str) -> AsyncIterator[Machine]:
    # Under nohup the tests ignore a hangup, and the processes would inherit that.
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    async with AsyncExitStack() as stack:
        yield Machine(tmp_path, simulator_url, stack)
    signal.signal(signal.SIGHUP, inherited)


@asynccontextmanager
async def new_visitor() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser: it keeps its cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as visitor:
        yield visitor


class TestOneMachine:
    async def test_the_first_twelve_sayings_follow_the_flow(self, machine: Machine) -> None:
        server = await machine.serve()

        async with new_visitor() as visitor:
            sayings = [await server.get("/sayings", visitor) for _ in range(3)]
            await server.logs("round finished")
            sayings += [await server.get("/sayings", visitor) for _ in range(9)]

        assert [saying["origin"] for saying in sayings] == ["database"] * 3 + ["live"] + ["cache"] * 8
        assert [saying["requestNumber"] for saying in sayings] == list(range(1, 13))
        assert all(saying["source"].endswith("(simulated)") for saying in sayings[3:])
        assert {saying["model"] for saying in sayings[4:]} <= set(MODELS)
        assert all(saying["degraded"] is None for saying in sayings)

    async def test_a_vote_outlives_a_restart_and_can_be_changed(self, machine: Machine) -> None:
        async with new_visitor() as visitor:
            server = await machine.serve()
            saying = await server.get("/sayings", visitor)
            first = await server.vote(saying, "POSITIVE", visitor)
            code = await server.stop()

            server = await machine.serve()
            second = await server.vote(saying, "NEGATIVE", visitor)

        assert code == 0
        assert (first["status"], first["upvotes"], first["downvotes"]) == ("recorded", 1, 0)
        assert (second["status"], second["upvotes"], second["downvotes"]) == ("changed", 0, 1)

    async def test_without_any_key_it_brings_its_own_simulator_and_says_so(self, machine: Machine) -> None:
        server = await machine.serve(SAYINGS_SIMULATOR="", SAYINGS_STORE="")
        await server.logs("round finished")
        code = await server.stop()

        assert code == 0
        assert "no ANTHROPIC_API_KEY or OPENAI_API_KEY is set" in server.said[0]
        assert len(server.said) == 1
        assert (machine.directory / "sayings-simulated.db").exists()

    async def test_a_simulator_that_was_asked_for_is_named(self, machine: Machine) -> None:
        server = await machine.serve(ANTHROPIC_API_KEY="sk-test")

        assert f"SAYINGS_SIMULATOR is {machine.environ['SAYINGS_SIMULATOR']}" in server.said[0]
        assert "sk-test" not in server.said[0]

    async def test_only_models_whose_vendor_has_a_key_take_part(self, machine: Machine) -> None:
        server = await machine.serve(ANTHROPIC_API_KEY="sk-test", SAYINGS_SIMULATOR="off", SAYINGS_ROUNDS="off")

        async with new_visitor() as visitor:
            models = (await server.get("/models", visitor))["models"]

        assert [entry["model"] for entry in models if entry["participates"]] == [
            "claude-haiku-4-5", "claude-sonnet-4-5",
        ]  # fmt: skip
        assert "(Claude Haiku 4.5, Claude Sonnet 4.5)" in server.said[0]

    async def test_a_port_that_is_taken_ends_the_start_with_one_line(self, machine: Machine) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, child = await machine.run("-m", "workers", "--serve", SAYINGS_PORT=str(taken.getsockname()[1]))

        assert code == 2
        assert len(child.said) == 1
        assert "SAYINGS_PORT" in child.said[0]

    async def test_no_sdk_is_imported_before_it_listens(self, machine: Machine) -> None:
        code, child = await machine.run("-c", IMPORTED_WHEN_LISTENING)

        assert code == 0
        assert [line for line in child.logged if line["message"] == "imported"] == [
            {"message": "imported", "modules": []}
        ]


IMPORTED_WHEN_LISTENING = """
import asyncio, json, sys
from service.process import run
from service.resources import Resources
from service.server import serve
from workers.__main__ import main

def tell(resources):
  sdks = {"anthropic", "openai", "httpx2", "aioboto3", "aiobotocore", "boto3", "botocore"}
  print(json.dumps({"message": "imported", "modules": sorted(sdks & set(sys.modules))}))

class Stopped(asyncio.Event):
  async def wait(self):
    pass

sys.argv.append("--serve")
Resources.preload = tell  # which is called when the server listens
serve.stop_signal = Stopped
run(main)
"""


class TestStopping:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    @pytest.mark.parametrize("command", [("workers",), ONE_PROCESS], ids=["worker", "one process"])
    async def test_between_rounds(self, machine: Machine, command: tuple[str, ...], number: signal.Signals) -> None:
        child = await machine.start("-m", *command)
        await child.logs("data pruned")  # once a day, after a round

        code = await child.stop(number)

        assert code == 0
        assert [line for line in child.said if not line.startswith("Cloud Sayings is at http://localhost:")] == []
        assert [line["level"] for line in child.logged if line["logger"] == "sayings"] == ["INFO"] * 10

    async def test_a_process_under_nohup_outlives_its_terminal(self, machine: Machine) -> None:
        machine.under("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
        server = await machine.serve("service")

        server.process.send_signal(signal.SIGHUP)
        async with new_visitor() as visitor:
            live = await server.get("/health/live", visitor)
        code = await server.stop()

        assert (live, code) == ({"status": "alive"}, 0)

    async def test_the_api_alone(self, machine: Machine) -> None:
        server = await machine.serve("service")

        code = await server.stop()

        assert code == 0
        assert len(server.said) == 1

    @pytest.mark.parametrize("command", [("workers",), ONE_PROCESS], ids=["worker", "one process"])
    async def test_while_the_calls_of_a_round_hang(
        self, machine: Machine, simulator: Simulator, command: tuple[str, ...]
    ) -> None:
        simulator.inject("*", Fault(FaultKind.HANG, count=4))
        child = await machine.start("-m", *command)
        await asyncio.wait_for(simulator.until(lambda: simulator.in_flight == 4), PATIENCE_SECONDS)

        code = await child.stop()
        next_code, next_child = await machine.run("-m", "workers", "--once")

        assert code == 0
        assert [line for line in child.said if not line.startswith("Cloud Sayings is at http://localhost:")] == []
        assert next_code == 0
        assert "round finished" in next_child.messages  # the lease was given back

    async def test_a_single_round_that_is_cut_short_did_not_succeed(
        self, machine: Machine, simulator: Simulator
    ) -> None:
        simulator.inject("*", Fault(FaultKind.HANG, count=4))
        child = await machine.start("-m", "workers", "--once")
        await asyncio.wait_for(simulator.until(lambda: simulator.in_flight == 4), PATIENCE_SECONDS)

        code = await child.stop(signal.SIGINT)

        assert code == 1
        assert child.said == []


class TestHostileAnswers:
    @pytest.mark.parametrize("kind", [FaultKind.PACKED_BODY, FaultKind.ENDLESS_BODY])
    async def test_an_answer_without_bounds_costs_no_memory(
        self, machine: Machine, simulator: Simulator, kind: FaultKind
    ) -> None:
        server = await machine.serve()
        await server.logs("round finished")  # so that the SDKs are there
        async with new_visitor() as visitor:
            await server.compare(visitor)
            before = server.peak_bytes()
            simulator.inject("*", Fault(kind, count=None))

            answer = await server.compare(visitor)

        assert [slot["error"] for slot in answer["slots"]] == ["unusable"] * len(MODELS)
        assert server.peak_bytes() - before < 32 * 2**20


@asynccontextmanager
async def many_connections(url: str, count: int) -> AsyncIterator[None]:
    """Keep so many connections open that have asked nothing, each from an address of its own."""
    port = int(url.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        for number in range(count):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.bind((f"127.0.2.{number + 1}", 0))
            client.connect_ex(("127.0.0.1", port))
        yield


class TestDescriptors:
    async def test_a_server_with_few_file_descriptors_is_a_small_server(self, machine: Machine) -> None:
        machine.under("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
        server = await machine.serve("service")

        async with many_connections(server.url, 200), new_visitor() as visitor:
            live = await server.get("/health/live", visitor)
        async with new_visitor() as visitor, asyncio.timeout(PATIENCE_SECONDS):
            while (saying := await server.next_saying(visitor)) is None:
                pass  # the end of the flood has not been noticed yet
            vote = await server.vote(saying, "POSITIVE", visitor)
        code = await server.stop()

        assert (live["status"], vote["status"], code) == ("alive", "recorded", 0)
        [said] = [line for line in server.logged if line.get("dependency") == "descriptors"]
        assert "SAYINGS_MAX_CONNECTIONS is 450" in said["error_message"]
        assert {line["logger"] for line in server.logged} == {"sayings"}


class TestOneRound:
    async def test_it_logs_json_and_brings_sayings(self, machine: Machine) -> None:
        code, child = await machine.run("-m", "workers", "--once")

        assert code == 0
        assert child.said == []
        report = next(line for line in child.logged if line["message"] == "round finished")
        assert {model["model"]: model["sayings"] for model in report["models"]} == dict.fromkeys(MODELS, 3)

    async def test_it_fails_when_no_model_brings_anything(self, machine: Machine, simulator: Simulator) -> None:
        simulator.inject("*", Fault(FaultKind.BAD_REQUEST, count=4))

        code, child = await machine.run("-m", "workers", "--once")

        assert code == 1
        assert child.said == []

    async def test_it_fails_when_no_model_takes_part(self, machine: Machine) -> None:
        code, child = await machine.run("-m", "workers", "--once", SAYINGS_SIMULATOR="off")

        assert code == 1
        assert child.said == ["No model takes part: there is no key for any, and the simulator is off."]

    async def test_it_fails_when_the_store_is_down(self, machine: Machine, simulator: Simulator) -> None:
        code, child = await machine.run("-m", "workers", "--once", **DEAD_DYNAMODB)

        assert code == 1
        assert [line.partition(":")[0] for line in child.said] == ["No round"]
        assert not simulator.calls

    async def test_on_a_terminal_it_shows_a_table_and_gives_the_cursor_back(self, machine: Machine) -> None:
        code, screen = await asyncio.to_thread(_on_a_terminal, machine, "-m", "workers", "--once")

        assert code == 0
        assert screen.count("3 stored") >= len(MODELS)
        assert all(model in screen for model in MODELS)
        assert "round finished" not in screen  # which is what the log would say
        assert screen.rstrip().endswith("\x1b[?25h")


DEAD_DYNAMODB = {
    "SAYINGS_STORE": "dynamodb://",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


def _on_a_terminal(machine: Machine, *command: str) -> tuple[int, str]:
    """Run a process on a pseudo-terminal; its exit code and everything it drew."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(machine.directory)
        os.execve(sys.executable, [*PYTHON, *command], machine.environ | {"TERM": "xterm", "COLUMNS": "120"})
    drawn = b""
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        try:
            while block := screen.read(65_536):
                drawn += block
        except OSError:  # how Linux reports that the other end has been closed
            pass
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), drawn.decode()


class TestSeed:
    async def test_it_can_be_run_as_often_as_one_likes(self, machine: Machine) -> None:
        runs = [await machine.run("-m", "service", "seed") for _ in range(2)]

        assert [code for code, _ in runs] == [0, 0]
        assert runs[0][1].said == runs[1][1].said
        assert _count(machine.directory / "sayings.db") == len(collection())

    async def test_without_a_setting_it_fills_the_default_stores(self, machine: Machine) -> None:
        code, _ = await machine.run("-m", "service", "seed", SAYINGS_STORE="")

        assert code == 0
        assert {_count(path) for path in machine.directory.glob("*.db")} == {len(collection())}
        assert {path.name for path in machine.directory.glob("*.db")} == {"sayings.db", "sayings-simulated.db"}

    async def test_a_store_that_is_down_ends_it_with_one_line(self, machine: Machine) -> None:
        code, child = await machine.run("-m", "service", "seed", **DEAD_DYNAMODB)

        assert code == 1
        assert [line.partition(":")[0] for line in child.said] == ["The collection could not be loaded into dynamodb"]


class TestCheck:
    async def test_it_passes_once_votes_can_be_stored(self, machine: Machine) -> None:
        await machine.run("-m", "service", "seed")

        code, child = await machine.run("-m", "service", "check")

        assert (code, child.said) == (0, ["Votes can be stored."])

    async def test_it_fails_and_logs_the_cause_when_the_store_is_down(self, machine: Machine) -> None:
        code, child = await machine.run("-m", "service", "check", **DEAD_DYNAMODB)

        assert code == 1
        assert [line.partition(" (")[0] for line in child.said] == ["Votes cannot be stored"]
        assert "store failed" in child.messages


def _count(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM main_humor").fetchone()[0])
    finally:
        connection.close()
