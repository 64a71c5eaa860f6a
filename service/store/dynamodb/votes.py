"""Votes in DynamoDB: one transaction stores a vote and updates every count of it."""

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from service.domain import (
    COLLECTION,
    Attribution,
    FeedbackType,
    NetworkDay,
    Standing,
    Vote,
    VoteResult,
    VoteStatus,
    vote_delta,
    vote_status,
)
from service.errors import StoreError
from service.limits import Quotas
from service.store.base import Counts, StoredVote
from service.store.dynamodb.items import count, has_standing, text, to_stored_vote, vote_key
from service.store.dynamodb.quota_items import (
    add_vote_to_network,
    network_key,
    receipts,
    remove_receipts,
    to_network_tally,
    voter_key,
)
from service.store.dynamodb.sayings import DynamoSayings
from service.store.dynamodb.transport import decide
from service.store.dynamodb.vote_counts import Recount, VoteCounts
from service.store.dynamodb.vote_writes import (
    add_to_saying,
    change_opinion,
    delete_vote,
    put_new_vote,
    set_vote_aside,
)
from service.store.quotas import NetworkTally, is_implausible, vote_standing

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write


@dataclass(frozen=True, slots=True)
class _Casting:
    """A vote that is cast, and what was read for it: the items of its saying, its voter and its networks.

    `before` is the item of the voter's vote so far. An item that does not exist is empty.
    """

    vote: Vote
    saying: "Item"
    before: "Item"
    voter: "Item"
    networks: "Sequence[tuple[NetworkDay, Item]]"

    @property
    def contributor(self) -> str:
        return self.saying["contributor"]["S"]

    @property
    def tallies(self) -> list[NetworkTally]:
        return [to_network_tally(item, network.share) for network, item in self.networks]

    def exposed(self) -> frozenset[str]:
        """The names of the networks whose blind votes become implausible by this one."""
        contributor, vote = self.contributor, self.vote
        if vote.attribution is not Attribution.BLIND or contributor == COLLECTION:
            return frozenset()
        return frozenset(
            network.name
            for (network, _), tally in zip(self.networks, self.tallies, strict=True)
            if not tally.is_aside and is_implausible(_given_with(tally, contributor, vote.feedback_type), vote.models)
        )

    @property
    def is_unfinished(self) -> bool:
        """Whether a network was set aside before, but not all of its votes were."""
        return any(tally.is_aside for tally in self.tallies) and any(receipts(item) for _, item in self.networks)

    def first(self, quotas: Quotas, exposed: Container[str]) -> StoredVote:
        """The vote as it is to be stored when it is the first, and has exposed these networks."""
        vote, contributor = self.vote, self.contributor
        tallies = [
            replace(tally, is_aside=tally.is_aside or network.name in exposed)
            for (network, _), tally in zip(self.networks, self.tallies, strict=True)
        ]
        return StoredVote(
            vote.saying_id,
            vote.voter,
            contributor,
            vote.feedback_type,
            vote.cast_at,
            vote.feedback_type,
            vote.cast_at,
            vote.attribution,
            vote_standing(vote.attribution, contributor, tallies, count(self.voter, contributor), quotas),
            vote.networks[0].name if vote.networks else "",
            vote.claimed_execution_ms,
            vote.claimed_cached,
        )


