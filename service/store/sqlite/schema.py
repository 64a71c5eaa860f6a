"""The tables, and the migration of a file of an earlier version."""

import re
import sqlite3

from service.errors import ConfigError
from service.store.sqlite.connection import transaction
from service.store.sqlite.lists import LIST_TABLES, list_all
from service.store.sqlite.networks import NETWORK_TABLES
from service.store.sqlite.rows import CALL_COLUMNS, GENERATION_COLUMNS, to_call
from service.store.sqlite.takedowns import TAKEDOWN_TABLES
from service.store.sqlite.tallies import COUNT_TABLES, count_call

SCHEMA_VERSION = 6

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

CREATE TABLE IF NOT EXISTS saying_feedback (
    saying_id            TEXT NOT NULL,
    voter                TEXT NOT NULL,
    contributor          TEXT NOT NULL,
    first                TEXT NOT NULL,  -- the opinion cast first, the only one that can count for the contributor
    first_cast_at        REAL NOT NULL,
    opinion              TEXT,           -- the present one, null once it is withdrawn
    cast_at              REAL NOT NULL,
    attribution          TEXT,
    standing             TEXT NOT NULL,
    network              TEXT NOT NULL,  -- of the first casting
    claimed_execution_ms REAL,
    claimed_cached       INTEGER,
    PRIMARY KEY (saying_id, voter)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS saying_feedback_by_voter ON saying_feedback (voter);
CREATE INDEX IF NOT EXISTS saying_feedback_that_counts ON saying_feedback (voter, contributor)
    WHERE standing = 'counted' AND attribution = 'blind';

CREATE TABLE IF NOT EXISTS comparisons (
    comparison_id TEXT PRIMARY KEY,
    service       TEXT NOT NULL,
    simulated     INTEGER NOT NULL,
    created_at    REAL NOT NULL,
    entries       TEXT NOT NULL,         -- JSON array
    sayings       INTEGER NOT NULL,      -- how many of the entries have one
    ballots       INTEGER NOT NULL DEFAULT 0  -- that have been cast
);
CREATE INDEX IF NOT EXISTS comparisons_by_time ON comparisons (simulated, created_at) WHERE sayings >= 2;
CREATE INDEX IF NOT EXISTS comparisons_by_service ON comparisons (simulated, service, created_at) WHERE sayings >= 2;

CREATE TABLE IF NOT EXISTS ballots (
    comparison_id TEXT NOT NULL,
    voter         TEXT NOT NULL,
    shown_at      REAL NOT NULL,
    winner        TEXT,                  -- null until it is cast
    cast_at       REAL,
    network       TEXT NOT NULL,
    standing      TEXT,
    later         TEXT,                  -- what was chosen after the reveal
    PRIMARY KEY (comparison_id, voter)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ballots_by_voter ON ballots (voter);

CREATE TABLE IF NOT EXISTS calls (
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

CREATE TABLE IF NOT EXISTS forgetting (
    voter    TEXT PRIMARY KEY,           -- who asked to be forgotten
    asked_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS checks (
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

CREATE TABLE IF NOT EXISTS day_secrets (
    day    TEXT PRIMARY KEY,
    secret TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS analysis (
    id     INTEGER PRIMARY KEY,          -- 1
    result TEXT NOT NULL                 -- JSON
);

{COUNT_TABLES}
{NETWORK_TABLES}
{TAKEDOWN_TABLES}
{LIST_TABLES}
"""

_NAMES = set(re.findall(r"^CREATE TABLE IF NOT EXISTS (\w+)", _TABLES, re.MULTILINE))

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
"""
# Versions 2 and 3 did not know why sayings were refused.
_NEW_OF_REFUSALS = "ALTER TABLE calls ADD COLUMN rejected TEXT NOT NULL DEFAULT '{}'"
# Versions 2 to 4 counted a ballot that was changed after the reveal. Nobody knows which those are, so none counts.
_NEW_OF_BALLOTS = """
ALTER TABLE ballots RENAME COLUMN burst TO network;
ALTER TABLE ballots ADD COLUMN standing TEXT;
ALTER TABLE ballots ADD COLUMN later TEXT;
UPDATE ballots SET network = '', standing = iif(winner IS NULL, NULL, 'unverified');
ALTER TABLE comparisons ADD COLUMN ballots INTEGER NOT NULL DEFAULT 0;
UPDATE comparisons SET ballots =
    (SELECT count(winner) FROM ballots WHERE ballots.comparison_id = comparisons.comparison_id);
"""
# Versions 1 to 4 counted votes by contributor alone, and set votes aside by the hour and the address.
_OUT_OF_THE_WAY = """
ALTER TABLE saying_feedback RENAME TO old_feedback;
ALTER TABLE tallies RENAME TO old_tallies;
DROP INDEX IF EXISTS saying_feedback_by_voter;
DROP TABLE IF EXISTS outcomes;
DROP TABLE IF EXISTS call_tallies;
DROP TABLE IF EXISTS latencies;
DROP TABLE IF EXISTS rejections;
DROP TABLE IF EXISTS bursts;
DROP TABLE IF EXISTS burst_votes;
DROP TABLE IF EXISTS burst_outcomes;
"""
_COPY_VERSION_1 = f"""
INSERT INTO saying_feedback
SELECT saying_id, voter, contributor, feedback_type, cast_at, feedback_type, cast_at, NULL, 'unverified', '',
       claimed_execution_ms, claimed_cached
FROM old_feedback JOIN main_humor USING (saying_id);
INSERT INTO serves SELECT contributor, serves FROM old_tallies;
-- It did not store how many sayings a call had asked for: a round asked for three, every other call for one.
INSERT OR IGNORE INTO calls ({CALL_COLUMNS})
SELECT {GENERATION_COLUMNS}, iif(kind = 'round', 3, 1), count(*), '', '{{}}'
FROM main_humor WHERE generation_id IS NOT NULL GROUP BY generation_id;
"""
_COPY_LATER_VERSIONS = """
INSERT INTO saying_feedback
SELECT saying_id, voter, contributor, feedback_type, first_cast_at, feedback_type, cast_at, NULL, 'unverified', '',
       claimed_execution_ms, claimed_cached
FROM old_feedback;
INSERT INTO serves SELECT contributor, serves FROM old_tallies WHERE scope = 'total';
INSERT INTO hours SELECT name, contributor, serves, 0 FROM old_tallies WHERE scope = 'hour';
"""
_COUNT_VOTES = """
INSERT INTO hours
SELECT strftime('%Y-%m-%dT%H', CAST(first_cast_at AS INTEGER), 'unixepoch') AS hour, contributor, 0, count(*)
FROM saying_feedback WHERE true GROUP BY hour, contributor
ON CONFLICT DO UPDATE SET votes = excluded.votes;
INSERT INTO vote_tallies
SELECT strftime('%Y-%m-%d', CAST(first_cast_at AS INTEGER), 'unixepoch') AS day, saying_feedback.contributor,
       coalesce(prompt_version, ''), coalesce(snapshot, ''), 'unverified', 0, 0, count(*), sum(first = 'POSITIVE')
FROM saying_feedback JOIN main_humor USING (saying_id)
GROUP BY day, saying_feedback.contributor, coalesce(prompt_version, ''), coalesce(snapshot, '');
DROP TABLE old_feedback;
DROP TABLE old_tallies;
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
        elif version < SCHEMA_VERSION:
            _migrate(db, version)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def has_tables(db: sqlite3.Connection) -> bool:
    """Whether the file has the present version and all of its tables."""
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION and names >= _NAMES


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for versions, script in (
        ((1, 2, 3), _NEW_OF_COORDINATION),
        ((1, 2), _NEW_OF_SAYINGS),
        ((2,), _NEW_OF_CALLS),
        ((2, 3), _NEW_OF_REFUSALS),
        ((2, 3, 4), _NEW_OF_BALLOTS),
        ((1, 2, 3, 4), _OUT_OF_THE_WAY + _TABLES),
        ((1,), _COPY_VERSION_1),
        ((2, 3, 4), _COPY_LATER_VERSIONS),
        ((1, 2, 3, 4), _COUNT_VOTES),
        ((5,), LIST_TABLES),
    ):
        if version in versions:
            _run(db, script)
    if version != 5:  # which has counted its calls already
        _count_calls(db)
    list_all(db)


def _count_calls(db: sqlite3.Connection) -> None:
    for row in db.execute(f"SELECT {CALL_COLUMNS} FROM calls"):
        if (call := to_call(row)) is not None:
            count_call(db, call)


def _run(db: sqlite3.Connection, script: str) -> None:
    """Run the statements within the current transaction, which sqlite3's own `executescript` would commit first."""
    for statement in filter(str.strip, script.split(";")):
        db.execute(statement)
