"""Networks in SQLite: what has come from each on one day, by which the quotas are kept (see store/quotas.py)."""

import sqlite3

from service.domain import Attribution, NetworkDay
from service.store.base import Counts
from service.store.quotas import NetworkTally
from service.store.sqlite.database import Row, fetch_one

NETWORK_TABLES = """
CREATE TABLE IF NOT EXISTS network_days (
    network  TEXT PRIMARY KEY,           -- the name of a NetworkDay, which begins with the day
    ballots  INTEGER NOT NULL DEFAULT 0, -- those that count
    is_aside INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS network_votes (
    network       TEXT NOT NULL,
    contributor   TEXT NOT NULL,
    attribution   TEXT NOT NULL,
    given         INTEGER NOT NULL,      -- of the blind ones only, whether they count or not
    given_upvotes INTEGER NOT NULL,
    counted       INTEGER NOT NULL,
    PRIMARY KEY (network, contributor, attribution)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS network_receipts (
    network   TEXT NOT NULL,
    saying_id TEXT NOT NULL,             -- of a blind vote that counts unless the network is set aside
    voter     TEXT NOT NULL,
    PRIMARY KEY (network, saying_id, voter)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS network_receipts_by_voter ON network_receipts (voter);
"""

_DAY = "SELECT ballots, is_aside FROM network_days WHERE network = ?"
_VOTES = "SELECT contributor, attribution, given, given_upvotes, counted FROM network_votes WHERE network = ?"
_ADD_VOTES = """
INSERT INTO network_votes (network, contributor, attribution, given, given_upvotes, counted) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET given = given + excluded.given, given_upvotes = given_upvotes + excluded.given_upvotes,
    counted = counted + excluded.counted
"""
_ADD_BALLOT = """
INSERT INTO network_days (network, ballots) VALUES (?, 1) ON CONFLICT DO UPDATE SET ballots = ballots + 1
"""
_SET_ASIDE = "INSERT INTO network_days (network, is_aside) VALUES (?, 1) ON CONFLICT DO UPDATE SET is_aside = 1"
_ADD_RECEIPT = "INSERT INTO network_receipts (network, saying_id, voter) VALUES (?, ?, ?)"
_TAKE_RECEIPTS = "DELETE FROM network_receipts WHERE network = ? RETURNING saying_id, voter"
_REMOVE_RECEIPTS = "DELETE FROM network_receipts WHERE saying_id = ? AND voter = ?"
_OLD = "SELECT network FROM {} WHERE network < ? LIMIT ?"
_TABLES = ("network_receipts", "network_votes", "network_days")


def tally(db: sqlite3.Connection, network: NetworkDay) -> NetworkTally:
    ballots, is_aside = fetch_one(db, _DAY, network.name) or (0, 0)
    rows = db.execute(_VOTES, (network.name,)).fetchall()
    return NetworkTally(
        share=network.share,
        given={row[0]: Counts(row[2], row[3]) for row in rows if row[1] == Attribution.BLIND},
        counted={(Attribution(row[1]), row[0]): row[4] for row in rows},
        ballots=ballots,
        is_aside=bool(is_aside),
    )


def add_given(db: sqlite3.Connection, network: NetworkDay, contributor: str, upvotes: int) -> None:
    """Count a verified blind vote, whether it counts in the comparison or not."""
    db.execute(_ADD_VOTES, (network.name, contributor, Attribution.BLIND, 1, upvotes, 0))


def add_counted(db: sqlite3.Connection, network: NetworkDay, contributor: str, attribution: Attribution) -> None:
    """Count a vote that counts in the comparison."""
    db.execute(_ADD_VOTES, (network.name, contributor, attribution, 0, 0, 1))


def add_receipt(db: sqlite3.Connection, network: NetworkDay, saying_id: str, voter: str) -> None:
    """Remember a blind vote that counts, so that it can be taken back."""
    db.execute(_ADD_RECEIPT, (network.name, saying_id, voter))


def remove_receipts(db: sqlite3.Connection, saying_id: str, voter: str) -> None:
    db.execute(_REMOVE_RECEIPTS, (saying_id, voter))


def add_ballot(db: sqlite3.Connection, network: NetworkDay) -> None:
    """Count a ballot that counts in the comparison."""
    db.execute(_ADD_BALLOT, (network.name,))


def set_aside(db: sqlite3.Connection, network: NetworkDay) -> list[Row]:
    """Mark a network. Returns the saying and the voter of each blind vote that counted until now."""
    db.execute(_SET_ASIDE, (network.name,))
    return db.execute(_TAKE_RECEIPTS, (network.name,)).fetchall()


def remove_before(day: str, most: int, db: sqlite3.Connection) -> int:
    """Remove up to so many rows of each table that are of networks on earlier days. Returns how many there were."""
    removed = 0
    for table in _TABLES:
        for (network,) in db.execute(_OLD.format(table), (day, most)).fetchall():
            removed += db.execute(f"DELETE FROM {table} WHERE network = ?", (network,)).rowcount
    return removed
