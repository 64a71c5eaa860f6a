"""Comparisons: all models get the same prompt on one service, and nothing tells them apart until the vote.

Their answers are shown all at once, because the time at which each arrives would tell its author: a guess by rank is
right in half of all cases. What they wrote is not stored as sayings before the first ballot (see comparison_votes.py),
because the author of a stored saying can be looked up.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from service.catalogue.models import Model
from service.catalogue.topics import Topics
from service.domain import (
    DUPLICATE_SLOT,
    LATE_SLOT,
    SLOTS,
    Ballot,
    CallKind,
    Comparison,
    Entry,
    Generation,
    ReplayReason,
    model_source,
    saying_id,
)
from service.errors import (
    BudgetExhausted,
    ComparisonNotFound,
    ComparisonUnavailable,
    DependencyError,
    HttpError,
    ModelError,
    ModelNotAsked,
    ModelsBusy,
    NothingToCompare,
    StoreError,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.billing import Advance
from service.llm.gateway import Gateway
from service.resilience.tasks import ShieldedTasks
from service.resilience.timeouts import Drain, has_deadline, is_time_for, store_guard, within
from service.sayings.wish import check_service
from service.store.base import Store
from telemetry import traces
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
    """The first step of a comparison. It has a `reason` when a stored comparison is shown and no new one is made."""

    comparison_id: str
    service: str
    reason: ReplayReason | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the models have answered or failed. A comparison has any number of these steps, a replay has none."""

    landed: int
    of: int


@dataclass(frozen=True, slots=True)
class Slots:
    """All slots at once, in their order."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The last step of a comparison. It is `votable` when it is stored and has two sayings or more."""

    comparison_id: str
    votable: bool


