"""What all writes of clients share: a time limit, an end even if the client disconnects, and a 503 on failure."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import StorageFull, StoreError, UnavailableError, VoteNotStored
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.tasks import ShieldedTasks
from service.resilience.timeouts import store_guard, within
from telemetry.events import Listener

T = TypeVar("T")


class WriteGuard:
    """Runs the work of a client's write to its end, within the time for a vote, and raises `failure` if it fails."""

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
        """Wait for what is being written."""
        await self._tasks.close()

    async def _bounded(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        try:
            async with store_guard(operation, within(self._seconds), self._listener):
                return await work
        except StorageFull:
            raise
        except StoreError as error:
            raise self._failure from error
