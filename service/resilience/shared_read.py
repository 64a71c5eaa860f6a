"""Reads that many clients ask for at the same time: they share one, and its result is kept for a moment."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.resilience.tasks import ShieldedTasks

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Reading(Generic[V]):
    """A read, under way or ended, whose result is given to those who ask before `until` on the monotonic clock."""

    task: asyncio.Task[V]
    until: float

    @property
    def has_failed(self) -> bool:
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)


class SharedReads(Generic[K, V]):
    """Reads by key, at most once in so many `seconds` for each. Must be closed.

    At most `most` results are kept, the latest ones. A read that fails does so for all who wait for it, and the next
    client starts another. `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        read: Callable[[K], Coroutine[Any, Any, V]],
        *,
        seconds: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._readings: dict[K, _Reading[V]] = {}
        self._tasks = ShieldedTasks()

    async def get(self, key: K) -> V:
        """The result for a key. Raises what the read raises; a cancelled client does not cancel the others' read."""
        reading = self._readings.get(key)
        if reading is None or self._is_over(reading):
            reading = self._start(key)
        return await asyncio.shield(reading.task)

    async def close(self) -> None:
        """Wait for what is being read."""
        await self._tasks.close()

    def _is_over(self, reading: _Reading[V]) -> bool:
        return reading.has_failed or (reading.task.done() and self._clock() >= reading.until)

    def _start(self, key: K) -> _Reading[V]:
        task = self._tasks.start(self._read(key))
        task.add_done_callback(_look_at)
        self._readings.pop(key, None)  # so that the new one is the latest
        self._readings[key] = reading = _Reading(task, self._clock() + self._seconds)
        while len(self._readings) > self._most:
            del self._readings[next(iter(self._readings))]
        return reading


def _look_at(task: asyncio.Task[V]) -> None:
    """Take note of an exception, because all clients that wait for it may have gone by now."""
    if not task.cancelled():
        task.exception()
