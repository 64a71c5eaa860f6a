"""What is put under faults: the server on either store, and the naive one; and how their books are read afterwards."""

import asyncio
import json
import os
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol, cast

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiohttp import web

from service.catalogue.collection import collection
from service.config import Settings
from service.llm.participants import SIMULATED_KEY
from service.store.dynamodb import create_tables
from tests.aws import REGION
from tests.chaos.ledger import SHOWN, Books, Stored, pseudonym
from tests.chaos.plan import FAULT_SHARE, Spell
from tests.chaos.processes import ROOT, Machine, free_port
from tests.faults.places import OneFile, Place, Tables
from tests.faults.proxy import AwsProxy, Forward, drip, good, hang, junk, refuse, reset, truncated, unheard

LIVE_EVERY = 6


class System(Protocol):
    """A server, its store and what can be done to that."""

    name: str
    machine: Machine

    def bad_store(self, spells: Sequence[Spell]) -> AbstractAsyncContextManager[None]:
        """Faults of the store for as long as the block lasts."""

    async def books(self) -> Books:
        """What is stored and counted in the end. Stops and starts the server, so that no statistics are old."""

    async def booked(self) -> int | None:
        """Nanodollars in the server's own books; None when it keeps none."""


@dataclass
class Ours:
    """Cloud Sayings, on SQLite in one process or on DynamoDB in two."""

    name: str
    machine: Machine
    place: Place
    seed: int

    @asynccontextmanager
    async def bad_store(self, spells: Sequence[Spell]) -> AsyncIterator[None]:
        if isinstance(self.place, Tables):
            self.place.proxy.inject("*", sometimes(Random(f"{self.seed}/store")), count=None)
            yield
            self.place.proxy.clear()
        else:
            holding = asyncio.create_task(_hold(self.place, spells))
            yield
            await _cancelled(holding)

    async def books(self) -> Books:
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


@dataclass
class Naive:
    """What tests/chaos/naive.py is."""

    machine: Machine
    path: Path
    name: str = "naive"

    @asynccontextmanager
    async def bad_store(self, spells: Sequence[Spell]) -> AsyncIterator[None]:
        holding = asyncio.create_task(_hold(OneFile(self.path), spells))
        yield
        await _cancelled(holding)

    async def books(self) -> Books:
        await self.machine.stop()
        with closing(sqlite3.connect(self.path)) as database:
            votes = _rows(database, "SELECT voter, saying_id, feedback FROM votes")
            ballots = _rows(database, "SELECT voter, comparison_id, winner FROM ballots")
            counters = _rows(database, "SELECT id, upvotes, downvotes FROM sayings")
        return Books(
            tuple(Stored((pseudonym(voter), saying), feedback) for voter, saying, feedback in votes),
            tuple(Stored((pseudonym(voter), comparison), winner) for voter, comparison, winner in ballots),
            {saying: (up, down) for saying, up, down in counters},
            (sum(up for _, up, _ in counters), sum(down for _, _, down in counters)),
            sum(winner != SHOWN for *_, winner in ballots),
        )

    async def booked(self) -> None:
        return None


@asynccontextmanager
async def ours_on_sqlite(directory: Path, simulator_url: str, cap: float, seed: int) -> AsyncIterator[System]:
    place = OneFile(directory / "sayings.db")
    async with _machine([["workers.one_machine"]], directory, _settings(simulator_url, cap) | place.environ) as machine:
        yield Ours("Cloud Sayings", machine, place, seed)


@asynccontextmanager
async def ours_on_dynamodb(directory: Path, simulator_url: str, cap: float, seed: int) -> AsyncIterator[System]:
    """API and worker apart, tables and keys in moto, and between them a proxy that fails."""
    async with AsyncExitStack() as stack:
        moto = await stack.enter_async_context(_moto())
        proxy = await stack.enter_async_context(AwsProxy(moto).serve())
        place = await stack.enter_async_context(_tables(moto, proxy))
        environ = _settings(simulator_url, cap) | place.environ | {"SAYINGS_KEYS": "ssm"}
        machine = await stack.enter_async_context(_machine([["service"], ["workers"]], directory, environ))
        yield Ours("Cloud Sayings", machine, place, seed)


@asynccontextmanager
async def naive(directory: Path, simulator_url: str, cap: float, _seed: int) -> AsyncIterator[System]:
    path = directory / "naive.db"
    environ = {
        "NAIVE_DATABASE": str(path), "NAIVE_SIMULATOR": simulator_url, "NAIVE_CAP": str(cap),
        "NAIVE_LIVE_EVERY": str(LIVE_EVERY),
    }  # fmt: skip
    async with _machine([["tests.chaos.naive"]], directory, environ) as machine:
        yield Naive(machine, path)


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
async def _moto() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.moto", cwd=ROOT, stdout=PIPE, stderr=DEVNULL
    )
    try:
        yield (await cast("asyncio.StreamReader", process.stdout).readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


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


def _rows(database: sqlite3.Connection, query: str) -> list[Any]:
    return database.execute(query).fetchall()
