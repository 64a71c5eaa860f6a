"""The limit on the model calls that a process makes at once for waiting clients."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import ModelsBusy
from service.resilience.networks import networks


class LiveCalls:
    """A fixed number of places for model calls that a client waits for. One client's address gets half of them."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._places_of_one = max(1, places // 2)
        self._held: Counter[str] = Counter()

    def take(self, count: int, client: str = "") -> None:
        """Occupy `count` places until `give_back` frees them.

        Raises ModelsBusy when fewer are free, or when the client occupies some and would have too many with these.
        """
        if count > self._free or any(self._has_enough(*network, count) for network in networks(client)):
            raise ModelsBusy("As many model calls as may be are under way.")
        self._free -= count
        self._held.update({network: count for network, _ in networks(client)})

    def give_back(self, count: int, client: str = "") -> None:
        self._free += count
        for network, _ in networks(client):
            self._held[network] -= count
            if self._held[network] <= 0:
                del self._held[network]

    def _has_enough(self, network: str, times: int, count: int) -> bool:
        held = self._held[network]
        return held > 0 and held + count > self._places_of_one * times

    @contextmanager
    def holding(self, count: int, client: str = "") -> Iterator[None]:
        """Occupy `count` places during the block. Raises ModelsBusy as `take` does."""
        self.take(count, client)
        try:
            yield
        finally:
            self.give_back(count, client)
