"""The line-up follows the date, what the vendors say, and the operator."""

from collections.abc import Sequence
from datetime import date

import pytest
from msgspec.structs import replace

from service.catalogue.line_up import LineUp, SeatState
from service.catalogue.models import Catalogue, load_catalogue
from service.llm.vendors import VENDORS

CATALOGUE = load_catalogue(VENDORS)
ORIGINAL = ["claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini"]
TODAY = date(2026, 11, 28)


class Calendar:
    """A day that a test moves on."""

    def __init__(self, day: date = TODAY) -> None:
        self.day = day

    def __call__(self) -> date:
        return self.day


def line_up(
    day: date = TODAY,
    *,
    catalogue: Catalogue = CATALOGUE,
    keyed: Sequence[str] | None = None,
    chosen: Sequence[str] = (),
) -> LineUp:
    keys = [model.id for model in catalogue] if keyed is None else keyed
    return LineUp(catalogue, keys, chosen=chosen, day=Calendar(day))


def ids(models: LineUp) -> list[str]:
    return [model.id for model in models]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (TODAY, ORIGINAL),
        (date(2026, 11, 29), ORIGINAL),
        (date(2026, 11, 30), ["claude-haiku-4-5", "claude-sonnet-5-5", "gpt-4.1", "gpt-4.1-mini"]),
        (date(2027, 1, 13), ["claude-haiku-4-5", "claude-sonnet-5-5", "gpt-4.1", "gpt-4.1-mini"]),
        (date(2027, 1, 14), ["claude-haiku-4-5", "claude-sonnet-5-5", "gpt-6.1-terra", "gpt-6-luna"]),
    ],
)
def test_on_the_day_a_model_retires_its_seat_goes_to_the_successor(day: date, expected: list[str]) -> None:
    assert ids(line_up(day)) == expected


def test_it_changes_in_a_running_process() -> None:
    calendar = Calendar()
    seated = LineUp(CATALOGUE, [model.id for model in CATALOGUE], day=calendar)
    before = ids(seated)

    calendar.day = date(2026, 11, 30)

    assert (before, ids(seated)[1]) == (ORIGINAL, "claude-sonnet-5-5")


def test_a_model_that_is_gone_leaves_its_seat_at_once() -> None:
    seated = line_up()

    seated.set_gone({"gpt-4.1": TODAY})

    assert ids(seated) == ["claude-haiku-4-5", "claude-sonnet-4-5", "gpt-6.1-terra", "gpt-4.1-mini"]
    assert seated.state_of(CATALOGUE["gpt-4.1"]) is SeatState.GONE


def test_a_seat_stays_empty_when_nobody_follows() -> None:
    seated = line_up(date(2027, 1, 14))

    seated.set_gone({"gpt-6-luna": TODAY})

    assert ids(seated) == ["claude-haiku-4-5", "claude-sonnet-5-5", "gpt-6.1-terra"]


def test_a_successor_without_a_key_takes_no_seat() -> None:
    assert ids(line_up(date(2026, 11, 30), keyed=ORIGINAL)) == ["claude-haiku-4-5", "gpt-4.1", "gpt-4.1-mini"]


def test_the_operators_choice_overrides_the_dates() -> None:
    seated = line_up(date(2027, 6, 1), chosen=["gpt-4.1", "claude-haiku-5-5"])

    assert ids(seated) == ["gpt-4.1", "claude-haiku-5-5"]


def test_models_without_a_seat_always_take_part() -> None:
    local = replace(CATALOGUE["gpt-6-luna"], id="local", display_name="Local", seat=None)

    assert ids(line_up(catalogue=Catalogue([*CATALOGUE, local]))) == [*ORIGINAL, "local"]


def test_states_say_what_has_become_of_each_model() -> None:
    seated = line_up(date(2026, 11, 30), keyed=[model.id for model in CATALOGUE if model.id != "gpt-4.1"])

    states = {model.id: seated.state_of(model) for model in CATALOGUE}

    assert states == {
        "claude-haiku-4-5": SeatState.SEATED,
        "claude-haiku-5-5": SeatState.WAITING,
        "claude-sonnet-4-5": SeatState.RETIRED,
        "claude-sonnet-5-5": SeatState.SEATED,
        "gpt-4.1": SeatState.LEFT_OUT,
        "gpt-6.1-terra": SeatState.WAITING,
        "gpt-4.1-mini": SeatState.SEATED,
        "gpt-6-luna": SeatState.WAITING,
    }
