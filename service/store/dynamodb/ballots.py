"""Ballots in DynamoDB: one transaction stores a voter's first choice and counts it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from service.domain import Ballot, BallotResult, BallotStatus, Comparison, NetworkDay, Standing, day_of
from service.errors import ConditionFailed
from service.store.dynamodb.comparisons import DynamoComparisons
from service.store.dynamodb.items import ballot_key, ballots_key, comparison_key, count, has_standing, to_ballot
from service.store.dynamodb.lines import add_to_day, ballot_counts, ballots_line
from service.store.dynamodb.quota_items import add_ballot_to_network, network_key, to_network_tally
from service.store.dynamodb.transport import decide
from service.store.dynamodb.vote_writes import (
    add_ballot,
    cast_first,
    cast_later,
    delete_ballot,
    delete_uncast,
    remove_ballot,
)
from service.store.groups import voter_group
from service.store.quotas import ballot_standing

if TYPE_CHECKING:
    from service.store.dynamodb.writes import Write


class DynamoBallots(DynamoComparisons):
    """The part of the Store protocol that is about ballots."""

    async def cast_ballot(
        self, comparison: Comparison, voter: str, winner: str, *, at: float, networks: Sequence[NetworkDay] = ()
    ) -> BallotResult | None:
        return await decide(partial(self._cast, comparison, voter, winner, at, networks))

    async def _cast(
        self, comparison: Comparison, voter: str, winner: str, at: float, networks: Sequence[NetworkDay]
    ) -> BallotResult | None:
        """Cast the ballot as it was read. Raises ConditionFailed when it, or what it depends on, has changed since."""
        shown, ballots, *items = await asyncio.gather(
            self._get(self._comparisons, ballot_key(comparison.comparison_id, voter)),
            self._get(self._comparisons, ballots_key(comparison.comparison_id)),
            *(self._get(self._state, network_key(network.name)) for network in networks),
        )
        before, so_far = to_ballot(shown), count(ballots, "ballots")
        if before is None:
            return None
        if before.winner is not None:
            return await self._cast_again(before, winner, so_far)
        tallies = [to_network_tally(item, network.share) for network, item in zip(networks, items, strict=True)]
        ballot = replace(
            before,
            winner=winner,
            cast_at=at,
            standing=ballot_standing(tallies, so_far, self._quotas),
            network=networks[0].name if networks else "",
        )
        counts = networks if ballot.standing is Standing.COUNTED else ()
        await self._transact(
            [
                cast_first(self._comparisons, ballot),
                *add_ballot(self._comparisons, comparison, so_far, self._quotas.comparison_ballots),
                *self._ballot_counts(comparison, ballot, 1),
                *(add_ballot_to_network(self._state, network, self._quotas, at=at) for network in counts),
            ]
        )
        return BallotResult(BallotStatus.RECORDED, ballot, so_far + 1)

    async def _cast_again(self, before: Ballot, winner: str, ballots: int) -> BallotResult:
        if winner == before.winner:
            return BallotResult(BallotStatus.UNCHANGED, before, ballots)
        if await self._update(cast_later(self._comparisons, before, winner), repeatable=True) is None:
            raise ConditionFailed((True,))
        return BallotResult(BallotStatus.AFTER_REVEAL, replace(before, later=winner), ballots)

    async def _remove_ballot(self, comparison_id: str, voter: str) -> None:
        """Delete a ballot, and take it back from the counts if it was cast."""
        await decide(partial(self._remove_ballot_as_read, comparison_id, voter))

    async def _remove_ballot_as_read(self, comparison_id: str, voter: str) -> None:
        """Delete the ballot as it was read. Raises ConditionFailed when it has changed since."""
        key = ballot_key(comparison_id, voter)
        item, of_comparison, ballots = await asyncio.gather(
            self._get(self._comparisons, key),
            self._get(self._comparisons, comparison_key(comparison_id)),
            self._get(self._comparisons, ballots_key(comparison_id)),
        )
        ballot, comparison = to_ballot(item), self._comparison(of_comparison)
        if ballot is not None and ballot.winner is None:
            await self._delete(delete_uncast(self._comparisons, comparison_id, voter))
        elif ballot is None or comparison is None or not has_standing(item):
            await self._delete({"TableName": self._comparisons, "Key": key})
        else:
            most = self._quotas.comparison_ballots
            await self._transact(
                [
                    delete_ballot(self._comparisons, ballot),
                    *remove_ballot(self._comparisons, comparison, count(ballots, "ballots"), most),
                    *self._ballot_counts(comparison, ballot, -1),
                ]
            )

    def _ballot_counts(self, comparison: Comparison, ballot: Ballot, amount: int) -> "list[Write]":
        """The write that counts a ballot by its first choice, if there is one."""
        if ballot.winner is None or ballot.cast_at is None or ballot.standing is None:
            return []
        outcome = comparison.outcome(ballot.winner)
        counts = ballot_counts(outcome, ballot.standing, ballot.comparison_id, amount)
        line = ballots_line(day_of(ballot.cast_at), outcome)
        return [add_to_day(self._state, voter_group(ballot.voter), line, counts)]
