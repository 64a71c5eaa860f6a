"""The spend caps, and the recorder of every call that is billed."""

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
    """Nanodollars (billionths of a US dollar) that are set aside for one call in a window."""

    window: SpendWindow
    amount: int


class Advance:
    """Nanodollars that are set aside for several calls in one write; each call takes its amount when it begins.

    `amounts` holds the nanodollars of each call by its name, and `calls` is the number of calls.
    """

    def __init__(self, window: SpendWindow, amounts: Mapping[str, int]) -> None:
        self.calls = len(amounts)
        self._window = window
        self._amounts = dict(amounts)

    def take(self, name: str) -> Reservation | None:
        """Take the call's reservation, which counts as spent until it is settled.

        None when nothing was set aside for the call, or its reservation has been taken before.
        """
        amount = self._amounts.pop(name, None)
        return None if amount is None else Reservation(self._window, amount)

    def take_rest(self) -> Reservation:
        """Take all that no call has taken, as one reservation."""
        rest = Reservation(self._window, sum(self._amounts.values()))
        self._amounts.clear()
        return rest


class Budget:
    """Keeps the spending of all processes together, which the store counts, within the caps. In nanodollars."""

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
        """Set the amount aside.

        Raises BudgetExhausted when a cap leaves no room for it, and StoreError when the store cannot count it, because
        no money is spent without being counted.
        """
        window = spend_window(self._clock())
        async with store_guard("reserve spend", within(self._seconds), self._listener):
            held = await self._store.reserve_spend(window, amount, caps=self._caps)
        if held is None:
            raise BudgetExhausted("The spend cap leaves no room for this.")
        self._listener.emit(SpendMeasured(held.day / NANOS_PER_DOLLAR))
        return Reservation(window, amount)

    async def reserve_all(self, amounts: Mapping[str, int]) -> Advance:
        """Set the amounts of several calls aside in one write: all of them or none. Raises as `reserve` does."""
        reservation = await self.reserve(sum(amounts.values()))
        return Advance(reservation.window, amounts)

    async def release(self, advance: Advance) -> None:
        """Return to the budget what no call has taken."""
        rest = advance.take_rest()
        if rest.amount:
            await self.settle(rest, 0)

    async def settle(self, reservation: Reservation, cost: int) -> None:
        """Replace the reservation by what the call really cost, which is never less than nothing.

        If the store fails, the failure is reported and the reservation goes on counting as spent.
        """
        with suppress(StoreError):
            async with store_guard("settle spend", self._seconds, self._listener):
                await self._store.adjust_spend(reservation.window, max(cost, 0) - reservation.amount)


def spend_window(now: float) -> SpendWindow:
    """The UTC day and hour of a moment in seconds since the epoch."""
    hour = hour_of(now)
    return SpendWindow(day=hour.partition("T")[0], hour=hour)


class CallRecorder:
    """Writes calls to the store. A call that cannot be written is only missing from the statistics."""

    def __init__(self, store: Store, listener: Listener, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self._store = store
        self._listener = listener
        self._seconds = timeouts.store_write

    async def record(self, call: Call) -> None:
        with suppress(StoreError):
            async with store_guard("record call", self._seconds, self._listener):
                await self._store.record_call(call)
