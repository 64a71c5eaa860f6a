"""Reports of visitors: one each, enough networks set a saying aside, and one person with many cookies does not."""

from collections.abc import AsyncIterator

import pytest

from service.catalogue.collection import collection
from service.domain import ReportReason, ReportStatus, WithdrawnBy, saying_id
from service.errors import NotStored, SayingNotFound, SayingWithdrawn, StoreError
from service.limits import DAY_SECONDS, Limits
from service.sayings.pool import Pool
from service.sayings.takedowns import Takedowns
from service.store.sqlite import SqliteStore
from service.voting.moderation import SET_ASIDE_REASON, Moderation
from telemetry.events import SayingReported, SayingTakenDown
from tests.fakes import FakeStore
from tests.support import RecordingListener, model_saying

SAYING = model_saying("Amazon S3 is a cellar that never asks what you keep in it.")
ID = SAYING.saying_id
ENOUGH = Limits().reporting_networks
WRONG = ReportReason.WRONG


@pytest.fixture
def takedowns(store: SqliteStore, events: RecordingListener) -> Takedowns:
    return Takedowns(store, Pool(ttl=1e12), events)


@pytest.fixture
async def moderation(store: SqliteStore, takedowns: Takedowns, events: RecordingListener) -> AsyncIterator[Moderation]:
    await store.put_sayings([SAYING])
    moderation = Moderation(store, takedowns, events)
    yield moderation
    await moderation.close()


async def report_from_networks(moderation: Moderation, count: int, *, first: int = 0, identity: str = ID) -> None:
    for number in range(first, first + count):
        await moderation.report(f"voter {number}", identity, WRONG, f"192.0.2.{number}")


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


async def test_a_voter_reports_a_saying_once(moderation: Moderation, events: RecordingListener) -> None:
    statuses = [await moderation.report("ann", ID, WRONG, f"192.0.2.{number}") for number in range(2)]

    assert statuses == [ReportStatus.RECORDED, ReportStatus.UNCHANGED]
    assert events.of(SayingReported) == [SayingReported(ID, "wrong", status) for status in statuses]


async def test_reports_from_enough_networks_set_it_aside(
    moderation: Moderation, takedowns: Takedowns, store: SqliteStore, events: RecordingListener
) -> None:
    await report_from_networks(moderation, ENOUGH - 1)
    before = ID in takedowns

    await report_from_networks(moderation, 1, first=ENOUGH)

    withdrawal = (await store.withdrawals()).sayings[ID]
    assert (before, ID in takedowns) == (False, True)
    assert (withdrawal.reason, withdrawal.withdrawn_by) == (SET_ASIDE_REASON, WithdrawnBy.VISITORS)
    assert events.of(SayingTakenDown) == [SayingTakenDown(ID, "visitors")]


async def test_the_same_few_networks_cannot_take_everything_down(
    store: SqliteStore, takedowns: Takedowns, events: RecordingListener
) -> None:
    clock, most = Clock(), 3
    takedowns = Takedowns(store, Pool(ttl=1e12), events, clock=clock)
    moderation = Moderation(store, takedowns, events, limits=Limits(set_aside_in_a_day=most), clock=clock)
    ids = [saying.saying_id for saying in collection()[: 2 * most]]

    for identity in ids:
        await report_from_networks(moderation, ENOUGH, identity=identity)
    first_day = [identity in takedowns for identity in ids]
    clock.now += DAY_SECONDS
    await report_from_networks(moderation, 1, identity=ids[-1])

    assert first_day == [True] * most + [False] * most
    assert ids[-1] in takedowns
    await moderation.close()


async def test_what_an_operator_has_decided_leaves_room_for_more(
    store: SqliteStore, takedowns: Takedowns, events: RecordingListener
) -> None:
    moderation = Moderation(store, takedowns, events, limits=Limits(set_aside_in_a_day=1))
    kept, confirmed, another = (saying.saying_id for saying in collection()[:3])

    await report_from_networks(moderation, ENOUGH, identity=kept)
    await moderation.restore(kept)
    await report_from_networks(moderation, ENOUGH, identity=confirmed)
    await moderation.withdraw(confirmed, "wrong indeed")
    await report_from_networks(moderation, ENOUGH, identity=another)

    assert another in takedowns
    await moderation.close()


@pytest.mark.parametrize("network", ["192.0.2.1", ""], ids=["one network", "unknown networks"])
async def test_many_cookies_of_one_network_are_not_enough(
    moderation: Moderation, takedowns: Takedowns, network: str
) -> None:
    for number in range(3 * ENOUGH):
        await moderation.report(f"voter {number}", ID, WRONG, network)

    assert ID not in takedowns


async def test_what_an_operator_keeps_needs_new_reports(moderation: Moderation, takedowns: Takedowns) -> None:
    await report_from_networks(moderation, ENOUGH)
    await moderation.restore(ID)

    await report_from_networks(moderation, ENOUGH)
    kept = ID not in takedowns
    await report_from_networks(moderation, ENOUGH, first=100)

    assert kept
    assert ID in takedowns


async def test_neither_voter_nor_address_is_stored(moderation: Moderation, store: SqliteStore) -> None:
    await moderation.report("ann", ID, WRONG, "192.0.2.1")

    rows = await store._read("test", lambda db: db.execute("SELECT reporter, network FROM reports").fetchall())
    assert [(len(reporter), len(network)) for reporter, network in rows] == [(32, 32)]


async def test_a_saying_of_the_collection_is_known_without_the_store(moderation: Moderation) -> None:
    builtin = collection()[0]

    assert await moderation.report("ann", builtin.saying_id, WRONG, "") == ReportStatus.RECORDED


async def test_an_unknown_saying_is_not_reported(moderation: Moderation) -> None:
    with pytest.raises(SayingNotFound):
        await moderation.report("ann", saying_id("nobody wrote this"), WRONG, "")


async def test_what_is_down_already_is_not_reported(moderation: Moderation) -> None:
    await moderation.withdraw(ID, "slander")

    with pytest.raises(SayingWithdrawn):
        await moderation.report("ann", ID, WRONG, "")


async def test_a_report_that_cannot_be_stored_is_said(events: RecordingListener) -> None:
    store = FakeStore()
    store.trouble = StoreError("It is out.")
    moderation = Moderation(store.as_store(), Takedowns(store.as_store(), Pool(ttl=1.0), events), events)

    with pytest.raises(NotStored):
        await moderation.report("ann", ID, WRONG, "")
