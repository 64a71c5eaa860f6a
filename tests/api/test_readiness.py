"""Readiness checks the store now and then, and names what is wrong; that rounds are overdue is said, no more."""

import asyncio
from collections.abc import Callable
from unittest.mock import AsyncMock

import pytest

from service.api.readiness import Readiness, State
from service.errors import StorageFull, StoreError, StoreReplaced, WrongSchema
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import DependencyFailed
from tests.store.clients import error as aws_error
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
    ending: bool = False,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Readiness:
    return Readiness(
        ping,
        events,
        are_rounds_overdue=lambda: overdue,
        are_credentials_ending=lambda: ending,
        timeouts=timeouts,
        clock=clock,
    )


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

    error.__cause__ = aws_error("ResourceNotFoundException")

    answer = await readiness(ping, events, Clock()).state()

    assert answer == State(is_ready=False, dependencies={"store": state}, causes={"store": "ResourceNotFoundException"})
    assert [(event.operation, event.error_type, event.cause) for event in events.of(DependencyFailed)] == [
        ("check", type(error).__name__, "ResourceNotFoundException")
    ]


async def test_a_store_that_hangs_is_not_ready(ping: AsyncMock, events: RecordingListener) -> None:
    ping.side_effect = asyncio.Event().wait

    answer = await readiness(ping, events, Clock(), timeouts=Timeouts(readiness=0.01)).state()

    assert answer == State(is_ready=False, dependencies={"store": "timeout"})


async def test_however_many_ask_the_store_is_checked_once(ping: AsyncMock, events: RecordingListener) -> None:
    clock = Clock()
    asked = readiness(ping, events, clock)

    await asyncio.gather(*(asked.state() for _ in range(100)))
    ping.side_effect = StorageFull()
    before = await asked.state()
    clock.forward(EVERY)
    after = await asked.state()

    assert (before.dependencies, after.dependencies) == ({"store": "ok"}, {"store": "full"})
    assert ping.await_count == 2


async def test_what_is_no_danger_yet_is_said_and_leaves_it_ready(ping: AsyncMock, events: RecordingListener) -> None:
    answer = await readiness(ping, events, Clock(), overdue=True, ending=True).state()

    assert answer == State(is_ready=True, dependencies={"store": "ok", "rounds": "overdue", "credentials": "ending"})
