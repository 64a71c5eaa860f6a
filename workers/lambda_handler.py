"""The worker function: one round per invocation, by a schedule or asked for by the API function."""

import asyncio
import os
from functools import cache
from typing import Any

import msgspec

from service.deadline import within
from service.lambda_process import Context, LambdaProcess, in_lambda
from workers.fleet import FleetRounds, fleet_rounds

# No round is longer than its lease.
ROUND_SECONDS = 90.0


class Worker:
    """Runs rounds on the environment's loop."""

    def __init__(self, process: LambdaProcess) -> None:
        self._process = process
        self._rounds: FleetRounds = fleet_rounds(process.resources)

    def handle(self, context: Context) -> dict[str, Any]:
        """The round's report; `{"round": null}` when another worker has the lease."""
        return self._process.run(self._handle(), context)

    async def _handle(self) -> dict[str, Any]:
        async with asyncio.timeout(within(ROUND_SECONDS)):
            finished = await self._rounds.run()
        return {"round": None if finished is None else msgspec.to_builtins(finished)}


@cache
def _worker() -> Worker:
    return Worker(LambdaProcess(os.environ))


def handler(event: object, context: Context) -> dict[str, Any]:
    """What Lambda calls; whatever the event says, it means a round."""
    return _worker().handle(context)


if in_lambda():
    _worker()
