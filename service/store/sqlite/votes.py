"""Votes in SQLite: one per voter and saying. The transaction that stores a vote also updates all counts of votes."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from service.domain import (
    COLLECTION,
    Attribution,
    FeedbackType,
    NetworkDay,
    Saying,
    Standing,
    Vote,
    VoteResult,
    VoteStatus,
    day_of,
    hour_of,
    vote_delta,
    vote_status,
)
from service.limits import Quotas
from service.store.base import StoredVote, Strand, refuse_nothing
from service.store.groups import item_group, voter_group
from service.store.quotas import is_implausible, vote_standing
from service.store.sqlite import networks
from service.store.sqlite.database import Database, fetch_one
from service.store.sqlite.lists import move_in_lists
from service.store.sqlite.rows import (
    SAYING_COLUMNS,
    VOTE_COLUMNS,
    placeholders,
    to_saying,
    to_services,
    to_vote,
    vote_row,
)
from service.store.sqlite.tallies import Line, add_to_hour, add_to_services, add_to_votes

_SAYING = """
SELECT contributor, services, coalesce(prompt_version, ''), coalesce(snapshot, ''), upvotes, downvotes
FROM main_humor WHERE saying_id = ?
"""
_WHOLE_SAYING = f"SELECT {SAYING_COLUMNS} FROM main_humor WHERE saying_id = ?"
_BY_KEY = f"SELECT {VOTE_COLUMNS} FROM saying_feedback WHERE saying_id = ? AND voter = ?"
_PUT = f"INSERT OR REPLACE INTO saying_feedback ({VOTE_COLUMNS}) VALUES ({placeholders(VOTE_COLUMNS)})"
_SET_ASIDE = "UPDATE saying_feedback SET standing = ? WHERE saying_id = ? AND voter = ?"
_DELETE = "DELETE FROM saying_feedback WHERE saying_id = ? AND voter = ?"
_ADD_TO_SAYING = "UPDATE main_humor SET upvotes = upvotes + ?, downvotes = downvotes + ? WHERE saying_id = ?"
_COUNTED_BLIND = "standing = 'counted' AND attribution = 'blind'"
_OF_VOTER = f"SELECT count(*) FROM saying_feedback WHERE voter = ? AND contributor = ? AND {_COUNTED_BLIND}"
_OF_SAYING = f"SELECT EXISTS (SELECT 1 FROM saying_feedback WHERE saying_id = ? AND {_COUNTED_BLIND})"
_EVERY_ONE = f"""
SELECT {VOTE_COLUMNS} FROM saying_feedback WHERE (saying_id, voter) > (?, ?) ORDER BY saying_id, voter LIMIT ?
"""


class SqliteVotes(Database):
    """The part of the Store protocol that is about votes."""

    async def vote(
        self, vote: Vote, check: Callable[[Saying], None] = refuse_nothing
    ) -> tuple[Saying, VoteResult] | None:
        def work(db: sqlite3.Connection) -> tuple[Saying | None, VoteResult | None] | None:
            """The saying, which is None for a damaged row, and the result. None where there is no row."""
            row = fetch_one(db, _WHOLE_SAYING, vote.saying_id)
            if row is None:
                return None
            saying = to_saying(row)
            if saying is None:
                return None, None
            check(saying)
            return saying, _vote(db, vote, self._quotas)

        taken = self._damage.checked_with("saying", await self._write("vote", work))
        saying, result = taken or (None, None)
        return None if saying is None or result is None else (saying, result)

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await self._write("withdraw_vote", lambda db: _withdraw(db, saying_id, voter))

    async def all_votes(self) -> AsyncIterator[StoredVote]:
        async for row in self._rows("all_votes", _EVERY_ONE, ("", "")):
            if (stored := self._damage.checked("vote", to_vote(row))) is not None:
                yield stored


@dataclass(frozen=True, slots=True)
class _Saying:
    """What a vote needs to know of its saying."""

    saying_id: str
    contributor: str
    services: str
    prompt_version: str
    snapshot: str
    upvotes: int
    downvotes: int

    def strand(self, moment: float) -> Strand:
        return Strand(self.contributor, day_of(moment), self.prompt_version, self.snapshot)


def remove_vote(db: sqlite3.Connection, saying_id: str, voter: str) -> None:
    """Delete a vote and take it back from all counts. A vote that cannot be read was never counted."""
    saying, stored = _saying(db, saying_id), _stored(db, saying_id, voter)
    db.execute(_DELETE, (saying_id, voter))
    networks.remove_receipts(db, saying_id, voter)
    if saying is not None and stored is not None:
        _add_to_saying(db, saying_id, stored.opinion, None)
        add_to_hour(db, saying.contributor, hour_of(stored.first_cast_at), votes=-1)
        _count(db, stored, saying, -1)


def _vote(db: sqlite3.Connection, vote: Vote, quotas: Quotas) -> VoteResult | None:
    saying, before = _saying(db, vote.saying_id), _stored(db, vote.saying_id, vote.voter)
    if saying is None:
        return None
    if before is None:
        after = _cast_first(db, vote, saying, quotas)
    elif before.opinion is vote.feedback_type:
        after = before
    else:
        after = _changed(before, vote)
        db.execute(_PUT, vote_row(after))
    return _result(db, saying, before.opinion if before else None, after)


def _withdraw(db: sqlite3.Connection, saying_id: str, voter: str) -> VoteResult | None:
    saying, before = _saying(db, saying_id), _stored(db, saying_id, voter)
    if saying is None:
        return None
    if before is None:
        return VoteResult(VoteStatus.UNCHANGED, saying.upvotes, saying.downvotes)
    after = replace(before, opinion=None)
    db.execute(_PUT, vote_row(after))
    return _result(db, saying, before.opinion, after)


def _result(db: sqlite3.Connection, saying: _Saying, opinion: FeedbackType | None, after: StoredVote) -> VoteResult:
    """Move the saying's counters from an opinion to the present one."""
    up, down = _add_to_saying(db, saying.saying_id, opinion, after.opinion)
    status = vote_status(opinion, after.opinion)
    return VoteResult(status, saying.upvotes + up, saying.downvotes + down, after.standing)


