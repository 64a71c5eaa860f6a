"""What becomes of something stored that cannot be read: it is passed over, and told of."""

from collections.abc import Iterable
from typing import TypeVar

from telemetry.events import DependencyFailed, Listener

T = TypeVar("T")


class Damage:
    """Tells the listener of every damaged row by its `kind`, a word such as "saying"."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def checked(self, kind: str, read: T | None) -> T | None:
        """What was read from a row, where None stands for one that makes no sense."""
        if read is None:
            message = f"A stored {kind} makes no sense."
            self._listener.emit(DependencyFailed("store", f"read {kind}", "DamagedRow", message))
        return read

    def whole(self, kind: str, read: Iterable[T | None]) -> list[T]:
        """Those of the rows that could be read."""
        return [each for each in (self.checked(kind, one) for one in read) if each is not None]
