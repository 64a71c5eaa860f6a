"""The lifecycle of each model as its vendor reports it, and the problems that an operator has to solve."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from service.catalogue.line_up import LineUp, SeatState
from service.catalogue.models import Model

# How long before the end of a model it is time to act.
NOTICE_DAYS = 30
# Vendors change their prices every few months.
PRICE_CHECK_DAYS = 90


class LifeStage(StrEnum):
    """Where a model is in its life, by its vendor's word."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"  # it is served until it retires
    RETIRED = "retired"
    UNKNOWN = "unknown"  # the vendor has no such model


class Lifecycle(msgspec.Struct, frozen=True):
    """A vendor's word on a model: `retires` is the day that it has announced, `asked_at` seconds since the epoch."""

    model: str
    stage: LifeStage
    retires: datetime.date | None
    asked_at: float


@dataclass(frozen=True, slots=True)
class Concern:
    """Something about a model, or about a seat without one, that needs a person."""

    subject: str
    sentence: str


def days_left(line_up: LineUp, lifecycles: Mapping[str, Lifecycle]) -> dict[str, int]:
    """The days until each model of the line-up retires, where its end is known."""
    ends = {model.id: _end_of(model, lifecycles) for model in line_up}
    return {model: (end - line_up.day).days for model, end in ends.items() if end is not None}


def concerns(line_up: LineUp, lifecycles: Mapping[str, Lifecycle]) -> list[Concern]:
    """What needs a person today. Pure but for the day of the line-up."""
    found = [*_of_seats(line_up)]
    for model in line_up.catalogue:
        state, said = line_up.state_of(model), lifecycles.get(model.id)
        if state is SeatState.SEATED:
            found += _of_the_end(model, line_up, lifecycles)
            found += _of_the_price(model, line_up.day)
        if state is SeatState.GONE:
            found.append(Concern(model.id, "Its vendor no longer has it. Enter the day as `retires` in the catalogue."))
        elif said is not None and not state.has_left:
            found += _of_the_vendors_word(model, said)
    return found


def _of_seats(line_up: LineUp) -> Iterator[Concern]:
    if line_up.is_chosen:
        return
    for seat in line_up.seats:
        if line_up.holder_of(seat) is None:
            yield Concern(seat.name, "The seat is empty: none of its models is served, or there is no key for it.")


def _of_the_end(model: Model, line_up: LineUp, lifecycles: Mapping[str, Lifecycle]) -> Iterator[Concern]:
    end = _end_of(model, lifecycles)
    if end is None or (end - line_up.day).days > NOTICE_DAYS:
        return
    if line_up.is_chosen:
        yield Concern(model.id, f"It retires on {end}, and SAYINGS_LINE_UP names it.")
    elif line_up.follower_of(model) is None:
        yield Concern(model.id, f"It retires on {end}, and no model can follow: there is none, or no key for it.")


def _of_the_price(model: Model, day: datetime.date) -> Iterator[Concern]:
    price = model.price_on(day)
    if price is None:
        yield Concern(model.id, "It has no price.")
    elif (day - price.as_of).days > PRICE_CHECK_DAYS:
        yield Concern(model.id, f"Its price was last compared with the vendor's list on {price.as_of}.")


def _of_the_vendors_word(model: Model, said: Lifecycle) -> Iterator[Concern]:
    if said.stage in (LifeStage.RETIRED, LifeStage.UNKNOWN):
        yield Concern(model.id, f"Its vendor says that it is {said.stage}; the catalogue does not.")
    elif said.retires not in (None, model.retires):
        known = f"the catalogue says {model.retires}" if model.retires else "the catalogue has no date"
        yield Concern(model.id, f"Its vendor says that it retires on {said.retires}; {known}.")
    elif said.stage is LifeStage.DEPRECATED and model.retires is None:
        yield Concern(model.id, "Its vendor has deprecated it, without a date; the catalogue does not know.")


def _end_of(model: Model, lifecycles: Mapping[str, Lifecycle]) -> datetime.date | None:
    """The first of the days that the catalogue and the vendor give."""
    said = lifecycles.get(model.id)
    announced = (model.retires, said.retires if said else None)
    return min((day for day in announced if day is not None), default=None)
