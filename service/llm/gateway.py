"""The gateway to the models, and the only code that calls an adapter.

It applies the breaker, the key, the spend caps, the deadline and the retry to each call, and parses the response.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.catalogue.lifecycle import Lifecycle, LifeStage
from service.catalogue.models import Catalogue, Model
from service.catalogue.topics import Topics
from service.domain import Call, CallKind, Generation, Rejection, Saying, Usage, model_source
from service.errors import (
    ModelBadResponse,
    ModelCutShort,
    ModelError,
    ModelGone,
    ModelKeyRejected,
    ModelNotAsked,
    ModelRefused,
    ModelTimeout,
    ModelTruncated,
)
from service.keys.key_store import KeyStore
from service.keys.secret import Secret
from service.llm.adapter import Completion, Finish
from service.llm.billing import Advance, Budget, CallRecorder, Reservation
from service.llm.breaker import Breaker
from service.llm.concurrency import LiveCalls
from service.llm.costs import Costs, is_name_of
from service.llm.parse import Parser, clean
from service.llm.prompt import PROMPT_VERSION, Prompt, build_prompt
from service.llm.reports import report_of
from service.llm.vendors import Adapters
from service.resilience.retry_budget import RetryBudget
from service.resilience.tasks import ShieldedTasks
from telemetry import traces
from telemetry.events import Listener, SayingsRejected, SayingsWritten
from telemetry.names import CHAT

MAX_ATTEMPTS = 2
# A retry needs at least this much of the deadline to have a chance.
LEAST_USEFUL_SECONDS = 0.5
RETRIES_IN_STOCK = 5.0
# The longest name of a model that is kept of a vendor's response.
MAX_SNAPSHOT_LENGTH = 100

NO_TOKENS = Usage(0, 0)

# The key for a custom endpoint that needs none, because the SDKs insist on sending a key.
NO_KEY = Secret("none")


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a successful call: the sayings that may be shown, if any, and the services left without one.

    `rejected` has the reason for each saying that may not be shown.
    """

    generation: Generation
    sayings: tuple[Saying, ...]
    missing: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class _Order:
    """The parameters of one `write`.

    `known` are the ids of sayings that would be duplicates. Until the `deadline`, a time of the gateway's clock in
    seconds, a call may begin, and for `linger` seconds more it may go on.
    """

    model: Model
    prompt: Prompt
    kind: CallKind
    known: Collection[str]
    deadline: float
    linger: float
    advance: Advance | None
    client: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The `number`-th attempt at an order, counted from 1. Its generation's id is known before the model is called."""

    order: _Order
    number: int
    generation_id: str


