"""Bounds on the time of a whole request, of the work that is running when the process stops, and of the store."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from service.errors import StoreError, StoreTimeout, cause_of
from service.limits import DEFAULT_TIMEOUTS
from telemetry.events import DependencyFailed, Listener

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Set the deadline that `within` respects, for the block and the tasks that it starts.

    It does not cancel anything itself.
    """
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def within(seconds: float) -> float:
    """The given seconds, or the seconds until the deadline if they are fewer; never less than zero."""
    end = _deadline.get()
    return seconds if end is None else max(0.0, min(seconds, end - time.monotonic()))


def is_time_for(seconds: float) -> bool:
    """Whether there are that many seconds until the deadline. There always are without one."""
    return within(seconds) == seconds


def has_deadline() -> bool:
    """Whether there is a deadline, as in an invocation of Lambda. Nothing can be sure to run on after it."""
    return _deadline.get() is not None


class Drain:
    """Timeouts that are all brought forward when the process has to stop, to end within `seconds`."""

    def __init__(self, seconds: float = DEFAULT_TIMEOUTS.drain) -> None:
        self._seconds = seconds
        self._limits: set[asyncio.Timeout] = set()
        self._end: float | None = None

    def begin(self) -> None:
        """Begin to stop: every block, running or future, must end within `seconds` from now."""
        self._end = asyncio.get_running_loop().time() + self._seconds
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(self._earlier(limit.when()))

    @asynccontextmanager
    async def limit(self, seconds: float | None = None) -> AsyncIterator[None]:
        """Bound the block as asyncio.timeout does, and by the end of the drain. Raises TimeoutError."""
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
    """Bound the time of a store operation, and report a failure under the operation's name.

    Every call to the store goes through this. Raises StoreError for a failure of the store and for a timeout.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except StoreError as error:
        _report(error, operation, listener)
        raise
    except TimeoutError:
        timeout = StoreTimeout("The store did not answer in time.")
        _report(timeout, operation, listener)
        raise timeout from None


def _report(error: StoreError, operation: str, listener: Listener) -> None:
    listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error), cause_of(error)))