class DynamoVotes(DynamoSayings, VoteCounts):
    """The part of the Store protocol that is about votes."""

    async def vote(self, vote: Vote) -> VoteResult | None:
        result, leaves_votes_to_set_aside = await decide(partial(self._vote, vote))
        if leaves_votes_to_set_aside:
            for network in vote.networks:
                await self._set_network_aside(network.name)
        return result

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await decide(partial(self._withdraw_vote, saying_id, voter))

    async def all_votes(self) -> AsyncIterator[StoredVote]:
        async for page in self._scan({"TableName": self._feedback}):
            contributors = await self._contributors(page)
            for item in page:
                contributor = contributors.get(item["saying_id"]["S"])
                if contributor is None:
                    continue
                if (stored := self._damage.checked("vote", to_stored_vote(item, contributor))) is not None:
                    yield stored

    async def _vote(self, vote: Vote) -> tuple[VoteResult | None, bool]:
        """Store a vote. Also returns whether there are votes to set aside, because a network has been set aside."""
        casting = await self._read_for(vote)
        if "contributor" not in casting.saying:
            return None, False
        if casting.before:
            return await self._change(casting.saying, casting.before, vote), casting.is_unfinished
        exposed = casting.exposed()
        first = casting.first(self._quotas, exposed)
        recount = self._recount(Recount(first, casting.saying, casting.voter, None, first.standing))
        networks = self._network_writes(casting, first, exposed)
        await self._transact([put_new_vote(self._feedback, first), *recount, *networks])
        return _result(casting.saying, None, first), casting.is_unfinished or bool(exposed)

    async def _read_for(self, vote: Vote) -> _Casting:
        """Read what decides about a vote. Networks decide only about one with a token, and voters about a blind one."""
        networks = vote.networks if vote.attribution else ()
        is_blind = vote.attribution is Attribution.BLIND
        saying, before, voter, *items = await asyncio.gather(
            self._saying_item(vote.saying_id),
            self._get(self._feedback, vote_key(vote.saying_id, vote.voter)),
            self._get(self._state, voter_key(vote.voter)) if is_blind else _nothing(),
            *(self._get(self._state, network_key(network.name)) for network in networks),
        )
        return _Casting(vote, saying, before, voter, [*zip(networks, items, strict=True)])

    def _network_writes(self, casting: _Casting, vote: StoredVote, exposed: Container[str]) -> "list[Write]":
        """The writes that count a vote on a model in its networks. Once one is set aside, its counts do not matter."""
        is_blind, counts = vote.attribution is Attribution.BLIND, vote.standing is Standing.COUNTED
        is_of_a_model = vote.contributor != COLLECTION
        if not (is_of_a_model and (is_blind or counts)) or any(tally.is_aside for tally in casting.tallies):
            return []
        return [
            add_vote_to_network(
                self._state,
                network,
                vote,
                self._quotas,
                sets_aside=network.name in exposed,
                keeps_receipt=is_blind and counts and len(receipts(item)) < self._quotas.address_votes,
            )
            for network, item in casting.networks
        ]

    async def _change(self, saying: "Item", before: "Item", vote: Vote) -> VoteResult:
        """Change the present opinion of a vote. What counts in the comparison stays as it was cast first."""
        stored = self._checked(before, saying)
        after = replace(
            stored,
            opinion=vote.feedback_type,
            cast_at=vote.cast_at,
            claimed_execution_ms=vote.claimed_execution_ms,
            claimed_cached=vote.claimed_cached,
        )
        return await self._replace_opinion(saying, before, stored, after)

    async def _withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        saying, before = await asyncio.gather(
            self._saying_item(saying_id), self._get(self._feedback, vote_key(saying_id, voter))
        )
        if "contributor" not in saying:
            return None
        if not before:
            return VoteResult(VoteStatus.UNCHANGED, count(saying, "upvotes"), count(saying, "downvotes"))
        stored = self._checked(before, saying)
        return await self._replace_opinion(saying, before, stored, replace(stored, opinion=None))

    async def _replace_opinion(self, saying: "Item", item: "Item", before: StoredVote, after: StoredVote) -> VoteResult:
        if before.opinion is not after.opinion:
            up, down = vote_delta(before.opinion, after.opinion)
            await self._transact(
                [
                    change_opinion(self._feedback, item, after),
                    add_to_saying(self._sayings, saying, upvotes=up, downvotes=down),
                ]
            )
        return _result(saying, before.opinion, after)

    async def _set_network_aside(self, name: str) -> None:
        """Set the votes aside that have left a receipt with a network, and remove the receipts when that is done.

        No vote from the network has counted since it was marked, so that there will be no further receipts.
        """
        network = await self._get(self._state, network_key(name))
        found = receipts(network)
        for saying_id, voter in found:
            await decide(partial(self._set_vote_aside, saying_id, voter))
        if found:
            await self._update(remove_receipts(self._state, network, found), repeatable=True)

    async def _set_vote_aside(self, saying_id: str, voter: str) -> None:
        saying, item, of_voter = await self._read_all(saying_id, voter)
        vote = self._stored(item, saying)
        if vote is not None and vote.standing is Standing.COUNTED:
            change = Recount(vote, saying, of_voter, Standing.COUNTED, Standing.SET_ASIDE)
            await self._transact([set_vote_aside(self._feedback, saying_id, voter), *self._recount(change)])

    async def _remove_vote(self, saying_id: str, voter: str) -> None:
        """Delete a vote and take it back from all counts. One that has no saying or makes no sense counts nowhere."""
        saying, item, of_voter = await self._read_all(saying_id, voter)
        vote = self._stored(item, saying)
        if vote is None:
            await self._delete({"TableName": self._feedback, "Key": vote_key(saying_id, voter)})
        elif has_standing(item):
            recount = self._recount(Recount(vote, saying, of_voter, vote.standing, None))
            await self._transact([delete_vote(self._feedback, item), *recount])
        else:
            await self._transact([delete_vote(self._feedback, item), *self._uncount_old(vote, saying)])

    async def _read_all(self, saying_id: str, voter: str) -> "tuple[Item, Item, Item]":
        """The items of a saying, of the voter's vote on it, and of the voter."""
        return await asyncio.gather(
            self._saying_item(saying_id),
            self._get(self._feedback, vote_key(saying_id, voter)),
            self._get(self._state, voter_key(voter)),
        )

    def _stored(self, item: "Item", saying: "Item") -> StoredVote | None:
        """The vote of an item. None where there is no item, or one that cannot be read, or no saying to it."""
        if not item or "contributor" not in saying:
            return None
        return self._damage.checked("vote", to_stored_vote(item, saying["contributor"]["S"]))

    def _checked(self, item: "Item", saying: "Item") -> StoredVote:
        vote = self._stored(item, saying)
        if vote is None:
            raise StoreError("The stored vote makes no sense.")
        return vote

    async def _contributors(self, votes: "Iterable[Item]") -> dict[str, str]:
        """The contributor that each vote counts for, by saying id. Older votes do not name it, so it is read."""
        known = {vote["saying_id"]["S"]: vote["contributor"]["S"] for vote in votes if "contributor" in vote}
        unknown = {vote["saying_id"]["S"] for vote in votes} - known.keys()
        sayings = await self._get_many(self._sayings, [{"saying_id": text(saying_id)} for saying_id in unknown])
        return known | {item["saying_id"]["S"]: item["contributor"]["S"] for item in sayings if "contributor" in item}


async def _nothing() -> "Item":
    return {}


def _given_with(tally: NetworkTally, contributor: str, opinion: FeedbackType) -> dict[str, Counts]:
    """The blind votes that a network has given, with one more."""
    so_far = tally.given.get(contributor, Counts())
    one_more = Counts(so_far.votes + 1, so_far.upvotes + (opinion is FeedbackType.POSITIVE))
    return {**tally.given, contributor: one_more}


def _result(saying: "Item", opinion: FeedbackType | None, after: StoredVote) -> VoteResult:
    """The result of a change from an opinion to that of the vote, with the counters that the saying has after it."""
    up, down = vote_delta(opinion, after.opinion)
    status = vote_status(opinion, after.opinion)
    return VoteResult(status, count(saying, "upvotes") + up, count(saying, "downvotes") + down, after.standing)
