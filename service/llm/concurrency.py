"""How many model calls a process makes at once for clients that wait for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import ModelsBusy


class LiveCalls:
    """Places for model calls that somebody waits for."""

    def __init__(self, places: int) -> None:
        self._free = places

    def take(self, count: int) -> None:
        """Occupy places, for `give_back` to free. Raises ModelsBusy when there are not as many."""
        if count > self._free:
            raise ModelsBusy("As many model calls as may be are under way.")
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Occupy places for the block. Raises ModelsBusy."""
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
