"""One fleet, one round: rounds are run under a lease that is kept for a while after, so that nobody follows at once."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.resources import Resources
from service.sayings.pool_filler import PoolFiller
from service.store.base import ROUND_LEASE, Lease, Store
from telemetry.events import Listener, RoundFinished
from workers.round import Round

# Longer than a round with its second calls; a holder that dies blocks the others for no longer than this.
LEASE_SECONDS = 90.0
# After a round nobody makes another for a minute; when models failed, for twice as long each time.
REST_SECONDS = 60.0
LONGEST_REST_SECONDS = 900.0


def fleet_rounds(resources: Resources, *, rest_seconds: float = REST_SECONDS) -> "FleetRounds":
    """The rounds of a process with these resources."""
    store, listener, timeouts = resources.store, resources.listener, resources.settings.timeouts
    round_ = Round(
        resources.gateway, store, resources.pool, resources.topics, resources.line_up, listener, timeouts=timeouts
    )
    return FleetRounds(round_, store, listener, rest_seconds=rest_seconds, timeouts=timeouts)


class FleetRounds:
    """Runs rounds for a whole fleet of processes, with a rest after each in which nobody makes another."""

    def __init__(
        self,
        round_: Round,
        store: Store,
        listener: Listener,
        *,
        rest_seconds: float = REST_SECONDS,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._round = round_
        self._store = store
        self._listener = listener
        self._timeouts = timeouts
        self._clock = clock
        self._holder = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._usual_rest = rest_seconds
        self._rest = rest_seconds

    async def run(self) -> RoundFinished | None:
        """A round, if the lease can be had; None when somebody else has it. Raises StoreError if nobody can say."""
        async with store_guard("acquire lease", within(self._timeouts.round_write), self._listener):
            lease = await self._store.acquire_lease(ROUND_LEASE, self._holder, now=self._clock(), seconds=LEASE_SECONDS)
        if lease is None:
            return None
        try:
            finished = await self._round.run(lease)
        except asyncio.CancelledError:
            await self._keep(lease, 0.0)  # whoever starts next need not wait until it expires
            raise
        self._rest = self._rest_after(finished)
        await self._keep(lease, self._rest)
        return finished

    async def keep_warm(self, filler: PoolFiller) -> None:
        """For the API's own process, until cancelled: fill the pool from the store, by a round where that is short."""
        while True:
            if filler.is_needed():
                await filler.fill()
            if filler.is_needed():
                await self._try()
            await asyncio.sleep(self._timeouts.round_check_every)

    async def keep_going(self, stop: asyncio.Event) -> None:
        """For a worker on its own, until told to stop: a round after every rest, by whichever worker comes first."""
        while not stop.is_set():
            await self._try()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._usual_rest, self._timeouts.worker_check_every)):
                    await stop.wait()

    async def _try(self) -> None:
        with suppress(StoreError):
            await self.run()

    def _rest_after(self, finished: RoundFinished) -> float:
        if not any(report.error_type for report in finished.models):
            return self._usual_rest
        return min(self._rest * 2, max(self._usual_rest, LONGEST_REST_SECONDS))

    async def _keep(self, lease: Lease, seconds: float) -> None:
        with suppress(StoreError):
            async with store_guard("keep lease", self._timeouts.lease_update, self._listener):
                await self._store.keep_lease(lease, until=self._clock() + seconds)
