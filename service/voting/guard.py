"""What all votes have in common: bounded in time, stored although the voter goes away, 503 when they cannot be."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from service.errors import StorageFull, StoreError, VoteNotStored
from service.resilience.tasks import Undertakings
from service.resilience.timeouts import within
from telemetry.events import DependencyFailed, Listener

VOTE_SECONDS = 2.0

T = TypeVar("T")


class Voting:
    """Takes the work that a vote is."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._undertakings = Undertakings()

    async def accept(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        """Do the work. Raises VoteNotStored or StorageFull, and what the work raises besides StoreError."""
        return await self._undertakings.finish(self._bounded(work, operation))

    async def close(self) -> None:
        """Wait for the votes under way."""
        await self._undertakings.close()

    async def _bounded(self, work: Coroutine[Any, Any, T], operation: str) -> T:
        try:
            async with asyncio.timeout(within(VOTE_SECONDS)):
                return await work
        except (StoreError, TimeoutError) as error:
            self._listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error)))
            if isinstance(error, StorageFull):
                raise
            raise VoteNotStored from error
