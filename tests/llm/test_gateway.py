"""The gateway with real SDKs, wire, store and budget behind it; only the vendors are simulated."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from typing import cast

import msgspec
import pytest

from service.catalogue.models import Catalogue, Model
from service.domain import Call, CallKind, Usage, saying_id
from service.errors import (
    BudgetExhausted,
    KeyNotFound,
    ModelBadResponse,
    ModelBreakerOpen,
    ModelConnectionFailed,
    ModelCutShort,
    ModelError,
    ModelGone,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelsBusy,
    ModelSpendLimitReached,
    ModelTimeout,
    ModelTruncated,
    ModelUnreachable,
    StoreError,
)
from service.keys.key_store import KeyStore
from service.keys.secret import Secret
from service.keys.sources import FixedKeySource, KeySource
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.adapter import Completion, Finish
from service.llm.billing import Budget, CallRecorder, spend_window
from service.llm.breaker import FAILURES_TO_OPEN
from service.llm.concurrency import LiveCalls
from service.llm.gateway import RETRIES_IN_STOCK, Gateway, Written
from service.llm.parse import Parser
from service.llm.prompt import PROMPT_VERSION, Prompt, build_prompt
from service.llm.vendors import VENDORS, Adapters
from service.resilience.retry_budget import RETRY_SHARE
from service.simulator import Fault, FaultKind, Simulator
from service.store.base import Spend, Store
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, ModelCalled, PriceMissing, SayingsRejected, UsageDoubted
from tests.bad_store import BadStore
from tests.fakes import the_models
from tests.llm.vendor import CATALOGUE, MODELS, VendorEndpoint
from tests.support import TOPICS, Clock, RecordingListener, clocked

HAIKU, GPT = CATALOGUE["claude-haiku-4-5"], CATALOGUE["gpt-4.1"]
KEY_PARAMETERS = {"anthropic": "claude", "openai": "openai"}
PARSER = Parser(TOPICS, [vendor.telltale for vendor in VENDORS.values()])
SERVICES = ("Amazon S3", "AWS Lambda", "Amazon SQS")
ONE = SERVICES[:1]
PLENTY = 10**12
PLACES = 5
NOW = 1_000_000.0
COMPARE = CallKind.COMPARE

Make = Callable[..., Gateway]


@pytest.fixture
async def make(simulator_url: str, store: SqliteStore, events: RecordingListener) -> AsyncIterator[Make]:
    """Makes gateways that are closed in the end; without a jitter, so that nothing waits."""
    async with AsyncExitStack() as stack:

        def gateway(
            *,
            cap: int = PLENTY,
            keys: KeySource | None = None,
            counting_in: Store = store,
            catalogue: Catalogue = CATALOGUE,
            url: str | None = simulator_url,
            timeouts: Timeouts = DEFAULT_TIMEOUTS,
            on_gone: Callable[[Model], None] = lambda _: None,
            clock: Callable[[], float] = time.monotonic,
        ) -> Gateway:
            key_store = KeyStore(keys or FixedKeySource("sk-simulated"), events)
            stack.push_async_callback(key_store.close)
            adapters = Adapters(VENDORS, url)
            stack.push_async_callback(adapters.close)
            budget = Budget(
                clocked(counting_in, lambda: NOW),
                events,
                caps=Spend(day=cap, hour=cap),
                purposes=dict.fromkeys(CallKind, 1.0),
            )
            return Gateway(
                adapters,
                key_store,
                budget,
                CallRecorder(counting_in, events, timeouts=timeouts),
                events,
                live_calls=LiveCalls(PLACES),
                catalogue=catalogue,
                topics=TOPICS,
                parser=PARSER,
                key_parameters=KEY_PARAMETERS,
                simulated=url is not None,
                on_gone=on_gone,
                clock=clock,
                jitter=lambda: 0.0,
            )

        yield gateway


@pytest.fixture
def gateway(make: Make) -> Gateway:
    return make()


async def write(
    gateway: Gateway,
    model: Model = GPT,
    services: tuple[str, ...] = SERVICES,
    *,
    timeout: float = 20.0,
    known: Collection[str] = (),
) -> Written:
    return await gateway.write(model, services, kind=CallKind.ROUND, timeout=timeout, known=known)


async def spent(store: SqliteStore) -> int:
    return (await store.spend(spend_window(NOW))).hour


# --- a good call ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", list(CATALOGUE), ids=lambda model: model.id)
async def test_a_call_brings_sayings_a_generation_and_an_exact_bill(
    model: Model, gateway: Gateway, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    written = await write(gateway, model)

    generation, [call] = written.generation, simulator.calls
    assert (generation.usage.input_tokens, generation.usage.output_tokens) == (call.input_tokens, call.output_tokens)
    assert generation.cost_nanos == model.prices[-1].cost_nanos(generation.usage) == await spent(store) > 0
    assert (generation.model, generation.vendor, generation.kind) == (model.id, model.vendor, CallKind.ROUND)
    assert (generation.prompt_version, generation.simulated) == (PROMPT_VERSION, True)
    assert generation.latency_ms > 0

    assert written.missing == ()
    assert [saying.services[0] for saying in written.sayings] == list(SERVICES)
    for saying in written.sayings:
        assert saying.source == f"Generated by {model.display_name} (simulated)"
        assert saying.generation is generation
        assert saying.saying_id == saying_id(saying.text)

    [called] = events.of(ModelCalled)
    assert (called.model, called.attempt, called.error_type, called.cost_nanos) == (
        model.id, 1, "", generation.cost_nanos,
    )  # fmt: skip


async def test_what_is_known_is_not_brought_again(
    gateway: Gateway, simulator: Simulator, events: RecordingListener
) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.TEXT_DUPLICATES, count=2))
    [known] = (await write(gateway, services=SERVICES[:1])).sayings

    again = await write(gateway, services=SERVICES[:1], known={known.saying_id})

    assert (again.sayings, again.missing) == ((), SERVICES[:1])
    assert [event.problems for event in events.of(SayingsRejected)] == [("duplicate",)]


HOSTILE = {
    FaultKind.TEXT_EMPTY: "too_short",
    FaultKind.TEXT_BLANK: "too_short",
    FaultKind.TEXT_HUGE: "not_json",
    FaultKind.TEXT_SCRIPT: "markup",
    FaultKind.TEXT_JAVASCRIPT_LINK: "markup",
    FaultKind.TEXT_REFUSAL: "refusal",
    FaultKind.TEXT_SELF_IDENTIFICATION: "self_identification",
    FaultKind.TEXT_WRONG_SERVICE: "service_not_asked",
    FaultKind.TEXT_MISLABELLED: "service_not_named",
    FaultKind.TEXT_PROMPT_ECHO: "service_not_asked",
    FaultKind.TEXT_NOT_JSON: "not_json",
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_text_is_paid_for_but_never_shown(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    simulator.inject(GPT.id, Fault(kind))

    written = await write(gateway)

    assert (written.sayings, written.missing, len(simulator.calls)) == ((), SERVICES, 1)
    assert written.generation.cost_nanos == await spent(store)
    [rejected] = events.of(SayingsRejected)
    assert set(rejected.problems) == {HOSTILE[kind]}


# --- money ------------------------------------------------------------------------------------------------------------


async def test_without_room_under_the_cap_no_model_is_called(
    make: Make, simulator: Simulator, store: SqliteStore
) -> None:
    with pytest.raises(BudgetExhausted):
        await write(make(cap=1))

    assert (list(simulator.calls), await spent(store)) == ([], 0)


async def test_without_a_store_no_model_is_called(make: Make, simulator: Simulator) -> None:
    with pytest.raises(StoreError):
        await write(make(counting_in=cast("Store", BadStore())))

    assert list(simulator.calls) == []


async def test_without_a_key_nothing_is_reserved(make: Make, simulator: Simulator, store: SqliteStore) -> None:
    with pytest.raises(KeyNotFound):
        await write(make(keys=Keys()))

    assert (list(simulator.calls), await spent(store)) == ([], 0)


@pytest.mark.parametrize("model", list(CATALOGUE), ids=lambda model: model.id)
async def test_what_is_reserved_covers_the_longest_answer(
    model: Model, make: Make, simulator: Simulator, store: SqliteStore
) -> None:
    longest = tuple(sorted(TOPICS.names, key=len)[-3:])
    simulator.inject(model.id, Fault(FaultKind.HANG))
    asking = asyncio.create_task(write(make(), model, longest))
    await simulator.until(lambda: simulator.in_flight == 1)
    reserved = await spent(store)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    simulator.inject(model.id, Fault(FaultKind.TEXT_HUGE))
    written = await write(make(), model, longest)

    assert written.generation.usage.output_tokens == model.max_tokens
    assert written.generation.cost_nanos is not None
    assert written.generation.cost_nanos <= reserved
    assert await spent(store) == reserved + written.generation.cost_nanos  # the cancelled call counts as spent


RELEASED = {
    FaultKind.UNAUTHORIZED: ModelKeyRejected,
    FaultKind.RATE_LIMITED: ModelRateLimited,
    FaultKind.SPEND_LIMIT: ModelSpendLimitReached,
    FaultKind.SERVER_ERROR: ModelOverloaded,
    FaultKind.OVERLOADED: ModelOverloaded,
    FaultKind.BAD_REQUEST: ModelError,
    FaultKind.REDIRECT: ModelError,
}
KEPT = {
    FaultKind.HANG: ModelTimeout,
    FaultKind.SLOW_DRIP: ModelTimeout,
    FaultKind.RESET: ModelConnectionFailed,
    FaultKind.TRUNCATED_BODY: ModelBadResponse,
    FaultKind.BAD_JSON: ModelBadResponse,
    FaultKind.HTML: ModelBadResponse,
    FaultKind.EMPTY_BODY: ModelBadResponse,
}
BILLED = {FaultKind.REFUSAL: ModelRefused, FaultKind.MAX_TOKENS: ModelTruncated}


@pytest.mark.parametrize("kind", RELEASED)
async def test_what_the_vendor_does_not_bill_is_released(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore
) -> None:
    simulator.inject(GPT.id, Fault(kind, count=None))

    with pytest.raises(RELEASED[kind]):
        await write(gateway)

    assert await spent(store) == 0


@pytest.mark.parametrize("kind", KEPT)
async def test_what_the_vendor_may_bill_stays_reserved(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    await write(gateway)  # the import is behind us
    price_of_one, simulator_calls = await spent(store), len(simulator.calls)
    simulator.inject(GPT.id, Fault(kind, count=None))

    with pytest.raises(KEPT[kind]) as caught:
        await write(gateway, timeout=0.8 if KEPT[kind] is ModelTimeout else 20.0)

    await simulator.until(lambda: simulator.in_flight == 0)
    attempts = len(simulator.calls) - simulator_calls
    assert await spent(store) > price_of_one * (1 + attempts)
    assert caught.value.api_time_ms is not None
    assert [event.error_type for event in events.of(ModelCalled)] == ["", *[KEPT[kind].__name__] * attempts]


async def test_a_call_is_recorded_with_the_reasons_of_what_was_rejected(
    gateway: Gateway, simulator: Simulator, store: SqliteStore
) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.TEXT_REFUSAL))

    await write(gateway)

    [call] = await recorded(store)
    assert (call.sayings, call.rejected) == (0, {"refusal": 3})


@pytest.mark.parametrize("kind", BILLED)
async def test_an_answer_that_is_no_use_costs_what_it_costs(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    simulator.inject(GPT.id, Fault(kind))

    with pytest.raises(BILLED[kind]) as caught:
        await write(gateway)

    [called] = events.of(ModelCalled)
    assert (called.error_type, called.cost_nanos) == (BILLED[kind].__name__, await spent(store))
    assert called.output_tokens == simulator.calls[-1].output_tokens
    assert caught.value.api_time_ms == called.api_time_ms > 0


async def test_a_model_without_a_price_costs_as_the_dearest_with_a_warning(
    make: Make, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    unpriced = msgspec.structs.replace(HAIKU, prices=[])
    dearest = CATALOGUE["claude-sonnet-4-5"]
    gateway = make(catalogue=Catalogue([unpriced, dearest, GPT]))

    written = await write(gateway, unpriced)
    as_reserved = await spent(store)

    assert written.generation.cost_nanos is None
    assert events.of(ModelCalled)[0].cost_nanos is None
    assert events.of(PriceMissing) == [PriceMissing(unpriced.id)]
    simulator.inject(dearest.id, Fault(FaultKind.BAD_JSON))  # keeps what was reserved
    with pytest.raises(ModelBadResponse):
        await write(gateway, dearest)
    assert await spent(store) == 2 * as_reserved


# --- what a vendor says that cannot be true ---------------------------------------------------------------------------

CAP = 50_000_000  # five cents
GOOD_USAGE = {"prompt_tokens": 300, "completion_tokens": 60}
UNTRUE: dict[str, dict[str, object]] = {
    "cached_above_input": {"usage": GOOD_USAGE | {"prompt_tokens_details": {"cached_tokens": 100_000}}},
    "nothing_for_text": {"usage": {"prompt_tokens": 0, "completion_tokens": 0}},
    "above_the_possible": {"usage": {"prompt_tokens": 300, "completion_tokens": 100_000_000}},
    "unasked_tier": {"usage": GOOD_USAGE, "service_tier": "priority"},
    "another_model": {"usage": GOOD_USAGE, "model": "gpt-4.1-nano"},
}


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VendorEndpoint]:
    """OpenAI, as it says it is: the answers are checked as the vendor's own."""
    endpoint = VendorEndpoint(content={"content": SAYINGS})
    async with endpoint.serve() as url:
        adapter = VENDORS["openai"].adapter(url)
        monkeypatch.setattr(Adapters, "of", lambda _adapters, _model: adapter)
        yield endpoint
        await adapter.close()


