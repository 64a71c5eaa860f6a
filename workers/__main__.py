"""A worker on its own: `python -m workers` makes a round in every interval, `python -m workers --once` just one."""

import argparse
import asyncio
import os
import sys

from rich.console import Console

from service.app import until_stopped
from service.config import Settings
from service.process import run, say
from service.resources import open_resources
from telemetry.events import Listener
from telemetry.logs import LogListener
from workers.fleet import FleetRounds, fleet_rounds
from workers.progress import ProgressTable

# After SIGTERM the calls under way may still land; what has not by then is given up.
GRACE_SECONDS = 6.0


async def main(settings: Settings) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--once", action="store_true", help="make one round and exit; 1 when it brought nothing")
    once: bool = parser.parse_args().once
    if not sys.stdout.isatty():
        return await work(settings, LogListener(), once=once)
    with ProgressTable(Console()) as table:
        return await work(settings, table, once=once)


async def work(settings: Settings, listener: Listener, *, once: bool) -> int:
    async with open_resources(settings, os.environ, listener) as resources:
        if not resources.models:
            say("No model takes part: there is no key for any, and the simulator is off.")
            return 1
        rounds = fleet_rounds(resources)
        if once:
            return await _once(rounds)
        await _until_told(rounds, settings.round_interval_seconds)
        return 0


async def _once(rounds: FleetRounds) -> int:
    finished = await rounds.run()
    if finished is None:
        say("Another worker has the lease, or had it within the last minute.")
        return 0
    return 0 if any(report.sayings for report in finished.models) else 1


async def _until_told(rounds: FleetRounds, interval: float) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(rounds.every(interval, stop))
    telling = asyncio.create_task(until_stopped())
    await asyncio.wait([working, telling], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.wait([working], timeout=GRACE_SECONDS)
    for task in (working, telling):
        task.cancel()
    await asyncio.gather(working, telling, return_exceptions=True)
    if not working.cancelled():
        working.result()  # a defect ends the worker with its stack


if __name__ == "__main__":
    run(main)
