"""A round of four models against its slowest model alone."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from service.config import Settings
from service.domain import CallKind
from service.resources import Resources, open_resources
from service.simulator.profiles import Profile
from telemetry.events import SILENCE
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio
from tests.bench.processes import Failed, free_port, serving
from tests.bench.servers import VARIANTS
from workers.round import SERVICES_PER_MODEL, Round

ALONE = "its slowest model alone"
A_ROUND = "a round"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with AsyncExitStack() as stack:
        tell("a round of four models")
        resources = await stack.enter_async_context(_wired(size.round_speed))
        contestants = {
            ALONE: _timed(lambda: _write_alone(resources)),
            A_ROUND: _timed(lambda: _gather(resources)),
        }
        await alternating(contestants, 1)  # imports, connections
        seconds = await alternating(contestants, size.rounds)
    return [
        Measurement(
            "A round of four models",
            statistics.median(seconds[A_ROUND]),
            "s",
            ALONE,
            median_ratio(seconds[A_ROUND], seconds[ALONE]),
            Bar(1.03),
        )
    ]


@asynccontextmanager
async def _wired(speed: float) -> AsyncIterator[Resources]:
    """The service's own parts on a simulator in a process of its own."""
    with TemporaryDirectory() as name:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, VARIANTS / "simulator.py", str(port), str(speed)]
        environ = {
            "SAYINGS_STORE": f"sqlite:///{name}/sayings.db",
            "SAYINGS_SIMULATOR": url,
            "SAYINGS_DAILY_CAP_USD": "1000",
            "SAYINGS_HOURLY_CAP_USD": "1000",
        }
        async with (
            serving(command, port, folder=Path(name), environ={}, path="/health"),
            open_resources(Settings.from_env(environ), environ, SILENCE) as resources,
        ):
            yield resources


async def _write_alone(resources: Resources) -> int:
    model = max(resources.line_up, key=lambda model: Profile.of(model).median_seconds)
    services = resources.topics.names[:SERVICES_PER_MODEL]
    written = await resources.gateway.write(model, services, kind=CallKind.ROUND, timeout=30)
    return len(written.sayings)


async def _gather(resources: Resources) -> int:
    round_ = Round(
        resources.gateway, resources.store, resources.pool, resources.topics, resources.line_up, resources.listener
    )
    # Expired at once, so that the next round has its turn.
    lease = await resources.store.acquire_lease("bench", "bench", now=time.time(), seconds=0)
    assert lease is not None
    return sum(report.sayings for report in (await round_.run(lease)).models)


def _timed(work: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[float]]:
    """How long it takes. Raises Failed when no saying comes of it."""

    async def timed() -> float:
        started = time.perf_counter()
        if not await work():
            raise Failed("A round brought nothing.")
        return time.perf_counter() - started

    return timed
