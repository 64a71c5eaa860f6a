"""Background tasks that are tracked and awaited: work that outlives its caller, and jobs that run beside requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import Listener, Unexpected

T = TypeVar("T")

# A task may need a moment to tidy up when it is cancelled, and may start another task for that.
_CANCELLATIONS = 3
_TIDYING_SECONDS = 0.1


class ShieldedTasks:
    """Runs work that a cancelled caller must not interrupt, and keeps track of it so that it can be awaited."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the work and return its result. The work goes on when the caller is cancelled while it waits."""
        return await asyncio.shield(self.start(work))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the work without waiting for it."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def close(self) -> None:
        """Wait until all work has ended."""
        await asyncio.gather(*self._under_way, return_exceptions=True)


async def leave_nothing_running(seconds: float) -> None:
    """Wait at most that many seconds for all other tasks of the event loop to end, and cancel those that have not.

    It is for Lambda, which freezes a task that is still running and thaws it after minutes. The time in between would
    look like a timeout to it.
    """
    others = await _others_after(seconds)
    for _ in range(_CANCELLATIONS):
        for task in others:
            task.cancel()
        others = await _others_after(_TIDYING_SECONDS)


async def _others_after(seconds: float) -> set[asyncio.Task[Any]]:
    """The other tasks that are still running after so many seconds. There may be new ones among them."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while (others := asyncio.all_tasks() - {asyncio.current_task()}) and clock() < end:
        await asyncio.wait(others, timeout=end - clock())
    return others


Job = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running(
    jobs: Mapping[str, Job], listener: Listener, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> AsyncIterator[None]:
    """Run the jobs during the block. A job that raises an exception is reported and started again after a pause."""
    tasks = [
        asyncio.create_task(_supervise(name, job, listener, timeouts.job_restart_after), name=name)
        for name, job in jobs.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def contained(name: str, job: Job, listener: Listener) -> bool:
    """Run a job once and return whether it succeeded. An exception is reported, not raised."""
    try:
        await job()
    except Exception as error:  # noqa: BLE001 - a defect in one job must not take the process down
        listener.emit(Unexpected(name, error))
        return False
    return True


async def _supervise(name: str, job: Job, listener: Listener, pause: float) -> None:
    while not await contained(name, job, listener):  # noqa: ASYNC110 - a pause, not a poll
        await asyncio.sleep(pause)
