"""Comparisons: one service and one prompt for all models at once, whose names are hidden until the vote."""

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

# With fewer there is nothing to compare.
LEAST_CANDIDATES = 2
# A comparison that is under way is over after about that long.
BUSY_SECONDS = 5
_HOUR = 3600

# A client must not be able to guess which model is in which slot.
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Opened:
    """A comparison begins: its id and its slots, of which an Entry each will follow in any order."""

    comparison_id: str
    service: str
    slots: tuple[str, ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A comparison is complete; `votable` when it is stored and has two sayings or more."""

    comparison_id: str
    votable: bool


Step = Opened | Entry | Closed


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which models are asked about which service, with which money, for which voter; times are monotonic."""

    comparison_id: str
    service: str
    line_up: Mapping[str, Model]
    voter: str
    advance: Advance
    deadline: float
    started: float


@dataclass(frozen=True, slots=True)
class _Landed:
    """What has become of a slot, and the sayings to keep of it."""

    entry: Entry
    sayings: tuple[Saying, ...] = ()


class Comparisons:
    """Makes comparisons. `models` are those that take part: the ones whose vendor has a key."""

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
        """A comparison as it comes about, on the service wanted or on any; where none may be made an older one.

        Raises InvalidRequest, NothingToCompare or ComparisonUnavailable, all of them before the first step. Whoever
        cancels it, or closes it before its end, stops the models: what they cost so far is booked, what has landed is
        kept as sayings, but there is no comparison to vote on.
        """
        started = time.monotonic()
        service, line_up = self._service(wanted), self._line_up()
        try:
            advance = await self._gateway.reserve(line_up.values(), [service])
        except ModelsBusy:
            steps = self._replay(voter, wanted, started, retry_after=BUSY_SECONDS)
        except BudgetExhausted:  # which the next hour may change
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
        """End what is under way soon: slots that have not landed by then are given up, the others can be voted on."""
        self._drain.begin()

    async def close(self) -> None:
        """Wait for what has to be kept of comparisons that are over."""
        await self._tasks.close()

    def _service(self, wanted: str | None) -> str:
        if wanted is None:
            return _random.choice(self._topics.names)
        if wanted not in self._topics.names:
            raise InvalidRequest("The service is none that is known.", details=["service: unknown"])
        return wanted

    def _line_up(self) -> dict[str, Model]:
        """The models in random order, each in its slot."""
        models = tuple(self._models)
        if len(models) < LEAST_CANDIDATES:
            raise NothingToCompare
        drawn = _random.sample(models, min(len(SLOTS), len(models)))
        return dict(zip(SLOTS, drawn, strict=False))

    async def _ask_all(self, plan: _Plan) -> AsyncGenerator[Step, None]:
        asked = [asyncio.create_task(self._ask(slot, model, plan)) for slot, model in plan.line_up.items()]
        try:
            yield Opened(plan.comparison_id, plan.service, tuple(plan.line_up), replayed=False)
            for landing in asyncio.as_completed(asked):
                yield (await landing).entry
        except BaseException:  # the client has gone, or the process is being stopped
            for task in asked:  # at once: what has not begun costs nothing
                task.cancel()
            await self._tasks.finish(self._abandon(asked, plan))
            raise
        yield Closed(plan.comparison_id, await self._tasks.finish(self._conclude(asked, plan)))

    async def _ask(self, slot: str, model: Model, plan: _Plan) -> _Landed:
        """What a model makes of it. Raises nothing: its failure is its own."""
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
        except Exception as error:  # noqa: BLE001 - a defect met by one model must not spoil the others' answers
            self._listener.emit(Unexpected("compare", error))
            return self._failed(slot, model, "unexpected")
        if not written.sayings:
            return self._failed(slot, model, "bad_response", written.generation.latency_ms, written.generation)
        [saying] = written.sayings
        entry = Entry(
            slot, model.id, saying.source, saying.text, None, written.generation.latency_ms, saying.generation
        )
        return _Landed(entry, written.sayings)

    def _report(self, model: Model, error: DependencyError, latency_ms: float | None) -> None:
        """Tell of a model that was not called; calls and everything else that fails have been told of."""
        if isinstance(error, ModelError) and latency_ms is None:
            self._listener.emit(DependencyFailed("model", "compare", type(error).__name__, str(error), model=model.id))

    def _failed(
        self,
        slot: str,
        model: Model,
        word: str,
        latency_ms: float | None = None,
        generation: Generation | None = None,
    ) -> _Landed:
        source = model_source(model.display_name, simulated=self._simulated)
        return _Landed(Entry(slot, model.id, source, None, word, latency_ms, generation))

    async def _conclude(self, asked: Iterable[asyncio.Task[_Landed]], plan: _Plan) -> bool:
        """Keep all there is to be kept; whether it can be voted on."""
        landed = [task.result() for task in asked]
        entries = tuple(each.entry for each in landed)
        comparison = Comparison(plan.comparison_id, plan.service, self._simulated, self._clock(), entries)
        stored, _, _ = await asyncio.gather(
            self._put(comparison, plan.voter), self._keep(landed), self._gateway.release(plan.advance)
        )
        answered = _answered(entries)
        self._finish(plan.started, answered, len(entries))
        return stored and answered >= LEAST_CANDIDATES

    async def _abandon(self, asked: Sequence[asyncio.Task[_Landed]], plan: _Plan) -> None:
        """Keep what has landed, once the others have been stopped."""
        await asyncio.gather(*asked, return_exceptions=True)
        landed = [task.result() for task in asked if not task.cancelled()]
        await asyncio.gather(self._keep(landed), self._gateway.release(plan.advance))
        self._finish(plan.started, _answered(each.entry for each in landed), len(asked), abandoned=True)

    async def _put(self, comparison: Comparison, voter: str) -> bool:
        ballot = Ballot(comparison.comparison_id, voter, comparison.created_at)
        try:
            async with self._guard("put comparison"):
                await self._store.put_comparison(comparison, ballot)
        except StoreError:
            return False
        return True

    async def _keep(self, landed: Iterable[_Landed]) -> None:
        """Store the sayings and warm the new ones up. They are paid for."""
        sayings = [saying for each in landed for saying in each.sayings]
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
        """A stored comparison that is new to the voter, and from now on has been shown to them; None without one."""
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