SAYING = "Amazon S3 is an attic without a floor: it takes everything and gives it back by the box."
SAYINGS = msgspec.json.encode({"sayings": [{"service": "Amazon S3", "saying": SAYING}]}).decode()


@pytest.mark.parametrize("doubt", UNTRUE)
async def test_a_usage_that_cannot_be_true_books_the_worst_case(
    doubt: str, make: Make, vendor: VendorEndpoint, store: SqliteStore, events: RecordingListener
) -> None:
    vendor.envelope = UNTRUE[doubt]
    gateway = make()
    worst = gateway._costs.worst_case(GPT, build_prompt(TOPICS, ONE))

    await asyncio.gather(write(gateway, services=ONE), return_exceptions=True)

    [call] = await recorded(store)
    usage = call.generation.usage
    assert await spent(store) == call.generation.cost_nanos == worst
    assert events.of(UsageDoubted) == [UsageDoubted(GPT.id, doubt)]
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert usage.output_tokens <= GPT.max_tokens


@pytest.mark.parametrize("doubt", UNTRUE)
async def test_a_vendor_that_lies_in_its_favour_does_not_widen_the_cap(
    doubt: str, make: Make, vendor: VendorEndpoint, store: SqliteStore
) -> None:
    vendor.envelope = UNTRUE[doubt]
    gateway = make(cap=CAP)

    for _ in range(20):
        await asyncio.gather(write(gateway, services=ONE), return_exceptions=True)

    assert 0 < await spent(store) <= CAP


