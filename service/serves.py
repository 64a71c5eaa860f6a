"""Serves are counted in memory and written to the store in batches, never on a request's way."""

import asyncio
from collections import Counter

from service.errors import StoreError
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener

FLUSH_SECONDS = 10.0
_TIMEOUT_SECONDS = 2.0


class ServeCounter:
    """How often each contributor was served since the last flush."""

    def __init__(self, store: Store, listener: Listener) -> None:
        self._store = store
        self._listener = listener
        self._pending: Counter[str] = Counter()

    def count(self, contributor: str) -> None:
        self._pending[contributor] += 1

    async def flush(self) -> None:
        """Write what has been counted; what could not be written is kept for the next time."""
        batch, self._pending = self._pending, Counter()
        if not batch:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._store.add_serves(batch)
        except (StoreError, TimeoutError) as error:
            self._pending.update(batch)
            self._listener.emit(DependencyFailed("store", "add serves", type(error).__name__, str(error)))

    async def run(self) -> None:
        """Flush every few seconds until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
