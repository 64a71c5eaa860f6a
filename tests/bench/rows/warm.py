"""A warm GET /sayings: ours without and with telemetry, against a bare handler and OpenTelemetry's instrumentation."""

import asyncio
import statistics
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import servers
from tests.bench.load import Burst
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio
from tests.bench.processes import Server, load

BARE = "bare aiohttp handler"
# Requests per second of ours, with every metric and the usual share of traces, to the bare handler's.
BAR = Bar(0.60, at_least=True)
BAR_HOLDS_FOR = ("ours, 5 % sampled", 32)
WARM_UP_CONNECTIONS, WARM_UP_SECONDS = 32, 0.5
SHARES = {"5 %": "0.05", "100 %": "1"}


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with AsyncExitStack() as stack:
        tell("starting six servers")
        folder = Path(stack.enter_context(TemporaryDirectory()))
        contestants = await _open_all(stack, folder)
        found = []
        for connections in size.connections:
            tell(f"{connections} connections")
            bursts = await alternating(
                {name: partial(_burst, server, connections, size.seconds) for name, server in contestants.items()},
                size.rounds,
            )
            found += [_line(name, connections, bursts) for name in contestants]
        return found


async def _open_all(stack: AsyncExitStack, folder: Path) -> dict[str, Server]:
    url = await stack.enter_async_context(servers.collector(folder))
    open_ = stack.enter_async_context
    contestants = {
        BARE: await open_(servers.bare(folder)),
        "ours, telemetry off": await open_(servers.ours(folder)),
    }
    for told, share in SHARES.items():
        environ = _telemetry(url, share)
        contestants[f"ours, {told} sampled"] = await open_(servers.ours(folder, environ))
        contestants[f"OpenTelemetry's, {told} sampled"] = await open_(servers.instrumented(folder, environ))
    for name, server in contestants.items():
        if name.startswith("ours"):
            await servers.warm_up(server)
        await load(server, WARM_UP_CONNECTIONS, WARM_UP_SECONDS)  # what is imported with the first export
    return contestants


async def _burst(server: Server, connections: int, seconds: float) -> tuple[Burst, float]:
    """A burst, and the server's microseconds of CPU for each request: what a busy machine disturbs least."""
    before = server.cpu_seconds
    burst = await load(server, connections, seconds)
    return burst, (server.cpu_seconds - before) / burst.requests * 1e6


def _telemetry(url: str, share: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": share,
    }


def _line(name: str, connections: int, bursts: Mapping[str, list[tuple[Burst, float]]]) -> Measurement:
    own, bare = ([burst for burst, _ in bursts[who]] for who in (name, BARE))
    return Measurement(
        f"GET /sayings, {name}, {connections} at once",
        statistics.median(burst.per_second for burst in own),
        "per second",
        "" if name == BARE else BARE,
        median_ratio([burst.per_second for burst in own], [burst.per_second for burst in bare]),
        BAR if (name, connections) == BAR_HOLDS_FOR else None,
        {
            "p50 ms": statistics.median(burst.p50_ms for burst in own),
            "p99 ms": statistics.median(burst.p99_ms for burst in own),
            "CPU µs": statistics.median(cpu for _, cpu in bursts[name]),
            "generator busy": max(burst.busy for burst in own),
        },
    )
