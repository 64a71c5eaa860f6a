"""Votes on comparisons: a voter to whom a comparison was shown votes for one of its slots, and then sees the models."""

import time
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from service.catalogue.topics import Topics
from service.domain import (
    NONE,
    TIE,
    Ballot,
    BallotResult,
    BallotStatus,
    Comparison,
    Entry,
    Saying,
    saying_id,
)
from service.errors import (
    ComparisonExpired,
    ComparisonNotFound,
    ComparisonNotShown,
    ComparisonUnavailable,
    SlotNotEligible,
    StoreError,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.tasks import ShieldedTasks, contained
from service.resilience.timeouts import store_guard
from service.sayings.pool import Pool
from service.store.base import Store
from service.voting.comparisons import LEAST_CANDIDATES
from service.voting.guard import WriteGuard
from service.voting.networks import VoterNetworks
from telemetry.events import BallotTaken, Listener

# Shorter than any voter's id, so that it has no ballot.
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class VoterView:
    """A comparison as one voter sees it: `winner` is what they voted for, and `votable` whether they still can."""

    comparison: Comparison
    winner: str | None
    votable: bool


class ComparisonVotes:
    """Checks and stores votes on comparisons, and gives comparisons back to their voters.

    The first vote on a comparison ends its secret: from then on its sayings are served as any others.
    """

    def __init__(
        self,
        store: Store,
        pool: Pool,
        topics: Topics,
        networks: VoterNetworks,
        listener: Listener,
        *,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._pool = pool
        self._topics = topics
        self._networks = networks
        self._withdrawn = withdrawn
        self._listener = listener
        self._clock = clock
        self._timeouts = timeouts
        self._guard = WriteGuard(listener, timeouts=timeouts)
        self._reading = WriteGuard(listener, timeouts=timeouts, failure=ComparisonUnavailable)
        self._tasks = ShieldedTasks()

    async def show(self, voter: str, comparison_id: str) -> VoterView:
        """A comparison, which is shown to this voter from now on if it was not before.

        Raises ComparisonNotFound, ComparisonUnavailable or StorageFull.
        """
        return await self._reading.accept(self._show(voter, comparison_id), "show comparison")

    async def vote(
        self, voter: str, comparison_id: str, winner: str, address: str = ""
    ) -> tuple[Comparison, BallotResult]:
        """Store a vote for a slot, TIE or NONE; returns the comparison and the effect of the vote.

        Only the voter's first vote can count, because its answer names the models. A vote for a saying that has been
        taken down since it was shown counts, but its text is not in the comparison. `address` is the client's address,
        by which votes are limited.
        Raises ComparisonNotFound, ComparisonNotShown, ComparisonExpired, SlotNotEligible, VoteNotStored or StorageFull.
        """
        return await self._guard.accept(self._vote(voter, comparison_id, winner, address), "vote on comparison")

    async def take_unverified(self, comparison_id: str, winner: str) -> None:
        """Take the vote of a client that cannot be recognised.

        Nobody can tell to whom the comparison was shown, or how often the client votes on it. So the vote counts for
        nothing, is not stored, and must not be answered with the models: with them the client could vote again as
        somebody who is recognised.
        Raises ComparisonNotFound, SlotNotEligible or VoteNotStored.
        """
        await self._guard.accept(self._take_unverified(comparison_id, winner), "vote on comparison")

    async def close(self) -> None:
        """Wait for the votes, and for the sayings of comparisons, that are being stored."""
        await self._guard.close()
        await self._reading.close()
        await self._tasks.close()

    async def _show(self, voter: str, comparison_id: str) -> VoterView:
        found = await self._store.get_comparison(comparison_id, voter)
        if found is None:
            raise ComparisonNotFound
        comparison, ballot = found
        now = self._clock()
        if ballot is None:
            ballot = Ballot(comparison_id, voter, now)
            await self._store.show_comparison(ballot)
        votable = ballot.winner is None and self._is_open(ballot, now) and bool(_candidates(comparison))
        return VoterView(comparison.without(self._withdrawn), ballot.winner, votable)

    async def _vote(self, voter: str, comparison_id: str, winner: str, address: str) -> tuple[Comparison, BallotResult]:
        now = self._clock()

        def check(comparison: Comparison, shown: Ballot | None) -> None:
            if shown is None:
                raise ComparisonNotShown
            if not self._is_open(shown, now):
                raise ComparisonExpired
            _check_eligible(comparison, winner)

        networks = await self._networks.on(address, now)
        cast = await self._store.cast_ballot(comparison_id, voter, winner, at=now, networks=networks, check=check)
        if cast is None:
            raise ComparisonNotFound
        comparison, result = cast
        self._emit(winner, result.status)
        if result.status is BallotStatus.RECORDED and result.ballots == 1:
            self._tasks.start(contained("keep sayings", partial(self._keep, comparison), self._listener))
        return comparison.without(self._withdrawn), result

    async def _take_unverified(self, comparison_id: str, winner: str) -> None:
        found = await self._store.get_comparison(comparison_id, _NOBODY)
        if found is None:
            raise ComparisonNotFound
        comparison, _ = found
        _check_eligible(comparison, winner)
        self._emit(winner, BallotStatus.UNVERIFIED)

    def _emit(self, winner: str, status: BallotStatus) -> None:
        self._listener.emit(BallotTaken(winner if winner in (TIE, NONE) else "winner", status))

    def _is_open(self, shown: Ballot, now: float) -> bool:
        return now - shown.shown_at <= self._timeouts.comparison_open

    async def _keep(self, comparison: Comparison) -> None:
        """Store the sayings, and add the new ones to the pool. They are lost when the store fails now."""
        sayings = [saying for entry in comparison.entries if (saying := self._saying(entry, comparison.service))]
        with suppress(StoreError):
            async with store_guard("put sayings", self._timeouts.store_write, self._listener):
                new = await self._store.put_sayings(sayings)
            self._pool.add(saying for saying in sayings if saying.saying_id in new)

    def _saying(self, entry: Entry, service: str) -> Saying | None:
        if entry.saying is None:
            return None
        services = self._topics.services_of(entry.saying, service)
        return Saying(saying_id(entry.saying), entry.saying, services, entry.source, entry.generation)


def _candidates(comparison: Comparison) -> list[str]:
    """The slots that can be voted for: those with a saying, if there are enough of them."""
    slots = [entry.slot for entry in comparison.entries if entry.saying is not None]
    return slots if len(slots) >= LEAST_CANDIDATES else []


def _check_eligible(comparison: Comparison, winner: str) -> None:
    candidates = _candidates(comparison)
    if not candidates:
        raise SlotNotEligible("Fewer than two slots have a saying to choose from.")
    if winner not in (*candidates, TIE, NONE):
        raise SlotNotEligible