Step = Opened | Progress | Slots | Closed


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a comparison needs: models, service, reserved money and voter.

    `started` and `opened` are the monotonic times at which it was asked for and at which everything was ready to ask
    the models, who have so many `seconds` from then on.
    """

    comparison_id: str
    service: str
    line_up: Mapping[str, Model]
    voter: str
    advance: Advance
    started: float
    opened: float
    seconds: float

    @property
    def deadline(self) -> float:
        return self.opened + self.seconds


@dataclass(frozen=True, slots=True)
class _Landed:
    """The result for a slot, and the monotonic time at which it was there."""

    entry: Entry
    at: float


_Calls = Mapping[str, asyncio.Task[_Landed]]


class Comparisons:
    """Makes comparisons. `models` are the participating models, those whose vendor has a key.

    `withdrawn` has the ids of the sayings that are never shown. `clock` is seconds since the epoch, `monotonic` a
    monotonic clock in seconds.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        store: Store,
        listener: Listener,
        topics: Topics,
        models: Sequence[Model],
        simulated: bool,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._listener = listener
        self._topics = topics
        self._models = models
        self._simulated = simulated
        self._withdrawn = withdrawn
        self._clock = clock
        self._monotonic = monotonic
        self._tasks = ShieldedTasks()
        self._timeouts = timeouts
        self._drain = Drain(timeouts.drain)

    async def run(
        self, voter: str, wanted: str | None = None, *, stored: bool = False, client: str = ""
    ) -> AsyncGenerator[Step, None]:
        """Yield the steps of a comparison on the wanted service, or on a random one.

        `client` is the address of the client, by which its share of money and places is counted. An older comparison is
        replayed when the client asks for a `stored` one, which costs nothing, or when the budget or the capacity does
        not allow a new one. Raises InvalidRequest, NothingToCompare, ComparisonNotFound (where no stored one is left)
        or ComparisonUnavailable, always before the first step.

        No model is asked until the client has had a moment to take the first step: a client that cancels the generator,
        or closes it, by then costs nothing. Later the models are paid anyway, so that the comparison is finished and
        stored for others.
        """
        started = self._monotonic()
        if wanted is not None:
            check_service(wanted, self._topics)
        if stored:
            none_left = ComparisonNotFound("No comparison is stored that you have not seen.")
            steps = self._replay(voter, wanted, started, ReplayReason.ASKED, none_left)
        else:
            steps = await self._new(voter, wanted, started, client)
        async with aclosing(steps):
            async for step in steps:
                yield step

    def drain(self) -> None:
        """End running comparisons soon. Slots without a result by then fail; the others can still be voted on."""
        self._drain.begin()

    async def close(self) -> None:
        """Wait until the results of ended comparisons are stored."""
        await self._tasks.close()

    async def _new(self, voter: str, wanted: str | None, started: float, client: str) -> AsyncGenerator[Step, None]:
        """The steps of a new comparison, or of a replay in place of it."""
        service, line_up = wanted or _random.choice(self._topics.names), self._line_up()
        busy = ComparisonUnavailable(retry_after=BUSY_SECONDS)
        if not self._is_time():
            return self._replay(voter, wanted, started, ReplayReason.BUSY, busy)
        try:
            advance = await self._gateway.reserve(line_up.values(), [service], client=client)
        except ModelsBusy:
            return self._replay(voter, wanted, started, ReplayReason.BUSY, busy)
        except BudgetExhausted:  # there may be budget again in the next hour
            none_left = ComparisonUnavailable(retry_after=_HOUR - int(self._clock()) % _HOUR)
            return self._replay(voter, wanted, started, ReplayReason.BUDGET, none_left)
        except StoreError as error:
            raise ComparisonUnavailable from error
        if not self._is_time():  # the import of the SDKs, or the store, has taken it
            self._tasks.start(self._release(advance))
            return self._replay(voter, wanted, started, ReplayReason.BUSY, busy)
        identity, opened = secrets.token_hex(16), self._monotonic()
        seconds = self._timeouts.comparison
        return self._ask_all(_Plan(identity, service, line_up, voter, advance, started, opened, seconds))

    def _is_time(self) -> bool:
        """Whether an invocation of Lambda lasts long enough for a whole comparison.

        A model that got less than its time would seem to have failed, and that would count in the statistics.
        """
        return is_time_for(self._timeouts.comparison + self._timeouts.comparison_keeping)

    def _line_up(self) -> dict[str, Model]:
        """Models drawn at random, by slot."""
        models = tuple(self._models)
        if len(models) < LEAST_CANDIDATES:
            raise NothingToCompare
        drawn = _random.sample(models, min(len(SLOTS), len(models)))
        return dict(zip(SLOTS, drawn, strict=False))

    async def _ask_all(self, plan: _Plan) -> AsyncGenerator[Step, None]:
        calls: _Calls = {}
        try:
            yield Opened(plan.comparison_id, plan.service)
            await asyncio.sleep(self._timeouts.comparison_begin)
            calls = self._begin(plan)
            async with aclosing(self._progress(calls.values(), plan)) as landings:
                async for progress in landings:
                    yield progress
        except BaseException:  # the client has gone, or the process is being stopped
            self._tasks.start(self._abandon(calls, plan))
            raise
        entries, is_votable = await self._tasks.finish(self._conclude(calls, plan))
        yield Slots(entries)
        yield Closed(plan.comparison_id, is_votable)

    def _begin(self, plan: _Plan) -> _Calls:
        """Ask all models. The rest of the advance is released when the last call has ended, however late that is."""
        calls = {slot: asyncio.create_task(self._ask(slot, model, plan)) for slot, model in plan.line_up.items()}
        self._tasks.start(self._release(plan.advance, calls.values()))
        return calls

    async def _progress(self, calls: Collection[asyncio.Task[_Landed]], plan: _Plan) -> AsyncGenerator[Progress, None]:
        """Yield how many calls have ended, whenever that changes, until all have or the deadline has come."""
        pending = set(calls)
        yield Progress(0, len(calls))
        while pending:
            landed, pending = await asyncio.wait(
                pending, timeout=self._seconds_left(plan), return_when=asyncio.FIRST_COMPLETED
            )
            if not landed:
                return
            yield Progress(len(calls) - len(pending), len(calls))

    def _seconds_left(self, plan: _Plan) -> float:
        return plan.deadline - self._monotonic()

    async def _release(self, advance: Advance, calls: Iterable[asyncio.Task[_Landed]] = ()) -> None:
        try:
            await asyncio.gather(*calls)
        finally:  # on Lambda, calls that outlast the response are cancelled, and this with them
            await self._gateway.release(advance)

    async def _ask(self, slot: str, model: Model, plan: _Plan) -> _Landed:
        return _Landed(await self._entry(slot, model, plan), self._monotonic())

    async def _entry(self, slot: str, model: Model, plan: _Plan) -> Entry:
        """Ask one model. Never raises an error: a model's failure becomes the result for its slot.

        A call goes on after the comparison's deadline, because it is paid for and its cost is to be known. On Lambda it
        would be frozen, so that it ends then.
        """
        seconds = min(model.timeout_seconds, self._seconds_left(plan))
        linger = 0.0 if has_deadline() else model.timeout_seconds - seconds
        try:
            async with self._drain.limit():
                with traces.step(f"slot {slot}", model.id):
                    written = await self._gateway.write(
                        model,
                        [plan.service],
                        kind=CallKind.COMPARE,
                        timeout=seconds,
                        linger=linger,
                        advance=plan.advance,
                        client=plan.advance.client,
                    )
        except TimeoutError:  # the process is being stopped
            return self._failed(slot, model, LATE_SLOT)
        except DependencyError as error:
            latency = error.api_time_ms if isinstance(error, ModelError) else None
            self._report(model, error, latency)
            return self._failed(slot, model, error.reason.removeprefix("live_"), latency)
        except Exception as error:  # noqa: BLE001 - a defect with one model must not spoil the others' results
            self._listener.emit(Unexpected("compare", error))
            return self._failed(slot, model, "unexpected")
        made = written.generation
        if not written.sayings or written.sayings[0].saying_id in self._withdrawn:
            return self._failed(slot, model, "bad_response", made.latency_ms, made)
        [saying] = written.sayings
        return Entry(slot, model.id, saying.source, saying.text, None, made.latency_ms, made)

    def _report(self, model: Model, error: DependencyError, latency_ms: float | None) -> None:
        """Emit the failure of a model that was not called. All other failures have already been emitted."""
        if isinstance(error, ModelError) and latency_ms is None:
            failed = "preparation" if isinstance(error, ModelNotAsked) else "model"
            self._listener.emit(DependencyFailed(failed, "compare", type(error).__name__, str(error), model=model.id))

    def _failed(
        self,
        slot: str,
        model: Model,
        word: str,
        latency_ms: float | None = None,
        generation: Generation | None = None,
    ) -> Entry:
        source = model_source(model.display_name, simulated=self._simulated)
        return Entry(slot, model.id, source, None, word, latency_ms, generation)

    async def _abandon(self, calls: _Calls, plan: _Plan) -> None:
        """Bring a comparison to its end without its client, if the models have been asked."""
        if calls:
            await asyncio.wait(calls.values(), timeout=self._seconds_left(plan))
            await self._conclude(calls, plan, abandoned=True)
        else:
            await self._release(plan.advance)
            self._finish(plan.started, 0, len(plan.line_up), abandoned=True)

    async def _conclude(self, calls: _Calls, plan: _Plan, *, abandoned: bool = False) -> tuple[tuple[Entry, ...], bool]:
        """Store the comparison as it is at its deadline; returns the slots and whether they can be voted on."""
        entries = tuple(self._landed(slot, calls[slot], plan) for slot in plan.line_up)
        comparison = Comparison(plan.comparison_id, plan.service, self._simulated, self._clock(), entries)
        comparison, stored = await self._put(comparison, plan.voter)
        answered = _answered(comparison.entries)
        self._finish(plan.started, answered, len(entries), abandoned=abandoned)
        return comparison.entries, stored and answered >= LEAST_CANDIDATES

    def _landed(self, slot: str, call: asyncio.Task[_Landed], plan: _Plan) -> Entry:
        """The result for a slot. A model that has not answered by the deadline has failed.

        A client that reads slowly does not give it more time.
        """
        if call.done() and call.result().at <= plan.deadline:
            return call.result().entry
        return self._failed(slot, plan.line_up[slot], LATE_SLOT, round(plan.seconds * 1000, 3))

    async def _put(self, comparison: Comparison, voter: str) -> tuple[Comparison, bool]:
        """Store the comparison, without the texts that are stored as sayings already; False when the store fails.

        The author of such a text can be looked up, so that a vote on it would not be blind. The store is asked once for
        all of them, so that the time it takes says nothing about a single one.
        """
        texts = (entry.saying for entry in comparison.entries if entry.saying is not None)
        try:
            async with self._guard("put comparison"):
                known = await self._store.stored_ids([saying_id(text) for text in texts])
                comparison = comparison.without(known, DUPLICATE_SLOT)
                ballot = Ballot(comparison.comparison_id, voter, comparison.created_at)
                await self._store.put_comparison(comparison, ballot)
        except StoreError:
            return comparison, False
        return comparison, True

    async def _replay(
        self, voter: str, wanted: str | None, started: float, reason: ReplayReason, none_left: HttpError
    ) -> AsyncGenerator[Step, None]:
        comparison = await self._unseen(voter, wanted)
        if comparison is None:
            raise none_left
        entries = comparison.entries
        self._finish(started, _answered(entries), len(entries), reason)
        yield Opened(comparison.comparison_id, comparison.service, reason)
        yield Slots(entries)
        yield Closed(comparison.comparison_id, votable=True)

    async def _unseen(self, voter: str, wanted: str | None) -> Comparison | None:
        """A stored comparison that the voter has not seen, or None. It is recorded as shown to them.

        Raises ComparisonUnavailable when the store fails, or when there is no time left to ask it.
        """
        if not is_time_for(self._timeouts.store_write):
            raise ComparisonUnavailable(retry_after=BUSY_SECONDS)
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
        self, started: float, answered: int, slots: int, reason: ReplayReason | None = None, *, abandoned: bool = False
    ) -> None:
        total_ms = round((self._monotonic() - started) * 1000, 3)
        self._listener.emit(ComparisonFinished(answered, slots - answered, total_ms, reason or "", abandoned))


def _answered(entries: Iterable[Entry]) -> int:
    return sum(entry.saying is not None for entry in entries)
