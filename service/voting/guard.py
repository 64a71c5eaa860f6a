"""Guards every vote: its time is bounded, it is stored even if the client disconnects, and a failed store is a 503."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import StorageFull, StoreError, VoteNotStored
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.tasks import ShieldedTasks
from service.resilience.timeouts import store_guard, within
from telemetry.events import Listener

T = TypeVar("T")


class VoteGuard:
    """Runs the work of a vote."""

    def __init__(self, listener: Listener, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self._listener = listener
        self._seconds = timeouts.vote
        self._tasks = ShieldedTasks()

    async def accept(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        """Run the work to its end, even if the caller is cancelled, and return its result.

        Raises StorageFull, VoteNotStored for any other StoreError, and every other error of the work.
        """
        return await self._tasks.finish(self._bounded(work, operation))

    async def close(self) -> None:
        """Wait for the votes under way."""
        await self._tasks.close()

    async def _bounded(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        try:
            async with store_guard(operation, within(self._seconds), self._listener):
                return await work
        except StorageFull:
            raise
        except StoreError as error:
            raise VoteNotStored from error
