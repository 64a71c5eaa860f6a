"""Comparisons: all models get the same prompt on one service, and their names stay hidden until the vote."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Container, Iterable, Mapping, Sequence
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

# The least number of models, or of sayings, that can be compared.
LEAST_CANDIDATES = 2
# A comparison takes about this long, so a client that finds the models busy should retry after it.
BUSY_SECONDS = 5
_HOUR = 3600

# A client must not be able to predict which model is in which slot.
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Opened:
    """The first step of a comparison: its id and its slots. One Entry for each slot follows, in any order."""

    comparison_id: str
    service: str
    slots: tuple[str, ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The last step of a comparison. It is `votable` when it is stored and has two sayings or more."""

    comparison_id: str
    votable: bool


Step = Opened | Entry | Closed


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a comparison needs: models, service, reserved money and voter; monotonic times of its start and deadline."""

    comparison_id: str
    service: str
    line_up: Mapping[str, Model]
    voter: str
    advance: Advance
    deadline: float
    started: float


@dataclass(frozen=True, slots=True)
class _Landed:
    """The result for a slot, and the sayings from it to store."""

    entry: Entry
    sayings: tuple[Saying, ...] = ()


class Comparisons:
    """Makes comparisons. `models` are the participating models, those whose vendor has a key.

    `withdrawn` has the ids of the sayings that are never shown.
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
        withdrawn: Container[str] = frozenset(),
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
        self._withdrawn = withdrawn
        self._clock = clock
        self._tasks = ShieldedTasks()
        self._timeouts = timeouts
        self._drain = Drain(timeouts.drain)

    async def run(self, voter: str, wanted: str | None = None, *, client: str = "") -> AsyncGenerator[Step, None]:
        """Yield the steps of a comparison on the wanted service, or on a random one.

        `client` is the address of the client, by which its share of money and places is counted. An older comparison is
        replayed when the budget or the capacity does not allow a new one. Raises InvalidRequest, NothingToCompare or
        ComparisonUnavailable, always before the first step.

        No model is asked until the client has had a moment to take the first step: a client that cancels the generator,
        or closes it, by then costs nothing. Later the models are paid anyway, so that the comparison is finished and
        stored for others.
        """
        started = time.monotonic()
        service, line_up = self._service(wanted), self._line_up()
        try:
            advance = await self._gateway.reserve(line_up.values(), [service], client=client)
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
        """End running comparisons soon. Slots without a result by then fail; the others can still be voted on."""
        self._drain.begin()

    async def close(self) -> None:
        """Wait until the results of ended comparisons are stored."""
        await self._tasks.close()

    def _service(self, wanted: str | None) -> str:
        if wanted is None:
            return _random.choice(self._topics.names)
        if wanted not in self._topics.names:
            raise InvalidRequest("No AWS service of that name is known.", details=["service: unknown"])
        return wanted

    def _line_up(self) -> dict[str, Model]:
        """Models drawn at random, by slot."""
        models = tuple(self._models)
        if len(models) < LEAST_CANDIDATES:
            raise NothingToCompare
        drawn = _random.sample(models, min(len(SLOTS), len(models)))
        return dict(zip(SLOTS, drawn, strict=False))

    async def _ask_all(self, plan: _Plan) -> AsyncGenerator[Step, None]:
        calls: list[asyncio.Task[_Landed]] = []
        try:
            yield Opened(plan.comparison_id, plan.service, tuple(plan.line_up), replayed=False)
            await asyncio.sleep(self._timeouts.comparison_begin)
            calls += [asyncio.create_task(self._ask(slot, model, plan)) for slot, model in plan.line_up.items()]
            for call in asyncio.as_completed(calls):
                yield (await call).entry
        except BaseException:  # the client has gone, or the process is being stopped
            self._tasks.start(self._conclude(calls, plan, abandoned=True))
            raise
        yield Closed(plan.comparison_id, await self._tasks.finish(self._conclude(calls, plan)))

    async def _ask(self, slot: str, model: Model, plan: _Plan) -> _Landed:
        """Ask one model. Never raises an error: a model's failure becomes the result for its slot."""
        seconds = min(model.timeout_seconds, plan.deadline - self._timeouts.comparison_keeping - time.monotonic())
        try:
            async with self._drain.limit():
                written = await self._gateway.write(
                    model,
                    [plan.service],
                    kind=CallKind.COMPARE,
                    timeout=seconds,
                    advance=plan.advance,
                    client=plan.advance.client,
                )
        except TimeoutError:  # the process is being stopped
            return self._failed(slot, model, "timeout")
        except DependencyError as error:
            latency = error.api_time_ms if isinstance(error, ModelError) else None
            self._report(model, error, latency)
            return self._failed(slot, model, error.reason.removeprefix("live_"), latency)
        except Exception as error:  # noqa: BLE001 - a defect with one model must not spoil the others' results
            self._listener.emit(Unexpected("compare", error))
            return self._failed(slot, model, "unexpected")
        if not written.sayings or written.sayings[0].saying_id in self._withdrawn:
            return self._failed(slot, model, "bad_response", written.generation.latency_ms, written.generation)
        [saying] = written.sayings
        entry = Entry(
            slot, model.id, saying.source, saying.text, None, written.generation.latency_ms, saying.generation
        )
        return _Landed(entry, written.sayings)

    def _report(self, model: Model, error: DependencyError, latency_ms: float | None) -> None:
        """Emit the failure of a model that was not called. All other failures have already been emitted."""
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

    async def _conclude(self, calls: Sequence[asyncio.Task[_Landed]], plan: _Plan, *, abandoned: bool = False) -> bool:
        """Wait for the calls and store the comparison and its sayings; returns whether it can be voted on."""
        landed = await asyncio.gather(*calls)
        entries = tuple(slot.entry for slot in landed)
        stored, _, _ = await asyncio.gather(
            self._put(entries, plan), self._keep(landed), self._gateway.release(plan.advance)
        )
        answered = _answered(entries)
        self._finish(plan.started, answered, len(plan.line_up), abandoned=abandoned)
        return stored and answered >= LEAST_CANDIDATES

    async def _put(self, entries: tuple[Entry, ...], plan: _Plan) -> bool:
        """Store the comparison; returns False when nobody was asked, or when the store fails."""
        if not entries:
            return False
        comparison = Comparison(plan.comparison_id, plan.service, self._simulated, self._clock(), entries)
        ballot = Ballot(comparison.comparison_id, plan.voter, comparison.created_at)
        try:
            async with self._guard("put comparison"):
                await self._store.put_comparison(comparison, ballot)
        except StoreError:
            return False
        return True

    async def _keep(self, landed: Iterable[_Landed]) -> None:
        """Store the sayings, which are already paid for, and add the new ones to the pool."""
        sayings = [saying for slot in landed for saying in slot.sayings]
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
        """A stored comparison that the voter has not seen, or None. It is recorded as shown to them.

        Raises ComparisonUnavailable when the store fails.
        """
        try:
            async with self._guard("replay comparison"):
                comparison = await self._store.unseen_comparison(
                    voter, service=wanted, simulated=self._simulated, withdrawn=self._withdrawn
                )
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
