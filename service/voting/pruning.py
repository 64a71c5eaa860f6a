"""The daily pass that removes what has reached its end, and what is left of voters who asked to be forgotten."""

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict

from service.errors import StoreError
from service.limits import DEFAULT_RETENTION, DEFAULT_TIMEOUTS, Retention, Timeouts
from service.resilience.timeouts import store_guard, within
from service.store.base import Store
from service.store.retention import Pruned
from telemetry.events import DataPruned, Listener


class Pruning:
    """Goes on with the pass for a while, by the clock of the store. `ticks` is a monotonic clock in seconds.

    What the pass removes cannot be brought back, so that the wrong clock of one machine must not decide what is old.
    """

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        retention: Retention = DEFAULT_RETENTION,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._listener = listener
        self._retention = retention
        self._timeouts = timeouts
        self._ticks = ticks

    async def run(self) -> bool:
        """Begin or continue the pass, and return whether it is finished. A failure of the store is reported."""
        done, finished = Pruned(), False
        until = self._ticks() + within(self._timeouts.pruning)
        try:
            async with store_guard("prune", within(self._timeouts.pruning_page), self._listener):
                now = await self._store.time()
            async with aclosing(self._store.prune(self._retention, now=now)) as parts:
                while not finished and self._ticks() < until:
                    async with store_guard("prune", within(self._timeouts.pruning_page), self._listener):
                        part = await anext(parts, None)
                    done, finished = done + (part or Pruned()), part is None
        except StoreError:
            finished = False
        self._listener.emit(DataPruned(**asdict(done), finished=finished))
        return finished
