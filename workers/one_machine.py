"""Everything in one process, which is what `make run` starts: API, page, rounds and, without a key, the simulator."""

import os
from functools import partial

from service.app import listening, until_stopped
from service.background import running
from service.config import Settings
from service.process import run, say
from service.resources import Resources, open_resources
from telemetry.logs import LogListener
from workers.fleet import fleet_rounds


async def main(settings: Settings) -> int:
    listener = LogListener()
    async with open_resources(settings, os.environ, listener) as resources:
        jobs = {"serves": resources.serves.run, "pool": resources.filler.run}
        if settings.rounds == "in-process":
            jobs["pool"] = partial(fleet_rounds(resources).keep_warm, resources.filler)
        async with running(jobs, listener), listening(resources) as url:
            say(f"Cloud Sayings is at {url} ({_who_writes(resources)}). Ctrl-C stops it.")
            await until_stopped()
    return 0


def _who_writes(resources: Resources) -> str:
    if resources.simulated:
        return "simulated models: no ANTHROPIC_API_KEY or OPENAI_API_KEY is set"
    return ", ".join(model.display_name for model in resources.models) or "no model: there is no key for any"


if __name__ == "__main__":
    run(main)
