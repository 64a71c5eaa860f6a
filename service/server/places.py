"""Places that are shared out between client networks, so that none of them can take all."""

import time
from collections.abc import Callable, Collection, Iterator
from enum import Enum, auto
from itertools import chain
from typing import Generic, Protocol, TypeVar

# A network with how many times one address's allowance it has (see `service.resilience.networks`).
Network = tuple[str, int]
Networks = tuple[Network, ...]


class Holder(Protocol):
    """Something that holds a place for a client of these networks."""

    @property
    def networks(self) -> Networks: ...


H = TypeVar("H", bound=Holder)


class Places(Generic[H]):
    """At most `most` places, of which an address may hold `per_address`, and no network more than half."""

    def __init__(self, most: int, per_address: int) -> None:
        self._most = most
        self._per_address = per_address
        # Dictionaries, because they are ordered by age and a holder is removed from them in constant time.
        self._holders: dict[H, None] = {}
        self._by_network: dict[Network, dict[H, None]] = {}

    def __iter__(self) -> Iterator[H]:
        """All holders, oldest first."""
        return iter(self._holders)

    def have_room(self, networks: Networks) -> bool:
        """Whether a client of these networks can have one more place."""
        return not self.is_full and not self.crowd(networks)

    @property
    def is_full(self) -> bool:
        return len(self._holders) >= self._most

    def crowd(self, networks: Networks) -> Collection[H]:
        """The holders, oldest first, of the narrowest of these networks that has all it may have; empty if none has."""
        for network in networks:
            held = self._by_network.get(network, {})
            if len(held) >= self._bound(network):
                return held
        return ()

    def greediest(self, networks: Networks) -> Collection[H]:
        """The holders, oldest first, of the network that has most, if that is more than these would have with one more.

        Networks are compared by how many times one address's allowance they may have.
        """
        ours = max(map(self._share, networks), default=0.0)
        most = max(self._by_network, key=self._share, default=None)
        return self._by_network[most] if most is not None and self._share(most) > ours + 1 else ()

    def take(self, holder: H) -> None:
        self._holders[holder] = None
        for network in holder.networks:
            self._by_network.setdefault(network, {})[holder] = None

    def leave(self, holder: H) -> None:
        """Give the holder's place back; a holder without one is ignored."""
        if holder not in self._holders:
            return
        del self._holders[holder]
        for network in holder.networks:
            held = self._by_network[network]
            del held[holder]
            if not held:
                del self._by_network[network]

    def _share(self, network: Network) -> float:
        return len(self._by_network.get(network, ())) / network[1]

    def _bound(self, network: Network) -> int:
        return max(1, min(network[1] * self._per_address, self._most // 2))


# To look through all connections for an idle one takes as long as to answer a request. In a flood, which brings
# thousands of connections in a second, it is done only this often.
IDLE_CHECK_SECONDS = 0.05


class Guest(Holder, Protocol):
    """A connection that has a place, which it may have to give up for another connection."""

    @property
    def is_spare(self) -> bool: ...

    @property
    def is_idle(self) -> bool:
        """Whether nothing has come for some time, so that its client will hardly notice the end."""

    @property
    def is_waiting(self) -> bool:
        """Whether no request of its client is pending."""

    def dismiss(self) -> None:
        """End the connection."""


G = TypeVar("G", bound=Guest)


class Room(Enum):
    """Which place there is for one more connection."""

    FULL = auto()
    SPARE = auto()
    NONE = auto()


class Doors(Generic[G]):
    """The full places of a server, and as many spare ones, each of which is for one request.

    The spare places keep the health endpoints reachable when the full ones are taken, and let other requests be refused
    with a documented error. For a new connection an older one may have to go, but never while a request is pending:

    - where a network has all that it may have, its oldest waiting connection goes, so that a flood pushes itself out;
    - otherwise a full place is given up by the oldest idle connection, or else by the oldest waiting one of the network
      that has most, and a spare place by the oldest waiting one. A request that comes at once is therefore answered.
    """

    def __init__(self, most: int, per_address: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._full: Places[G] = Places(most, per_address)
        self._spare: Places[G] = Places(most, per_address)
        self._clock = clock
        self._idle_check_at = 0.0

    def make_room(self, networks: Networks) -> Room:
        """Find a place for one more connection of these networks."""
        if self._full.have_room(networks) or self._free_full(networks):
            return Room.FULL
        if self._spare.have_room(networks) or self._free_spare(networks):
            return Room.SPARE
        return Room.NONE

    def enter(self, guest: G) -> None:
        """Take the place that has been found."""
        self._of(guest).take(guest)

    def leave(self, guest: G) -> None:
        self._of(guest).leave(guest)

    def dismiss_one(self) -> None:
        """End the oldest waiting connection, if there is one, a spare one if possible."""
        self._dismiss(chain(filter(_is_waiting, self._spare), filter(_is_waiting, self._full)))

    def _of(self, guest: G) -> Places[G]:
        return self._spare if guest.is_spare else self._full

    def _free_full(self, networks: Networks) -> bool:
        if crowd := self._full.crowd(networks):
            return self._dismiss(filter(_is_waiting, crowd))
        return self._dismiss(chain(self._idle(), filter(_is_waiting, self._full.greediest(networks))))

    def _free_spare(self, networks: Networks) -> bool:
        return self._dismiss(filter(_is_waiting, self._spare.crowd(networks) or self._spare))

    def _idle(self) -> Iterator[G]:
        """The idle connections, oldest first, if it is time to look for them."""
        if self._clock() >= self._idle_check_at:
            yield from filter(_is_idle, self._full)
            self._idle_check_at = self._clock() + IDLE_CHECK_SECONDS  # reached only when no idle one was of use

    def _dismiss(self, guests: Iterator[G]) -> bool:
        """Dismiss the first of these; whether there is one."""
        guest = next(guests, None)
        if guest is None:
            return False
        self.leave(guest)
        guest.dismiss()
        return True


def _is_idle(guest: Guest) -> bool:
    return guest.is_idle


def _is_waiting(guest: Guest) -> bool:
    return guest.is_waiting
