"""The statistics as they are now, or were up to two minutes ago: read and computed once for all callers."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from service.catalogue.line_up import LineUp
from service.errors import StatisticsUnavailable, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.statistics.report import first_hour, report
from service.statistics.schemas import StatsAnswer
from service.store.base import Aggregates, Store
from telemetry.events import Listener

CACHE_SECONDS = 120.0
# The oldest report that is served while the store cannot be read.
STALE_SECONDS = 3600.0
# How long the store is not read after a failure.
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Report:
    """A report, its JSON, and the time on the monotonic clock when the store was read for it."""

    answer: StatsAnswer
    encoded: bytes
    read_at: float


class Statistics:
    """Serves the report on the counts in the store. Must be closed. `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        *,
        store: Store,
        line_up: LineUp,
        simulated: bool,
        listener: Listener,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._line_up = line_up
        self._simulated = simulated
        self._listener = listener
        self._seconds = timeouts.statistics
        self._clock = clock
        self._last: _Report | None = None
        self._refresh_at = -math.inf
        self._refresh: asyncio.Task[None] | None = None

    async def answer(self) -> StatsAnswer:
        """The report. Raises StatisticsUnavailable; a cancelled caller does not cancel the others'."""
        return (await self._current()).answer

    async def encoded(self) -> bytes:
        """The report as JSON. Raises StatisticsUnavailable."""
        return (await self._current()).encoded

    async def close(self) -> None:
        """Cancel the refresh under way."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)

    async def _current(self) -> _Report:
        if self._clock() >= self._refresh_at:
            await asyncio.shield(self._refreshing())
        if self._last is None or self._clock() - self._last.read_at >= STALE_SECONDS:
            raise StatisticsUnavailable
        return self._last

    def _refreshing(self) -> asyncio.Task[None]:
        """The refresh under way, which all callers share. Start one when there is no refresh."""
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._load(), name="statistics")
        return self._refresh

    async def _load(self) -> None:
        now, read_at = time.time(), self._clock()
        try:
            async with store_guard("aggregates", within(self._seconds), self._listener):
                aggregates = await self._store.aggregates(since_hour=first_hour(now))
                analysis = await self._store.analysis()
        except StoreError:
            self._keep_the_last()
        else:
            # In a thread, because some ten milliseconds of arithmetic would delay other requests.
            answer, encoded = await asyncio.to_thread(self._compute, aggregates, analysis, now)
            self._last = _Report(answer, encoded, read_at)
            self._refresh_at = read_at + CACHE_SECONDS

    def _keep_the_last(self) -> None:
        """Mark the last report as stale and go on serving it, and do not read the store for a while."""
        self._refresh_at = self._clock() + RETRY_SECONDS
        if self._last is not None:
            answer = msgspec.structs.replace(self._last.answer, stale=True)
            self._last = replace(self._last, answer=answer, encoded=msgspec.json.encode(answer))

    def _compute(self, aggregates: Aggregates, analysis: str | None, now: float) -> tuple[StatsAnswer, bytes]:
        answer = report(aggregates, self._line_up, simulated=self._simulated, now=now, analysis=analysis)
        return answer, msgspec.json.encode(answer)
