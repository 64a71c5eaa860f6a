"""Counts in SQLite: serves and votes by contributor, service and hour, calls and outcomes."""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace

from service.domain import Call, CallShape, Outcome
from service.store.base import Aggregates, CallTally, OutcomeTally, Tally
from service.store.latency_buckets import bucket_of
from service.store.sqlite.database import Database
from service.store.sqlite.rows import CALL_COLUMNS, call_row, from_json, placeholders, to_call

TOTAL, SERVICE, HOUR = "total", "service", "hour"

_TALLY = "serves, upvotes, downvotes, aside_upvotes, aside_downvotes"
_ADD_TO_TALLY = f"""
INSERT INTO tallies (scope, name, contributor, {_TALLY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET serves = serves + excluded.serves,
    upvotes = upvotes + excluded.upvotes, downvotes = downvotes + excluded.downvotes,
    aside_upvotes = aside_upvotes + excluded.aside_upvotes, aside_downvotes = aside_downvotes + excluded.aside_downvotes
"""
_CALL_TALLY = "latency_ms, billed, unpriced, sayings, input_tokens, output_tokens, cost_nanos"
_ADD_TO_CALL_TALLY = f"""
INSERT INTO call_tallies (contributor, shape, {_CALL_TALLY}) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET latency_ms = latency_ms + excluded.latency_ms, billed = billed + 1,
    unpriced = unpriced + excluded.unpriced, sayings = sayings + excluded.sayings,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    cost_nanos = cost_nanos + excluded.cost_nanos
"""
_ADD_LATENCY = """
INSERT INTO latencies (contributor, shape, bucket, calls) VALUES (?, ?, ?, 1)
ON CONFLICT DO UPDATE SET calls = calls + 1
"""
_ADD_REJECTIONS = """
INSERT INTO rejections (contributor, shape, reason, sayings) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET sayings = sayings + excluded.sayings
"""
_KEEP_CALL = f"INSERT OR IGNORE INTO calls ({CALL_COLUMNS}) VALUES ({placeholders(CALL_COLUMNS)})"
_EVERY_CALL = f"SELECT {CALL_COLUMNS} FROM calls WHERE generation_id > ? ORDER BY generation_id LIMIT ?"
_SIZES = {"votes": "saying_feedback", "sayings": "main_humor", "comparisons": "ballots", "calls": "calls"}


class SqliteCounts(Database):
    """The part of the Store protocol that is about serves, calls and aggregates."""

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            for contributor, count in serves.items():
                add_to_tallies(db, contributor, [(TOTAL, ""), (HOUR, hour)], Tally(serves=count))

        await self._write("add_serves", work)

    async def record_call(self, call: Call) -> None:
        await self._write("record_call", lambda db: keep_call(db, call))

    async def all_calls(self) -> AsyncIterator[Call]:
        async for row in self._rows("all_calls", _EVERY_CALL, ("",)):
            if (call := self._damage.checked("call", to_call(row))) is not None:
                yield call

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        return await self._read(
            "aggregates",
            lambda db: Aggregates(_totals(db), _services(db), _hours(db, since_hour), _calls(db), _outcomes(db)),
        )

    async def sizes(self) -> dict[str, int]:
        return await self._read("sizes", lambda db: {name: _size(db, table) for name, table in _SIZES.items()})


def add_to_tallies(
    db: sqlite3.Connection, contributor: str, lines: Iterable[tuple[str, str]], difference: Tally
) -> None:
    """Add to the contributor's tallies, each of which is given by its scope and name."""
    counts = (
        difference.serves, difference.upvotes, difference.downvotes, difference.aside_upvotes,
        difference.aside_downvotes,
    )  # fmt: skip
    db.executemany(_ADD_TO_TALLY, [(scope, name, contributor, *counts) for scope, name in lines])


def keep_call(db: sqlite3.Connection, call: Call) -> None:
    """Store the call and count it, unless it is stored already."""
    if not db.execute(_KEEP_CALL, call_row(call)).rowcount:
        return
    made, line, succeeded = call.generation, (call.contributor, call.shape), not call.error_type
    latency_ms, unpriced = made.latency_ms if succeeded else 0.0, made.cost_nanos is None
    tokens = (made.usage.input_tokens, made.usage.output_tokens)
    db.execute(_ADD_TO_CALL_TALLY, (*line, latency_ms, unpriced, call.sayings, *tokens, made.cost_nanos or 0))
    if succeeded:
        db.execute(_ADD_LATENCY, (*line, bucket_of(latency_ms)))
    db.executemany(_ADD_REJECTIONS, [(*line, reason, sayings) for reason, sayings in call.rejected.items()])


def _totals(db: sqlite3.Connection) -> dict[str, Tally]:
    rows = db.execute(f"SELECT contributor, {_TALLY} FROM tallies WHERE scope = ?", (TOTAL,))
    return {contributor: Tally(*counts) for contributor, *counts in rows}


def _services(db: sqlite3.Connection) -> dict[tuple[str, str], Tally]:
    rows = db.execute(f"SELECT name, contributor, {_TALLY} FROM tallies WHERE scope = ?", (SERVICE,))
    return {(service, contributor): Tally(*counts) for service, contributor, *counts in rows}


def _hours(db: sqlite3.Connection, since: str) -> dict[tuple[str, str], Tally]:
    rows = db.execute(f"SELECT name, contributor, {_TALLY} FROM tallies WHERE scope = ? AND name >= ?", (HOUR, since))
    return {(hour, contributor): Tally(*counts) for hour, contributor, *counts in rows}


def _calls(db: sqlite3.Connection) -> dict[tuple[str, CallShape], CallTally]:
    latencies: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for contributor, shape, bucket, calls in db.execute("SELECT contributor, shape, bucket, calls FROM latencies"):
        latencies[contributor, shape][bucket] = calls
    rejected: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for contributor, shape, reason, sayings in db.execute("SELECT contributor, shape, reason, sayings FROM rejections"):
        rejected[contributor, shape][reason] = sayings
    return {
        (contributor, CallShape(shape)): replace(
            CallTally(latencies[contributor, shape], *counts), rejected=rejected[contributor, shape]
        )
        for contributor, shape, *counts in db.execute(f"SELECT contributor, shape, {_CALL_TALLY} FROM call_tallies")
    }


def _outcomes(db: sqlite3.Connection) -> dict[Outcome, OutcomeTally]:
    rows = db.execute("SELECT outcome, votes, aside FROM outcomes")
    return {
        outcome: OutcomeTally(votes, aside)
        for text, votes, aside in rows
        if (outcome := from_json(text, Outcome)) is not None
    }


def _size(db: sqlite3.Connection, table: str) -> int:
    count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count
