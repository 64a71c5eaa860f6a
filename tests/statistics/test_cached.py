"""The report is read once for all concurrent callers, cached for two minutes and served stale if the store fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import msgspec
import pytest

from service.errors import StatisticsUnavailable, StorageFull, StoreError
from service.resilience.timeouts import deadline
from service.statistics.cached import CACHE_SECONDS, RETRY_SECONDS, STALE_SECONDS, Statistics
from service.statistics.schemas import StatsAnswer
from service.store.base import Aggregates, Store
from telemetry.events import DependencyFailed
from tests.fakes import the_line_up
from tests.support import Clock, RecordingListener


class CountingStore:
    """Counts how often it is read; with `trouble` it raises that, and it answers only when the `gate` is open."""

    def __init__(self) -> None:
        self.reads = 0
        self.trouble: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        self.reads += 1
        self.asked.set()
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return Aggregates(serves={"gpt-4.1": self.reads})

    async def analysis(self) -> str | None:
        return None


@pytest.fixture
def counting() -> CountingStore:
    return CountingStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def statistics(counting: CountingStore, clock: Clock, events: RecordingListener) -> AsyncIterator[Statistics]:
    statistics = Statistics(
        store=cast("Store", counting),
        line_up=the_line_up(),
        simulated=False,
        listener=events,
        clock=clock,
    )
    yield statistics
    await statistics.close()


async def test_a_report_is_served_for_two_minutes_and_then_made_anew(
    statistics: Statistics, counting: CountingStore, clock: Clock
) -> None:
    first = await statistics.answer()
    clock.forward(CACHE_SECONDS - 1)
    assert await statistics.answer() is first

    clock.forward(1)
    second = await statistics.answer()

    assert (first.totals.serves, second.totals.serves) == (1, 2)
    assert counting.reads == 2


async def test_the_encoded_report_is_the_same_and_is_encoded_once(statistics: Statistics) -> None:
    encoded = await statistics.encoded()

    assert msgspec.json.decode(encoded, type=StatsAnswer) == await statistics.answer()
    assert await statistics.encoded() is encoded


async def test_concurrent_callers_share_one_read_even_if_one_is_cancelled(
    statistics: Statistics, counting: CountingStore
) -> None:
    counting.gate.clear()
    callers = [asyncio.create_task(statistics.answer()) for _ in range(1_000)]
    await counting.asked.wait()

    callers[0].cancel()
    await asyncio.wait([callers[0]])
    counting.gate.set()
    answers = await asyncio.gather(*callers[1:])

    assert counting.reads == 1
    assert callers[0].cancelled()
    assert all(answer is answers[0] for answer in answers)


@pytest.mark.parametrize("trouble", [StoreError("The store is down."), StorageFull()])
async def test_a_stale_report_is_served_and_marked_while_the_store_fails(
    statistics: Statistics, counting: CountingStore, clock: Clock, events: RecordingListener, trouble: Exception
) -> None:
    before = await statistics.answer()
    counting.trouble = trouble
    clock.forward(CACHE_SECONDS)

    stale = await statistics.answer()

    assert (stale.stale, before.stale) == (True, False)
    assert msgspec.structs.replace(stale, stale=False) == before
    assert msgspec.json.decode(await statistics.encoded(), type=StatsAnswer) == stale
    failure = DependencyFailed("store", "aggregates", type(trouble).__name__, str(trouble))
    assert events.of(DependencyFailed) == [failure]


async def test_an_hour_after_it_was_read_a_report_is_too_old_to_be_served(
    statistics: Statistics, counting: CountingStore, clock: Clock
) -> None:
    await statistics.answer()
    counting.trouble = StoreError("The store is down.")
    clock.forward(STALE_SECONDS - 1)
    assert (await statistics.answer()).stale

    clock.forward(1)

    with pytest.raises(StatisticsUnavailable):
        await statistics.answer()


async def test_without_a_report_from_before_the_statistics_are_unavailable(
    statistics: Statistics, counting: CountingStore
) -> None:
    counting.trouble = StoreError("The store is down.")

    with pytest.raises(StatisticsUnavailable):
        await statistics.answer()


async def test_a_store_that_failed_is_asked_again_only_after_a_while(
    statistics: Statistics, counting: CountingStore, clock: Clock
) -> None:
    await statistics.answer()
    counting.trouble = StoreError("The store is down.")
    clock.forward(CACHE_SECONDS)
    await statistics.answer()
    counting.trouble = None

    assert (await statistics.answer()).stale
    clock.forward(RETRY_SECONDS)

    assert not (await statistics.answer()).stale
    assert counting.reads == 3


async def test_a_hanging_store_is_given_up_at_the_deadline_of_the_request(
    statistics: Statistics, counting: CountingStore, events: RecordingListener
) -> None:
    counting.gate.clear()

    async with asyncio.timeout(1.5):  # less than a store has where nothing hurries
        with deadline(0.01), pytest.raises(StatisticsUnavailable):
            await statistics.answer()

    assert [failure.error_type for failure in events.of(DependencyFailed)] == ["StoreTimeout"]


async def test_closing_cancels_what_is_under_way(statistics: Statistics, counting: CountingStore) -> None:
    counting.gate.clear()
    caller = asyncio.create_task(statistics.answer())
    await counting.asked.wait()

    await statistics.close()

    with pytest.raises(asyncio.CancelledError):
        await caller
