"""Looks after the models: asks the vendors what becomes of them, and says what needs a person."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from service.catalogue.lifecycle import Concern, Lifecycle, concerns, days_left
from service.catalogue.line_up import LineUp
from service.catalogue.models import Model
from service.errors import DependencyError, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.gateway import Gateway
from service.resilience.timeouts import store_guard, within
from service.store.base import Store
from telemetry.events import DependencyFailed, Listener, ModelConcerning, ModelLifeMeasured

# A vendor is asked about a model once in this time, by the whole fleet and by the command line together. It is shorter
# than the day between two looks, so that each of them asks.
ASK_EVERY_SECONDS = 20 * 3600.0


class ModelWatch:
    """What the vendors say of the models and what needs a person. `clock` is seconds since the epoch."""

    def __init__(
        self,
        line_up: LineUp,
        gateway: Gateway,
        store: Store,
        listener: Listener,
        *,
        simulated: bool,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._line_up = line_up
        self._gateway = gateway
        self._store = store
        self._listener = listener
        self._simulated = simulated
        self._timeouts = timeouts
        self._clock = clock

    async def lifecycles(self) -> dict[str, Lifecycle]:
        """What the vendors say of their models: what they said within a day, or say now. A simulator is not asked.

        A vendor that does not answer, or answers junk, is reported and changes nothing.
        """
        if self._simulated:
            return {}
        known = await self._stored()
        recent = {name for name, said in known.items() if self._clock() - said.asked_at < ASK_EVERY_SECONDS}
        asked = [model for model in self._line_up.keyed if not model.base_url and model.id not in recent]
        answers = await asyncio.gather(*map(self._ask, asked))
        said = [answer for answer in answers if answer is not None]
        if said:
            await self._keep(said)
        return {**known, **{each.model: each for each in said}}

    async def report(self) -> list[Concern]:
        """Ask the vendors, measure how long the models of the line-up still have, and report what needs a person."""
        lifecycles = await self.lifecycles()
        for model, days in days_left(self._line_up, lifecycles).items():
            self._listener.emit(ModelLifeMeasured(model, days))
        found = concerns(self._line_up, lifecycles)
        for concern in found:
            self._listener.emit(ModelConcerning(concern.subject, concern.sentence))
        return found

    async def _stored(self) -> Mapping[str, Lifecycle]:
        with suppress(StoreError):
            async with store_guard("lifecycles", self._timeouts.store_write, self._listener):
                return await self._store.lifecycles()
        return {}

    async def _keep(self, said: Sequence[Lifecycle]) -> None:
        with suppress(StoreError):
            async with store_guard("put lifecycles", self._timeouts.store_write, self._listener):
                await self._store.put_lifecycles(said)

    async def _ask(self, model: Model) -> Lifecycle | None:
        try:
            return await self._gateway.lifecycle(model, timeout=within(self._timeouts.model_lifecycle))
        except DependencyError as error:
            kind, cause = type(error).__name__, type(error.__cause__).__name__ if error.__cause__ else ""
            self._listener.emit(DependencyFailed("models API", "ask", kind, str(error), cause, model.id))
            return None
