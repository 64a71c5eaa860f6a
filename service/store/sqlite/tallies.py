"""The lines that SQLite counts in. Each has a key, and what is added to it is added up."""

import sqlite3
from collections.abc import Iterable
from enum import StrEnum

from service.domain import Call, Outcome, Standing, day_of
from service.store.base import Cell, Strand
from service.store.latency_buckets import bucket_of
from service.store.sqlite.rows import placeholders, to_json

COUNT_TABLES = """
CREATE TABLE IF NOT EXISTS serves (
    contributor TEXT PRIMARY KEY,
    serves      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS hours (
    hour        TEXT NOT NULL,
    contributor TEXT NOT NULL,
    serves      INTEGER NOT NULL,
    votes       INTEGER NOT NULL,        -- of any standing
    PRIMARY KEY (hour, contributor)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS service_votes (
    service     TEXT NOT NULL,
    contributor TEXT NOT NULL,
    votes       INTEGER NOT NULL,
    upvotes     INTEGER NOT NULL,
    PRIMARY KEY (service, contributor)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS vote_tallies (
    day            TEXT NOT NULL,        -- '' for all the days that have been folded together
    contributor    TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    snapshot       TEXT NOT NULL,
    line           TEXT NOT NULL,        -- see Line
    voter_group    INTEGER NOT NULL,     -- 0, like the other group, where they are not told apart
    item_group     INTEGER NOT NULL,
    votes          INTEGER NOT NULL,
    upvotes        INTEGER NOT NULL,
    PRIMARY KEY (day, contributor, prompt_version, snapshot, line, voter_group, item_group)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS call_tallies (
    day            TEXT NOT NULL,
    contributor    TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    snapshot       TEXT NOT NULL,
    kind           TEXT NOT NULL,
    shape          TEXT NOT NULL,
    calls          INTEGER NOT NULL,
    latency_ms     REAL NOT NULL,
    unpriced       INTEGER NOT NULL,
    sayings        INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    cost_nanos     INTEGER NOT NULL,
    PRIMARY KEY (day, contributor, prompt_version, snapshot, kind, shape)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS call_details (
    day            TEXT NOT NULL,
    contributor    TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    snapshot       TEXT NOT NULL,
    kind           TEXT NOT NULL,
    shape          TEXT NOT NULL,
    detail         TEXT NOT NULL,        -- latency, failed or rejected
    name           TEXT NOT NULL,        -- of the bucket, the error or the reason
    number         INTEGER NOT NULL,
    PRIMARY KEY (day, contributor, prompt_version, snapshot, kind, shape, detail, name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS outcomes (
    day         TEXT NOT NULL,
    outcome     TEXT NOT NULL,           -- JSON object
    standing    TEXT NOT NULL,           -- counted or set_aside
    voter_group INTEGER NOT NULL,        -- 0, like the other group, where they are not told apart
    item_group  INTEGER NOT NULL,
    ballots     INTEGER NOT NULL,
    PRIMARY KEY (day, outcome, standing, voter_group, item_group)
) WITHOUT ROWID;
"""


class Line(StrEnum):
    """What a line of the votes of a strand counts. The last two count those whose first vote it was."""

    BLIND = "blind"
    NAMED = "named"
    OPEN = "open"
    SET_ASIDE = "set_aside"
    UNVERIFIED = "unverified"
    VOTERS = "voters"
    SAYINGS = "sayings"


NO_CELL: Cell = (0, 0)
# The columns that the lines of old days keep when they are folded together, and those that are added up.
FOLDED = {
    "vote_tallies": (
        "contributor, prompt_version, snapshot, line, voter_group, item_group",
        ("votes", "upvotes"),
    ),
    "call_tallies": (
        "contributor, prompt_version, snapshot, kind, shape",
        ("calls", "latency_ms", "unpriced", "sayings", "input_tokens", "output_tokens", "cost_nanos"),
    ),
    "call_details": ("contributor, prompt_version, snapshot, kind, shape, detail, name", ("number",)),
    "outcomes": ("outcome, standing, voter_group, item_group", ("ballots",)),
}


