"""The worker function: one round per invocation, by a schedule or asked for by the API function."""

import asyncio
import os
from functools import cache
from typing import Any

import msgspec

from service.aws_lambda.runtime import Context, InvocationFailed, LambdaProcess, in_lambda, start
from service.errors import StoreError
from service.resilience.timeouts import deadline, within
from telemetry import traces
from telemetry.events import DependencyFailed
from workers.fleet import KEEP_SECONDS, LEASE_SECONDS, fleet_rounds
from workers.round import STORE_SECONDS


class Worker:
    """Runs rounds on the environment's loop."""

    def __init__(self, process: LambdaProcess) -> None:
        self._process = process
        self._listener = process.resources.listener
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
        seconds = within(LEASE_SECONDS) - KEEP_SECONDS
        if seconds <= STORE_SECONDS:  # before a lease is taken that might not be given back
            raise InvocationFailed("There is no time left for a round.")
        try:
            # The models end in time for what they wrote to be stored and reported.
            with deadline(seconds - STORE_SECONDS):
                async with asyncio.timeout(seconds):
                    finished = await self._rounds.run()
        except TimeoutError:
            raise InvocationFailed("The round did not end in time.") from None
        except StoreError as error:
            self._listener.emit(DependencyFailed("store", "acquire lease", type(error).__name__, str(error)))
            raise
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
