"""Objects that exist after modules have been imported are frozen, so that no later garbage collection visits them."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from types import ModuleType

import pytest

from service.limits import Timeouts
from service.process import freeze_modules


@pytest.fixture
async def looking() -> AsyncIterator[None]:
    """Run the job, which looks for new modules all the time."""
    job = asyncio.create_task(freeze_modules(timeouts=Timeouts(module_check_every=0.0)))
    yield
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    gc.unfreeze()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the collector has no event to wait for
            await asyncio.sleep(0)


@pytest.mark.usefixtures("looking")
async def test_it_freezes_again_only_after_more_modules_are_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await until(lambda: gc.get_freeze_count() > 0)
    first = gc.get_freeze_count()

    later = [[each] for each in range(1000)]
    for _ in range(20):
        await asyncio.sleep(0)
    meanwhile = gc.get_freeze_count()
    monkeypatch.setitem(sys.modules, "newcomer", ModuleType("newcomer"))
    await until(lambda: gc.get_freeze_count() >= first + len(later))

    assert meanwhile <= first
