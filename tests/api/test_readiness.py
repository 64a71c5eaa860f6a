"""Readiness checks the store now and then, and names what is wrong; that rounds are overdue is said, no more."""

import asyncio
from collections.abc import Callable
from unittest.mock import AsyncMock

import pytest

from service.api.readiness import Readiness
from service.errors import StorageFull, StoreError, StoreReplaced, WrongSchema
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import DependencyFailed
from tests.support import Clock, RecordingListener

EVERY = DEFAULT_TIMEOUTS.readiness_every


@pytest.fixture
def ping() -> AsyncMock:
    return AsyncMock()


def readiness(
    ping: AsyncMock,
    events: RecordingListener,
    clock: Callable[[], float],
    *,
    overdue: bool = False,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Readiness:
    return Readiness(ping, lambda: overdue, events, timeouts=timeouts, clock=clock)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (StoreError("It is broken."), "unavailable"),
        (StorageFull(), "full"),
        (WrongSchema("A table does not exist."), "wrong_schema"),
        (StoreReplaced("It is another file."), "replaced"),
    ],
    ids=repr,
)
async def test_the_cause_is_named_and_logged(
    ping: AsyncMock, events: RecordingListener, error: StoreError, state: str
) -> None:
    ping.side_effect = error

    ready, states = await readiness(ping, events, Clock()).is_ready()

    assert (ready, states) == (False, {"store": state})
    assert [(event.operation, event.error_type) for event in events.of(DependencyFailed)] == [
        ("check", type(error).__name__)
    ]


async def test_a_store_that_hangs_is_not_ready(ping: AsyncMock, events: RecordingListener) -> None:
    ping.side_effect = asyncio.Event().wait

    answer = await readiness(ping, events, Clock(), timeouts=Timeouts(readiness=0.01)).is_ready()

    assert answer == (False, {"store": "timeout"})


async def test_however_many_ask_the_store_is_checked_once(ping: AsyncMock, events: RecordingListener) -> None:
    clock = Clock()
    asked = readiness(ping, events, clock)

    await asyncio.gather(*(asked.is_ready() for _ in range(100)))
    ping.side_effect = StorageFull()
    before = await asked.is_ready()
    clock.forward(EVERY)
    after = await asked.is_ready()

    assert (before, after) == ((True, {"store": "ok"}), (False, {"store": "full"}))
    assert ping.await_count == 2


async def test_overdue_rounds_are_said_and_leave_it_ready(ping: AsyncMock, events: RecordingListener) -> None:
    answer = await readiness(ping, events, Clock(), overdue=True).is_ready()

    assert answer == (True, {"store": "ok", "rounds": "overdue"})
