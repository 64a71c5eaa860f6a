"""The spend caps, on a real store: exact to the nanodollar, at once, and across hours and days."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from service.domain import CallKind
from service.errors import BudgetExhausted, StoreError
from service.limits import Timeouts
from service.llm.billing import Advance, Budget, Reservation, spend_window
from service.store.base import Spend, SpendWindow, Store
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed
from tests.bad_store import BadStore
from tests.support import Clock, RecordingListener

LAST_SECOND = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC).timestamp()
CAPS = Spend(day=1_000, hour=400)
HASTY = Timeouts(store_write=0.01)
PATIENT = Timeouts(store_write=60.0)  # on a busy machine, two hundred writes at once take longer than a second


@pytest.fixture
def clock() -> Clock:
    return Clock(LAST_SECOND)


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "sayings.db", clock=clock)
    yield store
    await store.close()


@pytest.fixture
def budget(store: SqliteStore, events: RecordingListener) -> Budget:
    return Budget(store, events, caps=CAPS, purposes=dict.fromkeys(CallKind, 1.0), timeouts=PATIENT)


@pytest.fixture(params=["fails", "hangs"])
def bad_store(request: pytest.FixtureRequest) -> Store:
    return cast("Store", BadStore(hangs=request.param == "hangs"))


async def test_a_cap_holds_to_the_last_nanodollar(budget: Budget) -> None:
    await budget.reserve(399, CallKind.LIVE)

    await budget.reserve(1, CallKind.LIVE)

    with pytest.raises(BudgetExhausted):
        await budget.reserve(1, CallKind.LIVE)


async def test_a_new_hour_has_its_own_cap_and_the_day_keeps_counting(budget: Budget, clock: Clock) -> None:
    clock.forward(-3 * 3600)  # 20:59:59
    await budget.reserve(400, CallKind.LIVE)
    clock.forward(1)  # 21:00:00
    await budget.reserve(400, CallKind.LIVE)
    clock.forward(3600)  # 22:00:00

    with pytest.raises(BudgetExhausted):
        await budget.reserve(201, CallKind.LIVE)  # of the day's 1,000, though the hour has room

    await budget.reserve(200, CallKind.LIVE)


async def test_a_new_day_starts_afresh(budget: Budget, clock: Clock, store: SqliteStore) -> None:
    await budget.reserve(400, CallKind.LIVE)
    clock.forward(1)  # midnight

    await budget.reserve(400, CallKind.LIVE)

    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=400, hour=400)
    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)


async def test_settling_books_the_cost_where_it_was_reserved(budget: Budget, clock: Clock, store: SqliteStore) -> None:
    reservation = await budget.reserve(400, CallKind.LIVE)
    clock.forward(1)  # the answer comes after midnight

    await budget.settle(reservation, 7)

    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=7, hour=7)
    assert await store.spend(spend_window(clock())) == Spend(day=0, hour=0)


async def test_many_at_once_never_reserve_more_than_there_is(budget: Budget, store: SqliteStore) -> None:
    attempts = [budget.reserve(3, CallKind.LIVE) for _ in range(200)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert Counter(map(type, outcomes)) == {Reservation: 400 // 3, BudgetExhausted: 200 - 400 // 3}
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=399, hour=399)


async def test_several_amounts_are_reserved_together_or_not_at_all(
    budget: Budget, store: SqliteStore, clock: Clock
) -> None:
    await budget.reserve_all({"a": 100, "b": 300}, CallKind.LIVE)

    with pytest.raises(BudgetExhausted):
        await budget.reserve_all({"a": 0, "b": 1}, CallKind.LIVE)

    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)


async def test_an_advance_pays_each_model_once_and_releases_the_rest(
    budget: Budget, store: SqliteStore, clock: Clock
) -> None:
    advance = await budget.reserve_all({"a": 100, "b": 200, "c": 50}, CallKind.LIVE)

    taken, again, unknown = advance.take("b"), advance.take("b"), advance.take("d")
    clock.forward(1)  # midnight
    await budget.release(advance)
    await budget.release(advance)

    assert (taken, again, unknown) == (Reservation(spend_window(LAST_SECOND), 200, ("live",)), None, None)
    assert advance.take("a") is None
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=200, hour=200)


async def test_many_together_never_reserve_more_than_there_is(budget: Budget, store: SqliteStore) -> None:
    attempts = [budget.reserve_all(dict.fromkeys("abcd", 9), CallKind.LIVE) for _ in range(50)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert Counter(map(type, outcomes)) == {Advance: 400 // 36, BudgetExhausted: 50 - 400 // 36}
    assert await store.spend(spend_window(LAST_SECOND)) == Spend(day=396, hour=396)


class TestShares:
    @pytest.fixture
    def budget(self, store: SqliteStore, events: RecordingListener) -> Budget:
        return Budget(store, events, caps=CAPS)

    async def test_no_purpose_can_use_up_what_is_anothers(self, budget: Budget) -> None:
        for kind in (CallKind.COMPARE, CallKind.LIVE):
            await spend_all(budget, kind)

        await budget.reserve(200, CallKind.ROUND)

    async def test_one_client_gets_a_tenth_and_others_get_theirs(self, budget: Budget, store: SqliteStore) -> None:
        spent = [await spend_all(budget, CallKind.COMPARE, client) for client in ("192.0.2.1", "192.0.2.2")]

        assert spent == [40, 40]
        assert await store.spend(spend_window(LAST_SECOND), "compare") == Spend(80, 80)

    async def test_networks_of_one_site_share_what_four_clients_get(self, budget: Budget) -> None:
        networks = [f"2001:db8:0:{number}::/64" for number in range(4)]
        spent = [await spend_all(budget, CallKind.COMPARE, network) for network in networks]

        assert spent == [40, 40, 40, 20]  # the last one meets the 140 of all comparisons

    async def test_what_a_call_did_not_cost_goes_back_to_every_share(self, budget: Budget) -> None:
        reservation = await budget.reserve(40, CallKind.COMPARE, "192.0.2.1")
        with pytest.raises(BudgetExhausted):
            await budget.reserve(1, CallKind.COMPARE, "192.0.2.1")

        await budget.settle(reservation, 3)

        await budget.reserve(37, CallKind.COMPARE, "192.0.2.1")

    async def test_small_caps_still_allow_one_call_at_a_time(self, budget: Budget) -> None:
        reservation = await budget.reserve(100, CallKind.COMPARE, "192.0.2.1")  # though a tenth of the hour is 40
        with pytest.raises(BudgetExhausted):
            await budget.reserve(100, CallKind.COMPARE, "192.0.2.1")

        await budget.settle(reservation, 0)

        await budget.reserve(100, CallKind.COMPARE, "192.0.2.1")

    async def test_no_address_is_stored(self, budget: Budget, tmp_path: Path) -> None:
        await budget.reserve(1, CallKind.COMPARE, "192.0.2.1")

        assert not [file for file in all_files(tmp_path) if b"192.0.2.1" in file]


def all_files(directory: Path) -> list[bytes]:
    return [file.read_bytes() for file in directory.iterdir()]


async def spend_all(budget: Budget, kind: CallKind, client: str = "") -> int:
    """Reserve until there is no more; returns how much there was."""
    for spent in range(0, 1_000, 20):
        try:
            await budget.reserve(20, kind, client)
        except BudgetExhausted:
            return spent
    raise AssertionError("there is no end")


async def test_without_a_store_nothing_is_reserved(bad_store: Store, events: RecordingListener) -> None:
    budget = Budget(bad_store, events, caps=CAPS, timeouts=HASTY)

    with pytest.raises(StoreError) as raised:
        await budget.reserve(1, CallKind.LIVE)

    [failure] = events.of(DependencyFailed)
    kind = type(raised.value).__name__
    assert (failure.dependency, failure.operation, failure.error_type) == ("store", "reserve spend", kind)


async def test_a_reservation_that_cannot_be_settled_stays(
    budget: Budget, bad_store: Store, events: RecordingListener, store: SqliteStore, clock: Clock
) -> None:
    reservation = await budget.reserve(400, CallKind.LIVE)

    await Budget(bad_store, events, caps=CAPS, timeouts=HASTY).settle(reservation, 7)

    assert await store.spend(spend_window(clock())) == Spend(day=400, hour=400)
    assert [failure.operation for failure in events.of(DependencyFailed)] == ["settle spend"]


def test_windows_are_days_and_hours_in_utc() -> None:
    assert spend_window(LAST_SECOND) == SpendWindow(day="2026-11-20", hour="2026-11-20T23")
    assert spend_window(LAST_SECOND + 1) == SpendWindow(day="2026-11-21", hour="2026-11-21T00")
