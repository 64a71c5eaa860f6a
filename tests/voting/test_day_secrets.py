"""The secrets of the days: there before they are needed, the same in the whole fleet, and told to nobody."""

import asyncio

import pytest

from service.errors import StoreError
from service.keys.secret import Secret
from service.limits import DAY_SECONDS, Timeouts
from service.store.sqlite import SqliteStore
from service.voting.day_secrets import DayKeys, DaySecrets
from telemetry.events import DependencyFailed
from tests.fakes import FakeStore
from tests.support import Clock, RecordingListener

MIDNIGHT = 20_000 * DAY_SECONDS
YESTERDAY, TODAY, TOMORROW = "2024-10-03", "2024-10-04", "2024-10-05"


@pytest.fixture
def clock() -> Clock:
    return Clock(MIDNIGHT + 3_600)


async def test_a_process_has_the_keys_of_yesterday_today_and_tomorrow(clock: Clock, events: RecordingListener) -> None:
    store = FakeStore()
    secrets = DaySecrets(store.as_store(), events, clock=clock)

    for _ in range(2):
        await secrets.refresh()

    assert store.days == [TODAY, TOMORROW, YESTERDAY]
    clock.forward(DAY_SECONDS)
    assert secrets.known(clock()) is not None


async def test_keys_older_than_yesterday_are_forgotten(clock: Clock, events: RecordingListener) -> None:
    secrets = DaySecrets(FakeStore().as_store(), events, clock=clock)
    await secrets.refresh()

    clock.forward(2 * DAY_SECONDS)
    await secrets.refresh()

    days = [clock() + number * DAY_SECONDS for number in (-2, -1, 0, 1)]
    assert [secrets.known(day) is not None for day in days] == [False, True, True, True]


async def test_two_processes_have_the_same_keys(clock: Clock, store: SqliteStore, events: RecordingListener) -> None:
    one, other = (DaySecrets(store, events, clock=clock) for _ in range(2))

    keys = await asyncio.gather(one.at(clock()), other.at(clock()))

    assert len({key.token(b"content") for key in keys}) == 1


def test_each_day_and_each_purpose_has_a_key_of_its_own() -> None:
    found = set()

    for keys in (DayKeys(Secret("one")), DayKeys(Secret("other"))):
        found |= {keys.token(b"content"), keys.lot(b"content"), keys.network(b"content")}

    assert len(found) == 6


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_a_store_that_is_out_is_reported_and_what_is_known_stays(
    clock: Clock, events: RecordingListener, hangs: bool
) -> None:
    store = FakeStore()
    secrets = DaySecrets(store.as_store(), events, clock=clock, timeouts=Timeouts(saying_read=0.01))
    await secrets.refresh()

    store.trouble, store.hangs = StoreError("It is out."), hangs
    clock.forward(DAY_SECONDS)
    await secrets.refresh()

    assert secrets.known(clock()) is not None
    assert [event.operation for event in events.of(DependencyFailed)] == ["day secret"]


async def test_a_frozen_process_asks_for_today_only_and_not_again_at_once(
    clock: Clock, events: RecordingListener
) -> None:
    store = FakeStore()
    secrets = DaySecrets(store.as_store(), events, clock=clock)
    store.trouble = StoreError("It is out.")
    for _ in range(2):
        await secrets.refresh_if_due()

    store.trouble = None
    for seconds in (0.0, 10.0, 10.0):
        clock.forward(seconds)
        await secrets.refresh_if_due()

    assert len(events.of(DependencyFailed)) == 1
    assert store.days == [TODAY]


async def test_it_refreshes_again_and_again_also_after_a_failure(clock: Clock, events: RecordingListener) -> None:
    store = FakeStore()
    store.trouble = StoreError("It is out.")
    secrets = DaySecrets(store.as_store(), events, clock=clock, timeouts=Timeouts(secret_check_every=0.001))
    running = asyncio.create_task(secrets.run())
    await store.until_asked()

    store.trouble = None
    await store.until_asked()
    await asyncio.sleep(0)

    assert store.days == [TODAY, TOMORROW, YESTERDAY]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_nothing_that_is_printed_has_a_secret_in_it(clock: Clock, events: RecordingListener) -> None:
    secrets = DaySecrets(FakeStore().as_store(), events, clock=clock)
    keys = await secrets.at(clock())

    held = [getattr(keys, name) for name in keys.__slots__]
    printed = [repr(value) for value in (secrets, vars(secrets), keys, held, events.events)]

    assert not [text for text in printed if "secret of" in text]
