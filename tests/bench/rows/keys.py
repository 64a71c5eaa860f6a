"""The key store against Powertools' get_parameter and a plain dictionary: a hit, and 10,000 misses at once."""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from unittest.mock import patch

from aiohttp import web

from deploy.environments import environment
from service.aws.clients import AwsClients
from service.keys.key_store import KeyStore
from service.keys.sources import SsmKeySource
from telemetry.events import SILENCE
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio
from tests.bench.processes import run
from tests.bench.servers import VARIANTS

NAME = "/api-key/anthropic"
REGION = "eu-west-1"
MISSES = 10_000
# As many as AWS's own default pool of connections has room for, and then some.
THREADS = 32
SSM_SECONDS = 0.02
POWERTOOLS, DICTIONARY = "Powertools' get_parameter", "a plain dictionary"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with Ssm().listening() as (ssm, environ):
        tell("10,000 keys that are not there yet")
        ours = await _our_misses(ssm, environ)
        tell("keys that are there")
        before = len(ssm.calls)
        nanoseconds = await alternating(
            {
                "ours": lambda: _our_hit(environ, size.key_hits),
                DICTIONARY: lambda: _dictionary_hit(size.key_hits),
                POWERTOOLS: lambda: _powertools_hit(environ, size.key_hits),
            },
            size.rounds,
        )
        # Each of our rounds began with one call; the rest are Powertools'.
        theirs = (len(ssm.calls) - before) / size.rounds - 1
    hits = [
        Measurement(
            f"Key store, a hit against {other}",
            statistics.median(nanoseconds["ours"]),
            "ns",
            other,
            median_ratio(nanoseconds["ours"], nanoseconds[other]),
            bar,
            {other: statistics.median(nanoseconds[other])},
        )
        for other, bar in ((POWERTOOLS, Bar(0.2)), (DICTIONARY, None))
    ]
    return [
        *hits,
        Measurement("Key store, 10,000 misses at once", ours, "SSM calls", bar=Bar(1), details={POWERTOOLS: theirs}),
    ]


class Ssm:
    """Parameter Store, counting: every call is answered with a key after a while."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def get_parameter(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        self.calls.append(asked["Name"])
        await asyncio.sleep(SSM_SECONDS)
        parameter = {"Name": asked["Name"], "Type": "SecureString", "Value": "sk-simulated", "Version": 1}
        return web.Response(
            body=json.dumps({"Parameter": parameter}).encode(), content_type="application/x-amz-json-1.1"
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple["Ssm", dict[str, str]]]:
        """Serve; yields itself and the environment of the process that is to call it."""
        runner = web.ServerRunner(web.Server(self.get_parameter))  # type: ignore[arg-type]  # gets no more than that
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield self, _environ(f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()


def _environ(url: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    return {"AWS_ENDPOINT_URL": url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **keys}


@asynccontextmanager
async def _key_store(environ: dict[str, str]) -> AsyncIterator[KeyStore]:
    async with AsyncExitStack() as stack:
        with patch.dict("os.environ", environ):
            client = await AwsClients(REGION, stack).ssm()
        keys = KeyStore(SsmKeySource(client), SILENCE)
        stack.push_async_callback(keys.close)
        yield keys


async def _our_misses(ssm: Ssm, environ: dict[str, str]) -> int:
    """How many SSM calls they make."""
    before = len(ssm.calls)
    async with _key_store(environ) as keys:
        await asyncio.gather(*(keys.get(NAME) for _ in range(MISSES)))
    return len(ssm.calls) - before


async def _our_hit(environ: dict[str, str], hits: int) -> float:
    async with _key_store(environ) as keys:
        await keys.get(NAME)
        started = time.perf_counter_ns()
        for _ in range(hits):
            await keys.get(NAME)
        return (time.perf_counter_ns() - started) / hits


async def _dictionary_hit(hits: int) -> float:
    keys = {NAME: "sk-simulated"}
    started = time.perf_counter_ns()
    for _ in range(hits):
        keys[NAME]
    return (time.perf_counter_ns() - started) / hits


async def _powertools_hit(environ: dict[str, str], hits: int) -> float:
    python = environment("bench") / "python"
    command = [python, VARIANTS / "powertools.py", NAME, *map(str, (hits, MISSES, THREADS))]
    return float(await run(command, environ=environ))
