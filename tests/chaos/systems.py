"""The system under faults, on either store, and how its books are read afterwards."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiohttp import web

from service.catalogue.collection import collection
from service.config import Settings
from service.participants import SIMULATED_KEY
from service.store.dynamodb import create_tables
from tests.aws import REGION
from tests.chaos.ledger import SHOWN, Books, Stored
from tests.chaos.plan import FAULT_SHARE, Spell
from tests.chaos.processes import ROOT, Machine, free_port
from tests.faults.places import OneFile, Place, Tables
from tests.faults.proxy import AwsProxy, Forward, drip, good, hang, junk, refuse, reset, truncated, unheard
from tests.moto_server import serving_moto

LIVE_EVERY = 6


@dataclass
class System:
    """Cloud Sayings, on SQLite in one process or on DynamoDB in two."""

    machine: Machine
    place: Place
    seed: int

    @asynccontextmanager
    async def bad_store(self, spells: Sequence[Spell]) -> AsyncIterator[None]:
        """Faults of the store for as long as the block lasts."""
        if isinstance(self.place, Tables):
            self.place.proxy.inject("*", sometimes(Random(f"{self.seed}/store")), count=None)
            yield
            self.place.proxy.clear()
        else:
            holding = asyncio.create_task(_hold(self.place, spells))
            yield
            await _cancelled(holding)

    async def books(self) -> Books:
        """What is stored and counted in the end. The server starts anew for it, so that no statistics are old."""
        await self.machine.stop()
        await self.machine.start()
        stats = await _get(self.machine.port, "/stats")
        await self.machine.stop()
        votes, ballots, sayings = [await self._export(what) for what in ("votes", "comparisons", "sayings")]
        return Books(
            tuple(Stored((row["voter"], row["saying_id"]), row["feedback_type"]) for row in votes),
            tuple(Stored((row["voter"], row["comparison_id"]), row["winner"] or SHOWN) for row in ballots),
            {row["saying_id"]: (row["upvotes"], row["downvotes"]) for row in sayings},
            (stats["totals"]["raw"]["upvotes"], stats["totals"]["raw"]["downvotes"]),
            stats["comparisons"]["raw"],
        )

    async def booked(self) -> int:
        """Nanodollars in the server's own books."""
        return await self.place.spent()

    async def _export(self, what: str) -> list[dict[str, Any]]:
        path = self.machine.directory / f"{what}.jsonl"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service", "export", what, "--format", "jsonl", "--output", str(path),
            cwd=ROOT, env=dict(self.machine.environ), stderr=DEVNULL,
        )  # fmt: skip
        if await process.wait():
            raise RuntimeError(f"{what} could not be exported")
        return [json.loads(line) for line in path.read_text().splitlines()]


@asynccontextmanager
async def on_sqlite(directory: Path, simulator_url: str, cap: float, seed: int) -> AsyncIterator[System]:
    place = OneFile(directory / "sayings.db")
    async with _machine([["workers.one_machine"]], directory, _settings(simulator_url, cap) | place.environ) as machine:
        yield System(machine, place, seed)


@asynccontextmanager
async def on_dynamodb(directory: Path, simulator_url: str, cap: float, seed: int) -> AsyncIterator[System]:
    """API and worker apart, tables and keys in moto, and between them a proxy that fails."""
    async with AsyncExitStack() as stack:
        moto = stack.enter_context(serving_moto())
        proxy = await stack.enter_async_context(AwsProxy(moto).serve())
        place = await stack.enter_async_context(_tables(moto, proxy))
        environ = _settings(simulator_url, cap) | place.environ | {"SAYINGS_KEYS": "ssm"}
        machine = await stack.enter_async_context(_machine([["service"], ["workers"]], directory, environ))
        yield System(machine, place, seed)


@asynccontextmanager
async def _machine(commands: list[list[str]], directory: Path, environ: dict[str, str]) -> AsyncIterator[Machine]:
    port = free_port()
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SAYINGS_PORT": str(port)}
    machine = Machine(commands, given | environ, directory, port)
    try:
        await machine.start()
        yield machine
    finally:
        await machine.close()


def _settings(simulator_url: str, cap: float) -> dict[str, str]:
    return {
        "SAYINGS_SIMULATOR": simulator_url,
        "SAYINGS_DAILY_CAP_USD": str(cap),
        "SAYINGS_HOURLY_CAP_USD": str(cap),
        "SAYINGS_LIVE_EVERY": str(LIVE_EVERY),
        "SAYINGS_TRUSTED_PROXIES": "1",  # so that visitors have addresses of their own
    }


# --- stores that fail -------------------------------------------------------------------------------------------------

_AWS_FAULTS = (
    reset, hang, drip, truncated, junk(b"<html>"), junk(b""), unheard(reset),
    refuse("ProvisionedThroughputExceededException"), refuse("ThrottlingException"), refuse("InternalServerError", 500),
)  # fmt: skip


def sometimes(rng: Random) -> Any:
    """A fault of the proxy that strikes a share of the calls, each time as another kind."""

    async def maybe(request: web.Request, forward: Forward) -> web.StreamResponse:
        fault = rng.choice(_AWS_FAULTS) if rng.random() < FAULT_SHARE else good
        return await fault(request, forward)

    return maybe


async def _hold(place: Place, spells: Iterable[Spell]) -> None:
    beginning = asyncio.get_running_loop().time()
    for spell in spells:
        await asyncio.sleep(beginning + spell.at - asyncio.get_running_loop().time())
        with place.hold():
            await asyncio.sleep(spell.seconds)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- reading and preparing --------------------------------------------------------------------------------------------


@asynccontextmanager
async def _tables(moto: str, proxy: AwsProxy) -> AsyncIterator[Tables]:
    """Tables with the collection in them, and keys."""
    session = aioboto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
    patient = AioConfig(connect_timeout=60, read_timeout=60, max_pool_connections=50)  # moto's first answer takes long
    async with (
        session.client("dynamodb", endpoint_url=moto, config=patient) as dynamodb,
        session.client("ssm", endpoint_url=moto, config=patient) as ssm,
    ):
        for name in Settings().key_parameters.values():
            await ssm.put_parameter(Name=name, Value=SIMULATED_KEY, Type="SecureString")
        place = Tables(proxy, "chaos-", dynamodb)
        await create_tables(dynamodb, place.prefix)
        await place.store.put_sayings(collection())
        yield place


async def _get(port: int, path: str) -> Any:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}{path}") as answer:
        return await answer.json()
