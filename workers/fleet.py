"""Rounds for a whole fleet of processes: one at a time, under a lease that also enforces the rest after a round."""

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from service.errors import CloudSayingsError, ModelGone, StoreError
from service.limits import DAY_SECONDS, DEFAULT_TIMEOUTS, HOUR_SECONDS, Timeouts
from service.resilience.tasks import contained
from service.resilience.timeouts import store_guard, within
from service.resources import Resources
from service.sayings.pool_filler import PoolFiller
from service.store.base import DAILY_LEASE, HOURLY_LEASE, ROUND_LEASE, Lease, Store
from telemetry.events import DependencyFailed, Listener, RoundFailed, RoundFinished
from workers.round import Round

# It is longer than a round with its second calls. A holder that dies blocks the other workers for this long at most.
LEASE_SECONDS = 90.0
# After a round no worker starts another for a minute. The rest doubles after every round in which a model failed.
REST_SECONDS = 60.0
LONGEST_REST_SECONDS = 900.0
# How soon the chores of an hour are tried again. Each attempt reads all sayings, so it is not after the next round.
HOURLY_AGAIN_SECONDS = 300.0

Chore = Callable[[], Awaitable[object]]


def fleet_rounds(resources: Resources, *, rest_seconds: float = REST_SECONDS) -> "FleetRounds":
    """Build the rounds of a process from its resources. `rest_seconds` is the usual rest after a round."""
    store, listener, timeouts = resources.store, resources.listener, resources.settings.timeouts
    round_ = Round(
        resources.gateway, store, resources.pool, resources.topics, resources.line_up, listener, timeouts=timeouts
    )
    return FleetRounds(
        round_,
        store,
        listener,
        rest_seconds=rest_seconds,
        once_an_hour=(resources.ranking.run,),
        once_a_day=(resources.model_watch.report, resources.pruning.run),
        timeouts=timeouts,
    )


class FleetRounds:
    """Runs rounds for a whole fleet of processes. After each round comes a rest, in which no process starts another.

    `once_an_hour` and `once_a_day` are what one process of the fleet does after a round, so often. When a chore returns
    False, it has not finished, and all of that lease are called again: those of a day after the next round, and those
    of an hour after some minutes.
    """

    def __init__(
        self,
        round_: Round,
        store: Store,
        listener: Listener,
        *,
        rest_seconds: float = REST_SECONDS,
        once_an_hour: Sequence[Chore] = (),
        once_a_day: Sequence[Chore] = (),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._round = round_
        self._store = store
        self._listener = listener
        self._timeouts = timeouts
        self._holder = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._once_an_hour = once_an_hour
        self._once_a_day = once_a_day
        self._usual_rest = rest_seconds
        self._rest = rest_seconds

    async def run(self) -> RoundFinished | None:
        """Run a round under the lease, or return None when another worker holds the lease.

        Raises StoreError when the store cannot tell which worker holds it.
        """
        try:
            lease = await self._round_lease()
            if lease is None:
                return None
            finished = await self._run(lease)
        except Exception as error:
            message = str(error) if isinstance(error, CloudSayingsError) else "unexpected"
            self._listener.emit(RoundFailed(type(error).__name__, message))
            raise
        self._rest = self._rest_after(finished)
        await self._keep(lease, self._rest)
        await self._do(self._once_an_hour, HOURLY_LEASE, HOUR_SECONDS, again_after=HOURLY_AGAIN_SECONDS)
        await self._do(self._once_a_day, DAILY_LEASE, DAY_SECONDS)
        return finished

    async def _round_lease(self) -> Lease | None:
        async with store_guard("acquire lease", within(self._timeouts.round_write), self._listener):
            return await self._acquire(ROUND_LEASE, LEASE_SECONDS)

    async def _run(self, lease: Lease) -> RoundFinished:
        try:
            return await self._round.run(lease)
        except asyncio.CancelledError:
            await self._keep(lease, 0.0)  # so that the next worker need not wait until the lease expires
            raise

    async def keep_warm(self, filler: PoolFiller) -> None:
        """Keep the pool of the API's own process filled until cancelled: from the store, or else by a round."""
        while True:
            if filler.is_needed():
                await filler.fill()
            if filler.is_needed():
                await self._try()
            await asyncio.sleep(self._timeouts.round_check_every)

    async def keep_going(self, stop: asyncio.Event) -> None:
        """Run rounds in a worker on its own until `stop` is set.

        After every rest the worker that acquires the lease first runs the next round.
        """
        while not stop.is_set():
            await self._try()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._usual_rest, self._timeouts.worker_check_every)):
                    await stop.wait()

    async def _try(self) -> None:
        with suppress(StoreError):
            await self.run()

    async def _do(self, chores: Sequence[Chore], lease_name: str, every: float, *, again_after: float = 0.0) -> None:
        """Do the chores, unless a process of the fleet has done them within the last `every` seconds."""
        if not chores:
            return
        lease = None
        with suppress(StoreError):
            async with store_guard("acquire lease", self._timeouts.lease_update, self._listener):
                lease = await self._acquire(lease_name, every)
        if lease is not None and not all([await self._has_finished(chore, lease_name) for chore in chores]):
            await self._keep(lease, again_after)

    async def _has_finished(self, chore: Chore, lease_name: str) -> bool:
        """Do a chore. A failure is reported; it does not keep the others from being done, and counts as finished."""
        results: list[object] = []

        async def do() -> None:
            results.append(await chore())

        await contained(f"{lease_name} chore", do, self._listener)
        return False not in results

    def _rest_after(self, finished: RoundFinished) -> float:
        if all(report.error_type in ("", ModelGone.__name__) for report in finished.models):  # its seat is given on
            return self._usual_rest
        return min(self._rest * 2, max(self._usual_rest, LONGEST_REST_SECONDS))

    async def _acquire(self, name: str, seconds: float) -> Lease | None:
        """Take a lease. One that another process took by a clock that was far ahead is void, which is reported."""
        now = await self._store.time()
        lease = await self._store.acquire_lease(name, self._holder, now=now, seconds=seconds)
        if lease is not None and lease.voided_until is not None:
            hours = (lease.voided_until - now) / 3600
            message = f"A wrong clock had taken the lease {name} until {hours:.1f} hours from now."
            self._listener.emit(DependencyFailed("store", "acquire lease", "LeaseVoid", message))
        return lease

    async def _keep(self, lease: Lease, seconds: float) -> None:
        with suppress(StoreError):
            async with store_guard("keep lease", self._timeouts.lease_update, self._listener):
                await self._store.keep_lease(lease, until=await self._store.time() + seconds)