def _add_to_saying(
    db: sqlite3.Connection, saying_id: str, before: FeedbackType | None, after: FeedbackType | None
) -> tuple[int, int]:
    up, down = vote_delta(before, after)
    if up or down:
        db.execute(_ADD_TO_SAYING, (up, down, saying_id))
        move_in_lists(db, saying_id)
    return up, down


def _saying(db: sqlite3.Connection, saying_id: str) -> _Saying | None:
    row = fetch_one(db, _SAYING, saying_id)
    return _Saying(saying_id, *row) if row else None


def _stored(db: sqlite3.Connection, saying_id: str, voter: str) -> StoredVote | None:
    row = fetch_one(db, _BY_KEY, saying_id, voter)
    return to_vote(row) if row else None


def _changed(before: StoredVote, vote: Vote) -> StoredVote:
    """The vote with another opinion. What counts in the comparison stays as it was cast first."""
    return replace(
        before,
        opinion=vote.feedback_type,
        cast_at=vote.cast_at,
        claimed_execution_ms=vote.claimed_execution_ms,
        claimed_cached=vote.claimed_cached,
    )


def _cast_first(db: sqlite3.Connection, vote: Vote, saying: _Saying, quotas: Quotas) -> StoredVote:
    standing = _standing(db, vote, saying.contributor, quotas)
    stored = StoredVote(
        vote.saying_id,
        vote.voter,
        saying.contributor,
        vote.feedback_type,
        vote.cast_at,
        vote.feedback_type,
        vote.cast_at,
        vote.attribution,
        standing,
        vote.networks[0].name if vote.networks else "",
        vote.claimed_execution_ms,
        vote.claimed_cached,
    )
    _count(db, stored, saying, 1)
    db.execute(_PUT, vote_row(stored))
    add_to_hour(db, saying.contributor, hour_of(vote.cast_at), votes=1)
    if standing is Standing.COUNTED:
        _use_quota(db, vote, saying.contributor)
    return stored


def _standing(db: sqlite3.Connection, vote: Vote, contributor: str, quotas: Quotas) -> Standing:
    """The standing of a first vote. Its networks are set aside before, if the vote makes all of theirs implausible."""
    if vote.attribution is Attribution.BLIND and contributor != COLLECTION:
        for network in vote.networks:
            networks.add_given(db, network, contributor, _upvotes(vote.feedback_type))
            _judge(db, network, vote.models)
    tallies = [networks.tally(db, network) for network in vote.networks]
    (voter_votes,) = fetch_one(db, _OF_VOTER, vote.voter, contributor) or (0,)
    return vote_standing(vote.attribution, contributor, tallies, voter_votes, quotas)


def _judge(db: sqlite3.Connection, network: NetworkDay, models: int) -> None:
    tally = networks.tally(db, network)
    if not tally.is_aside and is_implausible(tally.given, models):
        for saying_id, voter in networks.set_aside(db, network):
            _set_aside(db, saying_id, voter)


def _set_aside(db: sqlite3.Connection, saying_id: str, voter: str) -> None:
    saying, stored = _saying(db, saying_id), _stored(db, saying_id, voter)
    if saying is not None and stored is not None and stored.standing is Standing.COUNTED:
        db.execute(_SET_ASIDE, (Standing.SET_ASIDE, saying_id, voter))
        _count(db, stored, saying, -1)
        _count(db, replace(stored, standing=Standing.SET_ASIDE), saying, 1)


def _use_quota(db: sqlite3.Connection, vote: Vote, contributor: str) -> None:
    if vote.attribution is None or contributor == COLLECTION:
        return
    for network in vote.networks:
        networks.add_counted(db, network, contributor, vote.attribution)
        if vote.attribution is Attribution.BLIND:
            networks.add_receipt(db, network, vote.saying_id, vote.voter)


def _count(db: sqlite3.Connection, stored: StoredVote, saying: _Saying, sign: int) -> None:
    """Add a vote to the counts by its standing, or take it back, while its row is not among those that count."""
    strand, upvotes = saying.strand(stored.first_cast_at), sign * _upvotes(stored.first)
    if stored.standing is not Standing.COUNTED or stored.attribution is None:
        add_to_votes(db, strand, Line(stored.standing), sign, upvotes)
        return
    if stored.attribution is Attribution.OPEN:
        add_to_votes(db, strand, Line.OPEN, sign, upvotes)
        return
    cell = voter_group(stored.voter), item_group(stored.saying_id)
    add_to_votes(db, strand, Line(stored.attribution), sign, upvotes, cell)
    if stored.attribution is Attribution.BLIND:
        add_to_services(db, set(to_services(saying.services) or ()), saying.contributor, sign, upvotes)
        _count_first_ones(db, stored, strand, sign)


def _count_first_ones(db: sqlite3.Connection, stored: StoredVote, strand: Strand, sign: int) -> None:
    """Count the voter and the saying, unless another vote that counts is theirs."""
    if fetch_one(db, _OF_VOTER, stored.voter, stored.contributor) == (0,):
        add_to_votes(db, strand, Line.VOTERS, sign, 0)
    if fetch_one(db, _OF_SAYING, stored.saying_id) == (0,):
        add_to_votes(db, strand, Line.SAYINGS, sign, 0)


def _upvotes(opinion: FeedbackType) -> int:
    return int(opinion is FeedbackType.POSITIVE)
