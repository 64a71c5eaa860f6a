"""The tables, and the migration of a file of an earlier version."""

import re
import sqlite3

from service.errors import ConfigError
from service.store.sqlite.connection import transaction
from service.store.sqlite.counts import keep_call
from service.store.sqlite.rows import GENERATION_COLUMNS, to_call
from service.store.sqlite.takedowns import TAKEDOWN_TABLES

SCHEMA_VERSION = 4

_TABLES = f"""
CREATE TABLE IF NOT EXISTS main_humor (
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
    downvotes      INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER DEFAULT 0,
    thinking_tokens    INTEGER DEFAULT 0,
    snapshot           TEXT DEFAULT ''   -- the name under which the vendor answered
);
CREATE INDEX IF NOT EXISTS main_humor_by_model ON main_humor (model, simulated, created_at);

CREATE TABLE saying_feedback (
    saying_id            TEXT NOT NULL,
    voter                TEXT NOT NULL,
    feedback_type        TEXT NOT NULL,
    cast_at              REAL NOT NULL,
    burst                TEXT NOT NULL,  -- of the first casting
    claimed_execution_ms REAL,
    claimed_cached       INTEGER,
    contributor          TEXT NOT NULL,
    first_cast_at        REAL NOT NULL,
    PRIMARY KEY (saying_id, voter)
) WITHOUT ROWID;
CREATE INDEX saying_feedback_by_voter ON saying_feedback (voter);

CREATE TABLE comparisons (
    comparison_id TEXT PRIMARY KEY,
    service       TEXT NOT NULL,
    simulated     INTEGER NOT NULL,
    created_at    REAL NOT NULL,
    entries       TEXT NOT NULL,         -- JSON array
    sayings       INTEGER NOT NULL       -- how many of the entries have one
);
CREATE INDEX comparisons_by_time ON comparisons (simulated, created_at) WHERE sayings >= 2;
CREATE INDEX comparisons_by_service ON comparisons (simulated, service, created_at) WHERE sayings >= 2;

CREATE TABLE ballots (
    comparison_id TEXT NOT NULL,
    voter         TEXT NOT NULL,
    shown_at      REAL NOT NULL,
    winner        TEXT,                  -- null until it is cast
    cast_at       REAL,
    burst         TEXT NOT NULL,
    PRIMARY KEY (comparison_id, voter)
) WITHOUT ROWID;
CREATE INDEX ballots_by_voter ON ballots (voter);

CREATE TABLE calls (
    generation_id  TEXT PRIMARY KEY,
    model          TEXT NOT NULL,
    vendor         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    simulated      INTEGER NOT NULL,
    prompt_version TEXT NOT NULL,
    llm_time_ms    REAL NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    cost_nanos     INTEGER,
    created_at     REAL NOT NULL,
    asked          INTEGER NOT NULL,
    sayings        INTEGER NOT NULL,
    error_type     TEXT NOT NULL,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    thinking_tokens    INTEGER NOT NULL DEFAULT 0,
    snapshot           TEXT NOT NULL DEFAULT '',
    rejected           TEXT NOT NULL DEFAULT '{{}}'  -- JSON object: the sayings by the reason why they are not shown
) WITHOUT ROWID;

CREATE TABLE tallies (
    scope           TEXT NOT NULL,       -- total, service or hour
    name            TEXT NOT NULL,       -- of the service or the hour, '' for the total
    contributor     TEXT NOT NULL,
    serves          INTEGER NOT NULL,
    upvotes         INTEGER NOT NULL,
    downvotes       INTEGER NOT NULL,
    aside_upvotes   INTEGER NOT NULL,    -- of the total only
    aside_downvotes INTEGER NOT NULL,
    PRIMARY KEY (scope, name, contributor)
) WITHOUT ROWID;

CREATE TABLE call_tallies (
    contributor   TEXT NOT NULL,
    shape         TEXT NOT NULL,
    latency_ms    REAL NOT NULL,
    billed        INTEGER NOT NULL,
    unpriced      INTEGER NOT NULL,
    sayings       INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_nanos    INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape)
) WITHOUT ROWID;

CREATE TABLE latencies (
    contributor TEXT NOT NULL,
    shape       TEXT NOT NULL,
    bucket      INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape, bucket)
) WITHOUT ROWID;

CREATE TABLE rejections (
    contributor TEXT NOT NULL,
    shape       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    sayings     INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape, reason)
) WITHOUT ROWID;

CREATE TABLE outcomes (
    outcome TEXT PRIMARY KEY,            -- JSON object
    votes   INTEGER NOT NULL,
    aside   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE bursts (
    burst     TEXT PRIMARY KEY,
    votes     INTEGER NOT NULL,          -- votes and cast ballots that are in it now
    set_aside INTEGER NOT NULL,          -- whether the lines below are part of what is set aside
    settled   INTEGER NOT NULL DEFAULT 0 -- whether that stays so for good
) WITHOUT ROWID;

CREATE TABLE burst_votes (
    burst       TEXT NOT NULL,
    contributor TEXT NOT NULL,
    upvotes     INTEGER NOT NULL,
    downvotes   INTEGER NOT NULL,
    PRIMARY KEY (burst, contributor)
) WITHOUT ROWID;

CREATE TABLE burst_outcomes (
    burst   TEXT NOT NULL,
    outcome TEXT NOT NULL,
    votes   INTEGER NOT NULL,
    PRIMARY KEY (burst, outcome)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS leases (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    taken_at   REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS spend (
    share  TEXT NOT NULL,                -- '' for all spending
    unit   TEXT NOT NULL,                -- day or hour
    period TEXT NOT NULL,
    nanos  INTEGER NOT NULL,
    PRIMARY KEY (share, unit, period)
) WITHOUT ROWID;

CREATE TABLE forgetting (
    voter    TEXT PRIMARY KEY,           -- who asked to be forgotten
    asked_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE checks (
    id         INTEGER PRIMARY KEY,      -- 1: what is written to see whether the file can be written
    checked_at REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS gone_models (
    model TEXT PRIMARY KEY,              -- which its vendor no longer knows
    since REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lifecycles (
    model TEXT PRIMARY KEY,
    said  BLOB NOT NULL                  -- by its vendor, in JSON
) WITHOUT ROWID;

{TAKEDOWN_TABLES}
"""

