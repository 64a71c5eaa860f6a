"""GET /stats over a thousand, a hundred thousand and a million votes: read anew, as it is every two minutes."""

import asyncio
import random
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from service.domain import Attribution, FeedbackType, Vote
from service.statistics.cached import Statistics
from service.store.sqlite import SqliteStore
from telemetry.events import SILENCE
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio
from tests.fakes import the_line_up
from tests.store.builders import call, comparison, shown
from tests.support import NAMES, model_saying

BAR = Bar(1.2)
# The day that is played through the store; the rest are its copies, voters and all.
PLAYED = 1_000
SAYINGS, COMPARISONS = 60, 80
HOURS = 23.0
READS = 20
VOTE_COLUMNS = (
    "contributor, first, first_cast_at, opinion, cast_at, attribution, standing, network, claimed_execution_ms, "
    "claimed_cached"
)
COPY = (
    f"""
    INSERT INTO saying_feedback (saying_id, voter, {VOTE_COLUMNS})
    SELECT saying_id, voter || ' of ' || value, {VOTE_COLUMNS} FROM saying_feedback, copies
    """,
    "UPDATE vote_tallies SET votes = votes * :times, upvotes = upvotes * :times",
    "UPDATE main_humor SET upvotes = upvotes * :times, downvotes = downvotes * :times",
)


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with AsyncExitStack() as stack:
        stores = {}
        for votes in size.stats_votes:
            tell(f"filling a store with {votes:,} votes")
            stores[votes] = await stack.enter_async_context(_store_with(votes))
        tell("reading them")
        seconds = await alternating({votes: partial(_reads, store) for votes, store in stores.items()}, size.rounds)
    least, *others = size.stats_votes
    return [
        Measurement(
            f"GET /stats at {votes:,} votes, nothing cached",
            statistics.median(seconds[votes]) / READS * 1000,
            "ms",
            f"at {least:,} votes",
            median_ratio(seconds[votes], seconds[least]),
            BAR,
            {f"at {least:,} votes": statistics.median(seconds[least]) / READS * 1000},
        )
        for votes in others
    ]


@asynccontextmanager
async def _store_with(votes: int) -> AsyncIterator[SqliteStore]:
    with TemporaryDirectory() as name:
        path = Path(name, "sayings.db")
        store = await SqliteStore.open(path)
        try:
            await _play(store)
            _multiply(path, votes // PLAYED)
            yield store
        finally:
            await store.close()


async def _play(store: SqliteStore) -> None:
    """Votes on sayings of all models in the hours before, comparisons with a vote on each, and as many calls."""
    now, chance = time.time(), random.Random(1)
    sayings = [model_saying(f"{model} {n}", model=model, created_at=now) for model in NAMES for n in range(SAYINGS)]
    await store.put_sayings(sayings)
    for number in range(PLAYED):
        feedback, at = chance.choice(list(FeedbackType)), now - chance.uniform(0, HOURS * 3600)
        saying = chance.choice(sayings).saying_id
        await store.vote(Vote(saying, f"voter {number}", feedback, at, Attribution.BLIND))
    for number in range(COMPARISONS):
        compared = comparison(f"comparison {number}", failed="")
        await store.put_comparison(compared, shown(compared))
        await store.cast_ballot(compared.comparison_id, "ann", chance.choice("ABCD"), at=now)
        await store.record_call(call(f"call {number}", latency_ms=chance.uniform(500, 5_000)))


def _multiply(path: Path, times: int) -> None:
    """Make of every vote that many, and of what is counted as well."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TEMP TABLE copies (value INTEGER)")
        database.executemany("INSERT INTO copies VALUES (?)", [(copy,) for copy in range(1, times)])
        for statement in COPY:
            database.execute(statement, {"times": times} if ":times" in statement else {})
    with closing(sqlite3.connect(path)) as database:  # as after writes that came one by one
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _reads(store: SqliteStore) -> float:
    """Seconds of so many answers, each read and computed from the start."""
    started = time.perf_counter()
    for _ in range(READS):
        current = Statistics(
            store=store,
            line_up=the_line_up(),
            simulated=False,
            listener=SILENCE,
        )
        await current.encoded()
        await current.close()
    return time.perf_counter() - started