class Gateway:
    """Calls models. `key_parameters` maps a vendor's name to the name of the parameter that holds its key.

    `clock` is a monotonic clock in seconds, and `jitter` returns the seconds to add to the delay before a retry.
    `on_gone` is called, on the event loop, with a model whose vendor says that it does not have it.
    """

    def __init__(
        self,
        adapters: Adapters,
        keys: KeyStore,
        budget: Budget,
        calls: CallRecorder,
        listener: Listener,
        *,
        live_calls: LiveCalls,
        catalogue: Catalogue,
        topics: Topics,
        parser: Parser,
        key_parameters: Mapping[str, str],
        simulated: bool,
        on_gone: Callable[[Model], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.1, 0.5),
    ) -> None:
        self._adapters = adapters
        self._keys = keys
        self._budget = budget
        self._calls = calls
        self._listener = listener
        self._topics = topics
        self._parser = parser
        self._key_parameters = key_parameters
        self._live_calls = live_calls
        self._simulated = simulated
        self._on_gone = on_gone
        self._clock = clock
        self._jitter = jitter
        self._breakers: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(clock))
        self._retries = RetryBudget(RETRIES_IN_STOCK)
        self._books = ShieldedTasks()
        self._costs = Costs(catalogue, listener)

    async def reserve(self, models: Iterable[Model], services: Sequence[str], *, client: str = "") -> Advance:
        """Reserve one call to each model for a comparison: a place among the live calls and the most that it may cost.

        `client` is the address of the client that waits, by which its share is counted.

        All calls are reserved or none. Pass the advance to `write`, and to `release` when the calls have ended.
        Raises ModelsBusy, BudgetExhausted or StoreError.
        """
        models, prompt = tuple(models), build_prompt(self._topics, services)
        amounts = {model.id: self._costs.worst_case(model, prompt) for model in models}
        self._live_calls.take(len(amounts), client)
        try:
            with traces.step("prepare"):
                await self.load(models)  # before money is reserved for the calls
                return await self._budget.reserve_all(amounts, CallKind.COMPARE, client)
        except BaseException:
            self._live_calls.give_back(len(amounts), client)
            raise

    async def release(self, advance: Advance) -> None:
        """Free the places, and return the money of calls that were not made. To be called once for each advance."""
        self._live_calls.give_back(advance.calls, advance.client)
        await self._books.finish(self._budget.release(advance))

    async def write(
        self,
        model: Model,
        services: Sequence[str],
        *,
        kind: CallKind,
        timeout: float,
        linger: float = 0.0,
        known: Collection[str] = (),
        advance: Advance | None = None,
        client: str = "",
    ) -> Written:
        """Ask a model for one saying on each of the services.

        `timeout` in seconds bounds everything: import, key, reservation, call and retry. Callers need no timeout of
        their own, and one that fires first would hide the failure from the breaker. A caller that stops waiting then
        may let a call that has begun `linger` for some seconds, so that its cost becomes known. A saying whose id is in
        `known` is rejected as a duplicate. The first attempt is paid from the `advance`, if there is one. When a call
        is cancelled while it runs, its reservation counts as spent, because its cost cannot be known. A call takes a
        place among the live calls, unless it belongs to a round or the `advance` holds its place. `client` is the
        address of the client that waits, by which its share of places and money is counted.

        Every call that reached the vendor is recorded, answered or not, unless it was cancelled or cut short.

        Raises DependencyError: a ModelError, KeyStoreError, ModelsBusy, BudgetExhausted or StoreError.
        """
        places = 0 if kind is CallKind.ROUND or advance else 1
        prompt, deadline = build_prompt(self._topics, services), self._clock() + timeout
        order = _Order(model, prompt, kind, known, deadline, linger, advance, client)
        with self._live_calls.holding(places, client if places else ""), self._breakers[model.id].guard():
            return await self._call(order)

    def is_failing(self, model: Model) -> bool:
        """Whether the last calls of this process to the model have failed, so that it is not called for a while."""
        return model.id in self._breakers and self._breakers[model.id].is_open

    async def lifecycle(self, model: Model, *, timeout: float) -> Lifecycle:
        """What the vendor says of the model's life, within `timeout` seconds. It costs nothing.

        Raises DependencyError.
        """
        adapter = self._adapters.of(model)
        try:
            async with asyncio.timeout(timeout):
                stage, retires = await adapter.lifecycle(model, await self._key(model))
        except TimeoutError:
            raise ModelTimeout("The vendor did not answer in time.") from None
        except ModelGone:
            stage, retires = LifeStage.UNKNOWN, None
        return Lifecycle(model.id, stage, retires, time.time())

    def preload(self, models: Iterable[Model]) -> None:
        """Begin to load, in threads, what a call to one of these models needs. Waits for nothing."""
        self._parser.preload()
        for model in models:
            self._adapters.of(model).preload()

    async def load(self, models: Iterable[Model]) -> None:
        """Load what a call to one of these models needs. An error is ignored: the call itself will raise it again."""
        loading = (self._load(model) for model in models)
        await asyncio.gather(self._parser.load(), *loading, return_exceptions=True)

    async def _load(self, model: Model) -> None:
        await self._adapters.of(model).load()

    async def close(self) -> None:
        """Wait until the costs of all calls have been recorded."""
        await self._books.close()

    async def _call(self, order: _Order) -> Written:
        self._retries.earn()
        number = 1
        while True:
            try:
                return await self._attempt(_Attempt(order, number, traces.new_generation_id()))
            except ModelError as error:
                delay = self._delay_before_retry(error, number, order.deadline)
                if delay is None:
                    raise
            await asyncio.sleep(delay)
            number += 1

    def _delay_before_retry(self, error: ModelError, attempt: int, deadline: float) -> float | None:
        """The delay in seconds before another attempt, or None when there must not be another."""
        if attempt == MAX_ATTEMPTS or not (error.retryable or isinstance(error, ModelKeyRejected)):
            return None
        delay = 0.0 if isinstance(error, ModelKeyRejected) else (error.retry_after or 0.0) + self._jitter()
        if self._clock() + delay + LEAST_USEFUL_SECONDS > deadline or not self._retries.take():
            return None
        return delay

    async def _attempt(self, attempt: _Attempt) -> Written:
        order, model, began = attempt.order, attempt.order.model, self._clock()
        with traces.step("prepare", model.id):
            key, reservation = await self._prepare(order)
        preparing = self._clock() - began
        try:
            with traces.below(attempt.generation_id[32:], CHAT, model.id):
                completion, api_time_ms = await _timed(
                    self._adapters.of(model).complete(model, order.prompt, key),
                    order.deadline + order.linger - self._clock(),
                    preparing,
                )
        except ModelError as error:
            self._draw_conclusions(model, key, error)
            await self._books.finish(self._book_failure(attempt, reservation, error))
            raise
        usage, cost = self._costs.of(model, order.prompt, completion)
        generation = self._generation(attempt, api_time_ms, usage, cost, completion.snapshot)
        failure = _unusable(model, completion, api_time_ms)
        self._report(attempt, generation, failure, completion)
        nothing = Written(generation, (), order.prompt.services)
        written = nothing if failure else self._read(completion.text, order, generation)
        # The call is paid for, so it is recorded even when the caller is cancelled.
        await self._books.finish(self._book(reservation, _as_call(order, written, failure)))
        if failure:
            raise failure
        return written

    async def _prepare(self, order: _Order) -> tuple[Secret, Reservation]:
        """Do what comes before a call: import the SDK, get the key, reserve the money. Raises ModelNotAsked."""
        try:
            async with asyncio.timeout(order.deadline - self._clock()):
                await asyncio.gather(self._adapters.of(order.model).load(), self._parser.load())
                key = await self._key(order.model)
                return key, await self._reservation(order)
        except TimeoutError:
            raise ModelNotAsked("There was no time left to ask the model.") from None

    async def _book_failure(self, attempt: _Attempt, reservation: Reservation, error: ModelError) -> None:
        """Report and record an attempt without an answer. If it may be billed, its reservation counts as spent."""
        generation = self._generation(attempt, error.api_time_ms or 0.0)
        self._report(attempt, generation, error)
        if isinstance(error, ModelCutShort):
            return  # it counts as spent, and says nothing about the model
        call = Call(generation, len(attempt.order.prompt.services), 0, type(error).__name__)
        if error.may_be_billed:
            await self._calls.record(call)
        else:
            await self._book(reservation, call)

    async def _reservation(self, order: _Order) -> Reservation:
        """Reserve what the call may cost at most, or take it from the advance.

        The call must follow at once: if anything in between failed, the reservation would count as spent.
        """
        in_advance = order.advance.take(order.model.id) if order.advance else None
        return in_advance or await self._budget.reserve(
            self._costs.worst_case(order.model, order.prompt), order.kind, order.client
        )

    async def _book(self, reservation: Reservation, call: Call) -> None:
        cost = call.generation.cost_nanos  # for a model without a price, the whole reservation counts as spent
        settling = [] if cost is None else [self._budget.settle(reservation, cost)]
        await asyncio.gather(*settling, self._calls.record(call))

    async def _key(self, model: Model) -> Secret:
        name = self._key_name(model)
        return await self._keys.get(name) if name else NO_KEY

    def _draw_conclusions(self, model: Model, key: Secret, error: ModelError) -> None:
        name = self._key_name(model)
        if name and isinstance(error, ModelKeyRejected):
            self._keys.invalidate(name, key)
        if isinstance(error, ModelGone) and not model.base_url:  # an endpoint of one's own may just not have loaded it
            self._on_gone(model)

    def _key_name(self, model: Model) -> str | None:
        """The name of the model's key parameter. A model with a custom endpoint never gets the vendor's key."""
        return model.key_parameter if model.base_url else self._key_parameters[model.vendor]

    def _generation(
        self, attempt: _Attempt, api_time_ms: float, usage: Usage = NO_TOKENS, cost: int | None = 0, snapshot: str = ""
    ) -> Generation:
        """The generation of a call. One that was not answered has neither tokens nor cost nor a snapshot."""
        model = attempt.order.model
        return Generation(
            generation_id=attempt.generation_id,
            model=model.id,
            vendor=model.vendor,
            kind=attempt.order.kind,
            simulated=self._simulated,
            prompt_version=PROMPT_VERSION,
            latency_ms=api_time_ms,
            usage=usage,
            cost_nanos=cost,
            created_at=time.time(),
            snapshot=clean(snapshot)[:MAX_SNAPSHOT_LENGTH],
        )

    def _read(self, text: str, order: _Order, generation: Generation) -> Written:
        parsed = self._parser.parse(text, order.prompt, order.known)
        if parsed.rejected:
            self._listener.emit(SayingsRejected(order.model.id, parsed.rejected))
        source = model_source(order.model.display_name, simulated=self._simulated)
        ids = tuple(draft.saying_id for draft in parsed.drafts)
        self._listener.emit(SayingsWritten(generation.generation_id, ids))
        sayings = (Saying(draft.saying_id, draft.text, draft.services, source, generation) for draft in parsed.drafts)
        done = {draft.asked for draft in parsed.drafts}
        missing = tuple(service for service in order.prompt.services if service not in done)
        return Written(generation, tuple(sayings), missing, parsed.rejected)

    def _report(
        self,
        attempt: _Attempt,
        generation: Generation,
        failure: ModelError | None,
        completion: Completion | None = None,
    ) -> None:
        model = attempt.order.model
        url = self._adapters.base_url(model)
        self._listener.emit(report_of(model, url, attempt.number, generation, failure, completion))


