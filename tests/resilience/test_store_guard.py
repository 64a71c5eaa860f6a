"""All waiting for the store is bounded, and what the store does not do is reported as one error with its operation."""

import asyncio
from contextlib import suppress

import pytest

from service.errors import CloudSayingsError, LeaseLost, SayingNotFound, StorageFull, StoreError, StoreTimeout
from service.resilience.timeouts import store_guard
from telemetry.events import DependencyFailed
from tests.resilience.silent_store import USES
from tests.support import RecordingListener


async def test_a_hanging_store_is_a_store_timeout(events: RecordingListener) -> None:
    with pytest.raises(StoreTimeout):
        async with store_guard("read", 0.01, events):
            await asyncio.Event().wait()

    assert events.events == [DependencyFailed("store", "read", "StoreTimeout", "The store did not answer in time.")]


@pytest.mark.parametrize("error", [StoreError("It is broken."), StorageFull(), LeaseLost("It is another's.")], ids=repr)
async def test_a_failing_store_keeps_its_error(events: RecordingListener, error: StoreError) -> None:
    error.__cause__ = cause = OSError("the library's own")

    with pytest.raises(StoreError) as caught:
        async with store_guard("write", 60.0, events):
            raise error

    assert (caught.value, caught.value.__cause__) == (error, cause)
    assert events.events == [DependencyFailed("store", "write", type(error).__name__, str(error), "OSError")]


@pytest.mark.parametrize("error", [SayingNotFound(), ZeroDivisionError()], ids=repr)
async def test_other_errors_are_not_the_stores(events: RecordingListener, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with store_guard("read", 60.0, events):
            raise error

    assert events.events == []


async def test_a_cancelled_caller_is_not_the_stores_failure(events: RecordingListener) -> None:
    async def read() -> None:
        async with store_guard("read", 60.0, events):
            await asyncio.Event().wait()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert reading.cancelled()
    assert events.events == []


@pytest.mark.parametrize("user", USES)
async def test_every_user_reports_a_hanging_store_by_one_name(events: RecordingListener, user: str) -> None:
    operation, use = USES[user]

    with suppress(CloudSayingsError):
        await use(events)

    failures = [failure for failure in events.of(DependencyFailed) if failure.dependency == "store"]
    assert operation in {failure.operation for failure in failures}
    assert {failure.error_type for failure in failures} == {"StoreTimeout"}
    assert {failure.error_message for failure in failures} == {"The store did not answer in time."}
