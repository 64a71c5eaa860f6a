"""The pool is filled with what rounds have put into the store."""

import asyncio
import time
from typing import Any

import pytest

from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.sayings.pool import LOW_WATER, SAYINGS_PER_MODEL, Pool
from service.sayings.pool_filler import PoolFiller
from service.store.base import Store
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.fakes import FakeStore, the_models
from tests.support import NAMES, Clock, RecordingListener, model_saying

TTL = 3_600.0


def the_filler(
    pool: Pool,
    store: Store,
    events: RecordingListener,
    *,
    simulated: bool = False,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    **times: Any,
) -> PoolFiller:
    models = [model for model in the_models() if model.vendor == "openai"]
    return PoolFiller(pool, store, models, events, ttl=TTL, simulated=simulated, timeouts=timeouts, **times)


async def test_it_adds_the_newest_fresh_sayings_of_participating_models(
    store: SqliteStore, events: RecordingListener
) -> None:
    now = time.time()
    for model in NAMES:
        await store.put_sayings(
            [model_saying(f"{age} {model}", model=model, created_at=now - age) for age in range(SAYINGS_PER_MODEL + 3)]
        )
    await store.put_sayings([model_saying("stale", created_at=now - TTL - 1)])
    pool = Pool(ttl=TTL)

    await the_filler(pool, store, events).fill()

    expected = {
        model_saying(f"{age} {model}").saying_id
        for model in ("gpt-4.1", "gpt-4.1-mini")
        for age in range(SAYINGS_PER_MODEL)
    }
    assert pool.ids == expected


@pytest.mark.parametrize("simulated", [False, True])
async def test_what_was_simulated_and_what_was_not_stay_apart(
    store: SqliteStore, events: RecordingListener, simulated: bool
) -> None:
    await store.put_sayings(
        [
            model_saying("real", created_at=time.time(), simulated=False),
            model_saying("simulated", created_at=time.time(), simulated=True),
        ]
    )
    pool = Pool(ttl=TTL)

    await the_filler(pool, store, events, simulated=simulated).fill()

    assert pool.ids == {model_saying("simulated" if simulated else "real").saying_id}


async def test_it_is_needed_while_any_model_lacks_sayings(events: RecordingListener) -> None:
    pool = Pool(ttl=TTL)
    filler = the_filler(pool, FakeStore().as_store(), events)

    needed = []
    for model in ("gpt-4.1", "gpt-4.1-mini"):
        needed.append(filler.is_needed())
        pool.add(model_saying(f"{n} {model}", model=model, created_at=time.time()) for n in range(LOW_WATER))

    assert needed == [True, True]
    assert not filler.is_needed()


@pytest.mark.parametrize("failure", ["fails", "hangs"])
async def test_a_store_that_does_not_answer_is_reported_and_survived(events: RecordingListener, failure: str) -> None:
    store = FakeStore()
    store.trouble = StoreError("down") if failure == "fails" else None
    store.hangs = failure == "hangs"

    await the_filler(Pool(ttl=TTL), store.as_store(), events, timeouts=Timeouts(pool_fill=0.01)).fill()

    assert [event.operation for event in events.of(DependencyFailed)] == ["fill pool"]


async def test_it_fills_again_while_that_is_needed(events: RecordingListener) -> None:
    pool, store = Pool(ttl=TTL), FakeStore()
    filler = the_filler(pool, store.as_store(), events, timeouts=Timeouts(pool_fill_every=0.001))
    running = asyncio.create_task(filler.run())
    await store.until_asked()

    store.recent = [model_saying("late", created_at=time.time())]
    await store.until_asked()
    await store.until_asked()

    assert len(pool) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_round_that_does_not_come_is_overdue_until_it_comes(
    store: SqliteStore, events: RecordingListener
) -> None:
    clock, pool = Clock(), Pool(ttl=TTL)
    filler = the_filler(pool, store, events, overdue_after=1_800.0, clock=clock)

    overdue = []
    for seconds in (0, 1_800, 1):
        clock.forward(seconds)
        filler.is_needed()
        overdue.append(filler.is_overdue)
    for model in ("gpt-4.1", "gpt-4.1-mini"):
        pool.add(model_saying(f"{number} {model}", model=model, created_at=time.time()) for number in range(LOW_WATER))
    filler.is_needed()

    assert (overdue, filler.is_overdue) == ([False, False, True], False)
