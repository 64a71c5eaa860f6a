"""Work that outlives its caller, and jobs beside the requests: supervised, and awaited when they are stopped."""

import asyncio

import pytest

from service.limits import Timeouts
from service.resilience.tasks import ShieldedTasks, leave_nothing_running, running
from telemetry.events import Unexpected
from tests.support import RecordingListener

AT_ONCE, IN_AN_HOUR = Timeouts(job_restart_after=0.0), Timeouts(job_restart_after=3600.0)


async def forever() -> None:
    await asyncio.Event().wait()


class TestLeaveNothingRunning:
    async def test_what_ends_in_time_is_awaited(self) -> None:
        ended: list[str] = []

        async def work(name: str) -> None:
            if name == "first":
                ShieldedTasks().start(work("second"))
            await asyncio.sleep(0)
            ended.append(name)

        ShieldedTasks().start(work("first"))
        await leave_nothing_running(60.0)

        assert ended == ["first", "second"]

    async def test_the_rest_is_cancelled_with_what_it_starts_then(self) -> None:
        cancelled: list[str] = []
        tasks = ShieldedTasks()

        async def hang(name: str) -> None:
            try:
                await forever()
            finally:
                cancelled.append(name)
                if name == "call":
                    await tasks.finish(hang("its book"))

        tasks.start(hang("call"))
        await leave_nothing_running(0.0)
        assert cancelled == []  # it had not begun

        tasks.start(hang("call"))
        await asyncio.sleep(0)
        await leave_nothing_running(0.0)

        assert cancelled == ["call", "its book"]
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_job_that_dies_is_reported_and_started_again(events: RecordingListener) -> None:
    starts, recovered = 0, asyncio.Event()

    async def job() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise ZeroDivisionError
        recovered.set()
        await forever()

    async with running({"job": job}, events, timeouts=AT_ONCE):
        await recovered.wait()

    assert starts == 3
    assert [(event.operation, type(event.error)) for event in events.of(Unexpected)] == [("job", ZeroDivisionError)] * 2


async def test_it_waits_before_it_starts_a_job_again(events: RecordingListener) -> None:
    starts, died = 0, asyncio.Event()

    async def job() -> None:
        nonlocal starts
        starts += 1
        died.set()
        raise ZeroDivisionError

    async with running({"job": job}, events, timeouts=IN_AN_HOUR):
        await died.wait()
        for _ in range(10):
            await asyncio.sleep(0)

    assert starts == 1


async def test_a_job_that_dies_does_not_disturb_the_others(events: RecordingListener) -> None:
    steps = asyncio.Queue[int]()

    async def dying() -> None:
        raise ZeroDivisionError

    async def steady() -> None:
        for step in range(3):
            await asyncio.sleep(0)
            steps.put_nowait(step)
        await forever()

    async with running({"dying": dying, "steady": steady}, events, timeouts=AT_ONCE):
        assert [await steps.get() for _ in range(3)] == [0, 1, 2]


async def test_a_job_that_has_done_its_work_is_left_in_peace(events: RecordingListener) -> None:
    starts = 0

    async def job() -> None:
        nonlocal starts
        starts += 1

    async with running({"job": job}, events, timeouts=AT_ONCE):
        for _ in range(10):
            await asyncio.sleep(0)

    assert starts == 1
    assert events.events == []


async def test_leaving_cancels_the_jobs_and_waits_for_their_cleanup(events: RecordingListener) -> None:
    started, tidied = asyncio.Event(), False

    async def job() -> None:
        nonlocal tidied
        started.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            tidied = True

    async with running({"job": job}, events):
        await started.wait()

    assert tidied
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_exception_of_the_block_propagates_after_the_jobs_end(events: RecordingListener) -> None:
    with pytest.raises(KeyError):
        async with running({"job": forever}, events):
            raise KeyError

    assert asyncio.all_tasks() == {asyncio.current_task()}
