"""The first live saying of a fresh process against those after it. The model takes the same time for each."""

import asyncio
import statistics
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from tests.bench.measurement import Bar, Measurement, Size, Tell, median_ratio
from tests.bench.processes import Failed, Server, free_port, serving
from tests.bench.servers import VARIANTS, api

LATER_ONES = "those after it"
# A process that computes for less than a twentieth of this time has loaded what it loads beside its first answers.
REST_SECONDS = 1.0
MOST_REQUESTS = 50


def measure(size: Size, tell: Tell) -> list[Measurement]:
    tell("first live sayings")
    firsts, later = [], []
    for _ in range(size.starts):
        first, *others = asyncio.run(_new_process(size.round_speed))
        firsts.append(first)
        later.append(statistics.median(others))
    return [
        Measurement(
            "First live saying of a process",
            statistics.median(firsts),
            "ms",
            LATER_ONES,
            median_ratio(firsts, later),
            Bar(1.2),
            {LATER_ONES: statistics.median(later)},
        )
    ]


async def _new_process(speed: float) -> list[float]:
    """The milliseconds of the first live sayings of a new server."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        models, port = free_port(), free_port()
        command = [sys.executable, VARIANTS / "simulator.py", str(models), str(speed)]
        await stack.enter_async_context(serving(command, models, folder=folder, environ={}, path="/health"))
        environ = {
            "SAYINGS_STORE": f"sqlite:///{folder}/sayings.db",
            "SAYINGS_SIMULATOR": f"http://127.0.0.1:{models}",
            "SAYINGS_LINE_UP": "gpt-4.1-mini",
            "SAYINGS_LIVE_EVERY": "1",
            "SAYINGS_DAILY_CAP_USD": "1000",
            "SAYINGS_HOURLY_CAP_USD": "1000",
        }
        server = await stack.enter_async_context(api(port, folder, environ))
        await _rest(server)
        return await _live_sayings(server, 6)


async def _rest(server: Server) -> None:
    before = -1.0
    while server.cpu_seconds - before > REST_SECONDS / 20:
        before = server.cpu_seconds
        await asyncio.sleep(REST_SECONDS)


async def _live_sayings(server: Server, number: int) -> list[float]:
    found: list[float] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        for _ in range(MOST_REQUESTS):
            async with session.get("/sayings") as answer:
                saying = await answer.json()
            if saying["origin"] == "live":
                found.append(saying["executionTime"])
            if len(found) == number:
                return found
    raise Failed("A server wrote too few live sayings.")