@pytest.mark.parametrize("free", [True, False])
async def test_without_a_usage_the_worst_case_is_booked(
    free: bool, make: Make, vendor: VendorEndpoint, store: SqliteStore, events: RecordingListener
) -> None:
    nothing = msgspec.structs.replace(GPT.prices[0], input=0, output=0, cached_input=0)
    model = msgspec.structs.replace(GPT, prices=[nothing]) if free else GPT
    vendor.envelope = {"usage": None}

    gateway = make()

    written = await write(gateway, model, ONE)

    worst = gateway._costs.worst_case(model, build_prompt(TOPICS, ONE))
    assert await spent(store) == written.generation.cost_nanos == worst
    assert (worst == 0) is free
    assert [event.reason for event in events.of(UsageDoubted)] == ([] if free else ["no_usage"])


async def test_an_answer_by_another_model_is_refused(
    make: Make, vendor: VendorEndpoint, store: SqliteStore, events: RecordingListener
) -> None:
    vendor.envelope = {"model": "gpt-4.1-mini-2025-04-14"}

    with pytest.raises(ModelBadResponse):
        await write(make(), services=ONE)

    [call], [called] = await recorded(store), events.of(ModelCalled)
    assert (call.error_type, call.generation.snapshot) == ("ModelBadResponse", "gpt-4.1-mini-2025-04-14")
    assert (called.error_type, called.error_message) == ("ModelBadResponse", "Another model has answered.")


