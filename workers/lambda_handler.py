"""The worker function, which runs one round per invocation. A schedule or the API function invokes it."""

import asyncio
import os
from functools import cache
from typing import Any

import msgspec

from service.aws_lambda.runtime import Context, LambdaProcess, in_lambda, start
from service.errors import InvocationFailed
from service.resilience.timeouts import deadline, within
from telemetry import traces
from telemetry.events import RoundFailed
from workers.fleet import LEASE_SECONDS, fleet_rounds


class Worker:
    """Runs rounds on the event loop of the Lambda environment."""

    def __init__(self, process: LambdaProcess) -> None:
        self._process = process
        self._timeouts = process.resources.settings.timeouts
        self._rounds = fleet_rounds(process.resources)

    def handle(self, context: Context) -> dict[str, Any]:
        """Run a round and return its report, or `{"round": null}` when another worker holds the lease.

        Raises StoreError when the store cannot tell which worker holds it, and InvocationFailed when the time is up.
        Lambda counts both as errors.
        """
        return self._process.run(self._handle(), context)

    async def _handle(self) -> dict[str, Any]:
        traces.begin({"X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", "")})
        # A round must not outlast its lease, and needs time at the end to release it.
        seconds = within(LEASE_SECONDS) - self._timeouts.lease_update
        if seconds <= self._timeouts.round_write:  # checked before acquiring a lease that could not be released in time
            raise self._failed("There is no time left for a round.")
        try:
            # The models must end early enough for their sayings to be stored and reported.
            with deadline(seconds - self._timeouts.round_write):
                async with asyncio.timeout(seconds):
                    await self._process.resources.gone_models.refresh()
                    finished = await self._rounds.run()
        except TimeoutError:
            raise self._failed("The round did not end in time.") from None
        return {"round": None if finished is None else msgspec.to_builtins(finished)}

    def _failed(self, message: str) -> InvocationFailed:
        """Report that the round could not be made in the time there was. Lambda's own line of it is no JSON."""
        self._process.resources.listener.emit(RoundFailed(InvocationFailed.__name__, message))
        return InvocationFailed(message)


@cache
def _worker() -> Worker:
    return Worker(start(os.environ))


def handler(event: object, context: Context) -> dict[str, Any]:
    """Handle an invocation of the function. The event is ignored: every invocation runs a round."""
    return _worker().handle(context)


if in_lambda():
    _worker()
