"""The spend caps, on a real store: exact to the nanodollar, at once, and across hours and days."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from service.errors import BudgetExhausted, StoreError
from service.limits import Timeouts
from service.llm.billing import Budget, Reservation, spend_window
from service.store.base import Spend, SpendWindow, Store
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.bad_store import BadStore
from tests.support import Clock, RecordingListener

LAST_SECOND = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC).timestamp()
CAPS = Spend(day=1_000, hour=400)
HASTY = Timeouts(store_write=0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock(LAST_SECOND)


@pytest.fixture
def budget(store: SqliteStore, events: RecordingListener, clock: Clock) -> Budget:
    return Budget(store, events, caps=CAPS, clock=clock)


@pytest.fixture(params=["fails", "hangs"])
def bad_store(request: pytest.FixtureRequest) -> Store:
    return cast("Store", BadStore(hangs=request.param == "hangs"))


async def test_a_cap_holds_to_the_last_nanodollar(budget: Budget) -> None:
    await budget.reserve(399)

    await budget.reserve(1)

    with pytest.raises(BudgetExhausted):
        await budget.reserve(1)


async def test_a_new_hour_has_its_own_cap_and_the_day_keeps_counting(budget: Budget, clock: Clock) -> None:
    clock.forward(-3 * 3600)  # 20:59:59
    await budget.reserve(400)
    clock.forward(1)  # 21:00:00
    await budget.reserve(400)
    clock.forward(3600)  # 22:00:00

    with pytest.raises(BudgetExhausted):
        await budget.reserve(201)  # of the day's 1,000, though the hour has room

    await budget.reserve(200)


async def test_a_new_day_starts_afresh(budget: Budget, clock: Clock, store: SqliteStore) -> None:
    await budget.reserve(400)
    clock.forward(1)  # midnight

    await budget.reserve(400)

    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=400, hour=400)
    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)


async def test_settling_books_the_cost_where_it_was_reserved(budget: Budget, clock: Clock, store: SqliteStore) -> None:
    reservation = await budget.reserve(400)
    clock.forward(1)  # the answer comes after midnight

    await budget.settle(reservation, 7)

    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=7, hour=7)
    assert await store.spend(spend_window(clock())) == Spend(day=0, hour=0)


async def test_many_at_once_never_reserve_more_than_there_is(budget: Budget, store: SqliteStore) -> None:
    attempts = [budget.reserve(3) for _ in range(200)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetExhausted)]
    assert len(outcomes) - len(refused) == 400 // 3
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=399, hour=399)


async def test_several_amounts_are_reserved_together_or_not_at_all(
    budget: Budget, store: SqliteStore, clock: Clock
) -> None:
    await budget.reserve_all({"a": 100, "b": 300})

    with pytest.raises(BudgetExhausted):
        await budget.reserve_all({"a": 0, "b": 1})

    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)


async def test_an_advance_pays_each_model_once_and_releases_the_rest(
    budget: Budget, store: SqliteStore, clock: Clock
) -> None:
    advance = await budget.reserve_all({"a": 100, "b": 200, "c": 50})

    taken, again, unknown = advance.take("b"), advance.take("b"), advance.take("d")
    clock.forward(1)  # midnight
    await budget.release(advance)
    await budget.release(advance)

    assert (taken, again, unknown) == (Reservation(spend_window(LAST_SECOND), 200), None, None)
    assert advance.take("a") is None
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=200, hour=200)


async def test_many_together_never_reserve_more_than_there_is(budget: Budget, store: SqliteStore) -> None:
    attempts = [budget.reserve_all(dict.fromkeys("abcd", 9)) for _ in range(50)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(not isinstance(outcome, BudgetExhausted) for outcome in outcomes) == 400 // 36
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=396, hour=396)


async def test_without_a_store_nothing_is_reserved(bad_store: Store, events: RecordingListener) -> None:
    budget = Budget(bad_store, events, caps=CAPS, timeouts=HASTY)

    with pytest.raises(StoreError):
        await budget.reserve(1)

    [failure] = events.of(DependencyFailed)
    assert (failure.dependency, failure.operation, failure.error_type) == ("store", "reserve spend", "StoreError")


async def test_a_reservation_that_cannot_be_settled_stays(
    budget: Budget, bad_store: Store, events: RecordingListener, store: SqliteStore, clock: Clock
) -> None:
    reservation = await budget.reserve(400)

    await Budget(bad_store, events, caps=CAPS, timeouts=HASTY).settle(reservation, 7)

    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)
    assert [failure.operation for failure in events.of(DependencyFailed)] == ["settle spend"]


def test_windows_are_days_and_hours_in_utc() -> None:
    assert spend_window(LAST_SECOND) == SpendWindow(day="2026-11-20", hour="2026-11-20T23")
    assert spend_window(LAST_SECOND + 1) == SpendWindow(day="2026-11-21", hour="2026-11-21T00")
