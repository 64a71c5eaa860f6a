"""Ten thousand comparisons by fifty clients of three servers, one of them killed in mid-call: what is spent."""

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from service.catalogue.models import NANOS_PER_DOLLAR
from service.simulator import Simulator
from tests.bench.measurement import Bar, Measurement, Size, Tell
from tests.bench.processes import CORES, free_port
from tests.bench.servers import api
from tests.bill import Bill

CLIENTS = 50
SERVERS = 3
CAP_USD = 1
JSON = "application/json"
# Half as long as real models take.
SPEED = 0.5
# The first server dies whenever so many of its calls are under way.
KILLS, CALLS_UNDER_WAY = 3, 20
BOOKED = "SELECT max(nanos) FROM spend"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    tell(f"{size.compares:,} comparisons at a cap of ${CAP_USD}")
    return asyncio.run(_measure(size))


async def _measure(size: Size) -> list[Measurement]:
    # Each server has its own, which knows what that server has under way.
    simulators = [Simulator(seed=seed, speed=SPEED) for seed in range(SERVERS)]
    with TemporaryDirectory() as name:
        database = Path(name, "sayings.db")
        environ = {
            "SAYINGS_STORE": f"sqlite:///{database}",
            "SAYINGS_DAILY_CAP_USD": str(CAP_USD),
            "SAYINGS_HOURLY_CAP_USD": str(CAP_USD),
            # All from one address, and all at once: nothing but the cap is in the way.
            "SAYINGS_COMPARE_RATE": "off",
            "SAYINGS_MAX_LIVE_CALLS": str(4 * CLIENTS),
        }
        answers = await _attack(simulators, Path(name), environ, size.compares)
        with closing(sqlite3.connect(database)) as connection:
            booked = connection.execute(BOOKED).fetchone()[0] / NANOS_PER_DOLLAR
    bill, cut = Bill(), sum(call.cancelled for call in simulators[0].calls)
    for simulator in simulators:
        bill.collect(simulator)
    billed = bill.nanos / NANOS_PER_DOLLAR
    return [
        Measurement(
            f"{size.compares:,} comparisons by {CLIENTS} clients of {SERVERS} servers at a cap of ${CAP_USD}",
            max(booked, billed, CAP_USD) - CAP_USD,
            "$ over",
            bar=Bar(0),
            details={"$ booked": booked, "$ billed": billed, "calls cut by kill -9": cut, **answers},
        )
    ]


async def _attack(simulators: list[Simulator], folder: Path, environ: Mapping[str, str], compares: int) -> Counter[str]:
    """What the clients met."""
    answers, numbers = Counter[str](), iter(range(compares))
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(simulator.serve()) for simulator in simulators]
        starts = [partial(api, free_port(), folder, {**environ, "SAYINGS_SIMULATOR": url}) for url in urls]
        servers = [await stack.enter_async_context(start()) for start in starts]
        for server in servers:  # nothing here is timed
            os.sched_setaffinity(server.pid, CORES)

        async def kill() -> None:
            victim = servers[0]
            for _ in range(KILLS):
                await simulators[0].until(lambda: simulators[0].in_flight >= CALLS_UNDER_WAY)
                os.kill(victim.pid, signal.SIGKILL)
                victim = await stack.enter_async_context(starts[0]())

        killing = asyncio.create_task(kill())
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            ports = [server.port for server in servers]
            await asyncio.gather(*(_compare(session, ports, numbers, answers) for _ in range(CLIENTS)))
        killing.cancel()
        with suppress(asyncio.CancelledError):
            await killing
    return answers


async def _compare(
    session: aiohttp.ClientSession, ports: list[int], numbers: Iterator[int], answers: Counter[str]
) -> None:
    headers = {"Content-Type": JSON, "Accept": JSON}
    for number in numbers:
        url = f"http://127.0.0.1:{ports[number % SERVERS]}/compare"
        try:
            async with session.post(url, data=b"{}", headers=headers) as answer:
                await answer.read()
                answers[f"answered {answer.status}"] += 1
        except aiohttp.ClientError:
            answers["met a dead server"] += 1
