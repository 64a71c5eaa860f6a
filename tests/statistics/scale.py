"""Whether a report takes longer when more votes are stored: timed at a thousand and at a million, in turns.

`python -m tests.statistics.scale` prints the medians and their ratio; section 13 of the design allows 1.2.
"""

import asyncio
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from rich.console import Console

from service.statistics.report import first_hour, report
from service.store.base import Store
from service.store.sqlite import SqliteStore
from tests.fakes import the_catalogue
from tests.statistics.simulated_day import BURST_LIMIT, played

FEW, FACTOR = 1_000, 1_000
ROUNDS = 100

# Every vote many times over, each by another voter and at another hour of some sixty days, and what it counts for.
_MULTIPLY = f"""
CREATE TEMP TABLE times AS
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {FACTOR} - 1) SELECT n FROM n;
INSERT INTO saying_feedback SELECT saying_id, voter || ' ' || n, feedback_type, cast_at - n * 5000, burst,
    claimed_execution_ms, claimed_cached, contributor, first_cast_at - n * 5000 FROM saying_feedback, times;
UPDATE main_humor SET upvotes = upvotes * {FACTOR}, downvotes = downvotes * {FACTOR};
UPDATE tallies SET serves = serves * {FACTOR}, upvotes = upvotes * {FACTOR}, downvotes = downvotes * {FACTOR}
    WHERE scope <> 'hour';
UPDATE outcomes SET votes = votes * {FACTOR};
UPDATE latencies SET calls = calls * {FACTOR};
INSERT OR REPLACE INTO tallies
    SELECT 'hour', strftime('%Y-%m-%dT%H', first_cast_at, 'unixepoch'), contributor, 0,
        sum(feedback_type = 'POSITIVE'), sum(feedback_type = 'NEGATIVE'), 0, 0
    FROM saying_feedback GROUP BY 2, 3;
"""


async def timed_report(store: Store, now: float) -> tuple[float, float]:
    """The milliseconds of reading what is counted, and of all."""
    catalogue = the_catalogue()
    started = time.perf_counter()
    aggregates = await store.aggregates(since_hour=first_hour(now))
    read = time.perf_counter()
    report(aggregates, catalogue, catalogue, simulated=False, now=now, burst_limit=BURST_LIMIT)
    return (read - started) * 1000, (time.perf_counter() - started) * 1000


async def play_few(path: Path, now: float) -> None:
    store = await SqliteStore.open(path, burst_limit=BURST_LIMIT)
    await played(store, votes=FEW, ballots=FEW, singles=100, burst=0, now=now, fuss=False)
    await store.close()


def multiply(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"BEGIN; {_MULTIPLY} COMMIT;")


async def main() -> None:
    console, now = Console(width=120), time.time()
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder, "few.db"), Path(folder, "many.db")
        await play_few(few, now)
        shutil.copy(few, many)
        multiply(many)
        stores = [await SqliteStore.open(path, burst_limit=BURST_LIMIT) for path in (few, many)]
        timed = [[await timed_report(store, now) for store in stores] for _ in range(ROUNDS)]
        sizes = [(await store.sizes())["votes"] for store in stores]
        for store in stores:
            await store.close()
    medians = [[median(times) for times in zip(*column, strict=True)] for column in zip(*timed, strict=True)]
    for votes, (read, whole) in zip(sizes, medians, strict=True):
        console.print(f"{votes} votes: {read:.2f} ms to read, {whole:.2f} ms in all")
    (few_read, few_whole), (many_read, many_whole) = medians
    console.print(f"ratio: {many_read / few_read:.3f} to read, {many_whole / few_whole:.3f} in all")


if __name__ == "__main__":
    asyncio.run(main())
