"""The background jobs of a server, such as writing serves and filling the pool, for Lambda's frozen environments.

They start during a request when they are due, in a trace of their own. If they have not ended soon after the response
is ready, they are cancelled, and go on when they are due again.
"""

import asyncio
import time
from contextvars import Context

from service.resilience.tasks import Job, contained
from service.resilience.timeouts import within
from service.resources import Resources
from telemetry import traces
from telemetry.events import WorkFinished

# When the jobs have not run for this long, the environment was frozen.
_ASLEEP_SECONDS = 60.0


class Maintenance:
    """Runs the jobs, never twice at once, every `maintenance_every` seconds at most."""

    def __init__(self, resources: Resources) -> None:
        self._timeouts = resources.settings.timeouts
        self._preload = resources.preload
        self._is_preloading = False
        self._filler = resources.filler
        self._gauge = resources.gauge
        self._takedowns = resources.takedowns
        self._secrets = resources.secrets
        self._trigger = resources.round_trigger
        self._listener = resources.listener
        self._jobs: tuple[Job, ...] = (
            resources.serves.flush,
            resources.gone_models.refresh,
            resources.takedowns.drop_deleted,
            self._fill,
            resources.secrets.refresh,
            self._measure,
            resources.aws.keep_credentials,
            self._ask_for_a_round,
        )
        # Those that are still to be done, the first of which is running.
        self._left: list[Job] = []
        self._filled_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None
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
        """Start the jobs now, unless they are already running. The first time, also begin to load what is left."""
        if not self._is_preloading:
            self._is_preloading = True
            self._preload()
        self._due_at = time.monotonic() + self._timeouts.maintenance_every
        if self._task is None or self._task.done():
            # Neither the request's trace nor its deadline is theirs.
            self._task = asyncio.create_task(self._run(), context=Context())

    async def finish(self, seconds: float) -> None:
        """Wait at most that many seconds for the jobs, never beyond the deadline, and cancel those that go on.

        The next ones begin with the one that was cancelled, so that a slow store delays the jobs and loses none. Only
        the question for a round is waited for as long as it takes: it comes once a minute in the whole fleet, and if it
        were cancelled, nothing would say that the function cannot be reached.
        """
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=within(seconds))
        if self._left == [self._ask_for_a_round]:
            await asyncio.wait([self._task], timeout=within(self._timeouts.round_trigger))
        self._task.cancel()

    async def _run(self) -> None:
        with traces.work():
            started = time.perf_counter()
            self._left = self._left or list(self._jobs)
            while self._left:
                await contained("upkeep", self._left[0], self._listener)
                del self._left[0]
            self._listener.emit(WorkFinished("upkeep", round((time.perf_counter() - started) * 1000, 3)))

    async def _fill(self) -> None:
        now = time.monotonic()
        if now - self._filled_at > _ASLEEP_SECONDS:
            self._filler.begin_anew()
        self._filled_at = now
        if self._filler.is_needed():
            await self._filler.fill()

    async def _measure(self) -> None:
        self._filler.is_needed()  # it may have ceased to be
        self._gauge.measure()

    async def _ask_for_a_round(self) -> None:
        if self._filler.is_needed() and self._trigger is not None:
            await self._trigger.pull()
