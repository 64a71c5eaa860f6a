"""Serves are counted in memory and reach the store in batches."""

import asyncio

import pytest

from service import serves as serves_module
from service.errors import StoreError
from service.serves import ServeCounter
from telemetry.events import DependencyFailed
from tests.fakes import FakeStore
from tests.support import RecordingListener


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


@pytest.mark.parametrize("failure", ["fails", "hangs"])
async def test_what_could_not_be_written_is_kept_with_what_was_counted_meanwhile(
    events: RecordingListener, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setattr(serves_module, "_TIMEOUT_SECONDS", 0.01)
    store = FakeStore()
    store.trouble = StoreError("down") if failure == "fails" else None
    store.hangs = failure == "hangs"
    serves = ServeCounter(store.as_store(), events)
    serves.count("gpt-4.1")

    flushing = asyncio.create_task(serves.flush())
    await asyncio.sleep(0)
    serves.count("gpt-4.1")
    await flushing
    store.trouble, store.hangs = None, False
    await serves.flush()

    assert store.serves == [{"gpt-4.1": 2}]
    assert [event.operation for event in events.of(DependencyFailed)] == ["add serves"]


async def test_it_flushes_again_and_again_also_after_a_failure(
    events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serves_module, "FLUSH_SECONDS", 0.001)
    store = FakeStore()
    store.trouble = StoreError("down")
    serves = ServeCounter(store.as_store(), events)
    serves.count("gpt-4.1")
    running = asyncio.create_task(serves.run())
    await store.until_asked()

    store.trouble = None
    await store.until_asked()
    await asyncio.sleep(0)

    assert store.serves == [{"gpt-4.1": 1}]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