@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-4.1-2025-04-14", "gpt-4.1-20250414", None])
async def test_the_name_of_the_snapshot_is_kept(name: str | None, make: Make, vendor: VendorEndpoint) -> None:
    vendor.envelope = {"model": name}

    written = await write(make(), services=ONE)

    assert written.generation.snapshot == (name or "")


# --- places for calls that a client waits for -------------------------------------------------------------------------


async def test_rounds_need_no_place_and_other_calls_need_one_each(gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.HANG, count=None))
    kinds = [CallKind.ROUND] * 2 + [CallKind.LIVE] * (PLACES + 2)

    asking = [asyncio.create_task(gateway.write(GPT, ONE, kind=kind, timeout=20.0)) for kind in kinds]
    await simulator.until(lambda: simulator.in_flight == PLACES + 2)
    for task in asking:
        task.cancel()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes[-2:]] == [ModelsBusy] * 2
    assert {type(outcome) for outcome in outcomes[:-2]} == {asyncio.CancelledError}
    assert simulator.max_in_flight == PLACES + 2


async def test_what_is_reserved_holds_its_places_until_it_is_released(gateway: Gateway, store: SqliteStore) -> None:
    advance = await gateway.reserve([GPT, HAIKU], ONE)
    reserved = await spent(store)

    with pytest.raises(ModelsBusy):
        await gateway.reserve(the_models(), ONE)
    assert await spent(store) == reserved
    await gateway.release(advance)

    await gateway.reserve(the_models(), ONE)


async def test_a_reservation_that_is_refused_holds_no_place(make: Make) -> None:
    gateway = make(cap=1)

    for _ in range(PLACES + 1):
        with pytest.raises(BudgetExhausted):
            await gateway.reserve(the_models(), ONE)


