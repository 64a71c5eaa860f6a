"""Serves are counted in memory and written to the store in batches, never on a request's way."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from service.domain import hour_of
from service.errors import StoreError
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener

FLUSH_SECONDS = 10.0
_TIMEOUT_SECONDS = 2.0
_HOUR = 3600


class ServeCounter:
    """How often each contributor was served in each hour since the last flush. The clock tells the time of day."""

    def __init__(self, store: Store, listener: Listener, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._listener = listener
        self._clock = clock
        # By whole hours since the epoch: to name an hour takes longer than all else on a warm request's way.
        self._pending: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def count(self, contributor: str) -> None:
        self._pending[int(self._clock() // _HOUR)][contributor] += 1

    async def flush(self) -> None:
        """Write what has been counted; what could not be written is kept for the next time."""
        for hour in sorted(self._pending):
            serves = self._pending.pop(hour)
            if not await self._write(hour, serves):
                self._pending[hour].update(serves)
                return

    async def _write(self, hour: int, serves: Counter[str]) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._store.add_serves(serves, hour=hour_of(hour * _HOUR))
        except (StoreError, TimeoutError) as error:
            self._listener.emit(DependencyFailed("store", "add serves", type(error).__name__, str(error)))
            return False
        return True

    async def run(self) -> None:
        """Flush every few seconds until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
