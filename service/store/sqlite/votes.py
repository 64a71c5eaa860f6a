"""Votes in SQLite: one per voter and saying. The transaction that stores a vote also updates all counts of votes."""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

from service.domain import Vote, VoteResult, VoteStatus, hour_of, vote_delta, vote_status
from service.store.base import StoredVote, Tally
from service.store.sqlite import bursts
from service.store.sqlite.bursts import Bursts
from service.store.sqlite.counts import HOUR, SERVICE, TOTAL, add_to_tallies
from service.store.sqlite.database import fetch_one
from service.store.sqlite.rows import VOTE_COLUMNS, placeholders, to_services, to_vote, vote_row

_SAYING = "SELECT contributor, services, upvotes, downvotes FROM main_humor WHERE saying_id = ?"
_BEFORE = f"SELECT {VOTE_COLUMNS} FROM saying_feedback WHERE saying_id = ? AND voter = ?"
_PUT = f"INSERT OR REPLACE INTO saying_feedback ({VOTE_COLUMNS}) VALUES ({placeholders(VOTE_COLUMNS)})"
_DELETE = "DELETE FROM saying_feedback WHERE saying_id = ? AND voter = ?"
_ADD_TO_SAYING = "UPDATE main_humor SET upvotes = upvotes + ?, downvotes = downvotes + ? WHERE saying_id = ?"
_EVERY_ONE = f"""
SELECT {VOTE_COLUMNS} FROM saying_feedback WHERE (saying_id, voter) > (?, ?) ORDER BY saying_id, voter LIMIT ?
"""


class SqliteVotes(Bursts):
    """The part of the Store protocol that is about votes."""

    async def vote(self, vote: Vote) -> VoteResult | None:
        return await self._write("vote", lambda db: _replace(db, vote.saying_id, vote.voter, vote, self._burst_limit))

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await self._write("withdraw_vote", lambda db: _replace(db, saying_id, voter, None, self._burst_limit))

    async def all_votes(self) -> AsyncIterator[StoredVote]:
        async for row in self._rows("all_votes", _EVERY_ONE, ("", "")):
            if (stored := self._damage.checked("vote", to_vote(row))) is not None:
                yield stored


def remove_vote(db: sqlite3.Connection, saying_id: str, voter: str, limit: int) -> None:
    """Delete a vote and take it back from all counts. A vote that cannot be read was never counted."""
    _replace(db, saying_id, voter, None, limit)
    db.execute(_DELETE, (saying_id, voter))


def _replace(db: sqlite3.Connection, saying_id: str, voter: str, vote: Vote | None, limit: int) -> VoteResult | None:
    """Replace the voter's vote on the saying by `vote`, or withdraw it if that is None, and update the counters."""
    saying = fetch_one(db, _SAYING, saying_id)
    if saying is None:
        return None
    contributor, services, upvotes, downvotes = saying
    row = fetch_one(db, _BEFORE, saying_id, voter)
    before = to_vote(row) if row else None
    after = _stored(vote, contributor, before) if vote else None
    old, new = (stored.vote.feedback_type if stored else None for stored in (before, after))
    status, (up, down) = vote_status(old, new), vote_delta(old, new)
    counted = before or after
    if counted is not None and status is not VoteStatus.UNCHANGED:
        _write(db, saying_id, voter, after)
        db.execute(_ADD_TO_SAYING, (up, down, saying_id))
        _count(db, counted, to_services(services) or (), Tally(upvotes=up, downvotes=down))
        bursts.resize(db, counted.vote.burst, (after is not None) - (before is not None), limit)
    return VoteResult(status, upvotes + up, downvotes + down)


def _stored(vote: Vote, contributor: str, before: StoredVote | None) -> StoredVote:
    """The vote to store: a changed vote keeps the burst and the time of its first casting."""
    if before is None:
        return StoredVote(vote, contributor, vote.cast_at)
    return StoredVote(replace(vote, burst=before.vote.burst), contributor, before.first_cast_at)


def _write(db: sqlite3.Connection, saying_id: str, voter: str, after: StoredVote | None) -> None:
    if after is None:
        db.execute(_DELETE, (saying_id, voter))
    else:
        db.execute(_PUT, vote_row(after))


def _count(db: sqlite3.Connection, counted: StoredVote, services: Iterable[str], raw: Tally) -> None:
    """Add to the tallies of the vote's contributor, services and first hour, and to its burst."""
    contributor, burst, hour = counted.contributor, counted.vote.burst, hour_of(counted.first_cast_at)
    total = raw
    if bursts.is_set_aside(db, burst):
        total = replace(raw, aside_upvotes=raw.upvotes, aside_downvotes=raw.downvotes)
    add_to_tallies(db, contributor, [(TOTAL, "")], total)
    add_to_tallies(db, contributor, [(HOUR, hour), *((SERVICE, service) for service in set(services))], raw)
    bursts.add_votes(db, burst, contributor, raw.upvotes, raw.downvotes)
