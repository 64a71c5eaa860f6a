"""Votes on comparisons: a voter to whom a comparison was shown votes for one of its slots, and then sees the models."""

import time
from collections.abc import Callable, Container

from service.domain import NONE, TIE, Ballot, Comparison, VoteStatus, burst_of
from service.errors import ComparisonExpired, ComparisonNotFound, ComparisonNotShown, SlotNotEligible
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.store.base import Store
from service.voting.comparisons import LEAST_CANDIDATES
from service.voting.guard import WriteGuard
from telemetry.events import BallotTaken, Listener


class ComparisonVotes:
    """Checks and stores votes on comparisons."""

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._withdrawn = withdrawn
        self._listener = listener
        self._clock = clock
        self._open_seconds = timeouts.comparison_open
        self._guard = WriteGuard(listener, timeouts=timeouts)

    async def vote(
        self, voter: str, comparison_id: str, winner: str, address: str = ""
    ) -> tuple[Comparison, VoteStatus]:
        """Store a vote for a slot, TIE or NONE; returns the comparison and the effect of the vote.

        A vote for a saying that has been taken down since it was shown counts, but its text is not in the comparison.
        `address` is the client's address, by which bursts of votes are counted.
        Raises ComparisonNotFound, ComparisonNotShown, ComparisonExpired, SlotNotEligible, VoteNotStored or StorageFull.
        """
        return await self._guard.accept(self._vote(voter, comparison_id, winner, address), "vote on comparison")

    async def close(self) -> None:
        """Wait for the votes that are being stored."""
        await self._guard.close()

    async def _vote(self, voter: str, comparison_id: str, winner: str, address: str) -> tuple[Comparison, VoteStatus]:
        found = await self._store.get_comparison(comparison_id, voter)
        if found is None:
            raise ComparisonNotFound
        comparison, shown = found
        now = self._clock()
        if shown is None:
            raise ComparisonNotShown
        if now - shown.shown_at > self._open_seconds:
            raise ComparisonExpired
        _check_eligible(comparison, winner)
        ballot = Ballot(comparison_id, voter, shown.shown_at, winner, now, burst_of(address, now))
        status = await self._store.cast_ballot(comparison, ballot)
        if status is None:
            raise ComparisonNotShown
        self._listener.emit(BallotTaken(winner if winner in (TIE, NONE) else "winner", status))
        return comparison.without(self._withdrawn), status


def _check_eligible(comparison: Comparison, winner: str) -> None:
    candidates = [entry.slot for entry in comparison.entries if entry.saying is not None]
    if len(candidates) < LEAST_CANDIDATES:
        raise SlotNotEligible("Fewer than two slots have a saying to choose from.")
    if winner not in (*candidates, TIE, NONE):
        raise SlotNotEligible