async def test_no_money_is_tied_up_while_an_sdk_is_imported(
    gateway: Gateway, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = asyncio.Event()
    monkeypatch.setattr(type(gateway._adapters.of(GPT)), "load", lambda _: loaded.wait())
    reserving = asyncio.create_task(gateway.reserve([GPT], ONE))

    await asyncio.sleep(0)
    before = await spent(store)
    loaded.set()
    await reserving

    assert before == 0 < await spent(store)


# --- money for several calls at once ----------------------------------------------------------------------------------


async def test_several_calls_are_paid_from_one_reservation(gateway: Gateway, store: SqliteStore) -> None:
    advance = await gateway.reserve(the_models(), ONE)
    reserved = await spent(store)

    asking = (gateway.write(model, ONE, kind=COMPARE, timeout=20.0, advance=advance) for model in the_models())
    written = await asyncio.gather(*asking)
    booked = await spent(store)
    await gateway.release(advance)

    assert booked == sum(each.generation.cost_nanos or 0 for each in written) < reserved
    assert await spent(store) == booked


async def test_for_several_calls_there_is_room_for_all_or_for_none(make: Make, store: SqliteStore) -> None:
    await make().reserve(the_models(), ONE)
    needed = await spent(store)

    with pytest.raises(BudgetExhausted):
        await make(cap=2 * needed - 1).reserve(the_models(), ONE)

    assert await spent(store) == needed


async def test_a_retry_is_reserved_anew(gateway: Gateway, simulator: Simulator, store: SqliteStore) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.RESET))  # which may be billed
    advance = await gateway.reserve([GPT], ONE)
    worst = await spent(store)

    written = await gateway.write(GPT, ONE, kind=COMPARE, timeout=20.0, advance=advance)

    assert written.generation.cost_nanos is not None
    assert await spent(store) == worst + written.generation.cost_nanos


async def _after_failures(gateway: Gateway, simulator: Simulator) -> None:
    """Open the breaker by failures that cost nothing."""
    simulator.inject(GPT.id, Fault(FaultKind.BAD_REQUEST, count=FAILURES_TO_OPEN))
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ModelError):
            await write(gateway)


@pytest.mark.parametrize(
    ("obstacle", "error"), [("breaker", ModelBreakerOpen), ("key", KeyNotFound), ("time", ModelTimeout)]
)
async def test_a_reservation_for_a_call_that_was_not_made_is_released(
    make: Make, simulator: Simulator, store: SqliteStore, obstacle: str, error: type[Exception]
) -> None:
    gateway = make(keys=Keys()) if obstacle == "key" else make()
    if obstacle == "breaker":
        await _after_failures(gateway, simulator)
    advance = await gateway.reserve([GPT, HAIKU], ONE)

    with pytest.raises(error):
        await gateway.write(GPT, ONE, kind=COMPARE, timeout=0.0 if obstacle == "time" else 20.0, advance=advance)
    assert await spent(store) > 0
    await gateway.release(advance)

    assert await spent(store) == 0


async def test_a_call_that_is_cancelled_while_it_runs_counts_as_spent(
    gateway: Gateway, simulator: Simulator, store: SqliteStore
) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.HANG))
    advance = await gateway.reserve([GPT], ONE)
    reserved = await spent(store)
    asking = asyncio.create_task(gateway.write(GPT, ONE, kind=COMPARE, timeout=20.0, advance=advance))
    await simulator.until(lambda: simulator.in_flight == 1)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await gateway.release(advance)
    await simulator.until(lambda: simulator.in_flight == 0)

    assert [call.cancelled for call in simulator.calls] == [True]
    assert await spent(store) == reserved > 0


# --- calls that are billed --------------------------------------------------------------------------------------------


async def recorded(store: SqliteStore) -> list[Call]:
    return [call async for call in store.all_calls()]


async def test_a_call_is_recorded_with_sayings_requested_and_usable(
    gateway: Gateway, simulator: Simulator, store: SqliteStore
) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.TEXT_ONLY_ONE))

    of_three = await write(gateway)
    of_one = await gateway.write(GPT, ONE, kind=COMPARE, timeout=20.0)

    expected = [Call(of_three.generation, 3, 1), Call(of_one.generation, 1, 1)]
    assert sorted(await recorded(store), key=lambda call: -call.asked) == expected


@pytest.mark.parametrize("kind", BILLED)
async def test_an_answer_that_is_no_use_is_recorded_as_such(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore
) -> None:
    simulator.inject(GPT.id, Fault(kind))

    with pytest.raises(BILLED[kind]):
        await write(gateway)

    [call] = await recorded(store)
    assert (call.asked, call.sayings, call.error_type) == (3, 0, BILLED[kind].__name__)
    assert call.generation.cost_nanos == await spent(store) > 0


