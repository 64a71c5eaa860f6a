"""What all votes share: a time limit, storage even if the client disconnects, and 503 when storing fails."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import StorageFull, StoreError, UnavailableError, VoteNotStored
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.tasks import ShieldedTasks
from service.resilience.timeouts import store_guard, within
from telemetry.events import Listener

T = TypeVar("T")


class VoteGuard:
    """Runs the work of storing a vote to its end, within a time limit. Raises `failure` when that is not possible."""

    def __init__(
        self,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        failure: type[UnavailableError] = VoteNotStored,
    ) -> None:
        self._failure = failure
        self._listener = listener
        self._seconds = timeouts.vote
        self._tasks = ShieldedTasks()

    async def accept(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        """Run the work and return its result. Raises the guard's failure or StorageFull for its StoreErrors.

        Its other errors pass unchanged.
        """
        return await self._tasks.finish(self._bounded(work, operation))

    async def close(self) -> None:
        """Wait for the votes that are being stored."""
        await self._tasks.close()

    async def _bounded(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        try:
            async with store_guard(operation, within(self._seconds), self._listener):
                return await work
        except StorageFull:
            raise
        except StoreError as error:
            raise self._failure from error
