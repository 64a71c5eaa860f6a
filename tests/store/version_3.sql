-- The tables of a database of version 3, before sayings could be withdrawn and reported.
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
    snapshot           TEXT NOT NULL DEFAULT ''
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

CREATE TABLE outcomes (
    outcome TEXT PRIMARY KEY,            -- JSON object
    votes   INTEGER NOT NULL,
    aside   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE bursts (
    burst     TEXT PRIMARY KEY,
    votes     INTEGER NOT NULL,          -- votes and cast ballots that are in it now
    set_aside INTEGER NOT NULL           -- whether the lines below are part of what is set aside
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
    expires_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS spend (
    period TEXT PRIMARY KEY,             -- a day or an hour
    nanos  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS gone_models (
    model TEXT PRIMARY KEY,              -- which its vendor no longer knows
    since REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lifecycles (
    model TEXT PRIMARY KEY,
    said  BLOB NOT NULL                  -- by its vendor, in JSON
) WITHOUT ROWID;
PRAGMA user_version = 3;
