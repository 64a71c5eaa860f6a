"""Bursts in SQLite: the votes and ballots of one address within an hour, set aside together when they are too many.

The column `set_aside` of a burst tells whether its counts are part of the aside columns of tallies and outcomes. A vote
is always counted according to this flag, never by comparing the burst with the limit, so that the limit may change at
any time. The empty name "" means that a vote belongs to no burst, and SETTLED_ASIDE that it is set aside for good.
"""

import sqlite3
from functools import partial

from service.store.retention import SETTLED_ASIDE
from service.store.sqlite.database import Database, fetch_one

_ADD_VOTES = """
INSERT INTO burst_votes (burst, contributor, upvotes, downvotes) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET upvotes = upvotes + excluded.upvotes, downvotes = downvotes + excluded.downvotes
"""
_ADD_OUTCOME = """
INSERT INTO burst_outcomes (burst, outcome, votes) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET votes = votes + excluded.votes
"""
_RESIZE = """
INSERT INTO bursts (burst, votes, set_aside) VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET votes = votes + excluded.votes
"""
_ON_THE_WRONG_SIDE = "SELECT burst FROM bursts WHERE set_aside <> (votes > ?) AND NOT settled"
_SETTLE_FOR_GOOD = "UPDATE bursts SET settled = 1 WHERE burst = ? RETURNING set_aside"
_NO_ADDRESS = ("", SETTLED_ASIDE)
_MOVE_VOTES = """
UPDATE tallies SET aside_upvotes = aside_upvotes + :sign * line.upvotes,
    aside_downvotes = aside_downvotes + :sign * line.downvotes
FROM burst_votes AS line
WHERE line.burst = :burst AND scope = 'total' AND name = '' AND tallies.contributor = line.contributor
"""
_MOVE_OUTCOMES = """
UPDATE outcomes SET aside = aside + :sign * line.votes
FROM burst_outcomes AS line WHERE line.burst = :burst AND outcomes.outcome = line.outcome
"""


class Bursts(Database):
    """The part of the Store protocol that is about bursts."""

    async def review_bursts(self) -> int:
        limit = self._burst_limit
        wrong = await self._read("review_bursts", lambda db: db.execute(_ON_THE_WRONG_SIDE, (limit,)).fetchall())
        # Each burst has its own transaction, so that votes need not wait and `settle` sees what has changed meanwhile.
        return sum([await self._write("review_bursts", partial(settle, burst, limit)) for (burst,) in wrong])


def is_set_aside(db: sqlite3.Connection, burst: str) -> bool:
    if burst in _NO_ADDRESS:
        return burst == SETTLED_ASIDE
    row = fetch_one(db, "SELECT set_aside FROM bursts WHERE burst = ?", burst)
    return row is not None and bool(row[0])


def add_votes(db: sqlite3.Connection, burst: str, contributor: str, upvotes: int, downvotes: int) -> None:
    if burst not in _NO_ADDRESS:
        db.execute(_ADD_VOTES, (burst, contributor, upvotes, downvotes))


def add_outcome(db: sqlite3.Connection, burst: str, outcome: str, votes: int) -> None:
    if burst not in _NO_ADDRESS:
        db.execute(_ADD_OUTCOME, (burst, outcome, votes))


def resize(db: sqlite3.Connection, burst: str, difference: int, limit: int) -> None:
    """Change the burst's number of votes and ballots, and settle it. Call this after all of their counts are added."""
    if burst not in _NO_ADDRESS:
        db.execute(_RESIZE, (burst, difference))
        settle(burst, limit, db)


def settle(burst: str, limit: int, db: sqlite3.Connection) -> bool:
    """Move the burst's counts if it is on the wrong side of the limit. Returns whether it was."""
    row = fetch_one(db, "SELECT votes, set_aside FROM bursts WHERE burst = ? AND NOT settled", burst)
    if row is None:
        return False
    votes, set_aside = row
    belongs_aside = votes > limit
    if belongs_aside == bool(set_aside):
        return False
    for move in (_MOVE_VOTES, _MOVE_OUTCOMES):
        db.execute(move, {"burst": burst, "sign": 1 if belongs_aside else -1})
    db.execute("UPDATE bursts SET set_aside = ? WHERE burst = ?", (belongs_aside, burst))
    return True


def settle_for_good(db: sqlite3.Connection, burst: str) -> str:
    """Keep a burst on its side from now on. Returns the burst that its votes and ballots shall have instead."""
    row = fetch_one(db, _SETTLE_FOR_GOOD, burst)
    return SETTLED_ASIDE if row is not None and row[0] else ""
