"""Sayings that are taken down: what this process knows of them, and how it takes one down for the whole fleet.

Every process asks the store every few seconds whether something has changed. The answer keeps the withdrawn sayings out
of the pool, so that a warm request does not need to look for them.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress

from service.domain import Withdrawal, WithdrawnBy
from service.errors import StoreError
from service.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from service.resilience.timeouts import store_guard, within
from service.sayings.pool import Pool
from service.store.base import Store
from telemetry.events import Listener, SayingRestored, SayingTakenDown


class Takedowns:
    """The ids of the withdrawn sayings, as far as this process knows them; `in` looks one up.

    `clock` is seconds since the epoch, `monotonic` a monotonic clock in seconds.
    """

    def __init__(
        self,
        store: Store,
        pool: Pool,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._pool = pool
        self._listener = listener
        self._timeouts = timeouts
        self._rows_checked = limits.rows_checked
        self._clock = clock
        self._monotonic = monotonic
        self._known: Mapping[str, Withdrawal] = {}
        self._revision = 0
        self._due_at = 0.0
        self._last_checked = ""

    def __contains__(self, saying_id: object) -> bool:
        return saying_id in self._known

    def count(self, by: WithdrawnBy, *, since: float) -> int:
        """How many sayings are down that they took down since then, in seconds since the epoch."""
        return sum(each.withdrawn_by is by and each.withdrawn_at > since for each in self._known.values())

    async def withdraw(self, saying_id: str, *, reason: str, by: WithdrawnBy) -> bool:
        """Take a saying down in the whole fleet; returns whether it was up until now. Raises StoreError."""
        was_up = await self._store.withdraw_saying(Withdrawal(saying_id, reason, by, self._clock()))
        if was_up:
            self._listener.emit(SayingTakenDown(saying_id, by))
        await self.refresh()
        return was_up

    async def restore(self, saying_id: str) -> bool:
        """Undo a withdrawal, and count the reports so far no more. False when there is neither. Raises StoreError."""
        restored = await self._store.restore_saying(saying_id, at=self._clock())
        if restored:
            self._listener.emit(SayingRestored(saying_id))
        await self.refresh()
        return restored

    async def refresh(self) -> None:
        """Take over what the fleet knows. A store that fails is reported, and what is known stays."""
        self._due_at = self._monotonic() + self._timeouts.withdrawal_check_every
        with suppress(StoreError):
            async with store_guard("withdrawals", within(self._timeouts.saying_read), self._listener):
                if await self._store.withdrawal_revision() == self._revision:
                    return
                found = await self._store.withdrawals()
            self._revision, self._known = found.revision, found.sayings
            self._pool.keep_out(frozenset(found.sayings))

    async def refresh_if_due(self) -> None:
        """Refresh unless it was done a moment ago. For Lambda, whose environments sleep between requests."""
        if self._monotonic() >= self._due_at:
            await self.refresh()

    async def drop_deleted(self) -> None:
        """Look for the rows of a few sayings of the pool, the next ones each time, and drop those that are deleted."""
        ids = sorted(self._pool.ids)
        start = bisect_right(ids, self._last_checked)
        some = ids[start : start + self._rows_checked] or ids[: self._rows_checked]
        if not some:
            return
        with suppress(StoreError):
            async with store_guard("stored ids", within(self._timeouts.saying_read), self._listener):
                stored = await self._store.stored_ids(some)
            self._pool.drop(set(some) - stored)
            self._last_checked = some[-1]

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        while True:
            await self.refresh()
            await self.drop_deleted()
            await asyncio.sleep(self._timeouts.withdrawal_check_every)
