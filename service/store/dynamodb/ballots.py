"""Ballots in DynamoDB: one read of all that decides about a voter's choice, and one transaction that counts it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from service.domain import Ballot, BallotResult, BallotStatus, Comparison, NetworkDay, Standing, day_of
from service.store.base import refuse_nothing
from service.store.dynamodb.comparisons import DynamoComparisons
from service.store.dynamodb.items import ballot_key, ballots_key, comparison_key, count, has_standing, to_ballot
from service.store.dynamodb.lines import add_for_voter, ballot_counts, ballots_line
from service.store.dynamodb.quota_items import add_ballot_to_network, network_key, to_network_tally
from service.store.dynamodb.reading import Reading
from service.store.dynamodb.vote_writes import (
    add_ballot,
    cast_first,
    cast_later,
    delete,
    delete_ballot,
    delete_uncast,
    remove_ballot,
)
from service.store.quotas import ballot_standing

if TYPE_CHECKING:
    from service.store.dynamodb.writes import Write


class DynamoBallots(DynamoComparisons):
    """The part of the Store protocol that is about ballots."""

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
        places = [
            (self._comparisons, comparison_key(comparison_id)),
            (self._comparisons, ballot_key(comparison_id, voter)),
            (self._comparisons, ballots_key(comparison_id)),
            *((self._state, network_key(network.name)) for network in networks),
        ]

        def decide(reading: Reading) -> "tuple[list[Write], tuple[Comparison, BallotResult] | None]":
            of_comparison, shown, ballots, *of_networks = (reading.at(*place) for place in places)
            comparison = self._comparison(of_comparison)
            if comparison is None:
                return [], None
            before = self._ballot(shown)
            check(comparison, before)
            if before is None:
                return [], None
            so_far = count(ballots, "ballots")
            if before.winner is not None:
                writes, result = self._cast_again(before, winner, so_far)
                return writes, (comparison, result)
            tallies = [to_network_tally(item, each.share) for each, item in zip(networks, of_networks, strict=True)]
            ballot = replace(
                before,
                winner=winner,
                cast_at=at,
                standing=ballot_standing(tallies, so_far, self._quotas),
                network=networks[0].name if networks else "",
            )
            result = BallotResult(BallotStatus.RECORDED, ballot, so_far + 1)
            return self._cast_first(comparison, ballot, so_far, networks, at), (comparison, result)

        return await self._decide(places, decide)

    def _cast_first(
        self, comparison: Comparison, ballot: Ballot, so_far: int, networks: Sequence[NetworkDay], at: float
    ) -> "list[Write]":
        counts = networks if ballot.standing is Standing.COUNTED else ()
        return [
            cast_first(self._comparisons, ballot),
            *add_ballot(self._comparisons, comparison, so_far, self._quotas.comparison_ballots),
            *self._ballot_counts(comparison, ballot, 1),
            *(add_ballot_to_network(self._state, network, self._quotas, at=at) for network in counts),
        ]

    def _cast_again(self, before: Ballot, winner: str, ballots: int) -> "tuple[list[Write], BallotResult]":
        if winner == before.winner:
            return [], BallotResult(BallotStatus.UNCHANGED, before, ballots)
        result = BallotResult(BallotStatus.AFTER_REVEAL, replace(before, later=winner), ballots)
        return [cast_later(self._comparisons, before, winner)], result

    async def _remove_ballot(self, comparison_id: str, voter: str) -> None:
        """Delete a ballot, and take it back from the counts if it was cast."""
        places = [
            (self._comparisons, comparison_key(comparison_id)),
            (self._comparisons, ballot_key(comparison_id, voter)),
            (self._comparisons, ballots_key(comparison_id)),
        ]

        def decide(reading: Reading) -> "tuple[list[Write], None]":
            of_comparison, item, ballots = (reading.at(*place) for place in places)
            ballot, comparison = to_ballot(item), self._comparison(of_comparison)
            if ballot is not None and ballot.winner is None:
                return [delete_uncast(self._comparisons, comparison_id, voter)], None
            if ballot is None or comparison is None or not has_standing(item):
                return [delete(self._comparisons, ballot_key(comparison_id, voter))], None
            most = self._quotas.comparison_ballots
            return [
                delete_ballot(self._comparisons, ballot),
                *remove_ballot(self._comparisons, comparison, count(ballots, "ballots"), most),
                *self._ballot_counts(comparison, ballot, -1),
            ], None

        await self._decide(places, decide)

    def _ballot_counts(self, comparison: Comparison, ballot: Ballot, amount: int) -> "list[Write]":
        """The write that counts a ballot by its first choice, if there is one."""
        if ballot.winner is None or ballot.cast_at is None or ballot.standing is None:
            return []
        outcome = comparison.outcome(ballot.winner)
        counts = ballot_counts(outcome, ballot.standing, ballot.comparison_id, amount)
        line = ballots_line(day_of(ballot.cast_at), outcome)
        return [add_for_voter(self._state, ballot.voter, line, counts)]
