"""Comparisons in SQLite: the sayings of several models side by side, and the ballots on them."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Container, Sequence
from dataclasses import replace
from functools import partial

from service.domain import Ballot, BallotResult, BallotStatus, Comparison, NetworkDay, Standing, day_of
from service.limits import Quotas
from service.store.base import StoredBallot, refuse_nothing
from service.store.groups import item_group, voter_group
from service.store.quotas import ballot_standing
from service.store.sqlite import networks
from service.store.sqlite.database import Database, fetch_one
from service.store.sqlite.rows import (
    BALLOT_COLUMNS,
    BALLOT_SIZE,
    COMPARISON_COLUMNS,
    ballot_row,
    comparison_row,
    placeholders,
    to_ballot,
    to_comparison,
)
from service.store.sqlite.tallies import NO_CELL, add_to_outcome

# An unseen comparison is one of this many of the newest.
_NEWEST = 50

_PUT = f"""
INSERT OR IGNORE INTO comparisons ({COMPARISON_COLUMNS}, sayings) VALUES ({placeholders(COMPARISON_COLUMNS)}, ?)
"""
_BY_ID = f"SELECT {COMPARISON_COLUMNS} FROM comparisons WHERE comparison_id = ?"
_UNSEEN = f"""
SELECT ballots, {COMPARISON_COLUMNS} FROM comparisons
WHERE sayings >= 2 AND simulated = :simulated AND ballots < :most AND NOT EXISTS
    (SELECT 1 FROM ballots AS own WHERE own.comparison_id = comparisons.comparison_id AND voter = :voter)
"""
_NEWEST_FIRST = "ORDER BY created_at DESC LIMIT :newest"
_SHOW = f"INSERT OR IGNORE INTO ballots ({BALLOT_COLUMNS}) VALUES ({placeholders(BALLOT_COLUMNS)})"
_BALLOT = f"SELECT {BALLOT_COLUMNS} FROM ballots WHERE comparison_id = ? AND voter = ?"
_REPLACE = f"INSERT OR REPLACE INTO ballots ({BALLOT_COLUMNS}) VALUES ({placeholders(BALLOT_COLUMNS)})"
_DELETE = "DELETE FROM ballots WHERE comparison_id = ? AND voter = ?"
_BALLOTS = "SELECT ballots FROM comparisons WHERE comparison_id = ?"
_ADD_BALLOT = "UPDATE comparisons SET ballots = ballots + ? WHERE comparison_id = ?"
_EVERY_BALLOT = f"""
SELECT {BALLOT_COLUMNS}, service, simulated, created_at, entries FROM ballots JOIN comparisons USING (comparison_id)
WHERE (comparison_id, voter) > (?, ?) ORDER BY comparison_id, voter LIMIT ?
"""


class SqliteComparisons(Database):
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
        found = await self._read("get_comparison", partial(_found, comparison_id, voter))
        return self._damage.checked_with("comparison", found)

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        of_service = "" if service is None else "AND service = :service"
        query = f"{_UNSEEN} {of_service} {_NEWEST_FIRST}"
        parameters = {
            "voter": voter,
            "service": service,
            "simulated": simulated,
            "most": self._quotas.comparison_ballots,
            "newest": _NEWEST,
        }
        rows = await self._read("unseen_comparison", lambda db: db.execute(query, parameters).fetchall())
        random.shuffle(rows)
        rows.sort(key=lambda row: int(row[0]))
        found = self._damage.undamaged("comparison", (to_comparison(row) for _, *row in rows))
        return next((comparison for comparison in found if not comparison.shows_any(withdrawn)), None)

    async def cast_ballot(
        self,
        comparison_id: str,
        voter: str,
        winner: str,
        *,
        at: float,
        networks: Sequence[NetworkDay] = (),
        check: Callable[[Comparison, Ballot | None], None] = refuse_nothing,
    ) -> tuple[Comparison, BallotResult] | None:
        def work(db: sqlite3.Connection) -> tuple[Comparison | None, BallotResult | None] | None:
            """The comparison, which is None for a damaged row, and the result. None where there is no row."""
            found = _found(comparison_id, voter, db)
            if found is None:
                return None
            comparison, before = found
            if comparison is None:
                return None, None
            check(comparison, before)
            if before is None:
                return comparison, None
            if before.winner is not None:
                return comparison, _cast_again(db, before, winner)
            cast = replace(before, winner=winner, cast_at=at, network=networks[0].name if networks else "")
            return comparison, _cast_first(db, comparison, cast, networks, self._quotas)

        taken = self._damage.checked_with("comparison", await self._write("cast_ballot", work))
        comparison, result = taken or (None, None)
        return None if comparison is None or result is None else (comparison, result)

    async def all_ballots(self) -> AsyncIterator[StoredBallot]:
        async for row in self._rows("all_ballots", _EVERY_BALLOT, ("", "")):
            ballot = self._damage.checked("ballot", to_ballot(row[:BALLOT_SIZE]))
            comparison = self._damage.checked("comparison", to_comparison((row[0], *row[BALLOT_SIZE:])))
            if ballot is not None and comparison is not None:
                yield StoredBallot(ballot, comparison)


def _found(comparison_id: str, voter: str, db: sqlite3.Connection) -> tuple[Comparison | None, Ballot | None] | None:
    """The comparison, which is None for a damaged row, and the voter's ballot. None where there is no row."""
    row = fetch_one(db, _BY_ID, comparison_id)
    return (to_comparison(row), _ballot(db, comparison_id, voter)) if row else None


