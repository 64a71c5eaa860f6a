"""Memory of the server: after its start, after 100,000 requests, and for connections that do nothing."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import servers
from tests.bench.load import Connection, request_bytes
from tests.bench.measurement import Bar, Measurement, Size, Tell
from tests.bench.processes import Server, load

CONNECTIONS = 32
PATIENCE_SECONDS = 600.0
# Past everything that is imported, grown or opened once: the first round brings the vendors' SDKs within seconds.
WARM_UP_REQUESTS = 60_000


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with AsyncExitStack() as stack:
        tell("memory after the start")
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = await stack.enter_async_context(servers.collector(folder))
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "SAYINGS_MAX_CONNECTIONS": "2000"}
        own = await stack.enter_async_context(servers.ours(folder, environ))
        bare = await stack.enter_async_context(servers.bare(folder))
        started = {server: server.memory for server in (own, bare)}
        tell(f"memory after {size.requests:,} requests")
        await servers.warm_up(own)
        send = partial(load, own, CONNECTIONS, PATIENCE_SECONDS)
        await send(requests=WARM_UP_REQUESTS)
        warm = own.memory
        await send(requests=size.requests)
        after = own.memory
        tell(f"memory of {size.idle_connections:,} idle connections")
        idle = {server: _idle(server, size.idle_connections) for server in (own, bare)}
    return [
        Measurement("Memory after the start", started[own], "MB", "bare aiohttp handler", started[own] / started[bare]),
        Measurement(f"Memory after {size.requests:,} requests", after, "MB", "after warm-up", after / warm, Bar(1.02)),
        Measurement(
            "Memory of 1,000 idle connections", idle[own], "MB", "bare aiohttp handler", idle[own] / idle[bare]
        ),
    ]


def _idle(server: Server, count: int) -> float:
    """Megabytes for a thousand connections, each of which has asked once."""
    before = server.memory
    connections = [Connection(server.port, request_bytes("/sayings", "")) for _ in range(count)]
    try:
        for connection in connections:
            connection.ask()
            while connection.receive() is None:
                pass
        return (server.memory - before) / count * 1000
    finally:
        for connection in connections:
            connection.socket.close()
