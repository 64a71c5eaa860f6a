"""The API alone, for containers: `python -m service`. Rounds are run by `python -m workers` elsewhere.

With a command it does that instead and ends: `python -m service export --help`.
"""

import argparse
import os

from service.cli import commands
from service.config import Settings
from service.process import freeze_modules, run, say, stop_signal
from service.resilience.tasks import running
from service.resources import open_resources
from service.server.app import listening
from telemetry.setup import open_telemetry


async def main(settings: Settings) -> int:
    parser = argparse.ArgumentParser(prog="python -m service", description="Serves the API, or carries a command out.")
    commands.add_to(parser)
    arguments = parser.parse_args()
    return await (commands.carry_out(arguments, settings) if arguments.command else serve(settings))


async def serve(settings: Settings) -> int:
    stop = stop_signal()
    async with (
        open_telemetry(os.environ, show_traces=settings.trace == "on") as telemetry,
        open_resources(settings, os.environ, telemetry.listener) as resources,
    ):
        jobs = {
            "serves": resources.serves.run,
            "pool": resources.filler.run,
            "gauges": resources.gauge.run,
            "garbage": freeze_modules,
            **telemetry.jobs,
        }
        async with listening(resources) as url, running(jobs, telemetry.listener):
            say(f"The API listens on {url}")
            await stop.wait()
    return 0


if __name__ == "__main__":
    run(main)
