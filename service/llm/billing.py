"""The spend caps, and the record of every call that was billed."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import Call, hour_of
from service.errors import BudgetExhausted, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.store.base import Spend, SpendWindow, Store
from telemetry.events import Listener, SpendMeasured


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nanodollars set aside in a window."""

    window: SpendWindow
    amount: int


class Advance:
    """Nanodollars set aside together for so many `calls` by their names; each takes its own when it begins."""

    def __init__(self, window: SpendWindow, amounts: Mapping[str, int]) -> None:
        self.calls = len(amounts)
        self._window = window
        self._amounts = dict(amounts)

    def take(self, name: str) -> Reservation | None:
        """What was set aside for that call, once; from here on it counts as spent until it is settled."""
        amount = self._amounts.pop(name, None)
        return None if amount is None else Reservation(self._window, amount)

    def take_rest(self) -> Reservation:
        """What no call has taken."""
        rest = Reservation(self._window, sum(self._amounts.values()))
        self._amounts.clear()
        return rest


class Budget:
    """The caps, in nanodollars, over what the store has counted for all processes together."""

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        caps: Spend,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._seconds = timeouts.store_write
        self._listener = listener
        self._caps = caps
        self._clock = clock

    async def reserve(self, amount: int) -> Reservation:
        """Set the amount aside. Raises BudgetExhausted, or StoreError: without a count no money is spent."""
        window = spend_window(self._clock())
        async with store_guard("reserve spend", within(self._seconds), self._listener):
            held = await self._store.reserve_spend(window, amount, caps=self._caps)
        if held is None:
            raise BudgetExhausted("The spend cap leaves no room for this.")
        self._listener.emit(SpendMeasured(held.day / NANOS_PER_DOLLAR))
        return Reservation(window, amount)

    async def reserve_all(self, amounts: Mapping[str, int]) -> Advance:
        """Set the amounts aside for several calls, in one write: all of them or none. Raises as `reserve` does."""
        reservation = await self.reserve(sum(amounts.values()))
        return Advance(reservation.window, amounts)

    async def release(self, advance: Advance) -> None:
        """Give back what no call has taken."""
        rest = advance.take_rest()
        if rest.amount:
            await self.settle(rest, 0)

    async def settle(self, reservation: Reservation, cost: int) -> None:
        """Book what the call cost instead of what was set aside. A failure leaves the reservation as spent.

        Nothing below zero is booked: no answer makes room for more than was set aside for it.
        """
        with suppress(StoreError):
            async with store_guard("settle spend", self._seconds, self._listener):
                await self._store.adjust_spend(reservation.window, max(cost, 0) - reservation.amount)


def spend_window(now: float) -> SpendWindow:
    """The UTC day and hour of a moment in seconds since the epoch."""
    hour = hour_of(now)
    return SpendWindow(day=hour.partition("T")[0], hour=hour)


class CallRecorder:
    """Writes calls to the store. One that cannot be written is missed by the statistics and by nobody else."""

    def __init__(self, store: Store, listener: Listener, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self._store = store
        self._listener = listener
        self._seconds = timeouts.store_write

    async def record(self, call: Call) -> None:
        with suppress(StoreError):
            async with store_guard("record call", self._seconds, self._listener):
                await self._store.record_call(call)
