"""Votes in DynamoDB: one transaction stores a vote and updates every count of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.domain import FeedbackType, Vote, VoteResult, VoteStatus, hour_of, vote_delta, vote_status
from service.store.base import StoredVote
from service.store.dynamodb.bursts import Burst, Bursts
from service.store.dynamodb.items import count, first_casting, is_counted_in_full, text, to_stored_vote
from service.store.dynamodb.lines import (
    add_to_hour,
    add_to_line,
    any_shard,
    downvotes_aside,
    service_line,
    upvotes_aside,
)
from service.store.dynamodb.sayings import DynamoSayings
from service.store.dynamodb.transport import decide
from service.store.dynamodb.writes import add_to_saying, replace_vote

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write


class DynamoVotes(DynamoSayings, Bursts):
    """The part of the Store protocol that is about votes."""

    async def vote(self, vote: Vote) -> VoteResult | None:
        return await decide(lambda: self._replace_vote(vote.saying_id, vote.voter, vote))

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await decide(lambda: self._replace_vote(saying_id, voter, None))

    async def all_votes(self) -> AsyncIterator[StoredVote]:
        async for page in self._scan({"TableName": self._feedback}):
            contributors = await self._contributors(page)
            for item in page:
                contributor = contributors.get(item["saying_id"]["S"])
                if contributor is None:
                    continue
                if (stored := self._damage.checked("vote", to_stored_vote(item, contributor))) is not None:
                    yield stored

    async def _replace_vote(self, saying_id: str, voter: str, vote: Vote | None) -> VoteResult | None:
        """Replace the voter's vote on the saying by `vote`, or withdraw it if that is None, and update the counters."""
        saying, before, burst = await asyncio.gather(
            self._saying_item(saying_id),
            self._get(self._feedback, {"saying_id": text(saying_id), "voter": text(voter)}),
            self._burst(vote.burst if vote else ""),
        )
        if "contributor" not in saying:
            return None
        change = _Change(saying, before, vote)
        status, (up, down) = vote_status(change.old, change.new), vote_delta(change.old, change.new)
        if status is not VoteStatus.UNCHANGED:
            if burst.name != change.burst:
                burst = await self._burst(change.burst)
            await self._transact(self._vote_writes(change, burst, up, down))
        return VoteResult(status, count(saying, "upvotes") + up, count(saying, "downvotes") + down)

    def _vote_writes(self, change: "_Change", burst: Burst, up: int, down: int) -> "list[Write]":
        shard, contributor = any_shard(), change.contributor
        votes = (change.new is not None) - (change.old is not None)
        by_opinion = {upvotes_aside(contributor): up, downvotes_aside(contributor): down}
        return [
            replace_vote(self._feedback, change.before, change.stored),
            add_to_saying(self._sayings, change.saying["saying_id"]["S"], upvotes=up, downvotes=down),
            add_to_line(self._state, shard, contributor, {"upvotes": up, "downvotes": down}),
            *self._breakdown_writes(shard, change),
            *self._burst_writes(shard, burst, votes=votes, counts=by_opinion),
        ]

    def _breakdown_writes(self, shard: int, change: "_Change") -> "list[Write]":
        """The writes that count the same change by service and hour."""
        up, down = vote_delta(change.old if is_counted_in_full(change.before) else None, change.new)
        if up == down == 0:
            return []
        votes = {"upvotes": up, "downvotes": down}
        services = (service_line(service, change.contributor) for service in change.services)
        hour = hour_of(change.first_cast_at)
        return [
            *(add_to_line(self._state, shard, line, votes) for line in services),
            add_to_hour(self._state, shard, hour, change.contributor, votes),
        ]

    async def _contributors(self, votes: "Iterable[Item]") -> dict[str, str]:
        """The contributor that each vote counts for, by saying id. Older votes do not name it, so it is read."""
        known = {vote["saying_id"]["S"]: vote["contributor"]["S"] for vote in votes if "contributor" in vote}
        unknown = {vote["saying_id"]["S"] for vote in votes} - known.keys()
        sayings = await self._get_many(self._sayings, [{"saying_id": text(saying_id)} for saying_id in unknown])
        return known | {item["saying_id"]["S"]: item["contributor"]["S"] for item in sayings if "contributor" in item}


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of a voter's vote on a saying: the items as they were read, and the new vote or None to withdraw it."""

    saying: "Item"
    before: "Item"
    vote: Vote | None

    @property
    def contributor(self) -> str:
        return self.saying["contributor"]["S"]

    @property
    def services(self) -> list[str]:
        return sorted({service["S"] for service in self.saying["services"]["L"]})

    @property
    def old(self) -> FeedbackType | None:
        return FeedbackType(self.before["feedback_type"]["S"]) if self.before else None

    @property
    def new(self) -> FeedbackType | None:
        return self.vote.feedback_type if self.vote else None

    @property
    def first_cast_at(self) -> float:
        return self._first_casting()[0]

    @property
    def burst(self) -> str:
        return self._first_casting()[1]

    @property
    def stored(self) -> StoredVote | None:
        """The vote to store, with the time and the burst of its first casting."""
        if self.vote is None:
            return None
        return StoredVote(replace(self.vote, burst=self.burst), self.contributor, self.first_cast_at)

    def _first_casting(self) -> tuple[float, str]:
        if self.vote and not self.before:
            return self.vote.cast_at, self.vote.burst
        return first_casting(self.before)
