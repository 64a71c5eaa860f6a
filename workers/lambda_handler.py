"""The worker function: one round per invocation, by a schedule or asked for by the API function."""

import asyncio
import os
from functools import cache
from typing import Any

import msgspec

from service.aws_lambda.runtime import Context, LambdaProcess, in_lambda, start
from service.errors import InvocationFailed
from service.resilience.timeouts import deadline, within
from telemetry import traces
from workers.fleet import LEASE_SECONDS, fleet_rounds


class Worker:
    """Runs rounds on the environment's loop."""

    def __init__(self, process: LambdaProcess) -> None:
        self._process = process
        self._timeouts = process.resources.settings.timeouts
        self._telemetry = process.telemetry
        self._rounds = fleet_rounds(process.resources)

    def handle(self, context: Context) -> dict[str, Any]:
        """The round's report; `{"round": null}` when another worker has the lease.

        Raises StoreError when nobody can say, InvocationFailed when the time was up: Lambda counts both as errors.
        """
        return self._process.run(self._handle(), context)

    async def _handle(self) -> dict[str, Any]:
        traces.begin({"X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", "")})
        # No round is longer than its lease, and there is time left to give that back.
        seconds = within(LEASE_SECONDS) - self._timeouts.lease_update
        if seconds <= self._timeouts.round_write:  # before a lease is taken that might not be given back
            raise InvocationFailed("There is no time left for a round.")
        try:
            # The models end in time for what they wrote to be stored and reported.
            with deadline(seconds - self._timeouts.round_write):
                async with asyncio.timeout(seconds):
                    finished = await self._rounds.run()
        except TimeoutError:
            raise InvocationFailed("The round did not end in time.") from None
        await self._telemetry.load()  # the next invocation may be another environment's
        return {"round": None if finished is None else msgspec.to_builtins(finished)}


@cache
def _worker() -> Worker:
    return Worker(start(os.environ))


def handler(event: object, context: Context) -> dict[str, Any]:
    """What Lambda calls; whatever the event says, it means a round."""
    return _worker().handle(context)


if in_lambda():
    _worker()
