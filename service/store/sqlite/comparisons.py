"""Comparisons in SQLite: the sayings of several models side by side, and the ballots on them."""

import random
import sqlite3
from collections.abc import AsyncIterator, Container

from service.domain import Ballot, Comparison, Outcome, VoteStatus
from service.store.base import StoredBallot
from service.store.sqlite import bursts
from service.store.sqlite.bursts import Bursts
from service.store.sqlite.database import Row, fetch_one
from service.store.sqlite.rows import (
    BALLOT_COLUMNS,
    COMPARISON_COLUMNS,
    ballot_row,
    comparison_row,
    placeholders,
    to_ballot,
    to_comparison,
    to_json,
)

# An unseen comparison is drawn from this many of the newest ones.
_NEWEST = 50

_PUT = f"""
INSERT OR IGNORE INTO comparisons ({COMPARISON_COLUMNS}, sayings) VALUES ({placeholders(COMPARISON_COLUMNS)}, ?)
"""
_BY_ID = f"SELECT {COMPARISON_COLUMNS} FROM comparisons WHERE comparison_id = ?"
_UNSEEN = f"""
SELECT {COMPARISON_COLUMNS} FROM comparisons WHERE sayings >= 2 AND simulated = :simulated AND NOT EXISTS
    (SELECT 1 FROM ballots WHERE ballots.comparison_id = comparisons.comparison_id AND voter = :voter)
"""
_NEWEST_FIRST = "ORDER BY created_at DESC LIMIT :newest"
_SHOW = f"INSERT OR IGNORE INTO ballots ({BALLOT_COLUMNS}) VALUES ({placeholders(BALLOT_COLUMNS)})"
_BALLOT = f"SELECT {BALLOT_COLUMNS} FROM ballots WHERE comparison_id = ? AND voter = ?"
_CAST = "UPDATE ballots SET winner = ?, cast_at = ?, burst = ? WHERE comparison_id = ? AND voter = ?"
_DELETE = "DELETE FROM ballots WHERE comparison_id = ? AND voter = ?"
_ADD_TO_OUTCOME = """
INSERT INTO outcomes (outcome, votes, aside) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET votes = votes + excluded.votes, aside = aside + excluded.aside
"""
_EVERY_BALLOT = f"""
SELECT {BALLOT_COLUMNS}, service, simulated, created_at, entries FROM ballots JOIN comparisons USING (comparison_id)
WHERE (comparison_id, voter) > (?, ?) ORDER BY comparison_id, voter LIMIT ?
"""


class SqliteComparisons(Bursts):
    """The part of the Store protocol that is about comparisons."""

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        sayings = sum(entry.saying is not None for entry in comparison.entries)

        def work(db: sqlite3.Connection) -> None:
            db.execute(_PUT, (*comparison_row(comparison), sayings))
            db.execute(_SHOW, ballot_row(ballot))

        await self._write("put_comparison", work)

    async def show_comparison(self, ballot: Ballot) -> None:
        await self._write("show_comparison", lambda db: db.execute(_SHOW, ballot_row(ballot)))

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        def work(db: sqlite3.Connection) -> tuple[Row | None, Ballot | None]:
            return fetch_one(db, _BY_ID, comparison_id), _ballot(db, comparison_id, voter)

        row, ballot = await self._read("get_comparison", work)
        comparison = self._damage.checked("comparison", to_comparison(row)) if row else None
        return None if comparison is None else (comparison, ballot)

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        of_service = "" if service is None else "AND service = :service"
        query = f"{_UNSEEN} {of_service} {_NEWEST_FIRST}"
        parameters = {"voter": voter, "service": service, "simulated": simulated, "newest": _NEWEST}
        rows = await self._read("unseen_comparison", lambda db: db.execute(query, parameters).fetchall())
        found = self._damage.undamaged("comparison", map(to_comparison, rows))
        showable = [comparison for comparison in found if not comparison.shows_any(withdrawn)]
        return random.choice(showable) if showable else None

    async def cast_ballot(self, comparison: Comparison, ballot: Ballot) -> VoteStatus | None:
        return await self._write("cast_ballot", lambda db: _cast(db, comparison, ballot, self._burst_limit))

    async def all_ballots(self) -> AsyncIterator[StoredBallot]:
        async for row in self._rows("all_ballots", _EVERY_BALLOT, ("", "")):
            ballot = to_ballot(row[:6])
            comparison = self._damage.checked("comparison", to_comparison((row[0], *row[6:])))
            if comparison is not None:
                yield StoredBallot(ballot, comparison)


def remove_ballot(db: sqlite3.Connection, comparison_id: str, voter: str, limit: int) -> None:
    """Delete a ballot, and take it back from the counts if it was cast."""
    ballot, row = _ballot(db, comparison_id, voter), fetch_one(db, _BY_ID, comparison_id)
    comparison = to_comparison(row) if row else None
    db.execute(_DELETE, (comparison_id, voter))
    if ballot is not None and ballot.winner is not None and comparison is not None:
        _count(db, ballot.burst, comparison.outcome(ballot.winner), -1)
        bursts.resize(db, ballot.burst, -1, limit)


def _ballot(db: sqlite3.Connection, comparison_id: str, voter: str) -> Ballot | None:
    row = fetch_one(db, _BALLOT, comparison_id, voter)
    return to_ballot(row) if row else None


def _cast(db: sqlite3.Connection, comparison: Comparison, ballot: Ballot, limit: int) -> VoteStatus | None:
    """Replace the voter's earlier choice by the ballot, and update the counts. None when it was never shown."""
    before = _ballot(db, ballot.comparison_id, ballot.voter)
    if before is None or ballot.winner is None:
        return None
    if before.winner == ballot.winner:
        return VoteStatus.UNCHANGED
    is_new = before.winner is None
    burst = ballot.burst if is_new else before.burst
    db.execute(_CAST, (ballot.winner, ballot.cast_at, burst, ballot.comparison_id, ballot.voter))
    if before.winner is not None:
        _count(db, burst, comparison.outcome(before.winner), -1)
    _count(db, burst, comparison.outcome(ballot.winner), 1)
    bursts.resize(db, burst, int(is_new), limit)
    return VoteStatus.RECORDED if is_new else VoteStatus.CHANGED


def _count(db: sqlite3.Connection, burst: str, outcome: Outcome, votes: int) -> None:
    line = to_json(outcome)
    db.execute(_ADD_TO_OUTCOME, (line, votes, votes if bursts.is_set_aside(db, burst) else 0))
    bursts.add_outcome(db, burst, line, votes)
