"""Where the next saying comes from, and what happens when it cannot come from there."""

from collections.abc import Container
from itertools import pairwise

import pytest

from service.catalogue.collection import collection
from service.domain import Origin, Saying, saying_id
from service.errors import (
    BudgetExhausted,
    DependencyError,
    KeyAccessDenied,
    KeyNotFound,
    KeyStoreThrottled,
    KeyStoreUnavailable,
    ModelBadResponse,
    ModelBreakerOpen,
    ModelConnectionFailed,
    ModelError,
    ModelForbidden,
    ModelGone,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelRequestRejected,
    ModelSpendLimitReached,
    ModelTimeout,
    ModelTruncated,
    NoSayingAvailable,
    StorageFull,
    StoreError,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import deadline
from service.sayings.flow import Flow, Served, wanted_origin
from service.sayings.pool import Pool
from service.sayings.serve_counter import ServeCounter
from service.sayings.wish import Wish, short_id
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, SayingServed
from tests.fakes import FakeGateway, FakeStore, the_models
from tests.support import NAMES, TOPICS, Clock, RecordingListener, model_saying

QUEUES = "Amazon SQS"
DATABASE, LIVE, CACHE, BUILTIN = Origin.DATABASE, Origin.LIVE, Origin.CACHE, Origin.BUILTIN
STORED = model_saying("a saying in the store")
WARM = model_saying("a warm saying")


class Stage:
    """A flow with a fake store and a fake gateway around it; `warm` puts a saying into its pool."""

    def __init__(
        self,
        events: RecordingListener,
        *,
        warm: bool = False,
        models: bool = True,
        live_every: int = 0,
        last_resort: bool = True,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.store = FakeStore()
        self.store.saying = STORED
        self.gateway = FakeGateway()
        self.pool = Pool(ttl=1e12, clock=Clock())
        self.serves = ServeCounter(self.store.as_store(), events)
        if warm:
            self.pool.add([WARM])
        self.flow = Flow(
            pool=self.pool,
            store=self.store.as_store(),
            gateway=self.gateway.as_gateway(),
            serves=self.serves,
            listener=events,
            topics=TOPICS,
            models=the_models() if models else [],
            live_every=live_every,
            last_resort=last_resort,
            withdrawn=withdrawn,
            timeouts=timeouts,
        )

    async def skip(self, count: int) -> None:
        for _ in range(count):
            await self.flow.next_saying()

    async def live(self) -> Served:
        """Make the fourth request, which is live."""
        await self.skip(3)
        return await self.flow.next_saying()


@pytest.mark.parametrize(
    ("live_every", "origins"),
    [
        (0, [DATABASE] * 3 + [LIVE] + [CACHE] * 8),
        (1, [DATABASE] * 3 + [LIVE] * 9),
        (2, [DATABASE] * 3 + [LIVE, CACHE, LIVE, CACHE, LIVE, CACHE, LIVE, CACHE, LIVE]),
        (5, [DATABASE] * 3 + [LIVE, LIVE, CACHE, CACHE, CACHE, CACHE, LIVE, CACHE, CACHE]),
    ],
)
def test_the_wanted_origin_follows_from_the_request_number_alone(live_every: int, origins: list[Origin]) -> None:
    assert [wanted_origin(number, live_every) for number in range(1, 13)] == origins


@pytest.mark.parametrize(
    ("number", "database", "live", "warm", "origin", "degraded"),
    [
        # number, then what is at hand: "+" has something, "0" is empty, "-" fails
        (1, "+", "+", True, DATABASE, None),
        (1, "0", "+", True, CACHE, "database_empty"),
        (1, "-", "+", True, CACHE, "database_error"),
        (1, "0", "+", False, BUILTIN, "database_empty"),
        (1, "-", "+", False, BUILTIN, "database_error"),
        (4, "+", "+", True, LIVE, None),
        (4, "+", "-", True, CACHE, "budget"),
        (4, "+", "-", False, DATABASE, "budget"),
        (4, "0", "-", False, BUILTIN, "budget"),
        (4, "-", "-", False, BUILTIN, "budget"),
        (5, "+", "-", True, CACHE, None),
        (5, "-", "-", True, CACHE, None),
        (5, "+", "-", False, DATABASE, "pool_empty"),
        (5, "0", "-", False, BUILTIN, "pool_empty"),
        (5, "-", "-", False, BUILTIN, "pool_empty"),
    ],
)
async def test_a_failed_origin_falls_back_and_the_first_reason_is_given(
    events: RecordingListener,
    number: int,
    database: str,
    live: str,
    warm: bool,
    origin: Origin,
    degraded: str | None,
) -> None:
    stage = Stage(events, warm=warm)
    stage.store.saying = STORED if database == "+" else None
    stage.store.trouble = StoreError("down") if database == "-" else None
    stage.gateway.trouble = BudgetExhausted("spent") if live == "-" else None
    await stage.skip(number - 1)

    served = await stage.flow.next_saying()

    assert (served.origin, served.degraded, served.request_number) == (origin, degraded, number)
    assert events.of(SayingServed)[-1] == SayingServed(origin, number, degraded)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BudgetExhausted("x"), "budget"),
        (StoreError("x"), "database_error"),
        (StorageFull(), "database_error"),
        (KeyNotFound("x"), "key_not_found"),
        (KeyAccessDenied("x"), "key_access_denied"),
        (KeyStoreThrottled("x"), "key_store_throttled"),
        (KeyStoreUnavailable("x"), "key_store_unavailable"),
        (ModelTimeout("x"), "live_timeout"),
        (ModelConnectionFailed("x"), "live_connection_failed"),
        (ModelRateLimited("x"), "live_rate_limited"),
        (ModelSpendLimitReached("x"), "live_spend_limit"),
        (ModelOverloaded("x"), "live_overloaded"),
        (ModelKeyRejected("x"), "live_key_rejected"),
        (ModelForbidden("x"), "live_forbidden"),
        (ModelGone("x"), "live_model_gone"),
        (ModelRequestRejected("x"), "live_request_rejected"),
        (ModelBreakerOpen("x"), "live_breaker_open"),
        (ModelBadResponse("x"), "live_bad_response"),
        (ModelRefused("x"), "live_refused"),
        (ModelTruncated("x"), "live_truncated"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_failed_live_call_is_served_from_the_pool_with_its_reason(
    events: RecordingListener, error: DependencyError, reason: str
) -> None:
    stage = Stage(events, warm=True)
    stage.gateway.trouble = error

    served = await stage.live()

    assert (served.saying, served.origin, served.degraded) == (WARM, CACHE, reason)


async def test_without_a_model_that_takes_part_nothing_is_called(events: RecordingListener) -> None:
    stage = Stage(events, models=False, warm=True)

    served = await stage.live()

    assert (served.origin, served.degraded, stage.gateway.asked) == (CACHE, "no_model", [])


async def test_a_hanging_database_is_left_at_its_deadline(events: RecordingListener) -> None:
    stage = Stage(events, warm=True, timeouts=Timeouts(saying_read=0.01))
    stage.store.hangs = True

    served = await stage.flow.next_saying()

    assert (served.origin, served.degraded) == (CACHE, "database_timeout")
    assert [event.operation for event in events.of(DependencyFailed)] == ["random saying"]


async def test_a_hanging_model_is_left_at_its_deadline(events: RecordingListener) -> None:
    stage = Stage(events, warm=True, timeouts=Timeouts(live_saying=0.01))
    stage.gateway.hangs = True

    served = await stage.live()

    assert (served.origin, served.degraded) == (CACHE, "live_timeout")


# What a live saying needs of an invocation, and what follows if the model hangs.
WHOLE = DEFAULT_TIMEOUTS.live_saying + DEFAULT_TIMEOUTS.saying_read


async def test_the_gateway_is_to_give_up_before_the_flow_does(events: RecordingListener) -> None:
    stage = Stage(events)

    with deadline(WHOLE + 60.0):
        await stage.live()

    [(_, seconds)] = stage.gateway.asked
    assert 0 < seconds < DEFAULT_TIMEOUTS.live_saying - 0.4
    assert DEFAULT_TIMEOUTS.saying_read < DEFAULT_TIMEOUTS.live_saying


@pytest.mark.parametrize("left", [WHOLE - 0.1, 3.0, 0.0])
async def test_a_live_saying_that_does_not_fit_the_invocation_is_not_begun(
    events: RecordingListener, left: float
) -> None:
    stage = Stage(events, warm=True)

    with deadline(left):
        served = await stage.live()

    assert (served.origin, served.degraded) == (CACHE, "live_not_asked")
    assert (stage.gateway.asked, events.of(DependencyFailed)) == ([], [])


async def test_without_the_last_resort_there_is_an_error_with_retry_after(events: RecordingListener) -> None:
    stage = Stage(events, last_resort=False)
    stage.store.trouble = StoreError("down")

    with pytest.raises(NoSayingAvailable) as caught:
        await stage.flow.next_saying()

    assert (caught.value.status, caught.value.code) == (503, "no_saying_available")
    assert caught.value.retry_after
    assert not events.of(SayingServed)


async def test_the_last_resort_is_the_packaged_collection(events: RecordingListener) -> None:
    stage = Stage(events)
    stage.store.saying = None

    served = await stage.flow.next_saying()

    assert served.saying in collection()


async def test_a_live_saying_has_its_generation_and_is_stored_and_pooled(events: RecordingListener) -> None:
    stage = Stage(events)

    served = await stage.live()

    assert stage.store.kept == [served.saying]
    assert served.saying.saying_id in stage.pool
    assert served.generation is served.saying.generation
    assert served.generation is not None
    assert served.api_latency_ms == served.generation.latency_ms


@pytest.mark.parametrize("failure", ["fails", "hangs"])
async def test_a_live_saying_that_is_not_stored_is_served_but_not_pooled(
    events: RecordingListener, failure: str
) -> None:
    stage = Stage(events, timeouts=Timeouts(saying_read=0.01))
    await stage.skip(3)
    stage.store.trouble = StoreError("down") if failure == "fails" else None
    stage.store.hangs = failure == "hangs"

    served = await stage.flow.next_saying()

    assert (served.origin, served.degraded) == (LIVE, None)
    assert len(stage.pool) == 0  # a vote on it would be refused
    assert [event.operation for event in events.of(DependencyFailed)] == ["put saying"]


async def test_a_failed_call_still_says_how_long_the_model_was_waited_for(events: RecordingListener) -> None:
    stage = Stage(events)
    error: ModelError = ModelOverloaded("x")
    error.api_time_ms = 321.0
    stage.gateway.trouble = error

    served = await stage.live()

    assert (served.origin, served.api_latency_ms, served.generation) == (DATABASE, 321.0, None)


async def test_a_call_whose_words_may_not_be_shown_has_failed(events: RecordingListener) -> None:
    stage = Stage(events)
    stage.gateway.rejected = True

    served = await stage.live()

    assert (served.degraded, served.api_latency_ms, served.generation) == ("live_bad_response", 1200.0, None)


async def test_a_call_that_was_never_made_has_no_latency(events: RecordingListener) -> None:
    stage = Stage(events)
    stage.gateway.trouble = BudgetExhausted("spent")

    served = await stage.live()

    assert (served.api_latency_ms, served.generation) == (None, None)


async def test_every_serve_counts_for_the_contributor_of_the_saying(events: RecordingListener) -> None:
    stage = Stage(events, warm=True)
    await stage.skip(3)
    stage.store.saying = None
    stage.gateway.trouble = BudgetExhausted("spent")
    await stage.skip(2)

    await stage.serves.flush()

    assert stage.store.serves == [{"gpt-4.1": 5}]


async def test_requests_are_numbered_from_one_on(events: RecordingListener) -> None:
    stage = Stage(events)

    numbers = [(await stage.flow.next_saying()).request_number for _ in range(6)]

    assert numbers[0] == 1
    assert all(after == before + 1 for before, after in pairwise(numbers))


async def test_a_withdrawn_text_written_again_is_not_served(events: RecordingListener) -> None:
    stage = Stage(events, warm=True, withdrawn={saying_id("slander")})
    stage.gateway.text = "slander"

    served = await stage.live()

    assert (served.saying, served.origin, served.degraded) == (WARM, CACHE, "live_bad_response")
    assert served.api_latency_ms is not None
    assert stage.store.kept == []


async def test_a_withdrawn_saying_of_the_collection_is_not_served(events: RecordingListener) -> None:
    only, *withdrawn = (saying.saying_id for saying in collection())
    stage = Stage(events, withdrawn=withdrawn)
    stage.store.saying = None

    assert (await stage.flow.next_saying()).saying.saying_id == only


async def test_with_all_of_the_collection_withdrawn_there_is_nothing(events: RecordingListener) -> None:
    stage = Stage(events, withdrawn={saying.saying_id for saying in collection()})
    stage.store.saying = None

    with pytest.raises(NoSayingAvailable):
        await stage.flow.next_saying()


def having_seen(*sayings: Saying, service: str | None = None) -> Wish:
    return Wish({short_id(saying.saying_id) for saying in sayings}, service)


async def test_what_a_visitor_has_not_seen_comes_from_the_database(events: RecordingListener) -> None:
    stage = Stage(events, warm=True)
    await stage.skip(4)

    served = await stage.flow.next_saying("ann", having_seen(WARM, *stage.store.kept))

    assert (served.saying, served.origin, served.degraded) == (STORED, DATABASE, None)


async def test_what_is_seen_in_the_database_too_comes_from_memory(events: RecordingListener) -> None:
    stage = Stage(events, warm=True)
    await stage.skip(4)
    *seen, new = collection()

    served = await stage.flow.next_saying("ann", having_seen(WARM, STORED, *stage.store.kept, *seen))

    assert (served.saying, served.origin, served.degraded) == (new, BUILTIN, None)


async def test_a_visitor_who_has_seen_everything_is_served_from_the_pool_again(events: RecordingListener) -> None:
    stage = Stage(events, warm=True)
    stage.gateway.trouble = BudgetExhausted("spent")
    await stage.skip(4)

    served = await stage.flow.next_saying("ann", having_seen(WARM, STORED, *collection()))

    assert (served.saying, served.origin, served.degraded) == (WARM, CACHE, None)


async def test_sixty_sayings_of_a_fresh_start_are_different(store: SqliteStore, events: RecordingListener) -> None:
    await store.put_sayings(collection())
    pool = Pool(ttl=1e12, clock=Clock())
    pool.add(model_saying(f"{number} by {model}", model=model) for model in NAMES for number in range(3))
    flow = Flow(
        pool=pool,
        store=store,
        gateway=FakeGateway().as_gateway(),
        serves=ServeCounter(store, events),
        listener=events,
        topics=TOPICS,
        models=the_models(),
    )
    seen: set[int] = set()

    for _ in range(60):
        served = await flow.next_saying("ann", Wish(seen))
        seen.add(short_id(served.saying.saying_id))

    assert len(seen) == 60
    assert {event.degraded for event in events.of(SayingServed)} == {None}


@pytest.mark.parametrize("number", [1, 4, 5])
async def test_a_service_that_is_asked_for_is_what_the_saying_is_about(events: RecordingListener, number: int) -> None:
    stage = Stage(events, warm=True)
    stage.gateway.trouble = BudgetExhausted("spent")
    queues = model_saying("a saying on queues", services=(QUEUES,))
    stage.pool.add([queues])
    await stage.skip(number - 1)

    served = await stage.flow.next_saying("ann", Wish(service=QUEUES))
    another = await stage.flow.next_saying("ann", having_seen(queues, service=QUEUES))

    assert (served.saying, served.origin) == (queues, CACHE)
    assert QUEUES in another.saying.services
    assert another.origin is BUILTIN


async def test_a_live_saying_is_on_the_service_that_is_asked_for(events: RecordingListener) -> None:
    stage = Stage(events)
    await stage.skip(3)

    await stage.flow.next_saying("ann", Wish(service=QUEUES))

    assert stage.gateway.services == [[QUEUES]]


async def test_a_service_without_a_saying_is_answered_with_another(events: RecordingListener) -> None:
    stage = Stage(events, warm=True)
    stage.gateway.trouble = BudgetExhausted("spent")
    await stage.skip(4)

    served = await stage.flow.next_saying("ann", Wish(service="Amazon Nothing"))

    assert (served.saying, served.origin, served.degraded) == (WARM, CACHE, "service_empty")
