"""Asks the worker function for a round when the pools run low, but only once for all processes of the fleet."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from service.errors import StoreError, WorkerNotAsked
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard
from service.store.base import Store
from telemetry import traces
from telemetry.events import DependencyFailed, Listener

TRIGGER_LEASE = "round-trigger"
# The same as the fleet's pause after a round, so that no process asks for a round that would be refused.
TRIGGER_SECONDS = 60.0


class RoundTrigger:
    """Asks for a round with `invoke` while it holds a lease, which expires and is never released."""

    def __init__(
        self,
        invoke: Callable[[], Awaitable[None]],
        store: Store,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._invoke = invoke
        self._store = store
        self._listener = listener
        self._timeouts = timeouts
        self._holder = secrets.token_hex(8)

    async def pull(self) -> bool:
        """Ask for a round. Returns False when another process asked recently, or when the request failed."""
        try:
            async with store_guard("acquire lease", self._timeouts.lease_update, self._listener):
                now = await self._store.time()
                lease = await self._store.acquire_lease(TRIGGER_LEASE, self._holder, now=now, seconds=TRIGGER_SECONDS)
        except StoreError:
            return False
        return lease is not None and await self._ask()

    async def _ask(self) -> bool:
        traces.keep()  # because the round that continues it is always kept
        try:
            async with asyncio.timeout(self._timeouts.round_trigger):
                await self._invoke()
        except (WorkerNotAsked, TimeoutError) as failure:
            cause = type(failure.__cause__ or failure).__name__
            message = "The worker function could not be asked for a round."
            self._listener.emit(DependencyFailed("worker", "invoke", WorkerNotAsked.__name__, message, cause))
            return False
        return True