async def _timed(completing: Awaitable[Completion], seconds: float, preparing: float) -> tuple[Completion, float]:
    """The completion and its latency in milliseconds. Raises ModelError with its `api_time_ms` set.

    The model may take `seconds`. If they are fewer than it took to prepare the call, running out of them is our doing.
    """
    started = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            return await completing, _milliseconds_since(started)
    except TimeoutError:
        failure: ModelError = (
            ModelCutShort("The model was asked too late to answer in time.")
            if seconds < preparing
            else ModelTimeout("The model did not answer in time.")
        )
    except ModelError as error:
        failure = error
    failure.api_time_ms = _milliseconds_since(started)
    raise failure


def _as_call(order: _Order, written: Written, failure: ModelError | None) -> Call:
    error_type = type(failure).__name__ if failure else ""
    asked, shown = len(order.prompt.services), len(written.sayings)
    return Call(written.generation, asked, shown, error_type, Counter(written.rejected))


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _unusable(model: Model, completion: Completion, api_time_ms: float) -> ModelError | None:
    """The error for a response that is billed and of no use; None if it can be used."""
    failure = _failure_of(model, completion)
    if failure:
        failure.api_time_ms = api_time_ms
    return failure


def _failure_of(model: Model, completion: Completion) -> ModelError | None:
    if not is_name_of(model, completion.snapshot):
        return ModelBadResponse("Another model has answered.")
    if completion.finish is Finish.REFUSED:
        return ModelRefused("The model declined to write.")
    if completion.finish is Finish.TRUNCATED:
        return ModelTruncated("The model was cut off before it had finished.")
    return None
