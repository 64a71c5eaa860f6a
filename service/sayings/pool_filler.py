"""Fills a process's pool from the store, where the rounds of all processes put their sayings, and measures it."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from service.catalogue.models import Model
from service.domain import model_contributor
from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard
from service.sayings.pool import SAYINGS_PER_MODEL, Pool
from service.store.base import Store
from telemetry.events import Listener, ModelMeasured, PoolMeasured


class PoolFiller:
    """Brings the newest sayings of the participating models from the store into the pool.

    `overdue_after` is in seconds, and `clock` is a monotonic clock.
    """

    def __init__(
        self,
        pool: Pool,
        store: Store,
        models: Sequence[Model],
        listener: Listener,
        *,
        ttl: float,
        simulated: bool,
        overdue_after: float = math.inf,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._overdue_after = overdue_after
        self._clock = clock
        self._needed_since: float | None = None
        self._pool = pool
        self._store = store
        self._models = models
        self._listener = listener
        self._ttl = ttl
        self._simulated = simulated
        self._timeouts = timeouts

    def is_needed(self) -> bool:
        """Whether any model has too few fresh sayings, or only stale ones."""
        contributors = (model_contributor(model.id, simulated=self._simulated) for model in self._models)
        needed = any(map(self._pool.lacks, contributors))
        if not needed:
            self._needed_since = None
        elif self._needed_since is None:
            self._needed_since = self._clock()
        return needed

    def begin_anew(self) -> None:
        """Count the time of a need from now on. For Lambda, whose environments are not waiting in their sleep."""
        self._needed_since = None

    @property
    def is_overdue(self) -> bool:
        """Whether the pool has needed a round for so long that none seems to come."""
        since = self._needed_since
        return since is not None and self._clock() - since > self._overdue_after

    async def fill(self) -> None:
        """Read the newest sayings of each model. A failure of the store is emitted, and the next fill tries again."""
        since = time.time() - self._ttl
        reads = (
            self._store.recent_sayings(model.id, since=since, limit=SAYINGS_PER_MODEL, simulated=self._simulated)
            for model in self._models
        )
        with suppress(StoreError):
            async with store_guard("fill pool", self._timeouts.pool_fill, self._listener):
                for sayings in await asyncio.gather(*reads):
                    self._pool.add(reversed(sayings))

    async def run(self) -> None:
        """Fill whenever it is needed, until cancelled."""
        while True:
            if self.is_needed():
                await self.fill()
            await asyncio.sleep(self._timeouts.pool_fill_every)


class PoolGauge:
    """Emits the number of warm sayings of each model, and whether the model `is_failing`."""

    def __init__(
        self,
        pool: Pool,
        models: Sequence[Model],
        is_failing: Callable[[Model], bool],
        listener: Listener,
        *,
        simulated: bool,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._timeouts = timeouts
        self._pool = pool
        self._models = models
        self._is_failing = is_failing
        self._listener = listener
        self._simulated = simulated

    def measure(self) -> None:
        for model in self._models:
            size = self._pool.size_of(model_contributor(model.id, simulated=self._simulated))
            self._listener.emit(PoolMeasured(model.id, size))
            self._listener.emit(ModelMeasured(model.id, self._is_failing(model)))

    async def run(self) -> None:
        """Measure at intervals until cancelled."""
        while True:
            self.measure()
            await asyncio.sleep(self._timeouts.pool_measure_every)
