"""Serves are counted in memory and reach the store in batches."""

import asyncio

import pytest

from service.errors import StoreError
from service.limits import Timeouts
from service.sayings.serve_counter import ServeCounter
from service.store.base import HourTally
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.fakes import FakeStore
from tests.support import Clock, RecordingListener


async def test_a_flush_writes_one_batch_and_the_next_only_what_came_since(events: RecordingListener) -> None:
    store = FakeStore()
    serves = ServeCounter(store.as_store(), events)
    for contributor in ("gpt-4.1", "collection", "gpt-4.1"):
        serves.count(contributor)

    await serves.flush()
    serves.count("collection")
    await serves.flush()
    await serves.flush()

    assert store.serves == [{"gpt-4.1": 2, "collection": 1}, {"collection": 1}]


async def test_serves_written_late_count_in_the_hour_they_were_made_in(
    store: SqliteStore, events: RecordingListener
) -> None:
    clock = Clock(1_800_000_000 + 50 * 60)
    serves = ServeCounter(store, events, clock=clock)
    serves.count("gpt-4.1")
    clock.forward(20 * 60)
    serves.count("gpt-4.1")

    clock.forward(3 * 3_600)
    await serves.flush()

    one = HourTally(serves=1)
    counted = await store.aggregates(since_hour="")
    assert counted.hours == {("2027-01-15T08", "gpt-4.1"): one, ("2027-01-15T09", "gpt-4.1"): one}


async def test_a_store_that_fails_is_not_asked_for_hour_after_hour(events: RecordingListener) -> None:
    store, clock = FakeStore(), Clock()
    serves = ServeCounter(store.as_store(), events, clock=clock)
    for _ in range(5):
        serves.count("gpt-4.1")
        clock.forward(3_600)

    store.trouble = StoreError("down")
    await serves.flush()
    store.trouble = None
    await serves.flush()

    assert len(events.of(DependencyFailed)) == 1
    assert store.serves == [{"gpt-4.1": 1}] * 5


@pytest.mark.parametrize("failure", ["fails", "hangs"])
async def test_a_failed_flush_keeps_its_counts_and_those_made_meanwhile(
    events: RecordingListener, failure: str
) -> None:
    store = FakeStore()
    store.trouble = StoreError("down") if failure == "fails" else None
    store.hangs = failure == "hangs"
    serves = ServeCounter(store.as_store(), events, timeouts=Timeouts(serve_flush=0.01))
    serves.count("gpt-4.1")

    flushing = asyncio.create_task(serves.flush())
    await asyncio.sleep(0)
    serves.count("gpt-4.1")
    await flushing
    store.trouble, store.hangs = None, False
    await serves.flush()

    assert store.serves == [{"gpt-4.1": 2}]
    assert [event.operation for event in events.of(DependencyFailed)] == ["add serves"]


async def test_it_flushes_again_and_again_also_after_a_failure(events: RecordingListener) -> None:
    store = FakeStore()
    store.trouble = StoreError("down")
    serves = ServeCounter(store.as_store(), events, timeouts=Timeouts(serve_flush_every=0.001))
    serves.count("gpt-4.1")
    running = asyncio.create_task(serves.run())
    await store.until_asked()

    store.trouble = None
    await store.until_asked()
    await asyncio.sleep(0)

    assert store.serves == [{"gpt-4.1": 1}]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
