"""One round: all models write at once, each on three services; key → prompt → call → parse → retry → store → pool."""

import asyncio
import random
import time
from collections.abc import Sequence

from service.catalogue.models import Model
from service.catalogue.topics import Topics
from service.domain import CallKind, Saying
from service.errors import (
    DependencyError,
    KeyStoreError,
    ModelBadResponse,
    ModelCutShort,
    ModelError,
    ModelNotAsked,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.gateway import Gateway
from service.resilience.timeouts import store_guard, within
from service.sayings.pool import Pool
from service.store.base import Lease, Store
from telemetry import traces
from telemetry.events import Listener, ModelMeasured, ModelReport, RoundFinished, RoundStarted, Unexpected

SERVICES_PER_MODEL = 3


class Round:
    """Lets every model write fresh sayings. A failing model never affects the results of the others."""

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        pool: Pool,
        topics: Topics,
        models: Sequence[Model],
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._store_seconds = timeouts.round_write
        self._gateway = gateway
        self._store = store
        self._pool = pool
        self._topics = topics
        self._models = models
        self._listener = listener

    async def run(self, lease: Lease) -> RoundFinished:
        """Call every model, under a lease. The report has the number of sayings or the error of each model."""
        with traces.work():
            return await self._run(lease)

    async def _run(self, lease: Lease) -> RoundFinished:
        started = time.perf_counter()
        models = tuple(self._models)
        self._listener.emit(RoundStarted(tuple(model.id for model in models)))
        await self._gateway.load(models)  # the import of an SDK must not take the time that a model has
        reports = await asyncio.gather(*(self._take_part(model, lease) for model in models))
        finished = RoundFinished(tuple(reports), _milliseconds_since(started), lease.token)
        self._listener.emit(finished)
        return finished

    async def _take_part(self, model: Model, lease: Lease) -> ModelReport:
        started = time.perf_counter()
        try:
            with traces.step("write", model.id):
                count = await self._bring(model, lease)
            report = ModelReport(model.id, count, _milliseconds_since(started))
            self._listener.emit(ModelMeasured(model.id, failing=False))
        except DependencyError as error:
            if _is_the_models_failure(error):
                self._listener.emit(ModelMeasured(model.id, failing=True))
            report = ModelReport(model.id, 0, _milliseconds_since(started), type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 - a defect in one model's part must not affect the others' results
            self._listener.emit(Unexpected("round", error))
            report = ModelReport(model.id, 0, _milliseconds_since(started), type(error).__name__, "unexpected")
        self._listener.emit(report)
        return report

    async def _bring(self, model: Model, lease: Lease) -> int:
        """Let a model write sayings, and add them to the store and the pool.

        Returns the number of sayings that are new. Raises DependencyError.
        """
        sayings = await self._write(model, random.sample(self._topics.names, SERVICES_PER_MODEL))
        if not sayings:
            raise ModelBadResponse("The model wrote nothing that may be shown.")
        async with store_guard("put round", self._store_seconds, self._listener):
            new = await self._store.put_sayings(sayings, fence=lease)
            own = [saying for saying in sayings if saying.saying_id in new or await self._is_stored_as_own(saying)]
        # Only the sayings that are stored as this model's, because a vote on any other would be refused.
        self._pool.add(own)
        return len(own)

    async def _is_stored_as_own(self, saying: Saying) -> bool:
        """Whether the model has written the same words before, as a simulated one does in the end."""
        stored = await self._store.get_saying(saying.saying_id)
        return stored is not None and stored.contributor == saying.contributor

    async def _write(self, model: Model, services: Sequence[str]) -> list[Saying]:
        """Call the model once, and once more for only those services that were left without a saying."""
        known = set(self._pool.ids)
        first = await self._gateway.write(
            model, services, kind=CallKind.ROUND, timeout=within(model.timeout_seconds), known=known
        )
        if not first.missing:
            return list(first.sayings)
        known.update(saying.saying_id for saying in first.sayings)
        try:
            second = await self._gateway.write(
                model, first.missing, kind=CallKind.ROUND, timeout=within(model.timeout_seconds), known=known
            )
        except DependencyError:
            if not first.sayings:
                raise
            return list(first.sayings)  # the gateway has reported the failure
        return [*first.sayings, *second.sayings]


def _is_the_models_failure(error: DependencyError) -> bool:
    """Whether the model or its key has failed, and not the store, the budget or our own time."""
    return isinstance(error, ModelError | KeyStoreError) and not isinstance(error, ModelNotAsked | ModelCutShort)


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
