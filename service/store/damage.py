"""Handles rows that cannot be decoded: they are skipped and reported, so that one of them cannot fail a request."""

from collections.abc import Iterable
from typing import TypeVar

from telemetry.events import DependencyFailed, Listener

T = TypeVar("T")
R = TypeVar("R")


class Damage:
    """Reports every damaged row to the listener by its `kind`, a word such as "saying".

    It is called where the caller of the store runs, not on a thread of the database: listeners expect all events there,
    and a line of the log is about the request that is under way there.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def checked(self, kind: str, read: T | None) -> T | None:
        """Return what was decoded from a row. None stands for a damaged row, and is reported."""
        if read is None:
            message = f"A stored {kind} makes no sense."
            self._listener.emit(DependencyFailed("store", f"read {kind}", "DamagedRow", message))
        return read

    def checked_with(self, kind: str, found: tuple[T | None, R] | None) -> tuple[T, R] | None:
        """The same for what was decoded from a row and what was found with it. None where there was no row."""
        if found is None:
            return None
        read, beside = self.checked(kind, found[0]), found[1]
        return None if read is None else (read, beside)

    def undamaged(self, kind: str, read: Iterable[T | None]) -> list[T]:
        """Return what was decoded from the undamaged rows. The damaged ones are reported."""
        return [value for value in (self.checked(kind, row) for row in read) if value is not None]
