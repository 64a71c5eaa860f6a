"""The background jobs of a server, such as writing serves and filling the pool, for Lambda's frozen environments.

They start during a request when they are due. Work that is unfinished when the response is ready continues during the
next request.
"""

import asyncio
import time

from service.resilience.tasks import contained
from service.resilience.timeouts import within
from service.resources import Resources
from telemetry.lambda_setup import LambdaTelemetry


class Maintenance:
    """Runs the jobs, never twice at once, every `maintenance_every` seconds at most. Close it before the resources."""

    def __init__(self, resources: Resources, telemetry: LambdaTelemetry) -> None:
        self._pause = resources.settings.timeouts.maintenance_every
        self._telemetry = telemetry
        self._filler = resources.filler
        self._gauge = resources.gauge
        self._serves = resources.serves
        self._gone_models = resources.gone_models
        self._takedowns = resources.takedowns
        self._secrets = resources.secrets
        self._comparison_votes = resources.comparison_votes
        self._trigger = resources.round_trigger
        self._listener = resources.listener
        self._task: asyncio.Task[bool] | None = None
        self._due_at: float | None = None

    async def catch_up(self) -> None:
        """Ask for new withdrawals, unless that was done a moment ago, and for today's secret if it is not there.

        Every request waits for this. An environment may have been frozen for an hour, and its pool must not show a
        saying that is withdrawn since; or for a day, and then the serve would come without a token for a vote.
        """
        await asyncio.gather(self._takedowns.refresh_if_due(), self._secrets.refresh_if_due())

    def begin_if_due(self) -> None:
        """Start the jobs if they are due. They are never due in the process's first request, which is slow already."""
        now = time.monotonic()
        if self._due_at is None:
            self._due_at = now
        elif now >= self._due_at:
            self.begin()

    def begin(self) -> None:
        """Start the jobs now, unless they are already running."""
        self._due_at = time.monotonic() + self._pause
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(contained("upkeep", self._do, self._listener))

    async def wait(self, seconds: float) -> None:
        """Wait at most that many seconds for the jobs, and as many for the sayings of a comparison to be stored.

        It is never beyond the deadline.
        """
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=within(seconds))
        await self._comparison_votes.wait(within(seconds))

    async def close(self) -> None:
        """Cancel the running jobs and wait until they have stopped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _do(self) -> None:
        await self._serves.flush()
        await self._gone_models.refresh()
        await self._takedowns.drop_deleted()
        await self._keep_filled()
        await self._secrets.refresh()
        self._gauge.measure()
        await self._telemetry.load()

    async def _keep_filled(self) -> None:
        if not self._filler.is_needed():
            return
        await self._filler.fill()
        if self._filler.is_needed() and self._trigger is not None:
            await self._trigger.pull()
