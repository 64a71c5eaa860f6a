"""Votes in DynamoDB: one read of all that decides about a vote, and one transaction that stores and counts it."""

from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

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
    vote_delta,
    vote_status,
)
from service.errors import StoreError
from service.limits import Quotas
from service.store.base import Counts, StoredVote, refuse_nothing
from service.store.dynamodb.items import count, has_standing, saying_key, to_stored_vote, vote_key
from service.store.dynamodb.quota_items import (
    add_vote_to_network,
    network_key,
    receipts,
    remove_receipts,
    to_network_tally,
    voter_key,
)
from service.store.dynamodb.reading import Place, Reading
from service.store.dynamodb.sayings import DynamoSayings
from service.store.dynamodb.vote_counts import Recount, VoteCounts
from service.store.dynamodb.vote_writes import (
    add_to_saying,
    change_opinion,
    delete,
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

    def unfinished(self) -> frozenset[str]:
        """The names of the networks that were set aside before, but not all of their votes were."""
        return frozenset(
            network.name
            for (network, item), tally in zip(self.networks, self.tallies, strict=True)
            if tally.is_aside and receipts(item)
        )

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

    async def vote(
        self, vote: Vote, check: Callable[[Saying], None] = refuse_nothing
    ) -> tuple[Saying, VoteResult] | None:
        taken, with_votes_to_set_aside = await self._decide(self._places_of(vote), partial(self._vote, vote, check))
        for name in with_votes_to_set_aside:
            await self._set_network_aside(name)
        return taken

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        places = [(self._sayings, saying_key(saying_id)), (self._feedback, vote_key(saying_id, voter))]
        return await self._decide(places, partial(self._withdraw_vote, saying_id, voter))

    async def all_votes(self) -> AsyncIterator[StoredVote]:
        async for page in self._scan({"TableName": self._feedback}):
            contributors = await self._contributors(page)
            for item in page:
                contributor = contributors.get(item["saying_id"]["S"])
                if contributor is None:
                    continue
                if (stored := self._damage.checked("vote", to_stored_vote(item, contributor))) is not None:
                    yield stored

    def _vote(
        self, vote: Vote, check: Callable[[Saying], None], reading: Reading
    ) -> "tuple[list[Write], tuple[tuple[Saying, VoteResult] | None, frozenset[str]]]":
        """Store a vote. Also returns the names of the networks that are set aside and have votes that are not yet."""
        casting = self._casting(vote, reading)
        saying = self._saying(casting.saying)
        if saying is None:
            return [], (None, frozenset())
        check(saying)
        if casting.before:
            changes, result = self._change(casting.saying, casting.before, vote)
            return changes, ((saying, result), casting.unfinished())
        exposed = casting.exposed()
        first = casting.first(self._quotas, exposed)
        writes = [
            put_new_vote(self._feedback, first),
            *self._recount(Recount(first, casting.saying, casting.voter, None, first.standing)),
            *self._network_writes(casting, first, exposed),
        ]
        result = _result(casting.saying, None, first)
        return writes, ((saying, result), casting.unfinished() | exposed)

    def _places_of(self, vote: Vote) -> list[Place]:
        """What decides about a vote. Networks decide only about one with a token, and voters about a blind one."""
        places = [(self._sayings, saying_key(vote.saying_id)), (self._feedback, vote_key(vote.saying_id, vote.voter))]
        if vote.attribution is Attribution.BLIND:
            places.append((self._state, voter_key(vote.voter)))
        return places + [(self._state, network_key(network.name)) for network in _deciding(vote)]

    def _casting(self, vote: Vote, reading: Reading) -> _Casting:
        is_blind = vote.attribution is Attribution.BLIND
        return _Casting(
            vote,
            saying=reading.at(self._sayings, saying_key(vote.saying_id)),
            before=reading.at(self._feedback, vote_key(vote.saying_id, vote.voter)),
            voter=reading.at(self._state, voter_key(vote.voter)) if is_blind else {},
            networks=[(each, reading.at(self._state, network_key(each.name))) for each in _deciding(vote)],
        )

    def _network_writes(self, casting: _Casting, vote: StoredVote, exposed: Container[str]) -> "list[Write]":
        """The writes that count a vote on a model in its networks. Once one is set aside, its counts do not matter."""
        is_blind, counts = vote.attribution is Attribution.BLIND, vote.standing is Standing.COUNTED
        is_of_a_model = vote.contributor != COLLECTION
        if not (is_of_a_model and (is_blind or counts)):
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
            for (network, item), tally in zip(casting.networks, casting.tallies, strict=True)
            if not tally.is_aside
        ]

    def _change(self, saying: "Item", before: "Item", vote: Vote) -> "tuple[list[Write], VoteResult]":
        """Change the present opinion of a vote. What counts in the comparison stays as it was cast first."""
        stored = self._checked(before, saying)
        after = replace(
            stored,
            opinion=vote.feedback_type,
            cast_at=vote.cast_at,
            claimed_execution_ms=vote.claimed_execution_ms,
            claimed_cached=vote.claimed_cached,
        )
        return self._replace_opinion(saying, before, stored, after)

    def _withdraw_vote(self, saying_id: str, voter: str, reading: Reading) -> "tuple[list[Write], VoteResult | None]":
        saying = reading.at(self._sayings, saying_key(saying_id))
        before = reading.at(self._feedback, vote_key(saying_id, voter))
        if "contributor" not in saying:
            return [], None
        if not before:
            return [], VoteResult(VoteStatus.UNCHANGED, count(saying, "upvotes"), count(saying, "downvotes"))
        stored = self._checked(before, saying)
        return self._replace_opinion(saying, before, stored, replace(stored, opinion=None))

    def _replace_opinion(
        self, saying: "Item", item: "Item", before: StoredVote, after: StoredVote
    ) -> "tuple[list[Write], VoteResult]":
        result = _result(saying, before.opinion, after)
        if before.opinion is after.opinion:
            return [], result
        up, down = vote_delta(before.opinion, after.opinion)
        add = add_to_saying(self._sayings, saying, upvotes=up, downvotes=down)
        return [change_opinion(self._feedback, item, after), add], result

    async def _set_network_aside(self, name: str) -> None:
        """Set the votes aside that have left a receipt with a network, and remove the receipts when that is done.

        No vote from the network has counted since it was marked, so that there will be no further receipts.
        """
        network = await self._get(self._state, network_key(name))
        found = receipts(network)
        for saying_id, voter in found:
            places = self._places_of_all(saying_id, voter)
            await self._decide(places, partial(self._set_vote_aside, saying_id, voter))
        if found:
            await self._update(remove_receipts(self._state, network, found), repeatable=True)

    def _set_vote_aside(self, saying_id: str, voter: str, reading: Reading) -> "tuple[list[Write], None]":
        saying, item, of_voter = self._all_of_vote(saying_id, voter, reading)
        vote = self._stored(item, saying)
        if vote is None or vote.standing is not Standing.COUNTED:
            return [], None
        change = Recount(vote, saying, of_voter, Standing.COUNTED, Standing.SET_ASIDE)
        return [set_vote_aside(self._feedback, saying_id, voter), *self._recount(change)], None

    async def _remove_vote(self, saying_id: str, voter: str) -> None:
        """Delete a vote and take it back from all counts. One that has no saying or makes no sense counts nowhere."""
        places = self._places_of_all(saying_id, voter)
        await self._decide(places, partial(self._removal, saying_id, voter))

    def _removal(self, saying_id: str, voter: str, reading: Reading) -> "tuple[list[Write], None]":
        saying, item, of_voter = self._all_of_vote(saying_id, voter, reading)
        vote = self._stored(item, saying)
        if vote is None:
            return [delete(self._feedback, vote_key(saying_id, voter))], None
        uncount = (
            self._recount(Recount(vote, saying, of_voter, vote.standing, None))
            if has_standing(item)
            else self._uncount_old(vote, saying)
        )
        return [delete_vote(self._feedback, item), *uncount], None

    def _places_of_all(self, saying_id: str, voter: str) -> list[Place]:
        """A saying, the voter's vote on it, and the voter."""
        return [
            (self._sayings, saying_key(saying_id)),
            (self._feedback, vote_key(saying_id, voter)),
            (self._state, voter_key(voter)),
        ]

    def _all_of_vote(self, saying_id: str, voter: str, reading: Reading) -> "tuple[Item, Item, Item]":
        saying, vote, of_voter = (reading.at(*place) for place in self._places_of_all(saying_id, voter))
        return saying, vote, of_voter

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
        sayings = await self._get_many(self._sayings, map(saying_key, unknown))
        return known | {item["saying_id"]["S"]: item["contributor"]["S"] for item in sayings if "contributor" in item}


def _deciding(vote: Vote) -> Sequence[NetworkDay]:
    """The networks that decide about a vote."""
    return vote.networks if vote.attribution else ()


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
