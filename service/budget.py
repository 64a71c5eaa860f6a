"""The spend caps: the worst case of every model call is reserved before it is made, and settled after.

What was reserved by a process that died, or for a call whose end nobody saw, stays counted as spent.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from service.catalogue import NANOS_PER_DOLLAR
from service.errors import BudgetExhausted, StoreError
from service.store.base import Spend, SpendWindow, Store
from telemetry.events import DependencyFailed, Listener, SpendMeasured

STORE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nanodollars set aside in a window."""

    window: SpendWindow
    amount: int


class Budget:
    """The caps, in nanodollars, over what the store has counted for all processes together."""

    def __init__(
        self, store: Store, listener: Listener, *, caps: Spend, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._listener = listener
        self._caps = caps
        self._clock = clock

    async def reserve(self, amount: int) -> Reservation:
        """Set the amount aside. Raises BudgetExhausted, or StoreError: without a count no money is spent."""
        window = spend_window(self._clock())
        with self._reported("reserve spend"):
            async with asyncio.timeout(STORE_SECONDS):
                held = await self._store.reserve_spend(window, amount, caps=self._caps)
        if held is None:
            raise BudgetExhausted("The spend cap leaves no room for this call.")
        self._listener.emit(SpendMeasured(held.day / NANOS_PER_DOLLAR))
        return Reservation(window, amount)

    async def settle(self, reservation: Reservation, cost: int) -> None:
        """Book what the call cost instead of what was set aside. A failure leaves the reservation as spent."""
        with suppress(StoreError), self._reported("settle spend"):
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.adjust_spend(reservation.window, cost - reservation.amount)

    @contextmanager
    def _reported(self, operation: str) -> Iterator[None]:
        """A store that fails, or does not answer, is reported and a StoreError."""
        try:
            yield
        except (StoreError, TimeoutError) as failure:
            error = failure if isinstance(failure, StoreError) else StoreError("The store did not answer in time.")
            self._listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error)))
            raise error from failure.__cause__


def spend_window(now: float) -> SpendWindow:
    """The UTC day and hour of a moment in seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC)
    return SpendWindow(day=f"{moment:%Y-%m-%d}", hour=f"{moment:%Y-%m-%dT%H}")
