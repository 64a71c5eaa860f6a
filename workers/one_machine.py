"""Everything in one process, which is what `make run` starts: API, page, rounds and, without a key, the simulator."""

import os
from functools import partial

from service.config import Settings
from service.llm.vendors import key_variables
from service.process import freeze_modules, run, say, stop_signal
from service.resilience.tasks import running
from service.resources import Resources, open_resources
from service.server.app import listening
from telemetry.setup import open_telemetry
from workers.fleet import fleet_rounds


async def main(settings: Settings) -> int:
    stop = stop_signal()
    async with (
        open_telemetry(os.environ, show_traces=settings.trace == "on") as telemetry,
        open_resources(settings, os.environ, telemetry.listener) as resources,
    ):
        jobs = {
            "serves": resources.serves.run,
            "pool": resources.filler.run,
            "gauges": resources.gauges.run,
            "garbage": freeze_modules,
            **telemetry.jobs,
        }
        if settings.rounds == "in-process":
            jobs["pool"] = partial(fleet_rounds(resources).keep_warm, resources.filler)
        # Listening first: a round starts with seconds of importing, which would delay the first visitors.
        async with listening(resources) as url, running(jobs, telemetry.listener):
            say(f"Cloud Sayings is at {url} ({_who_writes(resources)}). Ctrl-C stops it.")
            await stop.wait()
    return 0


def _who_writes(resources: Resources) -> str:
    if resources.simulated:
        told = resources.settings.simulator
        why = f"no {key_variables(resources.vendors)} is set" if told == "auto" else f"SAYINGS_SIMULATOR is {told}"
        return f"simulated models: {why}"
    return ", ".join(model.display_name for model in resources.models) or "no model: there is no key for any"


if __name__ == "__main__":
    run(main)
