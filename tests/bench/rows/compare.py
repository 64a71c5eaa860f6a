"""Ten thousand comparisons by fifty clients at a cap of a dollar: what is spent beyond it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from service.catalogue import NANOS_PER_DOLLAR
from tests.bench import servers
from tests.bench.measurement import Bar, Measurement, Size, Tell
from tests.bench.processes import load

CLIENTS = 50
CAP_USD = 1
FIRST = 10
PATIENCE_SECONDS = 600.0
# By the books, and by what the simulated vendors counted.
RESERVED = "SELECT max(nanos) FROM spend"
BILLED = "SELECT sum(cost_nanos) FROM calls"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    tell(f"{size.compares:,} comparisons at a cap of ${CAP_USD}")
    return asyncio.run(_measure(size))


async def _measure(size: Size) -> list[Measurement]:
    # All from one address, and all at once: nothing but the cap is in the way.
    limits = {"SAYINGS_COMPARE_RATE": "off", "SAYINGS_MAX_LIVE_CALLS": str(4 * CLIENTS)}
    caps = {"SAYINGS_DAILY_CAP_USD": str(CAP_USD), "SAYINGS_HOURLY_CAP_USD": str(CAP_USD)}
    with TemporaryDirectory() as name:
        async with servers.ours(Path(name), caps | limits) as server:
            # Imports, and something to show again once nothing can be spent.
            await load(server, 1, PATIENCE_SECONDS, requests=FIRST, path="/compare", body="{}")
            burst = await load(
                server, CLIENTS, PATIENCE_SECONDS, requests=size.compares, path="/compare", body="{}", may_fail=True
            )
        with closing(sqlite3.connect(Path(name, f"{server.port}.db"))) as database:
            reserved, billed = (_dollars(database, query) for query in (RESERVED, BILLED))
    return [
        Measurement(
            f"{size.compares:,} comparisons by {CLIENTS} clients at a cap of ${CAP_USD}",
            max(reserved, billed, CAP_USD) - CAP_USD,
            "$ over",
            bar=Bar(0),
            details={
                "$ reserved": reserved,
                "$ billed": billed,
                "per second": burst.per_second,
                "p99 ms": burst.p99_ms,
                "not answered with 200": burst.failures,
            },
        )
    ]


def _dollars(database: sqlite3.Connection, query: str) -> float:
    return (database.execute(query).fetchone()[0] or 0) / NANOS_PER_DOLLAR