@pytest.mark.parametrize("kind", RELEASED | KEPT)
async def test_every_attempt_without_an_answer_is_recorded(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, store: SqliteStore, events: RecordingListener
) -> None:
    error = (RELEASED | KEPT)[kind]
    await gateway._adapters.of(GPT).load()
    simulator.inject(GPT.id, Fault(kind, count=None))

    with pytest.raises(error):
        await write(gateway, timeout=0.8 if error is ModelTimeout else 20.0)

    attempts, calls = events.of(ModelCalled), await recorded(store)
    assert len(calls) == len(attempts) == len(simulator.calls) > 0
    assert {call.error_type for call in calls} == {event.error_type for event in attempts} != {""}
    for call in calls:
        made = call.generation
        assert (call.asked, call.sayings, made.usage, made.cost_nanos, made.snapshot) == (3, 0, Usage(0, 0), 0, "")
        assert (made.model, made.kind, made.prompt_version) == (GPT.id, CallKind.ROUND, PROMPT_VERSION)
        assert made.latency_ms > 0
    assert {made.generation.latency_ms for made in calls} == {event.api_time_ms for event in attempts}


@pytest.mark.parametrize("obstacle", ["budget", "key", "time", "breaker", "busy", "cancelled"])
async def test_a_call_that_was_not_made_or_was_cancelled_is_not_recorded(
    obstacle: str, make: Make, simulator: Simulator, store: SqliteStore
) -> None:
    gateway = make(cap=1 if obstacle == "budget" else PLENTY, keys=Keys() if obstacle == "key" else None)
    await gateway._adapters.of(GPT).load()
    if obstacle == "breaker":
        await _after_failures(gateway, simulator)
    if obstacle == "busy":
        await gateway.reserve(the_models(), ONE)
        await gateway.reserve([GPT], ONE)
    before = await recorded(store)
    simulator.inject(GPT.id, Fault(FaultKind.HANG))

    asking = asyncio.create_task(
        gateway.write(GPT, ONE, kind=CallKind.LIVE, timeout=0.0 if obstacle == "time" else 20.0)
    )
    if obstacle == "cancelled":
        await simulator.until(lambda: simulator.in_flight == 1)
        asking.cancel()
    [error] = await asyncio.gather(asking, return_exceptions=True)
    await gateway.close()

    assert isinstance(error, BaseException)
    assert await recorded(store) == before


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_call_that_cannot_be_recorded_has_been_made_all_the_same(
    make: Make, store: SqliteStore, events: RecordingListener, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(store, "record_call", BadStore(hangs=hangs).record_call)

    written = await write(make(timeouts=Timeouts(store_write=0.01)))

    assert len(written.sayings) == 3
    assert await spent(store) == written.generation.cost_nanos
    assert [event.operation for event in events.of(DependencyFailed)] == ["record call"]


async def test_a_call_is_booked_although_its_caller_has_gone(
    gateway: Gateway, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, let_go, record = asyncio.Event(), asyncio.Event(), store.record_call

    async def hold(call: Call) -> None:
        arrived.set()
        await let_go.wait()
        await record(call)

    monkeypatch.setattr(store, "record_call", hold)
    asking = asyncio.create_task(write(gateway))
    await arrived.wait()

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    let_go.set()
    await gateway.close()

    [call] = await recorded(store)
    assert (call.sayings, call.generation.cost_nanos) == (3, await spent(store))


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.OVERLOADED, FaultKind.RESET],
)
async def test_one_retry_mends_what_passes(
    kind: FaultKind, gateway: Gateway, simulator: Simulator, events: RecordingListener
) -> None:
    simulator.inject(GPT.id, Fault(kind))

    written = await write(gateway)

    assert len(written.sayings) == 3
    assert [(event.attempt, bool(event.error_type)) for event in events.of(ModelCalled)] == [(1, True), (2, False)]


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.RESET])
async def test_there_is_no_third_attempt(kind: FaultKind, gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject(GPT.id, Fault(kind, count=None))

    with pytest.raises(ModelError):
        await write(gateway)

    assert len(simulator.calls) == 2


@pytest.mark.parametrize(
    "kind",
    [FaultKind.SPEND_LIMIT, FaultKind.BAD_REQUEST, FaultKind.NOT_FOUND, FaultKind.REDIRECT, FaultKind.TRUNCATED_BODY,
     FaultKind.BAD_JSON, FaultKind.HTML, FaultKind.EMPTY_BODY, FaultKind.NULL_BODY, FaultKind.REFUSAL,
     FaultKind.MAX_TOKENS, FaultKind.CONTENT_FILTER],
)  # fmt: skip
async def test_what_was_paid_for_or_will_not_pass_is_not_retried(
    kind: FaultKind, gateway: Gateway, simulator: Simulator
) -> None:
    simulator.inject(GPT.id, Fault(kind, count=None))

    with pytest.raises(ModelError):
        await write(gateway)

    assert len(simulator.calls) == 1


async def test_nothing_is_retried_when_too_little_time_is_left(gateway: Gateway, simulator: Simulator) -> None:
    await write(gateway)  # the import is behind us
    simulator.inject(GPT.id, Fault(FaultKind.SERVER_ERROR))

    with pytest.raises(ModelOverloaded):
        await write(gateway, timeout=0.4)

    assert len(simulator.calls) == 2


async def test_a_retry_after_that_fits_is_waited_for(gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.RATE_LIMITED, retry_after="0.2"))

    await write(gateway)

    refused, answered = simulator.calls
    assert answered.started - refused.finished >= 0.19


