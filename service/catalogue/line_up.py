"""Which models hold the seats: by the date, and by what the vendors say of each model."""

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import overload

from service.catalogue.models import Catalogue, Model


class SeatState(StrEnum):
    """What has become of a model of the catalogue by today."""

    SEATED = "seated"  # it holds its seat
    WAITING = "waiting"  # its predecessor still holds the seat, or it has not arrived
    RETIRED = "retired"  # its day has come
    GONE = "gone"  # its vendor says that there is no such model
    LEFT_OUT = "left out"  # there is no key for it, or the operator's line-up does not name it

    @property
    def has_left(self) -> bool:
        """Whether the model takes no part any more, so that it is history."""
        return self in (SeatState.RETIRED, SeatState.GONE)


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in the line-up, and the models that hold it one after the other."""

    name: str
    chain: tuple[Model, ...]


def today() -> datetime.date:
    """The day in UTC, by which seats change hands."""
    return datetime.datetime.now(datetime.UTC).date()


class LineUp(Sequence[Model]):
    """The models that hold the seats today, as a sequence that changes with the day and with what the vendors say.

    `keyed` are the ids of the models for which there is a key. `chosen` are the ids that the operator wants instead of
    what the dates say; retirement dates do not count for them, but a model that is gone is left out there too.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        keyed: Collection[str],
        *,
        chosen: Sequence[str] = (),
        day: Callable[[], datetime.date] | None = None,
    ) -> None:
        self.seats = seats_of(catalogue)
        self.catalogue = catalogue
        self._keyed = frozenset(keyed)
        self._chosen = tuple(chosen)
        self._day = day or today
        self._gone: Mapping[str, datetime.date] = {}
        self._known_for: tuple[datetime.date, Mapping[str, datetime.date]] | None = None
        self._models: tuple[Model, ...] = ()

    @property
    def day(self) -> datetime.date:
        """Today, by which the seats are held and prices hold."""
        return self._day()

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of this moment, in the order of the catalogue's seats or of the operator's line-up."""
        moment = (self._day(), self._gone)
        if moment != self._known_for:
            self._models = tuple(self._seated())
            self._known_for = moment
        return self._models

    @property
    def gone(self) -> Mapping[str, datetime.date]:
        """The ids of the models that their vendors no longer know, with the day on which the vendor said so."""
        return self._gone

    def set_gone(self, models: Mapping[str, datetime.date]) -> None:
        """Say which models their vendors no longer know, and since when; their seats go to their successors at once."""
        self._gone = dict(models)

    @property
    def keyed(self) -> tuple[Model, ...]:
        """All models of the catalogue for which there is a key, whether they hold a seat or not."""
        return tuple(model for model in self.catalogue if model.id in self._keyed)

    @property
    def is_chosen(self) -> bool:
        """Whether the operator has chosen the models, whatever the dates say."""
        return bool(self._chosen)

    def follower_of(self, model: Model) -> Model | None:
        """The model that takes the seat when this one leaves. None if none can, or if the operator has chosen."""
        if self._chosen or model.successor is None:
            return None
        successor, day = self.catalogue[model.successor], model.retires or self.day
        has_arrived = successor.arrives is None or successor.arrives <= day
        can = has_arrived and successor.id in self._keyed and successor.id not in self._gone
        return successor if can else None

    def holder_of(self, seat: Seat) -> Model | None:
        """The model that holds the seat today; None while it is empty."""
        return next((model for model in self.models if model in seat.chain), None)

    def left_on(self, model: Model) -> datetime.date | None:
        """The day on which the model retired, or on which its vendor said that it is gone. None for any other."""
        match self.state_of(model):
            case SeatState.RETIRED:
                return model.retires
            case SeatState.GONE:
                return self._gone[model.id]
            case _:
                return None

    def state_of(self, model: Model) -> SeatState:
        """What has become of a model of the catalogue by today."""
        if model in self.models:
            return SeatState.SEATED
        if model.retires is not None and model.retires <= self._day():
            return SeatState.RETIRED
        if model.id in self._gone:
            return SeatState.GONE
        if self._chosen or model.id not in self._keyed:
            return SeatState.LEFT_OUT
        return SeatState.WAITING

    def _seated(self) -> Iterator[Model]:
        if self._chosen:
            wanted = (self.catalogue[model_id] for model_id in self._chosen)
            yield from (model for model in wanted if model.id in self._keyed and model.id not in self._gone)
            return
        day = self._day()
        for seat in self.seats:
            holder = self._holder(seat, day)
            if holder is not None and holder.id in self._keyed:
                yield holder

    def _holder(self, seat: Seat, day: datetime.date) -> Model | None:
        """The first of the chain that is still served; None while nobody is, or the next one has not arrived."""
        for model in seat.chain:
            if model.id in self._gone or (model.retires is not None and model.retires <= day):
                continue
            return model if model.arrives is None or model.arrives <= day else None
        return None

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    @overload
    def __getitem__(self, index: int) -> Model: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Model]: ...

    def __getitem__(self, index: int | slice) -> Model | Sequence[Model]:
        return self.models[index]


def seats_of(catalogue: Catalogue) -> tuple[Seat, ...]:
    """The seats in the order of the catalogue; a model without one has a seat of its own."""
    heirs = {model.successor for model in catalogue if model.successor}
    firsts = (model for model in catalogue if model.id not in heirs)
    return tuple(Seat(first.seat or first.id, _chain(first, catalogue)) for first in firsts)


def _chain(first: Model, catalogue: Catalogue) -> tuple[Model, ...]:
    chain = [first]
    while chain[-1].successor is not None:
        chain.append(catalogue[chain[-1].successor])
    return tuple(chain)
