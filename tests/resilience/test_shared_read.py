"""Reads are shared by those who ask at the same time, and their results are kept for a moment."""

import asyncio

import pytest

from service.errors import StoreError
from service.resilience.shared_read import SharedReads
from tests.support import Clock


class Source:
    """Counts the reads of each key. They end when they may, and fail when there is trouble."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.trouble: StoreError | None = None

    async def read(self, key: str) -> str:
        self.reads.append(key)
        await self.may_end.wait()
        if self.trouble is not None:
            raise self.trouble
        return f"{key} {len(self.reads)}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(source: Source, clock: Clock) -> SharedReads[str, str]:
    return SharedReads(source.read, seconds=3.0, most=2, clock=clock)


async def test_all_who_ask_at_the_same_time_share_one_read(shared: SharedReads[str, str], source: Source) -> None:
    results = await asyncio.gather(*(shared.get("a") for _ in range(50)))

    assert (set(results), source.reads) == ({"a 1"}, ["a"])


async def test_a_result_is_kept_for_a_moment(shared: SharedReads[str, str], clock: Clock) -> None:
    first = await shared.get("a")
    clock.forward(2.9)
    soon = await shared.get("a")
    clock.forward(0.1)
    later = await shared.get("a")

    assert (first, soon, later) == ("a 1", "a 1", "a 2")


async def test_a_slow_read_is_shared_until_it_ends(shared: SharedReads[str, str], source: Source, clock: Clock) -> None:
    source.may_end.clear()
    early = asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    clock.forward(60)
    late = asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)

    source.may_end.set()

    assert (await early, await late, source.reads) == ("a 1", "a 1", ["a"])


async def test_keys_are_read_apart_and_only_the_latest_are_kept(shared: SharedReads[str, str], source: Source) -> None:
    for key in ("a", "b", "b", "c", "a"):
        await shared.get(key)

    assert source.reads == ["a", "b", "c", "a"]


async def test_a_failure_is_everybodys_and_is_not_kept(shared: SharedReads[str, str], source: Source) -> None:
    source.trouble = StoreError("down")
    failed = await asyncio.gather(*(shared.get("a") for _ in range(3)), return_exceptions=True)
    source.trouble = None

    assert [str(error) for error in failed] == ["down"] * 3
    assert (await shared.get("a"), source.reads) == ("a 2", ["a", "a"])


async def test_a_client_that_leaves_does_not_end_the_read(shared: SharedReads[str, str], source: Source) -> None:
    source.may_end.clear()
    leaving, staying = asyncio.create_task(shared.get("a")), asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    leaving.cancel()

    source.may_end.set()

    assert await staying == "a 1"


async def test_closing_waits_for_what_is_being_read(shared: SharedReads[str, str], source: Source) -> None:
    source.may_end.clear()
    waiting = asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(shared.close())
    await asyncio.sleep(0)
    was_closed_early = closing.done()

    source.may_end.set()
    await closing

    assert (was_closed_early, await waiting) == (False, "a 1")
