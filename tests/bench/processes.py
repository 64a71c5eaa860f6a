"""Processes under measurement: servers on one core, the load on another where there are two."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.bench.load import Burst

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
# Longer than anything takes to start.
PATIENCE_SECONDS = 120.0
TRIES_A_SECOND = 50
MEGABYTE = 1024 * 1024

Command = Sequence[object]


class Failed(Exception):
    """What was to be measured did not work: a defect, or a peer that could not be started."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. `start_seconds` is the time from the start of its process to its first answer."""

    port: int
    pid: int
    start_seconds: float

    @property
    def memory(self) -> float:
        """Resident megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE

    @property
    def cpu_seconds(self) -> float:
        """What it has computed so far, its threads and its calls into the kernel included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(
    command: Command, port: int, *, folder: Path, environ: Mapping[str, str], path: str = "/sayings", body: str = ""
) -> AsyncIterator[Server]:
    """Run a server, pinned to the servers' core, until the block is left; it is awaited until `path` answers 200."""
    started = time.perf_counter()
    log = folder / f"{port}.log"
    with log.open("w") as file:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=folder,
            env={**own_environment(), **environ},
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
        )
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        await _answered(process, port, path, body, log)
        yield Server(port, process.pid, time.perf_counter() - started)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answered(process: asyncio.subprocess.Process, port: int, path: str, body: str, log: Path) -> None:
    method, headers = ("POST", {"Content-Type": "application/json"}) if body else ("GET", {})
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for _ in range(round(PATIENCE_SECONDS * TRIES_A_SECOND)):
            if process.returncode is not None:
                break
            try:
                async with session.request(method, path, data=body or None, headers=headers) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(1 / TRIES_A_SECOND)
    raise Failed(f"A server did not start; its log ends in\n{_ending(log)}")


def _ending(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def own_environment() -> dict[str, str]:
    """What every process gets: nothing of this machine's settings and keys."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def load(
    server: Server,
    connections: int,
    seconds: float,
    *,
    requests: int | None = None,
    path: str = "/sayings",
    body: str = "",
    may_fail: bool = False,
) -> Burst:
    """A burst of requests from another core. Raises Failed when one was not answered with 200 although it must be."""
    arguments = [server.port, connections, seconds, "--path", path, "--body", body]
    if requests is not None:
        arguments += ["--requests", requests]
    output = await run([sys.executable, "-m", "tests.bench.load", *map(str, arguments)], core=LOAD_CORE)
    burst = Burst(**json.loads(output))
    if burst.failures and not may_fail:
        raise Failed(f"{burst.failures} of {burst.requests} requests failed at port {server.port}")
    return burst


async def run(command: Command, *, core: int = SERVER_CORE, environ: Mapping[str, str] | None = None) -> str:
    """The output of a program that ends well. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=ROOT, env={**own_environment(), **(environ or {})}, stdout=asyncio.subprocess.PIPE
    )
    os.sched_setaffinity(process.pid, {core})
    output, _ = await process.communicate()
    if process.returncode:
        raise Failed(f"{command} ended with {process.returncode}")
    return output.decode()