_NAMES = set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", _TABLES, re.MULTILINE))

# Version 1 had no services, hours, bursts, comparisons or calls.
_RENAME_OLD_TABLES = """
ALTER TABLE saying_feedback RENAME TO old_feedback;
ALTER TABLE tallies RENAME TO old_tallies;
"""
_COPY_OLD_ROWS = """
INSERT INTO saying_feedback
SELECT saying_id, voter, feedback_type, cast_at, '', claimed_execution_ms, claimed_cached, contributor, cast_at
FROM old_feedback JOIN main_humor USING (saying_id);

INSERT INTO tallies SELECT 'total', '', contributor, serves, upvotes, downvotes, 0, 0 FROM old_tallies;

INSERT INTO tallies
SELECT 'service', named.value, contributor, 0, sum(upvotes), sum(downvotes), 0, 0
FROM main_humor, json_each(iif(json_valid(services), services, '[]')) AS named
WHERE upvotes + downvotes > 0 GROUP BY named.value, contributor;

INSERT INTO tallies
SELECT 'hour', strftime('%Y-%m-%dT%H', CAST(first_cast_at AS INTEGER), 'unixepoch') AS hour, contributor, 0,
       sum(feedback_type = 'POSITIVE'), sum(feedback_type = 'NEGATIVE'), 0, 0
FROM saying_feedback GROUP BY hour, contributor;

DROP TABLE old_feedback;
DROP TABLE old_tallies
"""
# Versions 1 and 2 had neither thinking tokens nor the names under which the vendors answer.
_NEW_OF_SAYINGS = """
ALTER TABLE main_humor ADD COLUMN cache_write_tokens INTEGER DEFAULT 0;
ALTER TABLE main_humor ADD COLUMN thinking_tokens INTEGER DEFAULT 0;
ALTER TABLE main_humor ADD COLUMN snapshot TEXT DEFAULT '';
"""
_NEW_OF_CALLS = """
ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN thinking_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN snapshot TEXT NOT NULL DEFAULT '';
CREATE TABLE gone_models (model TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE lifecycles (model TEXT PRIMARY KEY, said BLOB NOT NULL) WITHOUT ROWID;
"""
# Versions 1 to 3 had neither shares of the spend nor the time at which a lease was taken.
_NEW_OF_COORDINATION = """
ALTER TABLE leases ADD COLUMN taken_at REAL NOT NULL DEFAULT 0;
ALTER TABLE spend RENAME TO old_spend;
CREATE TABLE spend (
    share TEXT NOT NULL, unit TEXT NOT NULL, period TEXT NOT NULL, nanos INTEGER NOT NULL,
    PRIMARY KEY (share, unit, period)
) WITHOUT ROWID;
INSERT INTO spend SELECT '', iif(length(period) = 10, 'day', 'hour'), period, nanos FROM old_spend;
DROP TABLE old_spend;
"""
# Versions 2 and 3 knew nothing of what is withdrawn, reported, filtered or to be forgotten.
_NEW_SINCE_3 = f"""
CREATE TABLE checks (id INTEGER PRIMARY KEY, checked_at REAL NOT NULL);
{TAKEDOWN_TABLES}
ALTER TABLE bursts ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
CREATE INDEX saying_feedback_by_voter ON saying_feedback (voter);
CREATE INDEX ballots_by_voter ON ballots (voter);
CREATE TABLE forgetting (voter TEXT PRIMARY KEY, asked_at REAL NOT NULL) WITHOUT ROWID;
ALTER TABLE calls ADD COLUMN rejected TEXT NOT NULL DEFAULT '{{}}';
CREATE TABLE rejections (
    contributor TEXT NOT NULL, shape TEXT NOT NULL, reason TEXT NOT NULL, sayings INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape, reason)
) WITHOUT ROWID;
"""
# Version 1 did not store how many sayings a call had asked for: a round asked for three, every other call for one.
_OLD_CALLS = f"""
SELECT {GENERATION_COLUMNS}, iif(kind = 'round', 3, 1), count(*), '', '{{}}'
FROM main_humor WHERE generation_id IS NOT NULL GROUP BY generation_id
"""


