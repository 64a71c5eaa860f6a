"""The processes under test: started, struck, started again, and looked at from outside (by /proc, so on Linux)."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.chaos.plan import Blow, Outage

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process holds: bytes of memory, file descriptors, threads, children, asyncio tasks."""

    memory: int
    descriptors: int
    threads: int
    children: int
    tasks: int


@dataclass
class Machine:
    """Processes that live and die together; the first is the server, on `port`. `trouble` is what nobody wanted."""

    commands: Sequence[Sequence[str]]
    environ: Mapping[str, str]
    directory: Path
    port: int
    trouble: list[str] = field(default_factory=list)
    down: list[tuple[float, float]] = field(default_factory=list)
    starts: int = 0
    failed_starts: int = 0
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self) -> None:
        """Start everything, again and again where need be, as a supervisor would; returns when the server answers."""
        self._processes += [await self._spawn(number) for number in range(len(self.commands))]
        async with aiohttp.ClientSession() as client, asyncio.timeout(READY_SECONDS):
            while not await self._is_alive(client):
                await self._start_again()
                await asyncio.sleep(POLL_SECONDS)

    async def suffer(self, outage: Outage) -> None:
        """The blow and what follows, until the server answers again."""
        started = time.monotonic()
        self._send(outage.blow)
        if outage.blow is Blow.FREEZE:
            await asyncio.sleep(outage.seconds)
            self._signal(signal.SIGCONT)
        else:
            await self._ended(expected=0 if outage.blow is Blow.STOP else -signal.SIGKILL)
            await asyncio.sleep(outage.seconds)
            await self.start()
        self.down.append((started, time.monotonic()))

    async def stop(self) -> None:
        """In good order."""
        self._signal(signal.SIGTERM)
        await self._ended(expected=0)

    async def close(self) -> None:
        """Leave nothing behind, whatever has happened."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def memory(self) -> int:
        """The server's bytes; 0 while it is down."""
        try:
            return int(_status(self._processes[0].pid)["VmRSS"].split()[0]) * 1024
        except (OSError, LookupError):
            return 0

    async def vitals(self) -> Vitals:
        """Of the server."""
        pid = self._processes[0].pid
        descriptors, threads, children = _held(pid)
        return Vitals(self.memory(), descriptors, threads, children, await self._tasks(pid))

    def complaints(self) -> Iterator[str]:
        """What asyncio and Python themselves have written of what went wrong: tasks left behind, errors nobody met."""
        for path in sorted(self.directory.glob("*.log")):
            for line in path.read_text(errors="replace").splitlines():
                if any(sign in line for sign in _SIGNS):
                    yield f"{path.name}: {line[:300]}"

    async def _start_again(self) -> None:
        for number, process in enumerate(self._processes):
            if process.returncode is not None:
                self.failed_starts += 1
                self._processes[number] = await self._spawn(number)

    async def _spawn(self, number: int) -> asyncio.subprocess.Process:
        self.starts += 1
        with (self.directory / f"{self.starts:03d}.log").open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.chaos.watched", str(self._told), *self.commands[number],
                cwd=ROOT, env=dict(self.environ), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def _told(self) -> Path:
        return self.directory / "tasks"

    def _send(self, blow: Blow) -> None:
        self._signal(signal.Signals[blow.value])

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):  # it has ended by itself, which its exit code will show
                process.send_signal(number)

    async def _ended(self, expected: int) -> None:
        for process in self._processes:
            try:
                code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                code = await process.wait()
            if code != expected:
                self.trouble.append(f"a process ended with {code} instead of {expected}")
        self._processes.clear()

    async def _is_alive(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"http://127.0.0.1:{self.port}/health/live") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _tasks(self, pid: int) -> int:
        self._told.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR1)
        async with asyncio.timeout(STOP_SECONDS):
            while not self._told.exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(POLL_SECONDS)
        return int(self._told.read_text())


_SIGNS = ("Task was destroyed", "never retrieved", "was never awaited", "Traceback (most recent call last)")


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _held(pid: int) -> tuple[int, int, int]:
    """File descriptors, threads and children."""
    process = Path(f"/proc/{pid}")
    threads = list((process / "task").iterdir())
    children = sum(len((thread / "children").read_text().split()) for thread in threads)
    return len(list((process / "fd").iterdir())), len(threads), children


def free_port() -> int:
    """A port that stays the same over restarts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