def _summed(*sums: str) -> str:
    """The end of an INSERT that adds to the line that is there already."""
    return "ON CONFLICT DO UPDATE SET " + ", ".join(f"{each} = {each} + excluded.{each}" for each in sums)


def _adding(table: str) -> str:
    """The statement that adds to a line of a table that is folded."""
    keys, sums = FOLDED[table]
    columns = f"day, {keys}, {', '.join(sums)}"
    return f"INSERT INTO {table} ({columns}) VALUES ({placeholders(columns)}) {_summed(*sums)}"


def _folding(table: str) -> str:
    """The statement that adds the lines of a day to those of all the days that have been folded together."""
    keys, sums = FOLDED[table]
    columns = f"{keys}, {', '.join(sums)}"
    return f"INSERT INTO {table} (day, {columns}) SELECT '', {columns} FROM {table} WHERE day = ? {_summed(*sums)}"


_ADD_SERVES = f"INSERT INTO serves (contributor, serves) VALUES (?, ?) {_summed('serves')}"
_ADD_TO_HOUR = f"""
INSERT INTO hours (hour, contributor, serves, votes) VALUES (?, ?, ?, ?) {_summed("serves", "votes")}
"""
_ADD_TO_SERVICE = f"""
INSERT INTO service_votes (service, contributor, votes, upvotes) VALUES (?, ?, ?, ?) {_summed("votes", "upvotes")}
"""
_ADD_VOTES = _adding("vote_tallies")
_ADD_CALL = _adding("call_tallies")
_ADD_DETAIL = _adding("call_details")
_ADD_BALLOTS = _adding("outcomes")


def add_serves(db: sqlite3.Connection, contributor: str, serves: int) -> None:
    db.execute(_ADD_SERVES, (contributor, serves))


def add_to_hour(db: sqlite3.Connection, contributor: str, hour: str, *, serves: int = 0, votes: int = 0) -> None:
    db.execute(_ADD_TO_HOUR, (hour, contributor, serves, votes))


def add_to_services(
    db: sqlite3.Connection, services: Iterable[str], contributor: str, votes: int, upvotes: int
) -> None:
    db.executemany(_ADD_TO_SERVICE, [(service, contributor, votes, upvotes) for service in services])


def add_to_votes(
    db: sqlite3.Connection, strand: Strand, line: Line, votes: int, upvotes: int, cell: Cell = NO_CELL
) -> None:
    head = (strand.day, strand.contributor, strand.prompt_version, strand.snapshot)
    db.execute(_ADD_VOTES, (*head, line, *cell, votes, upvotes))


def add_to_outcome(
    db: sqlite3.Connection, day: str, outcome: Outcome, standing: Standing, ballots: int, cell: Cell = NO_CELL
) -> None:
    db.execute(_ADD_BALLOTS, (day, to_json(outcome), standing, *cell, ballots))


def count_call(db: sqlite3.Connection, call: Call) -> None:
    made, error = call.generation, call.error_type
    head = (day_of(made.created_at), call.contributor, made.prompt_version, made.snapshot, made.kind, call.shape)
    latency_ms, unpriced = 0.0 if error else made.latency_ms, made.cost_nanos is None
    tokens = (made.usage.input_tokens, made.usage.output_tokens)
    db.execute(_ADD_CALL, (*head, 1, latency_ms, unpriced, call.sayings, *tokens, made.cost_nanos or 0))
    ended = ("failed", error, 1) if error else ("latency", bucket_of(latency_ms), 1)
    rejected = [("rejected", reason, sayings) for reason, sayings in call.rejected.items()]
    db.executemany(_ADD_DETAIL, [(*head, *detail) for detail in (ended, *rejected)])


def days_before(day: str, db: sqlite3.Connection) -> list[str]:
    """The earlier days that have lines of their own."""
    found = (db.execute(f"SELECT DISTINCT day FROM {table} WHERE day > '' AND day < ?", (day,)) for table in FOLDED)
    return sorted({row[0] for rows in found for row in rows})


def fold(day: str, db: sqlite3.Connection) -> None:
    """Add the lines of a day to those of all the days that have been folded together."""
    for table in FOLDED:
        db.execute(_folding(table), (day,))
        db.execute(f"DELETE FROM {table} WHERE day = ?", (day,))
