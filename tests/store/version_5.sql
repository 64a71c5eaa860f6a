-- A database of version 5: two sayings of a model, one with two votes, one written by hand with one, and a call.
CREATE TABLE analysis (
    id     INTEGER PRIMARY KEY,          -- 1
    result TEXT NOT NULL                 -- JSON
);
CREATE TABLE ballots (
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
CREATE TABLE call_details (
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
INSERT INTO "call_details" VALUES('2027-01-15','gpt-4.1','v1','','round','single','latency','164',1);
CREATE TABLE call_tallies (
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
INSERT INTO "call_tallies" VALUES('2027-01-15','gpt-4.1','v1','','round','single',1,1204.2,0,1,210,64,1234);
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
INSERT INTO "calls" VALUES('answered','gpt-4.1','openai','round',0,'v1',1204.2,210,64,128,1234,1800000000.25,1,1,'',0,0,'','{}');
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
    sayings       INTEGER NOT NULL,      -- how many of the entries have one
    ballots       INTEGER NOT NULL DEFAULT 0  -- that have been cast
);
CREATE TABLE day_secrets (
    day    TEXT PRIMARY KEY,
    secret TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE forgetting (
    voter    TEXT PRIMARY KEY,           -- who asked to be forgotten
    asked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE gone_models (
    model TEXT PRIMARY KEY,              -- which its vendor no longer knows
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE hours (
    hour        TEXT NOT NULL,
    contributor TEXT NOT NULL,
    serves      INTEGER NOT NULL,
    votes       INTEGER NOT NULL,        -- of any standing
    PRIMARY KEY (hour, contributor)
) WITHOUT ROWID;
INSERT INTO "hours" VALUES('2027-01-15T08','collection',0,1);
INSERT INTO "hours" VALUES('2027-01-15T08','gpt-4.1',0,2);
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
INSERT INTO "main_humor" VALUES(1,'13b8364834ce68880ab439a28fb05e41','a saying','["Amazon S3"]','Generated by GPT-4.1','gpt-4.1','generation-1800000000.25','gpt-4.1','openai','round',0,'v1',1204.2,210,64,128,1234,1800000000.25,2,0,0,0,'');
INSERT INTO "main_humor" VALUES(2,'c9616cb59d02c9ee41e1bd3f02c60ee7','by hand','["Amazon S3","AWS Lambda"]','From the collection','collection',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,0,NULL,NULL,NULL);
INSERT INTO "main_humor" VALUES(3,'b8dcafaee1dc8ced6bd87e5e4b3cb2e8','nobody''s favourite','["Amazon S3"]','Generated by GPT-4.1','gpt-4.1','generation-1800000009.0','gpt-4.1','openai','round',0,'v1',1204.2,210,64,128,1234,1800000009.0,0,0,0,0,'');
CREATE TABLE network_days (
    network  TEXT PRIMARY KEY,           -- the name of a NetworkDay, which begins with the day
    ballots  INTEGER NOT NULL DEFAULT 0, -- those that count
    is_aside INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE network_receipts (
    network   TEXT NOT NULL,
    saying_id TEXT NOT NULL,             -- of a blind vote that counts unless the network is set aside
    voter     TEXT NOT NULL,
    PRIMARY KEY (network, saying_id, voter)
) WITHOUT ROWID;
CREATE TABLE network_votes (
    network       TEXT NOT NULL,
    contributor   TEXT NOT NULL,
    attribution   TEXT NOT NULL,
    given         INTEGER NOT NULL,      -- of the blind ones only, whether they count or not
    given_upvotes INTEGER NOT NULL,
    counted       INTEGER NOT NULL,
    PRIMARY KEY (network, contributor, attribution)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    day         TEXT NOT NULL,
    outcome     TEXT NOT NULL,           -- JSON object
    standing    TEXT NOT NULL,           -- counted or set_aside
    voter_group INTEGER NOT NULL,        -- 0, like the other group, where they are not told apart
    item_group  INTEGER NOT NULL,
    ballots     INTEGER NOT NULL,
    PRIMARY KEY (day, outcome, standing, voter_group, item_group)
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
INSERT INTO "saying_feedback" VALUES('13b8364834ce68880ab439a28fb05e41','ann','gpt-4.1','POSITIVE',1800000500.5,'POSITIVE',1800000500.5,'blind','counted','',12.5,1);
INSERT INTO "saying_feedback" VALUES('13b8364834ce68880ab439a28fb05e41','bob','gpt-4.1','POSITIVE',1800000500.5,'POSITIVE',1800000500.5,'blind','counted','',12.5,1);
INSERT INTO "saying_feedback" VALUES('c9616cb59d02c9ee41e1bd3f02c60ee7','ann','collection','POSITIVE',1800000500.5,'POSITIVE',1800000500.5,'blind','counted','',12.5,1);
CREATE TABLE serves (
    contributor TEXT PRIMARY KEY,
    serves      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE service_votes (
    service     TEXT NOT NULL,
    contributor TEXT NOT NULL,
    votes       INTEGER NOT NULL,
    upvotes     INTEGER NOT NULL,
    PRIMARY KEY (service, contributor)
) WITHOUT ROWID;
INSERT INTO "service_votes" VALUES('AWS Lambda','collection',1,1);
INSERT INTO "service_votes" VALUES('Amazon S3','collection',1,1);
INSERT INTO "service_votes" VALUES('Amazon S3','gpt-4.1',2,2);
CREATE TABLE spend (
    share  TEXT NOT NULL,                -- '' for all spending
    unit   TEXT NOT NULL,                -- day or hour
    period TEXT NOT NULL,
    nanos  INTEGER NOT NULL,
    PRIMARY KEY (share, unit, period)
) WITHOUT ROWID;
CREATE TABLE vote_tallies (
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
INSERT INTO "vote_tallies" VALUES('2027-01-15','collection','','','blind',9,7,1,1);
INSERT INTO "vote_tallies" VALUES('2027-01-15','collection','','','sayings',0,0,1,0);
INSERT INTO "vote_tallies" VALUES('2027-01-15','collection','','','voters',0,0,1,0);
INSERT INTO "vote_tallies" VALUES('2027-01-15','gpt-4.1','v1','','blind',1,1,1,1);
INSERT INTO "vote_tallies" VALUES('2027-01-15','gpt-4.1','v1','','blind',9,1,1,1);
INSERT INTO "vote_tallies" VALUES('2027-01-15','gpt-4.1','v1','','sayings',0,0,1,0);
INSERT INTO "vote_tallies" VALUES('2027-01-15','gpt-4.1','v1','','voters',0,0,2,0);
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
CREATE INDEX saying_feedback_that_counts ON saying_feedback (voter, contributor)
    WHERE standing = 'counted' AND attribution = 'blind';
CREATE INDEX comparisons_by_time ON comparisons (simulated, created_at) WHERE sayings >= 2;
CREATE INDEX comparisons_by_service ON comparisons (simulated, service, created_at) WHERE sayings >= 2;
CREATE INDEX ballots_by_voter ON ballots (voter);
CREATE INDEX network_receipts_by_voter ON network_receipts (voter);
CREATE INDEX withdrawals_by_revision ON withdrawals (revision);
PRAGMA user_version = 5;
