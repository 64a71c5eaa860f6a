"""A vote on SQLite and on DynamoDB as moto plays it, each against the least that the same engine can write."""

import asyncio
import sqlite3
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aioboto3

from service.catalogue.collection import collection
from service.domain import FeedbackType, Vote
from service.store.base import Store
from service.store.dynamodb import DynamoStore, create_tables
from service.store.dynamodb.tables import FEEDBACK
from service.store.sqlite import SqliteStore
from tests.bench.measurement import Measurement, Size, Tell, alternating, median_ratio, percentile
from tests.moto_server import serving_moto

VOTERS_AT_ONCE = 16
SAYINGS = 20
REGION = "us-east-1"
LEAST_SQLITE, LEAST_DYNAMODB = "one committed INSERT", "one PutItem"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    with TemporaryDirectory() as name:
        tell("votes on SQLite")
        sqlite = await _on_sqlite(Path(name), size)
    tell("votes on DynamoDB")
    async with _dynamodb() as (store, put):
        # moto carries out one call at a time, and its transactions are whole only then.
        dynamodb = await alternating(
            {
                "ours": lambda: _votes(store, size.dynamo_votes, at_once=1),
                LEAST_DYNAMODB: lambda: _timed([put] * size.dynamo_votes, at_once=1),
            },
            size.rounds,
        )
    return [
        _line("A vote on SQLite", sqlite, LEAST_SQLITE),
        _line("A vote on DynamoDB (moto)", dynamodb, LEAST_DYNAMODB),
    ]


@dataclass(frozen=True, slots=True)
class Timing:
    per_second: float
    p99_ms: float


async def _on_sqlite(folder: Path, size: Size) -> dict[str, list[Timing]]:
    store = await SqliteStore.open(folder / "votes.db")
    try:
        await store.put_sayings(collection()[:SAYINGS])
        return await alternating(
            {
                "ours": lambda: _votes(store, size.votes, at_once=VOTERS_AT_ONCE),
                LEAST_SQLITE: lambda: asyncio.to_thread(_inserts, folder / "least.db", size.votes),
            },
            size.rounds,
        )
    finally:
        await store.close()


async def _votes(store: Store, count: int, *, at_once: int) -> Timing:
    """New voters, one after the other and so many at once."""
    return await _timed((partial(_vote, store, number) for number in range(count)), at_once=at_once)


async def _vote(store: Store, number: int) -> None:
    saying = collection()[number % SAYINGS]
    vote = Vote(saying.saying_id, uuid.uuid4().hex, FeedbackType.POSITIVE, time.time())
    assert await store.vote(vote) is not None


async def _timed(works: Iterable[Callable[[], Awaitable[None]]], *, at_once: int) -> Timing:
    """Do all that, so many at once."""
    todo = iter(works)
    milliseconds: list[float] = []

    async def take_some() -> None:
        for work in todo:
            started = time.perf_counter()
            await work()
            milliseconds.append(1000 * (time.perf_counter() - started))

    started = time.perf_counter()
    await asyncio.gather(*(take_some() for _ in range(at_once)))
    return Timing(len(milliseconds) / (time.perf_counter() - started), percentile(milliseconds, 0.99))


def _inserts(path: Path, count: int) -> Timing:
    """What a transaction costs that is one INSERT, as durable as a vote's."""
    milliseconds = []
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS least (voter TEXT PRIMARY KEY) WITHOUT ROWID")
        for _ in range(count):
            started = time.perf_counter()
            database.execute("INSERT INTO least VALUES (?)", (uuid.uuid4().hex,))
            milliseconds.append(1000 * (time.perf_counter() - started))
    finally:
        database.close()
    return Timing(1000 * count / sum(milliseconds), percentile(milliseconds, 0.99))


@asynccontextmanager
async def _dynamodb() -> AsyncIterator[tuple[DynamoStore, Callable[[], Awaitable[None]]]]:
    """A store, and the least that can be written beside it."""
    session = aioboto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
    async with AsyncExitStack() as stack:
        moto_url = stack.enter_context(serving_moto())
        client = await stack.enter_async_context(session.client("dynamodb", endpoint_url=moto_url))
        await create_tables(client, "")

        async def put() -> None:
            item = {"saying_id": {"S": uuid.uuid4().hex}, "voter": {"S": "least"}}
            await client.put_item(TableName=FEEDBACK, Item=item)

        store = DynamoStore(client)
        await store.put_sayings(collection()[:SAYINGS])
        yield store, put


def _line(name: str, timings: dict[str, list[Timing]], least: str) -> Measurement:
    ours, theirs = timings["ours"], timings[least]
    return Measurement(
        name,
        statistics.median(timing.per_second for timing in ours),
        "per second",
        least,
        median_ratio([timing.per_second for timing in ours], [timing.per_second for timing in theirs]),
        details={
            "p99 ms": statistics.median(timing.p99_ms for timing in ours),
            least: statistics.median(timing.per_second for timing in theirs),
        },
    )
