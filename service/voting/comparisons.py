"""Runs blind comparisons: all models write on one service from the same prompt, and stay hidden until the vote."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from service.catalogue.models import Model
from service.catalogue.topics import Topics
from service.domain import SLOTS, Ballot, CallKind, Comparison, Entry, Generation, Saying, model_source
from service.errors import (
    BudgetExhausted,
    ComparisonUnavailable,
    DependencyError,
    InvalidRequest,
    ModelError,
    ModelsBusy,
    NothingToCompare,
    StoreError,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.billing import Advance
from service.llm.gateway import Gateway
from service.resilience.tasks import ShieldedTasks
from service.resilience.timeouts import Drain, store_guard, within
from service.sayings.pool import Pool
from service.store.base import Store
from telemetry.events import ComparisonFinished, DependencyFailed, Listener, Unexpected

# With fewer models or sayings there is nothing to compare.
LEAST_CANDIDATES = 2
# A comparison that is under way will have ended after about this long.
BUSY_SECONDS = 5
_HOUR = 3600

# The slots of the models must not be predictable, since the vote is blind.
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Opened:
    """A comparison has begun. An Entry for each of the slots will follow, in any order.

    `replayed` is true when it is a stored comparison.
    """

    comparison_id: str
    service: str
    slots: tuple[str, ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A comparison is complete. `votable` is true when it is stored and has at least two sayings."""

    comparison_id: str
    votable: bool


