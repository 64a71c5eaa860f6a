"""A random saying: as fast from a large table as from a small one, and every saying as likely as the next."""

import asyncio
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from statistics import NormalDist
from tempfile import TemporaryDirectory

from service.store.sqlite import SqliteStore
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio

SMALL_TABLE = 1_000
DRAWS_A_ROUND = 2_000
# A fair draw comes out below it once in a thousand runs.
LEAST_PROBABILITY = 0.001
FILL = """
WITH RECURSIVE counted(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < ?)
INSERT INTO main_humor (saying_id, saying, services, source, contributor)
SELECT printf('%032x', number), 'Amazon S3 is an attic, saying ' || number, '["Amazon S3"]', 'From the collection',
       'collection' FROM counted
"""


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    async with AsyncExitStack() as stack:
        tell(f"{size.large_table:,} sayings")
        small = await stack.enter_async_context(_store_of(SMALL_TABLE))
        large = await stack.enter_async_context(_store_of(size.large_table))
        seconds = await alternating({"small": lambda: _draws(small), "large": lambda: _draws(large)}, size.rounds)
        tell("the draw's uniformity")
        statistic, probability = await _chi_square(small, size.draws)
    return [
        Measurement(
            f"A random saying of {size.large_table:,}",
            statistics.median(seconds["large"]) / DRAWS_A_ROUND * 1e6,
            "µs",
            f"one of {SMALL_TABLE:,}",
            median_ratio(seconds["large"], seconds["small"]),
        ),
        Measurement(
            f"{size.draws:,} draws from {SMALL_TABLE:,} sayings are even",
            probability,
            "p",
            bar=Bar(LEAST_PROBABILITY, at_least=True),
            details={"chi-square per degree of freedom": statistic},
        ),
    ]


@asynccontextmanager
async def _store_of(count: int) -> AsyncIterator[SqliteStore]:
    with TemporaryDirectory() as name:
        path = Path(name, "sayings.db")
        store = await SqliteStore.open(path)
        try:
            with closing(sqlite3.connect(path)) as database, database:
                database.execute(FILL, (count,))
            yield store
        finally:
            await store.close()


async def _draws(store: SqliteStore) -> float:
    """Seconds that they take."""
    started = time.perf_counter()
    for _ in range(DRAWS_A_ROUND):
        await store.random_saying()
    return time.perf_counter() - started


async def _chi_square(store: SqliteStore, draws: int) -> tuple[float, float]:
    """The statistic by its degrees of freedom, and how likely a fair draw is to be as uneven (Wilson-Hilferty)."""
    counts = Counter([saying.saying_id for _ in range(draws) if (saying := await store.random_saying())])
    expected = draws / SMALL_TABLE
    never = (SMALL_TABLE - len(counts)) * expected
    freedom = SMALL_TABLE - 1
    statistic = (sum((count - expected) ** 2 / expected for count in counts.values()) + never) / freedom
    spread = 2 / (9 * freedom)
    return statistic, 1 - NormalDist(1 - spread, spread**0.5).cdf(statistic ** (1 / 3))
