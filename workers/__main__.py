"""A worker: `python -m workers` runs a round in every interval, `--once` runs one, and `--serve` serves the API too."""

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from service.config import Settings
from service.errors import StoreError
from service.process import run, say, stop_signal
from service.resilience.tasks import Job, running
from service.resources import Resources, open_resources
from service.server.serve import serve
from telemetry.events import Listener
from telemetry.logs import LogListener, configure_logging
from telemetry.setup import open_telemetry
from workers.fleet import FleetRounds, fleet_rounds

T = TypeVar("T")


async def main(settings: Settings) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="make one round and exit; 1 when it brought nothing")
    what.add_argument("--serve", action="store_true", help="serve the page and the API in the same process")
    arguments = parser.parse_args()
    if arguments.serve:
        return await serve(settings, pool_job=_pool_job if settings.rounds == "in-process" else None)
    return await _work_alone(settings, once=arguments.once)


def _pool_job(resources: Resources) -> Job:
    return partial(fleet_rounds(resources).keep_warm, resources.filler)


async def _work_alone(settings: Settings, *, once: bool) -> int:
    if not sys.stdout.isatty():
        return await work(settings, LogListener(), once=once)
    from rich.console import Console  # imported here, because only a terminal needs it

    from workers.progress import ProgressTable

    with ProgressTable(Console()) as table:
        configure_logging(
            settings.log_level, sys.stdout
        )  # again, so that libraries' warnings are printed above the table
        return await work(settings, table, once=once)


async def work(settings: Settings, logs: Listener, *, once: bool) -> int:
    stop, grace = stop_signal(), settings.timeouts.worker_grace
    async with (
        open_telemetry(
            os.environ, outbound=settings.outbound, show_traces=settings.trace == "on", logs=logs
        ) as telemetry,
        open_resources(settings, os.environ, telemetry.listener) as resources,
        running(
            {"line-up": resources.gone_models.run, "AWS credentials": resources.aws.run, **telemetry.jobs},
            telemetry.listener,
        ),
    ):
        if not resources.line_up:
            say("No model takes part: there is no key for any, and the simulator is off.")
            return 1
        if once:
            code = await _until_stopped(_once(fleet_rounds(resources)), stop, grace)
            return 1 if code is None else code
        rounds = fleet_rounds(resources, rest_seconds=settings.round_interval_seconds)
        await _until_stopped(rounds.keep_going(stop), stop, grace)
        return 0


async def _once(rounds: FleetRounds) -> int:
    try:
        finished = await rounds.run()
    except StoreError as error:
        say(f"No round: {error}")
        return 1
    if finished is None:
        say("No round: another worker is making one, or made one a moment ago.")
        return 0
    return 0 if any(report.sayings for report in finished.models) else 1


async def _until_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event, grace: float) -> T | None:
    """Run the work and return its result, or None if it has not ended `grace` seconds after `stop` is set.

    The grace lets model calls that are running come to their end. An exception of the work is raised.
    """
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        await asyncio.wait([working], timeout=grace)
    for task in (working, stopping):
        task.cancel()
    await asyncio.gather(working, stopping, return_exceptions=True)
    return None if working.cancelled() else working.result()


if __name__ == "__main__":
    run(main)
