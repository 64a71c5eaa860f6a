"""Forgets a voter who asks for it: their votes and ballots are taken back and deleted."""

from dataclasses import dataclass

from service.errors import NotForgotten
from service.limits import DAY_SECONDS, DEFAULT_RETENTION, DEFAULT_TIMEOUTS, Retention, Timeouts
from service.sayings.voter_memory import VoterMemory
from service.store.base import Store
from service.voting.guard import WriteGuard
from telemetry.events import Listener


@dataclass(frozen=True, slots=True)
class Promise:
    """Whether everything of the voter is gone already, and the time after which it is, in seconds since the epoch."""

    is_kept: bool
    before: float


class Forgetting:
    """Forgets voters, at once or by the next passes, as the store can. Times are by the store's clock."""

    def __init__(
        self,
        store: Store,
        memory: VoterMemory,
        listener: Listener,
        *,
        retention: Retention = DEFAULT_RETENTION,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._store = store
        self._memory = memory
        self._most_seconds = retention.request_days * DAY_SECONDS
        self._guard = WriteGuard(listener, timeouts=timeouts, failure=NotForgotten)

    async def forget(self, voter: str | None) -> Promise:
        """Forget a voter, or nobody. It is safe to repeat. Raises NotForgotten or StorageFull."""
        return await self._guard.accept(self._forget(voter), "forget")

    async def close(self) -> None:
        """Wait for what is being forgotten."""
        await self._guard.close()

    async def _forget(self, voter: str | None) -> Promise:
        now = await self._store.time()
        if voter is None:
            return Promise(is_kept=True, before=now)
        is_kept = await self._store.forget(voter, asked_at=now)
        self._memory.forget(voter)
        return Promise(is_kept, now if is_kept else now + self._most_seconds)
