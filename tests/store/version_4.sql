-- A database of version 4: a saying of a model and one written by hand, three votes from one address that are a burst, one
-- of which was changed, a comparison with a ballot that was changed after the reveal, and two calls.
CREATE TABLE ballots (
    comparison_id TEXT NOT NULL,
    voter         TEXT NOT NULL,
    shown_at      REAL NOT NULL,
    winner        TEXT,                  -- null until it is cast
    cast_at       REAL,
    burst         TEXT NOT NULL,
    PRIMARY KEY (comparison_id, voter)
) WITHOUT ROWID;
CREATE TABLE burst_outcomes (
    burst   TEXT NOT NULL,
    outcome TEXT NOT NULL,
    votes   INTEGER NOT NULL,
    PRIMARY KEY (burst, outcome)
) WITHOUT ROWID;
CREATE TABLE burst_votes (
    burst       TEXT NOT NULL,
    contributor TEXT NOT NULL,
    upvotes     INTEGER NOT NULL,
    downvotes   INTEGER NOT NULL,
    PRIMARY KEY (burst, contributor)
) WITHOUT ROWID;
CREATE TABLE bursts (
    burst     TEXT PRIMARY KEY,
    votes     INTEGER NOT NULL,          -- votes and cast ballots that are in it now
    set_aside INTEGER NOT NULL,          -- whether the lines below are part of what is set aside
    settled   INTEGER NOT NULL DEFAULT 0 -- whether that stays so for good
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
    rejected           TEXT NOT NULL DEFAULT '{}'  -- JSON object: the sayings by the reason why they are not shown
) WITHOUT ROWID;
CREATE TABLE checks (
    id         INTEGER PRIMARY KEY,      -- 1: what is written to see whether the file can be written
    checked_at REAL NOT NULL
);
CREATE TABLE comparisons (
    comparison_id TEXT PRIMARY KEY,
    service       TEXT NOT NULL,
    simulated     INTEGER NOT NULL,
    created_at    REAL NOT NULL,
    entries       TEXT NOT NULL,         -- JSON array
    sayings       INTEGER NOT NULL       -- how many of the entries have one
);
CREATE TABLE forgetting (
    voter    TEXT PRIMARY KEY,           -- who asked to be forgotten
    asked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE gone_models (
    model TEXT PRIMARY KEY,              -- which its vendor no longer knows
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE latencies (
    contributor TEXT NOT NULL,
    shape       TEXT NOT NULL,
    bucket      INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape, bucket)
) WITHOUT ROWID;
CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    token      INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    taken_at   REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE lifecycles (
    model TEXT PRIMARY KEY,
    said  BLOB NOT NULL                  -- by its vendor, in JSON
) WITHOUT ROWID;
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
    downvotes      INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER DEFAULT 0,
    thinking_tokens    INTEGER DEFAULT 0,
    snapshot           TEXT DEFAULT ''   -- the name under which the vendor answered
);
CREATE TABLE outcomes (
    outcome TEXT PRIMARY KEY,            -- JSON object
    votes   INTEGER NOT NULL,
    aside   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rejections (
    contributor TEXT NOT NULL,
    shape       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    sayings     INTEGER NOT NULL,
    PRIMARY KEY (contributor, shape, reason)
) WITHOUT ROWID;
CREATE TABLE reports (
    saying_id   TEXT NOT NULL,
    reporter    TEXT NOT NULL,           -- hashes, see domain.Report
    network     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    reported_at REAL NOT NULL,
    counts      INTEGER NOT NULL DEFAULT 1,  -- 0 once an operator has restored the saying
    PRIMARY KEY (saying_id, reporter),
    UNIQUE (saying_id, network)
) WITHOUT ROWID;
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
CREATE TABLE spend (
    share  TEXT NOT NULL,                -- '' for all spending
    unit   TEXT NOT NULL,                -- day or hour
    period TEXT NOT NULL,
    nanos  INTEGER NOT NULL,
    PRIMARY KEY (share, unit, period)
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
CREATE TABLE withdrawals (
    saying_id    TEXT PRIMARY KEY,       -- also of a text that is not stored
    reason       TEXT NOT NULL,
    withdrawn_by TEXT NOT NULL,          -- operator or visitors
    withdrawn_at REAL NOT NULL,
    restored_at  REAL,                   -- null while the saying is withdrawn
    revision     INTEGER NOT NULL        -- the highest one is that of the whole table
) WITHOUT ROWID;
CREATE INDEX main_humor_by_model ON main_humor (model, simulated, created_at);
CREATE INDEX saying_feedback_by_voter ON saying_feedback (voter);
CREATE INDEX comparisons_by_time ON comparisons (simulated, created_at) WHERE sayings >= 2;
CREATE INDEX comparisons_by_service ON comparisons (simulated, service, created_at) WHERE sayings >= 2;
CREATE INDEX ballots_by_voter ON ballots (voter);
CREATE INDEX withdrawals_by_revision ON withdrawals (revision);

INSERT INTO ballots VALUES ('00000000000000000000000000000001','ann',1800000300.75,'tie',1800000500.5,'');
INSERT INTO ballots VALUES ('00000000000000000000000000000001','bob',1800000300.75,'A',1800000500.5,'');
INSERT INTO ballots VALUES ('00000000000000000000000000000001','cy',1800000300.75,NULL,NULL,'');
INSERT INTO burst_votes VALUES ('2027-01-15T08/street','collection',1,0);
INSERT INTO burst_votes VALUES ('2027-01-15T08/street','gpt-4.1',2,0);
INSERT INTO bursts VALUES ('2027-01-15T08/street',3,1,0);
INSERT INTO call_tallies VALUES ('gpt-4.1','round',1204.2,1,0,1,210,64,1234);
INSERT INTO call_tallies VALUES ('gpt-4.1','single',0.0,1,0,0,210,64,1234);
INSERT INTO calls VALUES (
    'answered', 'gpt-4.1', 'openai', 'round', 0, 'v1', 1204.2, 210, 64, 128, 1234, 1800000000.25, 3, 1, '', 0, 0,
    '', '{"link":1}');
INSERT INTO calls VALUES (
    'refused', 'gpt-4.1', 'openai', 'round', 0, 'v1', 1204.2, 210, 64, 128, 1234, 1800000000.25, 1, 0,
    'ModelRefused', 0, 0, '', '{}');
INSERT INTO comparisons VALUES (
    '00000000000000000000000000000001', 'Amazon S3', 0, 1800000000.25,
    '[{"slot":"A","model":"gpt-4.1","source":"Generated by gpt-4.1","saying":"one in slot A","error":null,"latency_ms":1204.2,"generation":null},{"slot":"B","model":"claude-haiku-4-5","source":"Generated by claude-haiku-4-5","saying":"one in slot B","error":null,"latency_ms":1204.2,"generation":null},{"slot":"C","model":"gpt-4.1-mini","source":"Generated by gpt-4.1-mini","saying":"one in slot C","error":null,"latency_ms":1204.2,"generation":null},{"slot":"D","model":"claude-sonnet-4-5","source":"Generated by claude-sonnet-4-5","saying":null,"error":"breaker_open","latency_ms":null,"generation":null}]',
    3);
INSERT INTO latencies VALUES ('gpt-4.1','round',164,1);
INSERT INTO main_humor VALUES (
    1, '13b8364834ce68880ab439a28fb05e41', 'a saying', '["Amazon S3"]', 'Generated by GPT-4.1', 'gpt-4.1',
    'generation-1800000000.25', 'gpt-4.1', 'openai', 'round', 0, 'v1', 1204.2, 210, 64, 128, 1234, 1800000000.25, 2,
    1, 0, 0, 'gpt-4.1-2025-04-14');
INSERT INTO main_humor VALUES (
    2, 'c9616cb59d02c9ee41e1bd3f02c60ee7', 'by hand', '["Amazon S3","AWS Lambda"]', 'From the collection',
    'collection', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, NULL, NULL, NULL);
INSERT INTO outcomes VALUES ('{"contributors":["claude-haiku-4-5","gpt-4.1","gpt-4.1-mini"],"result":"gpt-4.1"}',1,0);
INSERT INTO outcomes VALUES ('{"contributors":["claude-haiku-4-5","gpt-4.1","gpt-4.1-mini"],"result":"tie"}',1,0);
INSERT INTO rejections VALUES ('gpt-4.1','round','link',1);
INSERT INTO saying_feedback VALUES (
    '13b8364834ce68880ab439a28fb05e41', 'ann', 'POSITIVE', 1800000500.5, '2027-01-15T08/street', 12.5, 1, 'gpt-4.1',
    1800000500.5);
INSERT INTO saying_feedback VALUES (
    '13b8364834ce68880ab439a28fb05e41', 'bob', 'POSITIVE', 1800086900.5, '2027-01-15T08/street', 12.5, 1, 'gpt-4.1',
    1800000500.5);
INSERT INTO saying_feedback VALUES (
    '13b8364834ce68880ab439a28fb05e41', 'cy', 'NEGATIVE', 1800004100.5, '', 12.5, 1, 'gpt-4.1', 1800004100.5);
INSERT INTO saying_feedback VALUES (
    'c9616cb59d02c9ee41e1bd3f02c60ee7', 'ann', 'POSITIVE', 1800000500.5, '2027-01-15T08/street', 12.5, 1,
    'collection', 1800000500.5);
INSERT INTO spend VALUES ('','day','2027-01-15',7);
INSERT INTO spend VALUES ('','hour','2027-01-15T08',7);
INSERT INTO spend VALUES ('live','day','2027-01-15',7);
INSERT INTO spend VALUES ('live','hour','2027-01-15T08',7);
INSERT INTO tallies VALUES ('hour','2027-01-15T08','collection',2,1,0,0,0);
INSERT INTO tallies VALUES ('hour','2027-01-15T08','gpt-4.1',5,2,0,0,0);
INSERT INTO tallies VALUES ('hour','2027-01-15T09','gpt-4.1',0,0,1,0,0);
INSERT INTO tallies VALUES ('service','AWS Lambda','collection',0,1,0,0,0);
INSERT INTO tallies VALUES ('service','Amazon S3','collection',0,1,0,0,0);
INSERT INTO tallies VALUES ('service','Amazon S3','gpt-4.1',0,2,1,0,0);
INSERT INTO tallies VALUES ('total','','collection',2,1,0,1,0);
INSERT INTO tallies VALUES ('total','','gpt-4.1',5,2,1,2,0);
PRAGMA user_version = 4;
