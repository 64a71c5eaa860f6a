"""What a process knows of withdrawals: kept while the store fails, asked for in time, applied to the pool."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.domain import Withdrawal, WithdrawnBy
from service.errors import StoreError
from service.limits import Limits, Timeouts
from service.sayings.pool import Pool
from service.sayings.takedowns import Takedowns
from service.store.base import Withdrawals
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, SayingRestored, SayingTakenDown
from tests.fakes import FakeStore
from tests.support import Clock, RecordingListener, model_saying

BAD = model_saying("words to take down")
SAYINGS = [model_saying(f"saying {number}") for number in range(5)]
WITHDRAWAL = Withdrawal(BAD.saying_id, "slander", WithdrawnBy.OPERATOR, 1_000_000.0)


class WithdrawingStore(FakeStore):
    """A store in which `BAD` is withdrawn; it counts how often it is asked for the revision and for everything."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.reads = 0

    async def withdrawal_revision(self) -> int:
        await self._obey()
        self.looks += 1
        return 1

    async def withdrawals(self) -> Withdrawals:
        self.reads += 1
        return Withdrawals(1, {BAD.saying_id: WITHDRAWAL})


@pytest.fixture
def pool() -> Pool:
    return Pool(ttl=1e12, clock=Clock())


async def test_what_has_not_changed_is_not_read_again(pool: Pool, events: RecordingListener) -> None:
    store = WithdrawingStore()
    takedowns = Takedowns(store.as_store(), pool, events)

    for _ in range(3):
        await takedowns.refresh()

    assert BAD.saying_id in takedowns
    assert (store.looks, store.reads) == (3, 1)


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_what_is_known_stays_while_the_store_is_out(pool: Pool, events: RecordingListener, hangs: bool) -> None:
    store = WithdrawingStore()
    takedowns = Takedowns(store.as_store(), pool, events, timeouts=Timeouts(saying_read=0.01))
    await takedowns.refresh()

    store.trouble, store.hangs = StoreError("It is out."), hangs
    await takedowns.refresh()

    assert BAD.saying_id in takedowns
    assert pool.add([BAD]) == 0
    assert [failure.operation for failure in events.of(DependencyFailed)] == ["withdrawals"]


async def test_a_frozen_process_asks_again_only_after_a_while(pool: Pool, events: RecordingListener) -> None:
    store, clock = WithdrawingStore(), Clock()
    takedowns = Takedowns(store.as_store(), pool, events, monotonic=clock)

    for seconds in (0.0, 2.9, 0.2):
        clock.forward(seconds)
        await takedowns.refresh_if_due()

    assert store.looks == 2


async def test_taking_down_and_restoring_are_reported_once(
    pool: Pool, store: SqliteStore, events: RecordingListener
) -> None:
    takedowns = Takedowns(store, pool, events)

    for _ in range(2):
        await takedowns.withdraw(BAD.saying_id, reason="slander", by=WithdrawnBy.OPERATOR)
    for _ in range(2):
        await takedowns.restore(BAD.saying_id)

    assert events.of(SayingTakenDown) == [SayingTakenDown(BAD.saying_id, "operator")]
    assert events.of(SayingRestored) == [SayingRestored(BAD.saying_id)]
    assert BAD.saying_id not in takedowns


async def test_a_row_deleted_by_hand_leaves_the_pool(
    pool: Pool, store: SqliteStore, events: RecordingListener, tmp_path: Path
) -> None:
    await store.put_sayings(SAYINGS)
    pool.add(SAYINGS)
    takedowns = Takedowns(store, pool, events, limits=Limits(rows_checked=2))
    with closing(sqlite3.connect(tmp_path / "sayings.db")) as database, database:
        database.execute("DELETE FROM main_humor WHERE saying_id = ?", (SAYINGS[3].saying_id,))

    for _ in range(3):  # two rows at a time
        await takedowns.drop_deleted()

    assert pool.ids == {saying.saying_id for saying in SAYINGS} - {SAYINGS[3].saying_id}


async def test_an_empty_pool_has_no_rows_to_look_for(pool: Pool, events: RecordingListener) -> None:
    store = FakeStore()

    await Takedowns(store.as_store(), pool, events).drop_deleted()

    assert not store.asked.is_set()