def remove_ballot(db: sqlite3.Connection, comparison_id: str, voter: str) -> None:
    """Delete a ballot, and take it back from the counts if it was cast."""
    ballot, row = _ballot(db, comparison_id, voter), fetch_one(db, _BY_ID, comparison_id)
    comparison = to_comparison(row) if row else None
    db.execute(_DELETE, (comparison_id, voter))
    if ballot is not None and ballot.winner is not None:
        db.execute(_ADD_BALLOT, (-1, comparison_id))
        if comparison is not None:
            _count(db, comparison, ballot, -1)


def _ballot(db: sqlite3.Connection, comparison_id: str, voter: str) -> Ballot | None:
    row = fetch_one(db, _BALLOT, comparison_id, voter)
    return to_ballot(row) if row else None


def _cast_first(
    db: sqlite3.Connection, comparison: Comparison, cast: Ballot, near: Sequence[NetworkDay], quotas: Quotas
) -> BallotResult:
    tallies = [networks.tally(db, network) for network in near]
    ballots = _ballots(db, cast.comparison_id)
    ballot = replace(cast, standing=ballot_standing(tallies, ballots, quotas))
    db.execute(_REPLACE, ballot_row(ballot))
    db.execute(_ADD_BALLOT, (1, ballot.comparison_id))
    _count(db, comparison, ballot, 1)
    if ballot.standing is Standing.COUNTED:
        for network in near:
            networks.add_ballot(db, network)
    return BallotResult(BallotStatus.RECORDED, ballot, ballots + 1)


def _cast_again(db: sqlite3.Connection, before: Ballot, winner: str) -> BallotResult:
    ballots = _ballots(db, before.comparison_id)
    if winner == before.winner:
        return BallotResult(BallotStatus.UNCHANGED, before, ballots)
    ballot = replace(before, later=winner)
    db.execute(_REPLACE, ballot_row(ballot))
    return BallotResult(BallotStatus.AFTER_REVEAL, ballot, ballots)


def _ballots(db: sqlite3.Connection, comparison_id: str) -> int:
    (ballots,) = fetch_one(db, _BALLOTS, comparison_id) or (0,)
    return int(ballots)


def _count(db: sqlite3.Connection, comparison: Comparison, ballot: Ballot, sign: int) -> None:
    """Add a ballot to the counts by its standing, or take it back. One of an earlier version counts nowhere."""
    if ballot.winner is None or ballot.cast_at is None or ballot.standing in (None, Standing.UNVERIFIED):
        return
    is_counted = ballot.standing is Standing.COUNTED
    cell = (voter_group(ballot.voter), item_group(ballot.comparison_id)) if is_counted else NO_CELL
    add_to_outcome(db, day_of(ballot.cast_at), comparison.outcome(ballot.winner), ballot.standing, sign, cell)
