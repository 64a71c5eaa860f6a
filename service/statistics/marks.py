"""The days on which something about a model changed, so that a change of its figures can be read beside them."""

from collections.abc import Callable, Iterator

from service.catalogue.line_up import LineUp
from service.catalogue.models import Model
from service.statistics.history import History
from service.statistics.schemas import Mark
from service.store.base import Strand


def marks(model: Model, history: History, line_up: LineUp, *, first: str) -> list[Mark]:
    """The marks from the day `first` on, in order."""
    found = [
        *(Mark(day, "prompt", new) for day, new in _new(history, lambda strand: strand.prompt_version)),
        *(Mark(day, "snapshot", new) for day, new in _new(history, lambda strand: strand.snapshot)),
    ]
    left_on = line_up.left_on(model)
    if left_on is not None:
        found.append(Mark(left_on.isoformat(), "left", model.successor))
    return sorted((mark for mark in found if mark.day >= first), key=lambda mark: mark.day)


def _new(history: History, of: Callable[[Strand], str]) -> Iterator[tuple[str, str]]:
    """The days of the first call with each value, except those that the model began with."""
    first: dict[str, str] = {}
    for line in history.calls:
        value, day = of(line.strand), line.strand.day
        if value:
            first[value] = min(day, first.get(value, day))
    began = min(first.values(), default="")
    yield from ((day, value) for value, day in sorted(first.items()) if day > began)
