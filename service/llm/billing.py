"""The spend caps and their shares, and the recorder of every call, answered or not."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import Call, CallKind, hour_of
from service.errors import BudgetExhausted, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.networks import networks
from service.resilience.timeouts import store_guard, within
from service.store.base import Spend, SpendWindow, Store
from telemetry.events import Listener, SpendMeasured

# What each purpose may spend of the caps. The shares are one together, so that no purpose can use up another's.
PURPOSE_SHARES = MappingProxyType({CallKind.ROUND: 0.5, CallKind.COMPARE: 0.35, CallKind.LIVE: 0.15})
# What one client's address may spend of the caps.
ADDRESS_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nanodollars (billionths of a US dollar) that are set aside for one call in a window, and in shares of it."""

    window: SpendWindow
    amount: int
    shares: tuple[str, ...] = ()


class Advance:
    """Nanodollars that are set aside for several calls in one write; each call takes its amount when it begins.

    `amounts` holds the nanodollars of each call by its name, and `calls` is the number of calls. `client` is the
    address of the client that waits for them.
    """

    def __init__(
        self, window: SpendWindow, amounts: Mapping[str, int], shares: tuple[str, ...] = (), client: str = ""
    ) -> None:
        self.calls = len(amounts)
        self.client = client
        self._window = window
        self._amounts = dict(amounts)
        self._shares = shares

    def take(self, name: str) -> Reservation | None:
        """Take the call's reservation, which counts as spent until it is settled.

        None when nothing was set aside for the call, or its reservation has been taken before.
        """
        amount = self._amounts.pop(name, None)
        return None if amount is None else Reservation(self._window, amount, self._shares)

    def take_rest(self) -> Reservation:
        """Take all that no call has taken, as one reservation."""
        rest = Reservation(self._window, sum(self._amounts.values()), self._shares)
        self._amounts.clear()
        return rest


class Budget:
    """Keeps the spending of all processes together, which the store counts, within the caps. In nanodollars.

    `purposes` are the parts of the caps that calls of each kind may use.
    """

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        caps: Spend,
        purposes: Mapping[CallKind, float] = PURPOSE_SHARES,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._store = store
        self._seconds = timeouts.store_write
        self._listener = listener
        self._caps = caps
        self._purposes = purposes

    async def reserve(self, amount: int, kind: CallKind, client: str = "") -> Reservation:
        """Set the amount aside, in the share of its purpose and in that of the client's address, if there is a client.

        Raises BudgetExhausted when a cap or a share leaves no room for it, and StoreError when the store cannot count
        it, because no money is spent without being counted.
        """
        async with store_guard("reserve spend", within(self._seconds), self._listener):
            window = spend_window(await self._store.time())
            shares = self._shares(window, kind, client)
            held = await self._store.reserve_spend(window, amount, caps=self._caps, shares=shares)
        if held is None:
            raise BudgetExhausted("The spend cap, or a share of it, leaves no room for this.")
        self._listener.emit(SpendMeasured(held.day / NANOS_PER_DOLLAR))
        return Reservation(window, amount, tuple(shares))

    async def reserve_all(self, amounts: Mapping[str, int], kind: CallKind, client: str = "") -> Advance:
        """Set the amounts of several calls aside in one write: all of them or none. Raises as `reserve` does."""
        reservation = await self.reserve(sum(amounts.values()), kind, client)
        return Advance(reservation.window, amounts, reservation.shares, client)

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
                await self._store.adjust_spend(
                    reservation.window, max(cost, 0) - reservation.amount, shares=reservation.shares
                )

    def _shares(self, window: SpendWindow, kind: CallKind, client: str) -> dict[str, Spend]:
        shares = {kind.value: _part(self._caps, self._purposes[kind])}
        for network, times in networks(client):
            shares[_share_of(network, window)] = _part(self._caps, ADDRESS_SHARE * times)
        return shares


def _part(caps: Spend, share: float) -> Spend:
    return Spend(day=int(caps.day * share), hour=int(caps.hour * share))


def _share_of(network: str, window: SpendWindow) -> str:
    """The name of a network's share. The network itself is not stored, and its hash differs from day to day."""
    return f"client/{hashlib.sha256(f'{window.day}/{network}'.encode()).hexdigest()[:16]}"


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
