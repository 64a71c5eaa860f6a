"""Models that their vendors no longer know leave the line-up at once, in this process and in the whole fleet."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from service.catalogue.line_up import LineUp
from service.catalogue.models import Model
from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener

# After a day a model that is gone takes its seat again for a moment, so that it is asked once more.
GONE_SECONDS = 24 * 3600.0


class GoneModels:
    """Keeps the line-up in step with what any process of the fleet has heard from the vendors.

    `clock` is seconds since the epoch. Must be closed.
    """

    def __init__(
        self,
        line_up: LineUp,
        store: Store,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._line_up = line_up
        self._store = store
        self._listener = listener
        self._timeouts = timeouts
        self._clock = clock
        # What this process heard itself counts also while it cannot be stored.
        self._heard: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, model: Model) -> None:
        """Take a model out of its seat, because its vendor has just said that there is no such model."""
        if model.id in self._line_up.gone:
            return
        self._heard[model.id] = self._clock()
        self._line_up.set_gone({**self._line_up.gone, model.id: _day_of(self._clock())})
        follower = self._line_up.follower_of(model)
        seat = f"goes to {follower.id}" if follower else "is empty now"
        message = f"The vendor no longer knows {model.id}. Its seat {seat}."
        self._listener.emit(DependencyFailed("model", "line-up", "ModelGone", message, model=model.id))
        self._begin(self._mark(model.id))

    async def refresh(self) -> None:
        """Take over what the fleet knows. A store that fails is reported, and the line-up stays as it is."""
        with suppress(StoreError):
            async with store_guard("gone models", self._timeouts.saying_read, self._listener):
                said = await self._store.gone_models()
            # The latest time of all processes counts, so that the fleet asks once a day and not each of them.
            heard = {model: max(said.get(model, 0.0), self._heard.get(model, 0.0)) for model in {*said, *self._heard}}
            still = {model: since for model, since in heard.items() if self._clock() - since < GONE_SECONDS}
            self._line_up.set_gone({model: _day_of(since) for model, since in still.items()})

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._timeouts.line_up_check_every)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _mark(self, model: str) -> None:
        with suppress(StoreError):
            async with store_guard("mark gone model", self._timeouts.store_write, self._listener):
                await self._store.mark_gone(model, since=self._clock())


def _day_of(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()
