"""Starts the server and the background jobs that run beside it."""

import os
from collections.abc import Callable
from functools import partial

from service.config import Settings
from service.llm.vendors import key_variables
from service.process import freeze_modules, say, stop_signal
from service.resilience.tasks import Job, running
from service.resources import Resources, open_resources
from service.server.app import listening
from telemetry.setup import open_telemetry


async def serve(settings: Settings, *, pool_job: Callable[[Resources], Job] | None = None) -> int:
    """Serve until a stop signal arrives; returns the exit code. Raises ConfigError.

    `pool_job` makes the job that keeps the pool warm. Without it the pool is filled only from the store, with the
    sayings that the rounds of other processes put there.
    """
    stop = stop_signal()
    async with (
        open_telemetry(
            os.environ,
            outbound=settings.outbound,
            show_traces=settings.trace == "on",
            behind_proxies=settings.trusted_proxies > 0,
        ) as telemetry,
        open_resources(settings, os.environ, telemetry.listener) as resources,
    ):
        jobs: dict[str, Job] = {
            "serves": resources.serves.run,
            "pool": resources.filler.run if pool_job is None else pool_job(resources),
            "gauges": resources.gauge.run,
            "line-up": resources.gone_models.run,
            "takedowns": resources.takedowns.run,
            "secrets": resources.secrets.run,
            "AWS credentials": resources.aws.run,
            "garbage": partial(freeze_modules, timeouts=settings.timeouts),
            **telemetry.jobs,
        }
        await resources.takedowns.refresh()  # before the first client could be shown one
        await resources.secrets.refresh()  # or the first votes would come without a token
        # The server listens before the jobs start, because a round begins with seconds of imports.
        async with (
            listening(resources) as url,
            running(jobs, telemetry.listener, timeouts=settings.timeouts),
        ):
            resources.preload()
            say(f"Cloud Sayings is at {url} ({_authors(resources)}). Ctrl-C stops it.")
            await stop.wait()
    return 0


def _authors(resources: Resources) -> str:
    """The models that write sayings, for the line that an operator reads at the start."""
    if resources.simulated:
        simulator = resources.settings.simulator
        no_key = f"no {key_variables(resources.vendors)} is set"
        return f"simulated models: {no_key if simulator == 'auto' else f'SAYINGS_SIMULATOR is {simulator}'}"
    return ", ".join(model.display_name for model in resources.line_up) or "no model: there is no key for any"
