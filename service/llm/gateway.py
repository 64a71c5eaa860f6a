"""The one way to a model: breaker, key, spend cap, deadline, retry, parsing. Nothing calls an adapter but this."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from service.budget import Budget
from service.catalogue import Catalogue, Model
from service.domain import CallKind, Generation, Saying, Usage, model_source
from service.errors import ModelError, ModelKeyRejected, ModelRefused, ModelTimeout, ModelTruncated
from service.keys import KeyStore
from service.llm.base import Completion, Finish
from service.llm.breaker import Breaker
from service.llm.parse import Parsed, parse
from service.llm.prompt import OUTPUT_SCHEMA, PROMPT_VERSION, Prompt, build_prompt
from service.llm.registry import Adapters
from service.secret import Secret
from telemetry import traces
from telemetry.events import Listener, ModelCalled, PriceMissing, SayingsRejected

MAX_ATTEMPTS = 2
# What is left of a deadline must be worth another attempt.
LEAST_USEFUL_SECONDS = 0.5
# Retries may make up a tenth of the calls, so that they cannot multiply an outage; a few are always in stock.
RETRY_SHARE = 0.1
RETRIES_IN_STOCK = 5.0
# Tokens a vendor may count beyond one for every byte we send: roles, framing, the schema's own instructions.
OVERHEAD_TOKENS = 512
_SCHEMA_BYTES = len(msgspec.json.encode(OUTPUT_SCHEMA))

# For endpoints of one's own that ask for none; the SDKs insist on sending something.
NO_KEY = Secret("none")


@dataclass(frozen=True, slots=True)
class Written:
    """What a call brought: the sayings that may be shown (perhaps none), and the services left without one."""

    generation: Generation
    sayings: tuple[Saying, ...]
    missing: tuple[str, ...]


class Gateway:
    """Calls models. `key_names` maps a vendor to the parameter that holds its key."""

    def __init__(
        self,
        adapters: Adapters,
        keys: KeyStore,
        budget: Budget,
        listener: Listener,
        *,
        catalogue: Catalogue,
        key_names: dict[str, str],
        simulated: bool,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.1, 0.5),
    ) -> None:
        self._adapters = adapters
        self._keys = keys
        self._budget = budget
        self._listener = listener
        self._key_names = key_names
        self._simulated = simulated
        self._clock = clock
        self._jitter = jitter
        self._breakers: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(clock))
        self._retries = RETRIES_IN_STOCK
        self._prices = [model.price for model in catalogue if model.price]
        for model in catalogue:
            if model.price is None:
                listener.emit(PriceMissing(model.id))

    async def write(
        self, model: Model, services: Sequence[str], *, kind: CallKind, timeout: float, known: Collection[str] = ()
    ) -> Written:
        """Ask a model for one saying on each of the services; ids in `known` would be duplicates.

        `timeout` in seconds bounds everything: import, key, reservation, call and retry; no timeout around it is
        needed, and one that fires first would hide the failure from the breaker. Raises DependencyError: a ModelError,
        KeyStoreError, BudgetExhausted or StoreError.
        """
        prompt = build_prompt(services)
        deadline = self._clock() + timeout
        with self._breakers[model.id].guard():
            completion, generation = await self._call(model, prompt, kind, deadline)
        parsed = parse(completion.text, prompt, known)
        if parsed.rejected:
            self._listener.emit(SayingsRejected(model.id, parsed.rejected))
        done = {draft.asked for draft in parsed.drafts}
        missing = tuple(service for service in prompt.services if service not in done)
        return Written(generation, self._sayings(model, generation, parsed), missing)

    async def _call(
        self, model: Model, prompt: Prompt, kind: CallKind, deadline: float
    ) -> tuple[Completion, Generation]:
        self._retries = min(self._retries + RETRY_SHARE, RETRIES_IN_STOCK)
        attempt = 1
        while True:
            try:
                return await self._attempt(model, prompt, kind, attempt, deadline)
            except ModelError as error:
                delay = self._delay_before_retry(error, attempt, deadline)
                if delay is None:
                    raise
            await asyncio.sleep(delay)
            attempt += 1

    def _delay_before_retry(self, error: ModelError, attempt: int, deadline: float) -> float | None:
        """Seconds to wait before another attempt; None when there must not be one."""
        if attempt == MAX_ATTEMPTS or not (error.retryable or isinstance(error, ModelKeyRejected)):
            return None
        delay = 0.0 if isinstance(error, ModelKeyRejected) else (error.retry_after or 0.0) + self._jitter()
        if self._retries < 1 or self._clock() + delay + LEAST_USEFUL_SECONDS > deadline:
            return None
        self._retries -= 1
        return delay

    async def _attempt(
        self, model: Model, prompt: Prompt, kind: CallKind, attempt: int, deadline: float
    ) -> tuple[Completion, Generation]:
        adapter = self._adapters.of(model)
        key_name = self._key_name(model)
        try:
            async with asyncio.timeout(deadline - self._clock()):
                await adapter.load()
                key = await self._keys.get(key_name) if key_name else NO_KEY
                reservation = await self._budget.reserve(self._worst_case(model, prompt))
        except TimeoutError:
            raise ModelTimeout("There was no time left to ask the model.") from None
        try:
            completion, api_time_ms = await _timed(adapter.complete(model, prompt, key), deadline - self._clock())
        except ModelError as error:
            self._report_failure(model, kind, attempt, error)
            if not error.may_be_billed:
                await self._budget.settle(reservation, 0)
            if isinstance(error, ModelKeyRejected) and key_name:
                self._keys.invalidate(key_name, key)
            raise
        generation = self._generation(model, kind, api_time_ms, completion.usage)
        failure = _unfinished(completion.finish, api_time_ms)
        self._report_answer(generation, completion.response_id, attempt, failure)
        if generation.cost_nanos is not None:  # without a price the worst case stands
            await self._budget.settle(reservation, generation.cost_nanos)
        if failure:
            raise failure
        return completion, generation

    def _key_name(self, model: Model) -> str | None:
        """An entry with an endpoint of its own never gets the vendor's key."""
        return model.key_parameter if model.base_url else self._key_names[model.vendor]

    def _worst_case(self, model: Model, prompt: Prompt) -> int:
        """The most a call can cost in nanodollars; a model without a price counts as the dearest of the catalogue."""
        sent_bytes = len(prompt.system.encode()) + len(prompt.user.encode()) + _SCHEMA_BYTES
        worst = Usage(sent_bytes + OVERHEAD_TOKENS, model.max_tokens)
        prices = [model.price] if model.price else self._prices
        return max((price.cost_nanos(worst) for price in prices), default=0)

    def _generation(self, model: Model, kind: CallKind, api_time_ms: float, usage: Usage) -> Generation:
        return Generation(
            generation_id=traces.new_generation_id(),
            model=model.id,
            vendor=model.vendor,
            kind=kind,
            simulated=self._simulated,
            prompt_version=PROMPT_VERSION,
            latency_ms=api_time_ms,
            usage=usage,
            cost_nanos=model.price.cost_nanos(usage) if model.price else None,
            created_at=time.time(),
        )

    def _sayings(self, model: Model, generation: Generation, parsed: Parsed) -> tuple[Saying, ...]:
        source = model_source(model.display_name, simulated=self._simulated)
        return tuple(Saying(draft.saying_id, draft.text, draft.services, source, generation) for draft in parsed.drafts)

    def _report_answer(
        self, generation: Generation, response_id: str, attempt: int, failure: ModelError | None
    ) -> None:
        self._listener.emit(
            ModelCalled(
                model=generation.model,
                vendor=generation.vendor,
                kind=generation.kind,
                attempt=attempt,
                api_time_ms=generation.latency_ms,
                error_type=type(failure).__name__ if failure else "",
                error_message=str(failure or ""),
                input_tokens=generation.usage.input_tokens,
                output_tokens=generation.usage.output_tokens,
                cost_nanos=generation.cost_nanos,
                status=200,
                generation_id=generation.generation_id,
                response_id=response_id,
            )
        )

    def _report_failure(self, model: Model, kind: CallKind, attempt: int, error: ModelError) -> None:
        self._listener.emit(
            ModelCalled(
                model=model.id,
                vendor=model.vendor,
                kind=kind,
                attempt=attempt,
                api_time_ms=error.api_time_ms or 0.0,
                error_type=type(error).__name__,
                error_message=str(error),
                cause=type(error.__cause__).__name__ if error.__cause__ else "",
                status=error.status,
            )
        )


async def _timed(completing: Awaitable[Completion], seconds: float) -> tuple[Completion, float]:
    """The completion and its milliseconds. Raises ModelError, which carries its milliseconds too."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            return await completing, _milliseconds_since(started)
    except TimeoutError:
        failure: ModelError = ModelTimeout("The model did not answer in time.")
    except ModelError as error:
        failure = error
    failure.api_time_ms = _milliseconds_since(started)
    raise failure


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _unfinished(finish: Finish, api_time_ms: float) -> ModelError | None:
    """What an answer that was paid for, but is none, is raised as."""
    if finish is Finish.DONE:
        return None
    failure: ModelError
    if finish is Finish.REFUSED:
        failure = ModelRefused("The model declined to write.")
    else:
        failure = ModelTruncated("The model was cut off before it had finished.")
    failure.api_time_ms = api_time_ms
    return failure
