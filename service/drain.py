"""Cutting calls short when the process is told to stop, so that whoever waits is answered before its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# What is left to a model call: with the database after it, less than the server waits for its handlers.
DRAIN_SECONDS = 1.0


class Drain:
    """Timeouts that can be brought forward together."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._end: float | None = None

    def begin(self) -> None:
        """From now on no block has more than DRAIN_SECONDS."""
        self._end = asyncio.get_running_loop().time() + DRAIN_SECONDS
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(self._earlier(limit.when()))

    @asynccontextmanager
    async def limit(self, seconds: float | None = None) -> AsyncIterator[None]:
        """As asyncio.timeout. Raises TimeoutError."""
        when = None if seconds is None else asyncio.get_running_loop().time() + seconds
        async with asyncio.timeout_at(self._earlier(when)) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def _earlier(self, when: float | None) -> float | None:
        return min((moment for moment in (when, self._end) if moment is not None), default=None)
