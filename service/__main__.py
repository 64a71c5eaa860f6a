"""The API alone, for containers: `python -m service`. Rounds are run by `python -m workers` elsewhere."""

import os

from service.app import listening, until_stopped
from service.background import running
from service.config import Settings
from service.process import run, say
from service.resources import open_resources
from telemetry.logs import LogListener


async def main(settings: Settings) -> int:
    listener = LogListener()
    async with open_resources(settings, os.environ, listener) as resources:
        jobs = {"serves": resources.serves.run, "pool": resources.filler.run}
        async with running(jobs, listener), listening(resources) as url:
            say(f"The API listens on {url}")
            await until_stopped()
    return 0


if __name__ == "__main__":
    run(main)
