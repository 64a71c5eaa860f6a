"""Counts serves in memory and writes them to the store in batches, so that no request waits for a write."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from service.domain import hour_of
from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard
from service.store.base import Store
from telemetry.events import Listener

_HOUR = 3600


class ServeCounter:
    """Counts the serves of each contributor by hour since the last flush. `clock` is seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._timeouts = timeouts
        self._listener = listener
        self._clock = clock
        # By whole hours since the epoch, because formatting an hour takes longer than the rest of a warm request.
        self._pending: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def count(self, contributor: str) -> None:
        self._pending[int(self._clock() // _HOUR)][contributor] += 1

    async def flush(self) -> None:
        """Write the counted serves, oldest hour first. Counts that cannot be written are kept for the next flush."""
        for hour in sorted(self._pending):
            serves = self._pending.pop(hour)
            is_written = False
            try:
                is_written = await self._write(hour, serves)
            finally:  # Lambda cancels a flush that outlasts the response
                if not is_written:
                    self._pending[hour].update(serves)
            if not is_written:
                return

    async def _write(self, hour: int, serves: Counter[str]) -> bool:
        try:
            async with store_guard("add serves", self._timeouts.serve_flush, self._listener):
                await self._store.add_serves(serves, hour=hour_of(hour * _HOUR))
        except StoreError:
            return False
        return True

    async def run(self) -> None:
        """Flush every few seconds until cancelled."""
        while True:
            await asyncio.sleep(self._timeouts.serve_flush_every)
            await self.flush()
