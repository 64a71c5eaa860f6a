"""One fleet, one round: rounds are run under a lease that is kept for a while after, so that nobody follows at once."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from service.errors import StoreError
from service.filling import PoolFiller
from service.resources import Resources
from service.store.base import ROUND_LEASE, Lease, Store
from telemetry.events import DependencyFailed, Listener, RoundFinished
from workers.round import Round

# Longer than a round with its second calls; a holder that dies blocks the others for no longer than this.
LEASE_SECONDS = 90.0
# After a round nobody makes another for a minute; when models failed, for twice as long each time.
REST_SECONDS = 60.0
LONGEST_REST_SECONDS = 900.0
CHECK_SECONDS = 2.0


def fleet_rounds(resources: Resources) -> "FleetRounds":
    """The rounds of a process with these resources."""
    round_ = Round(resources.gateway, resources.store, resources.pool, resources.models, resources.listener)
    return FleetRounds(round_, resources.store, resources.listener)


class FleetRounds:
    """Runs rounds for a whole fleet of processes."""

    def __init__(
        self, round_: Round, store: Store, listener: Listener, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._round = round_
        self._store = store
        self._listener = listener
        self._clock = clock
        self._holder = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._failures_in_a_row = 0

    async def run(self) -> RoundFinished | None:
        """A round, if the lease can be had; None when somebody else has it or the store cannot say."""
        lease = await self._lease()
        if lease is None:
            return None
        finished = await self._round.run(lease)
        failed = any(report.error_type for report in finished.models)
        self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        await self._rest(lease)
        return finished

    async def keep_warm(self, filler: PoolFiller) -> None:
        """For the API's own process, until cancelled: fill the pool from the store, by a round where that is short."""
        while True:
            if filler.is_needed():
                await filler.fill()
            if filler.is_needed():
                await self.run()
            await asyncio.sleep(CHECK_SECONDS)

    async def every(self, seconds: float, stop: asyncio.Event) -> None:
        """For a worker on its own: a round in every interval, by whoever gets the lease, until told to stop."""
        while not stop.is_set():
            await self.run()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()

    async def _lease(self) -> Lease | None:
        try:
            return await self._store.acquire_lease(ROUND_LEASE, self._holder, now=self._clock(), seconds=LEASE_SECONDS)
        except StoreError as error:
            self._listener.emit(DependencyFailed("store", "acquire lease", type(error).__name__, str(error)))
            return None

    async def _rest(self, lease: Lease) -> None:
        rest = min(REST_SECONDS * 2**self._failures_in_a_row, LONGEST_REST_SECONDS)
        try:
            await self._store.keep_lease(lease, until=self._clock() + rest)
        except StoreError as error:
            self._listener.emit(DependencyFailed("store", "keep lease", type(error).__name__, str(error)))
