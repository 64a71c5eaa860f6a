"""The command that checks whether votes can be stored, before a server of a new version starts."""

import argparse
from dataclasses import replace

from service.api.readiness import Readiness
from service.cli.stores import existing_address, opened
from service.config import Settings
from service.process import say
from telemetry.logs import LogListener

# A request to /health/ready has one second, but the first call of a process also fetches credentials and connects.
PATIENCE_SECONDS = 10.0


async def check(_: argparse.Namespace, settings: Settings) -> int:
    """Check what GET /health/ready checks, without a server. 1 when votes cannot be stored; the log has the cause."""
    timeouts = replace(settings.timeouts, readiness=max(settings.timeouts.readiness, PATIENCE_SECONDS))
    async with opened(existing_address(settings), settings) as store:
        readiness = Readiness(store.ping, LogListener(), are_rounds_overdue=lambda: False, timeouts=timeouts)
        state = await readiness.state()
    say("Votes can be stored." if state.is_ready else f"Votes cannot be stored (store: {state.dependencies['store']}).")
    return 0 if state.is_ready else 1
