"""The limit on the model calls that a process makes at once for waiting clients."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import ModelsBusy


class LiveCalls:
    """A fixed number of places for model calls that a client waits for."""

    def __init__(self, places: int) -> None:
        self._free = places

    def take(self, count: int) -> None:
        """Occupy `count` places until `give_back` frees them. Raises ModelsBusy when fewer are free."""
        if count > self._free:
            raise ModelsBusy("As many model calls as may be are under way.")
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Occupy `count` places during the block. Raises ModelsBusy when fewer are free."""
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
