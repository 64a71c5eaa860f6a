"""The embedded store: one SQLite file in WAL mode, flushed to the disk at every commit.

A transaction is a plain function run on the connection's own thread, so that no two coroutines can mix their
statements and a caller that is cancelled leaves a transaction whole. Writes and reads have a connection each: a reader
never waits for a writer.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from service.domain import (
    CallKind,
    FeedbackType,
    Generation,
    Saying,
    Usage,
    Vote,
    VoteResult,
    VoteStatus,
    vote_delta,
    vote_status,
)
from service.errors import ConfigError, LeaseLost, StorageFull, StoreError
from service.store.base import Lease, Spend, SpendWindow, Tally
from telemetry.events import SILENCE, Listener, SqliteCalled

SCHEMA_VERSION = 1
# How long a statement waits for another process's lock; below the two seconds a vote may take.
BUSY_SECONDS = 1.5
# How many damaged rows a random draw passes over before it gives up.
_DRAWS = 4

_SCHEMA = """
CREATE TABLE main_humor (
    position       INTEGER PRIMARY KEY,  -- 1, 2, 3 … without gaps: what a random draw draws
    saying_id      TEXT NOT NULL UNIQUE,
    saying         TEXT NOT NULL,
    services       TEXT NOT NULL,        -- JSON array
    source         TEXT NOT NULL,
    contributor    TEXT NOT NULL,
    generation_id  TEXT,
    model          TEXT,
    vendor         TEXT,
    kind           TEXT,
    simulated      INTEGER,
    prompt_version TEXT,
    llm_time_ms    REAL,
    input_tokens   INTEGER,
    output_tokens  INTEGER,
    cached_tokens  INTEGER,
    cost_nanos     INTEGER,
    created_at     REAL,
    upvotes        INTEGER NOT NULL DEFAULT 0,
    downvotes      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX main_humor_by_model ON main_humor (model, simulated, created_at);
CREATE TABLE saying_feedback (
    saying_id            TEXT NOT NULL,
    voter                TEXT NOT NULL,
    feedback_type        TEXT NOT NULL,
    cast_at              REAL NOT NULL,
    claimed_execution_ms REAL,
    claimed_cached       INTEGER,
    PRIMARY KEY (saying_id, voter)
) WITHOUT ROWID;
CREATE TABLE tallies (
    contributor TEXT PRIMARY KEY,
    serves      INTEGER NOT NULL DEFAULT 0,
    upvotes     INTEGER NOT NULL DEFAULT 0,
    downvotes   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE spend (
    period TEXT PRIMARY KEY,             -- a day or an hour
    nanos  INTEGER NOT NULL
) WITHOUT ROWID;
"""

_COLUMNS = (
    "saying_id, saying, services, source, contributor, generation_id, model, vendor, kind, simulated, prompt_version, "
    "llm_time_ms, input_tokens, output_tokens, cached_tokens, cost_nanos, created_at"
)
_INSERT = f"INSERT OR IGNORE INTO main_humor ({_COLUMNS}) VALUES ({', '.join('?' * (_COLUMNS.count(',') + 1))})"

_ACQUIRE_LEASE = """
INSERT INTO leases (name, holder, token, expires_at) VALUES (:name, :holder, 1, :expires_at)
ON CONFLICT (name) DO UPDATE SET holder = :holder, token = token + 1, expires_at = :expires_at
WHERE expires_at <= :now
RETURNING token
"""
_ADD_SPEND = "INSERT INTO spend (period, nanos) VALUES (?, ?) ON CONFLICT (period) DO UPDATE SET nanos = nanos + ?"
_ADD_TALLY = """
INSERT INTO tallies (contributor, serves, upvotes, downvotes) VALUES (:contributor, :serves, :up, :down)
ON CONFLICT (contributor) DO UPDATE
SET serves = serves + :serves, upvotes = upvotes + :up, downvotes = downvotes + :down
"""

Row = tuple[Any, ...]
R = TypeVar("R")


class _Connection:
    """A connection on a thread of its own."""

    def __init__(self, path: Path, name: str, listener: Listener) -> None:
        self._path = path
        self._listener = listener
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{name}")
        self._connection: sqlite3.Connection | None = None
        self._is_set_up = False

    async def run(self, operation: str, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` on the connection's thread. Raises StoreError."""
        started = time.perf_counter()
        error_type = ""
        try:
            return await self._run(work)
        except StoreError as error:
            error_type = type(error).__name__
            raise
        finally:
            self._listener.emit(SqliteCalled(operation, (time.perf_counter() - started) * 1000, error_type))

    async def _run(self, work: Callable[[sqlite3.Connection], R]) -> R:
        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)
        except RuntimeError as error:
            raise StoreError("The database is closed.") from error
        return await done

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _guarded(self, work: Callable[[sqlite3.Connection], R]) -> R:
        try:
            return work(self._open())
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise StorageFull from error
            raise StoreError("The database did not do it.") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # Kept before it is of any use, so that it is closed also when the file turns out to be no database.
            self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        if not self._is_set_up:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._is_set_up = True
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteStore:
    """The Store protocol on one file."""

    def __init__(self, path: Path, listener: Listener) -> None:
        self._writer = _Connection(path, "writer", listener)
        self._reader = _Connection(path, "reader", listener)

    @classmethod
    async def open(cls, path: Path, listener: Listener = SILENCE) -> "SqliteStore":
        """Open or create the file. Raises ConfigError when that is not possible."""
        store = cls(path, listener)
        try:
            await store._writer.run("open", _migrate)
        except StoreError as error:
            await store.close()
            raise ConfigError("SAYINGS_STORE", f"the database {path.name} cannot be opened for writing") from error
        except ConfigError:
            await store.close()
            raise
        return store

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        rows = [_to_row(saying) for saying in sayings]

        def work(db: sqlite3.Connection) -> frozenset[str]:
            with _transaction(db):
                if fence is not None:
                    _check_fence(db, fence)
                return frozenset(row[0] for row in rows if db.execute(_INSERT, row).rowcount)

        return await self._writer.run("put_sayings", work)

    async def get_saying(self, saying_id: str) -> Saying | None:
        def work(db: sqlite3.Connection) -> Saying | None:
            row = _one(db, f"SELECT {_COLUMNS} FROM main_humor WHERE saying_id = ?", saying_id)
            return None if row is None else _from_row(row)

        return await self._reader.run("get_saying", work)

    async def random_saying(self) -> Saying | None:
        return await self._reader.run("random_saying", _random_saying)

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        query = f"""SELECT {_COLUMNS} FROM main_humor WHERE model = ? AND simulated = ? AND created_at >= ?
                    ORDER BY created_at DESC LIMIT ?"""

        def work(db: sqlite3.Connection) -> list[Saying]:
            found = (_from_row(row) for row in db.execute(query, (model, simulated, since, limit)))
            return [saying for saying in found if saying is not None]

        return await self._reader.run("recent_sayings", work)

    async def vote(self, vote: Vote) -> VoteResult | None:
        return await self._writer.run("vote", lambda db: _vote(db, vote.saying_id, vote.voter, vote))

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await self._writer.run("withdraw_vote", lambda db: _vote(db, saying_id, voter, None))

    async def add_serves(self, serves: Mapping[str, int]) -> None:
        rows = [{"contributor": name, "serves": count, "up": 0, "down": 0} for name, count in serves.items()]

        def work(db: sqlite3.Connection) -> None:
            with _transaction(db):
                db.executemany(_ADD_TALLY, rows)

        await self._writer.run("add_serves", work)

    async def tallies(self) -> dict[str, Tally]:
        query = "SELECT contributor, serves, upvotes, downvotes FROM tallies"
        return await self._reader.run("tallies", lambda db: {row[0]: Tally(*row[1:]) for row in db.execute(query)})

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        wish = {"name": name, "holder": holder, "now": now, "expires_at": now + seconds}

        def work(db: sqlite3.Connection) -> Lease | None:
            with _transaction(db):
                row = _one(db, _ACQUIRE_LEASE, wish)
            return None if row is None else Lease(name, holder, row[0], now + seconds)

        return await self._writer.run("acquire_lease", work)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        query = "UPDATE leases SET expires_at = ? WHERE name = ? AND token = ?"

        def work(db: sqlite3.Connection) -> bool:
            with _transaction(db):
                return db.execute(query, (until, lease.name, lease.token)).rowcount == 1

        return await self._writer.run("keep_lease", work)

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        def work(db: sqlite3.Connection) -> Spend | None:
            with _transaction(db):
                spent = _spend(db, window)
                if spent.day + amount > caps.day or spent.hour + amount > caps.hour:
                    return None
                _add_spend(db, window, amount)
                return Spend(spent.day + amount, spent.hour + amount)

        return await self._writer.run("reserve_spend", work)

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        def work(db: sqlite3.Connection) -> None:
            with _transaction(db):
                _add_spend(db, window, difference)

        await self._writer.run("adjust_spend", work)

    async def spend(self, window: SpendWindow) -> Spend:
        return await self._reader.run("spend", lambda db: _spend(db, window))

    async def ping(self) -> None:
        await self._reader.run("ping", lambda db: db.execute("SELECT 1 FROM main_humor LIMIT 1").fetchone())

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE: a deferred transaction that reads, then writes, fails at once when somebody else wrote in between.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _migrate(db: sqlite3.Connection) -> None:
    with _transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError("SAYINGS_STORE", "the database was written by a newer version of Cloud Sayings")
        if version < SCHEMA_VERSION:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _one(db: sqlite3.Connection, query: str, parameters: str | Mapping[str, object]) -> Row | None:
    row: Row | None = db.execute(query, (parameters,) if isinstance(parameters, str) else parameters).fetchone()
    return row


def _check_fence(db: sqlite3.Connection, fence: Lease) -> None:
    row = _one(db, "SELECT token FROM leases WHERE name = ?", fence.name)
    if row is None or row[0] != fence.token:
        raise LeaseLost("Another worker has taken over the round.")


def _random_saying(db: sqlite3.Connection) -> Saying | None:
    count = db.execute("SELECT max(position) FROM main_humor").fetchone()[0]
    if count is None:
        return None
    query = f"SELECT {_COLUMNS} FROM main_humor WHERE position >= ? ORDER BY position LIMIT 1"
    for _ in range(_DRAWS):
        saying = _from_row(db.execute(query, (random.randint(1, count),)).fetchone())
        if saying is not None:
            return saying
    return None


def _vote(db: sqlite3.Connection, saying_id: str, voter: str, vote: Vote | None) -> VoteResult | None:
    """Replace the voter's opinion of the saying by `vote` (None: take it back), and move every counter with it."""
    with _transaction(db):
        saying = _one(db, "SELECT contributor, upvotes, downvotes FROM main_humor WHERE saying_id = ?", saying_id)
        if saying is None:
            return None
        contributor, upvotes, downvotes = saying
        before = db.execute(
            "SELECT feedback_type FROM saying_feedback WHERE saying_id = ? AND voter = ?", (saying_id, voter)
        ).fetchone()
        old = FeedbackType(before[0]) if before else None
        new = vote.feedback_type if vote else None
        status = vote_status(old, new)
        if status is VoteStatus.UNCHANGED:
            return VoteResult(status, upvotes, downvotes)
        up, down = vote_delta(old, new)
        _write_feedback(db, saying_id, voter, vote)
        db.execute(
            "UPDATE main_humor SET upvotes = upvotes + ?, downvotes = downvotes + ? WHERE saying_id = ?",
            (up, down, saying_id),
        )
        db.execute(_ADD_TALLY, {"contributor": contributor, "serves": 0, "up": up, "down": down})
        return VoteResult(status, upvotes + up, downvotes + down)


def _write_feedback(db: sqlite3.Connection, saying_id: str, voter: str, vote: Vote | None) -> None:
    if vote is None:
        db.execute("DELETE FROM saying_feedback WHERE saying_id = ? AND voter = ?", (saying_id, voter))
        return
    db.execute(
        "INSERT OR REPLACE INTO saying_feedback VALUES (?, ?, ?, ?, ?, ?)",
        (saying_id, voter, vote.feedback_type, vote.cast_at, vote.claimed_execution_ms, vote.claimed_cached),
    )


def _spend(db: sqlite3.Connection, window: SpendWindow) -> Spend:
    spent = dict(db.execute("SELECT period, nanos FROM spend WHERE period IN (?, ?)", (window.day, window.hour)))
    return Spend(spent.get(window.day, 0), spent.get(window.hour, 0))


def _add_spend(db: sqlite3.Connection, window: SpendWindow, amount: int) -> None:
    db.executemany(_ADD_SPEND, [(window.day, amount, amount), (window.hour, amount, amount)])


def _to_row(saying: Saying) -> Row:
    services = msgspec.json.encode(saying.services).decode()
    head = (saying.saying_id, saying.text, services, saying.source, saying.contributor)
    made = saying.generation
    if made is None:
        return (*head, *[None] * 12)
    return (
        *head, made.generation_id, made.model, made.vendor, made.kind, made.simulated, made.prompt_version,
        made.latency_ms, made.usage.input_tokens, made.usage.output_tokens, made.usage.cached_input_tokens,
        made.cost_nanos, made.created_at,
    )  # fmt: skip


def _from_row(row: Row) -> Saying | None:
    """The saying of a row; None for a damaged one, which is passed over."""
    identity, text, services, source, _contributor, generation_id, *made = row
    try:
        generation = None if generation_id is None else _generation(generation_id, *made)
        return Saying(identity, text, msgspec.json.decode(services, type=tuple[str, ...]), source, generation)
    except (ValueError, TypeError):
        return None


def _generation(
    generation_id: str, model: str, vendor: str, kind: str, simulated: int, version: str, llm_time_ms: float,
    input_tokens: int, output_tokens: int, cached_tokens: int, cost_nanos: int | None, created_at: float,
) -> Generation:  # fmt: skip
    return Generation(
        generation_id, model, vendor, CallKind(kind), bool(simulated), version, llm_time_ms,
        Usage(input_tokens, output_tokens, cached_tokens), cost_nanos, created_at,
    )  # fmt: skip
