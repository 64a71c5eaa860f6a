"""How long things may take: a whole request, work under way when the process stops, and the store."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS
from telemetry.events import DependencyFailed, Listener

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything in the block, tasks it starts included, has this long."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def within(seconds: float) -> float:
    """That many seconds, or what is left until the deadline if that is less; never below zero."""
    end = _deadline.get()
    return seconds if end is None else max(0.0, min(seconds, end - time.monotonic()))


class Drain:
    """Timeouts that can be brought forward together, to `seconds` from when the process is told to stop."""

    def __init__(self, seconds: float = DEFAULT_TIMEOUTS.drain) -> None:
        self._seconds = seconds
        self._limits: set[asyncio.Timeout] = set()
        self._end: float | None = None

    def begin(self) -> None:
        """From now on no block has more time than that."""
        self._end = asyncio.get_running_loop().time() + self._seconds
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


@asynccontextmanager
async def store_guard(operation: str, seconds: float, listener: Listener) -> AsyncIterator[None]:
    """Bound the time that the store is waited for, and report under the operation's name what it did not do.

    All waiting for the store goes through here. Raises StoreError, whatever went wrong.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (StoreError, TimeoutError) as failure:
        error = failure if isinstance(failure, StoreError) else _timed_out()
        listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error)))
        raise error from failure.__cause__


def _timed_out() -> StoreError:
    error = StoreError("The store did not answer in time.")
    error.timed_out = True
    return error