def migrate(db: sqlite3.Connection) -> None:
    """Migrate a file of any earlier version, or an empty one, to the present version.

    Raises ConfigError when the file is of a newer version.
    """
    with transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError("SAYINGS_STORE", "the database was written by a newer version of Cloud Sayings")
        if version == 0:
            _run(db, _TABLES)
        if version in (1, 2, 3):
            _run(db, _NEW_OF_COORDINATION)
        if version == 1:
            _run(db, _NEW_OF_SAYINGS + _RENAME_OLD_TABLES + _TABLES + _COPY_OLD_ROWS)
            _count_old_calls(db)
        if version == 2:
            _run(db, _NEW_OF_SAYINGS + _NEW_OF_CALLS)
        if version in (2, 3):
            _run(db, _NEW_SINCE_3)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def has_tables(db: sqlite3.Connection) -> bool:
    """Whether the file has the present version and all of its tables."""
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION and names >= _NAMES


def _run(db: sqlite3.Connection, script: str) -> None:
    """Run the statements within the current transaction, which sqlite3's own `executescript` would commit first."""
    for statement in filter(str.strip, script.split(";")):
        db.execute(statement)


def _count_old_calls(db: sqlite3.Connection) -> None:
    for row in db.execute(_OLD_CALLS):
        call = to_call(row)
        if call is not None:
            keep_call(db, call)
