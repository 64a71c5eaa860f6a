"""Forgets a voter who asks for it: their votes and ballots are taken back and deleted."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import NotForgotten, VoteNotStored
from service.limits import DAY_SECONDS, DEFAULT_RETENTION, DEFAULT_TIMEOUTS, Retention, Timeouts
from service.sayings.voter_memory import VoterMemory
from service.store.base import Store
from service.voting.guard import VoteGuard
from telemetry.events import Listener


@dataclass(frozen=True, slots=True)
class Promise:
    """Whether everything of the voter is gone already, and the moment, in seconds since the epoch, when it will be."""

    is_kept: bool
    before: float


class Forgetting:
    """Forgets voters, at once or by the next passes, as the store can."""

    def __init__(
        self,
        store: Store,
        memory: VoterMemory,
        listener: Listener,
        *,
        retention: Retention = DEFAULT_RETENTION,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._most_seconds = retention.request_days * DAY_SECONDS
        self._guard = VoteGuard(listener, timeouts=timeouts)

    async def forget(self, voter: str | None) -> Promise:
        """Forget a voter, or nobody. It is safe to repeat. Raises NotForgotten or StorageFull."""
        now = self._clock()
        if voter is None:
            return Promise(is_kept=True, before=now)
        try:
            is_kept = await self._guard.accept(self._store.forget(voter, asked_at=now), "forget")
        except VoteNotStored as error:
            raise NotForgotten from error
        self._memory.forget(voter)
        return Promise(is_kept, now if is_kept else now + self._most_seconds)

    async def close(self) -> None:
        """Wait for what is being forgotten."""
        await self._guard.close()