async def test_a_retry_after_that_does_not_fit_leaves_the_model_alone(gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.RATE_LIMITED, retry_after="30"))
    with pytest.raises(ModelRateLimited):
        await write(gateway, timeout=20.0)

    with pytest.raises(ModelBreakerOpen) as caught:
        await write(gateway)

    assert caught.value.retry_after is not None
    assert 20 < caught.value.retry_after <= 30
    assert caught.value.api_time_ms is None
    assert len(simulator.calls) == 1


async def test_retries_cannot_multiply_an_outage(gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject("*", Fault(FaultKind.SERVER_ERROR, count=None))
    models = the_models() * (FAILURES_TO_OPEN - 1)

    for model in models:
        with pytest.raises(ModelOverloaded):
            await write(gateway, model)

    retries = len(simulator.calls) - len(models)
    assert RETRIES_IN_STOCK - 1 <= retries <= RETRIES_IN_STOCK + RETRY_SHARE * len(models)
    assert retries < len(models)


# --- keys -------------------------------------------------------------------------------------------------------------


class Keys:
    """A key store in which the key changes with every fetch."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)
        self.fetches = 0

    async def fetch(self, name: str) -> Secret:
        self.fetches += 1
        if not self._keys:
            raise KeyNotFound("There is none.")
        return Secret(self._keys.pop(0) if len(self._keys) > 1 else self._keys[0])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
async def test_a_key_that_was_replaced_is_loaded_again(
    model: Model, make: Make, simulator: Simulator, events: RecordingListener
) -> None:
    keys = Keys("sk-old-key", "sk-new-key")
    simulator.revoke("sk-old-key")

    written = await write(make(keys=keys), model)

    assert (len(written.sayings), keys.fetches) == (3, 2)
    assert [event.status for event in events.of(ModelCalled)] == [401, 200]
    assert "sk-" not in repr(events.events)


async def test_a_key_that_stays_bad_is_tried_twice_and_then_left_alone(make: Make, simulator: Simulator) -> None:
    keys = Keys("sk-bad-key")
    simulator.revoke("sk-bad-key")
    gateway = make(keys=keys)
    with pytest.raises(ModelKeyRejected):
        await write(gateway)

    with pytest.raises(ModelBreakerOpen):
        await write(gateway)

    assert (len(simulator.calls), keys.fetches) == (2, 2)


async def test_an_endpoint_of_ones_own_never_gets_the_vendors_key(make: Make) -> None:
    own = VendorEndpoint()
    async with own.serve() as url:
        model = msgspec.structs.replace(MODELS["openai"], base_url=url)
        keyed = msgspec.structs.replace(model, key_parameter="own")

        await write(make(keys=Keys("sk-own"), url=None), model)
        await write(make(keys=Keys("sk-own"), url=None), keyed)

    assert own.keys == ["Bearer none", "Bearer sk-own"]


FORBIDDEN = {"code": "model_not_found", "type": "invalid_request_error", "message": "No access.", "param": None}


async def test_a_model_that_is_gone_is_reported_and_the_key_stays(make: Make, vendor: VendorEndpoint) -> None:
    keys, gone = Keys("sk-good", "sk-other"), list[Model]()
    vendor.fails(403, msgspec.json.encode({"error": FORBIDDEN}))
    gateway = make(keys=keys, on_gone=gone.append)

    with pytest.raises(ModelGone):
        await write(gateway)
    vendor.broken = None
    await write(gateway, CATALOGUE["gpt-4.1-mini"])

    assert (gone, keys.fetches, vendor.keys) == ([GPT], 1, ["Bearer sk-good"] * 2)


async def test_a_refusal_that_is_free_books_nothing(make: Make, simulator: Simulator, store: SqliteStore) -> None:
    simulator.inject(HAIKU.id, Fault(FaultKind.REFUSAL))

    with pytest.raises(ModelRefused):
        await write(make(), HAIKU)

    assert await spent(store) == 0


# --- time and breaker -------------------------------------------------------------------------------------------------


class HangingKeys:
    """A key that comes when it is told to."""

    def __init__(self) -> None:
        self._key: asyncio.Future[Secret] = asyncio.get_running_loop().create_future()

    def come(self, key: str) -> None:
        self._key.set_result(Secret(key))

    async def fetch(self, name: str) -> Secret:
        return await self._key


async def test_the_timeout_bounds_what_comes_before_the_call_too(
    make: Make, simulator: Simulator, store: SqliteStore
) -> None:
    gateway = make(keys=HangingKeys())
    await gateway._adapters.of(GPT).load()

    with pytest.raises(ModelTimeout) as caught:
        await write(gateway, timeout=0.05)

    assert caught.value.api_time_ms is None  # no vendor was called
    assert (list(simulator.calls), await spent(store)) == ([], 0)


async def test_a_model_that_was_never_asked_has_not_failed(make: Make) -> None:
    hanging = HangingKeys()
    gateway = make(keys=hanging)
    await gateway._adapters.of(GPT).load()
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ModelTimeout):
            await write(gateway, timeout=0.05)

    hanging.come("sk-simulated")

    assert (await write(gateway)).sayings


class SlowImport:
    """An adapter whose SDK takes nearly all of the time to import, and a model that then does not answer."""

    SECONDS = 6.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def load(self) -> None:
        self._clock.now += self.SECONDS

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_model_that_is_asked_too_late_has_not_failed(
    make: Make, store: SqliteStore, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(Adapters, "of", lambda *_: SlowImport(clock))
    gateway = make(clock=lambda: clock.now)
    await gateway._parser.load()

    for _ in range(FAILURES_TO_OPEN + 1):  # no breaker opens
        with pytest.raises(ModelCutShort):
            await write(gateway, services=ONE, timeout=SlowImport.SECONDS + 0.01)

    assert {event.error_type for event in events.of(ModelCalled)} == {"ModelCutShort"}
    assert await recorded(store) == []
    assert await spent(store) > 0  # the vendor may bill it all the same


class SlowAdapter:
    """A model that answers, or fails, a moment after the time that the tests give it."""

    SECONDS = 0.4

    def __init__(self, failure: ModelError | None = None) -> None:
        self._failure = failure
        self.calls = 0

    async def load(self) -> None: ...

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        self.calls += 1
        await asyncio.sleep(2 * self.SECONDS)
        if self._failure:
            raise self._failure
        return Completion("late", SAYINGS, Finish.DONE, Usage(300, 60))


async def test_a_call_that_may_linger_ends_after_the_deadline(
    make: Make, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Adapters, "of", lambda *_: SlowAdapter())
    gateway = make()
    await gateway._parser.load()

    with pytest.raises(ModelTimeout):
        await write(gateway, services=ONE, timeout=SlowAdapter.SECONDS)
    late = await gateway.write(GPT, ONE, kind=COMPARE, timeout=SlowAdapter.SECONDS, linger=20.0)

    assert late.generation.latency_ms > 1000 * SlowAdapter.SECONDS
    assert sorted(call.error_type for call in await recorded(store)) == ["", "ModelTimeout"]


async def test_nothing_is_retried_after_the_deadline(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = SlowAdapter(ModelOverloaded("It failed."))
    monkeypatch.setattr(Adapters, "of", lambda *_: adapter)
    gateway = make()
    await gateway._parser.load()

    with pytest.raises(ModelOverloaded):
        await gateway.write(GPT, ONE, kind=COMPARE, timeout=SlowAdapter.SECONDS, linger=20.0)

    assert adapter.calls == 1


async def test_a_failing_model_opens_its_own_breaker_only(
    make: Make, simulator: Simulator, events: RecordingListener
) -> None:
    gateway = make()
    simulator.inject(GPT.id, Fault(FaultKind.BAD_JSON, count=None))
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ModelBadResponse):
            await write(gateway)

    with pytest.raises(ModelBreakerOpen):
        await write(gateway)
    written = await write(gateway, CATALOGUE["gpt-4.1-mini"])

    assert written.generation.model == "gpt-4.1-mini"
    assert [call.model for call in simulator.calls] == [GPT.id] * FAILURES_TO_OPEN + ["gpt-4.1-mini"]


async def test_refusals_open_no_breaker(gateway: Gateway, simulator: Simulator) -> None:
    simulator.inject(GPT.id, Fault(FaultKind.REFUSAL, count=FAILURES_TO_OPEN))
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ModelRefused):
            await write(gateway)

    assert (await write(gateway)).sayings


async def test_a_vendor_out_of_reach_is_tried_twice_for_nothing(make: Make, store: SqliteStore) -> None:
    async with VendorEndpoint().serve() as url:
        pass  # and is gone again
    model = msgspec.structs.replace(MODELS["openai"], base_url=url)

    with pytest.raises(ModelUnreachable):
        await write(make(url=None), model)

    assert await spent(store) == 0