Step = Opened | Entry | Closed


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a comparison: the service, the model in each slot, the voter, and the calls reserved in advance.

    `deadline` and `started` are seconds on the monotonic clock.
    """

    comparison_id: str
    service: str
    line_up: Mapping[str, Model]
    voter: str
    advance: Advance
    deadline: float
    started: float


@dataclass(frozen=True, slots=True)
class _SlotResult:
    """The result of a slot: its entry, and the sayings to store."""

    entry: Entry
    sayings: tuple[Saying, ...] = ()


class Comparisons:
    """Runs comparisons. `models` are the participating models, whose vendors have a key.

    `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        store: Store,
        pool: Pool,
        listener: Listener,
        topics: Topics,
        models: Sequence[Model],
        simulated: bool,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._pool = pool
        self._listener = listener
        self._topics = topics
        self._models = models
        self._simulated = simulated
        self._clock = clock
        self._tasks = ShieldedTasks()
        self._timeouts = timeouts
        self._drain = Drain(timeouts.drain)

    async def run(self, voter: str, wanted: str | None = None) -> AsyncGenerator[Step, None]:
        """Run a comparison and yield its steps as they happen: Opened, an Entry for each slot, Closed.

        It is on the service `wanted`, or on a random one. When no new comparison may be made, an older one that the
        voter has not seen is replayed.

        Raises InvalidRequest, NothingToCompare or ComparisonUnavailable, all of them before the first step. Cancelling
        the generator or closing it early stops the models. Their costs so far are recorded and the sayings written so
        far are stored, but there is no comparison to vote on.
        """
        started = time.monotonic()
        service, line_up = self._service(wanted), self._line_up()
        try:
            advance = await self._gateway.reserve(line_up.values(), [service])
        except ModelsBusy:
            steps = self._replay(voter, wanted, started, retry_after=BUSY_SECONDS)
        except BudgetExhausted:  # there may be budget again in the next hour
            steps = self._replay(voter, wanted, started, retry_after=_HOUR - int(self._clock()) % _HOUR)
        except StoreError as error:
            raise ComparisonUnavailable from error
        else:
            deadline = started + within(self._timeouts.comparison)
            plan = _Plan(secrets.token_hex(16), service, line_up, voter, advance, deadline, started)
            steps = self._ask_all(plan)
        async with aclosing(steps):
            async for step in steps:
                yield step

    def drain(self) -> None:
        """End running comparisons soon. Slots without a result by then are given up; the others can be voted on."""
        self._drain.begin()

    async def close(self) -> None:
        """Wait until the results of finished comparisons have been stored."""
        await self._tasks.close()

    def _service(self, wanted: str | None) -> str:
        if wanted is None:
            return _random.choice(self._topics.names)
        if wanted not in self._topics.names:
            raise InvalidRequest("The service is none that is known.", details=["service: unknown"])
        return wanted

    def _line_up(self) -> dict[str, Model]:
        """The models by slot, in random order. Raises NothingToCompare when there are fewer than two."""
        if len(self._models) < LEAST_CANDIDATES:
            raise NothingToCompare
        drawn = _random.sample(self._models, min(len(SLOTS), len(self._models)))
        return dict(zip(SLOTS, drawn, strict=False))

    async def _ask_all(self, plan: _Plan) -> AsyncGenerator[Step, None]:
        tasks = [asyncio.create_task(self._ask(slot, model, plan)) for slot, model in plan.line_up.items()]
        try:
            yield Opened(plan.comparison_id, plan.service, tuple(plan.line_up), replayed=False)
            for result in asyncio.as_completed(tasks):
                yield (await result).entry
        except BaseException:  # the client has gone, or the process is being stopped
            for task in tasks:  # at once, because a call that has not begun costs nothing
                task.cancel()
            await self._tasks.finish(self._abandon(tasks, plan))
            raise
        yield Closed(plan.comparison_id, await self._tasks.finish(self._conclude(tasks, plan)))

    async def _ask(self, slot: str, model: Model, plan: _Plan) -> _SlotResult:
        """The result of one model. It raises no error, because the failure of one model must not end the comparison."""
        seconds = min(model.timeout_seconds, plan.deadline - self._timeouts.comparison_keeping - time.monotonic())
        try:
            async with self._drain.limit():
                written = await self._gateway.write(
                    model, [plan.service], kind=CallKind.COMPARE, timeout=seconds, advance=plan.advance
                )
        except TimeoutError:  # the process is being stopped
            return self._failed(slot, model, "timeout")
        except DependencyError as error:
            latency = error.api_time_ms if isinstance(error, ModelError) else None
            self._report(model, error, latency)
            return self._failed(slot, model, error.reason.removeprefix("live_"), latency)
        except Exception as error:  # noqa: BLE001 - a defect in one model's call must not spoil the others' sayings
            self._listener.emit(Unexpected("compare", error))
            return self._failed(slot, model, "unexpected")
        if not written.sayings:
            return self._failed(slot, model, "bad_response", written.generation.latency_ms, written.generation)
        [saying] = written.sayings
        entry = Entry(
            slot, model.id, saying.source, saying.text, None, written.generation.latency_ms, saying.generation
        )
        return _SlotResult(entry, written.sayings)

    def _report(self, model: Model, error: DependencyError, latency_ms: float | None) -> None:
        """Report a model that was not called. Failed calls and all other failures have been reported already."""
        if isinstance(error, ModelError) and latency_ms is None:
            self._listener.emit(DependencyFailed("model", "compare", type(error).__name__, str(error), model=model.id))

    def _failed(
        self,
        slot: str,
        model: Model,
        error: str,
        latency_ms: float | None = None,
        generation: Generation | None = None,
    ) -> _SlotResult:
        source = model_source(model.display_name, simulated=self._simulated)
        return _SlotResult(Entry(slot, model.id, source, None, error, latency_ms, generation))

    async def _conclude(self, tasks: Iterable[asyncio.Task[_SlotResult]], plan: _Plan) -> bool:
        """Store the comparison and its sayings. Returns whether it can be voted on."""
        results = [task.result() for task in tasks]
        entries = tuple(result.entry for result in results)
        comparison = Comparison(plan.comparison_id, plan.service, self._simulated, self._clock(), entries)
        stored, _, _ = await asyncio.gather(
            self._put(comparison, plan.voter), self._keep(results), self._gateway.release(plan.advance)
        )
        answered = _answered(entries)
        self._finish(plan.started, answered, len(entries))
        return stored and answered >= LEAST_CANDIDATES

    async def _abandon(self, tasks: Sequence[asyncio.Task[_SlotResult]], plan: _Plan) -> None:
        """Store the sayings written so far, once the other calls have been stopped."""
        await asyncio.gather(*tasks, return_exceptions=True)
        results = [task.result() for task in tasks if not task.cancelled()]
        await asyncio.gather(self._keep(results), self._gateway.release(plan.advance))
        self._finish(plan.started, _answered(result.entry for result in results), len(tasks), abandoned=True)

    async def _put(self, comparison: Comparison, voter: str) -> bool:
        ballot = Ballot(comparison.comparison_id, voter, comparison.created_at)
        try:
            async with self._guard("put comparison"):
                await self._store.put_comparison(comparison, ballot)
        except StoreError:
            return False
        return True

    async def _keep(self, results: Iterable[_SlotResult]) -> None:
        """Store the sayings, which are paid for, and add the new ones to the pool."""
        sayings = [saying for result in results for saying in result.sayings]
        if not sayings:
            return
        try:
            async with self._guard("put sayings"):
                new = await self._store.put_sayings(sayings)
        except StoreError:
            return
        self._pool.add(saying for saying in sayings if saying.saying_id in new)

    async def _replay(
        self, voter: str, wanted: str | None, started: float, *, retry_after: int
    ) -> AsyncGenerator[Step, None]:
        comparison = await self._unseen(voter, wanted)
        if comparison is None:
            raise ComparisonUnavailable(retry_after=retry_after)
        entries = comparison.entries
        self._finish(started, _answered(entries), len(entries), replayed=True)
        slots = tuple(entry.slot for entry in entries)
        yield Opened(comparison.comparison_id, comparison.service, slots, replayed=True)
        for entry in entries:
            yield entry
        yield Closed(comparison.comparison_id, votable=True)

    async def _unseen(self, voter: str, wanted: str | None) -> Comparison | None:
        """A stored comparison that the voter has not seen, or None. It is recorded as shown to this voter."""
        try:
            async with self._guard("replay comparison"):
                comparison = await self._store.unseen_comparison(voter, service=wanted, simulated=self._simulated)
                if comparison is not None:
                    await self._store.show_comparison(Ballot(comparison.comparison_id, voter, self._clock()))
        except StoreError as error:
            raise ComparisonUnavailable from error
        return comparison

    def _guard(self, operation: str) -> AbstractAsyncContextManager[None]:
        return store_guard(operation, within(self._timeouts.store_write), self._listener)

    def _finish(
        self, started: float, answered: int, slots: int, *, replayed: bool = False, abandoned: bool = False
    ) -> None:
        total_ms = round((time.monotonic() - started) * 1000, 3)
        self._listener.emit(ComparisonFinished(answered, slots - answered, total_ms, replayed, abandoned))


def _answered(entries: Iterable[Entry]) -> int:
    return sum(entry.saying is not None for entry in entries)
