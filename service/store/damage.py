"""Handles rows that cannot be decoded: they are skipped and reported, so that one of them cannot fail a request."""

from collections.abc import Iterable
from typing import TypeVar

from telemetry.events import DependencyFailed, Listener

T = TypeVar("T")


class Damage:
    """Reports every damaged row to the listener by its `kind`, a word such as "saying"."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def checked(self, kind: str, read: T | None) -> T | None:
        """Return what was decoded from a row. None stands for a damaged row, and is reported."""
        if read is None:
            message = f"A stored {kind} makes no sense."
            self._listener.emit(DependencyFailed("store", f"read {kind}", "DamagedRow", message))
        return read

    def undamaged(self, kind: str, read: Iterable[T | None]) -> list[T]:
        """Return what was decoded from the undamaged rows. The damaged ones are reported."""
        return [value for value in (self.checked(kind, row) for row in read) if value is not None]
