"""What of the models needs a person, by the catalogue's dates and by what the vendors say."""

from datetime import date

import pytest
from msgspec.structs import replace

from service.catalogue.lifecycle import Lifecycle, LifeStage, concerns, days_left
from service.catalogue.line_up import LineUp
from service.catalogue.models import Catalogue, Model
from tests.fakes import the_catalogue, the_line_up
from tests.support import ORIGINAL_DAY

HAIKU, SONNET, GPT = "claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1"
# The prices of the catalogue were read three days before.
EVERYONE = {model.id for model in the_catalogue()}


def said(model: str, stage: LifeStage, retires: date | None = None) -> dict[str, Lifecycle]:
    return {model: Lifecycle(model, stage, retires, 1.0)}


def subjects(line_up: LineUp, lifecycles: dict[str, Lifecycle] | None = None) -> list[str]:
    return [concern.subject for concern in concerns(line_up, lifecycles or {})]


def with_changed(model: str, **changes: object) -> Catalogue:
    return Catalogue([_changed(each, changes) if each.id == model else each for each in the_catalogue()])


def _changed(model: Model, changes: dict[str, object]) -> Model:
    return replace(model, **changes)


@pytest.mark.parametrize("day", [ORIGINAL_DAY, date(2026, 12, 1), date(2027, 1, 15)])
def test_a_seat_that_changes_hands_needs_nobody(day: date) -> None:
    assert concerns(the_line_up(day), {}) == []


def test_the_days_that_are_left_are_those_until_the_first_date_that_is_known() -> None:
    sooner = said(GPT, LifeStage.DEPRECATED, date(2026, 12, 8))

    left = days_left(the_line_up(), sooner)

    assert left == {SONNET: 2, GPT: 10, "gpt-4.1-mini": 47}


def test_a_seat_without_a_key_is_empty() -> None:
    anthropic_only = the_line_up(keyed=[model for model in EVERYONE if model.startswith("claude")])

    assert subjects(anthropic_only) == ["openai mid", "openai small"]


def test_a_model_leaves_without_a_successor() -> None:
    nobody = LineUp(with_changed(SONNET, successor=None), EVERYONE, day=lambda: ORIGINAL_DAY)
    no_key = the_line_up(keyed=EVERYONE - {"claude-sonnet-5-5"})

    assert SONNET in subjects(nobody)
    assert subjects(no_key) == [SONNET]


def test_a_model_that_the_operator_chose_retires() -> None:
    chosen = LineUp(the_catalogue(), EVERYONE, chosen=[SONNET, HAIKU], day=lambda: date(2026, 12, 24))

    assert subjects(chosen) == [SONNET]


def test_a_model_that_is_gone_stays_a_concern_until_the_catalogue_knows() -> None:
    line_up = the_line_up()
    line_up.set_gone({GPT: ORIGINAL_DAY})

    assert subjects(line_up) == [GPT]


@pytest.mark.parametrize(
    ("model", "stage", "retires"),
    [
        (HAIKU, LifeStage.DEPRECATED, date(2027, 3, 1)),
        (HAIKU, LifeStage.DEPRECATED, None),
        (HAIKU, LifeStage.RETIRED, None),
        (HAIKU, LifeStage.UNKNOWN, None),
        (GPT, LifeStage.DEPRECATED, date(2027, 2, 14)),
    ],
)
def test_a_vendor_says_something_else_than_the_catalogue(model: str, stage: LifeStage, retires: date | None) -> None:
    assert subjects(the_line_up(), said(model, stage, retires)) == [model]


@pytest.mark.parametrize(
    ("model", "stage", "retires"),
    [(HAIKU, LifeStage.ACTIVE, None), (GPT, LifeStage.DEPRECATED, date(2027, 1, 14)), (GPT, LifeStage.ACTIVE, None)],
)
def test_a_vendor_says_what_the_catalogue_says(model: str, stage: LifeStage, retires: date | None) -> None:
    assert subjects(the_line_up(), said(model, stage, retires)) == []


def test_prices_that_nobody_has_read_for_long_and_models_without_one() -> None:
    unpriced = LineUp(with_changed(HAIKU, prices=[]), EVERYONE, day=lambda: ORIGINAL_DAY)

    assert subjects(unpriced) == [HAIKU]
    assert len(subjects(the_line_up(date(2027, 3, 1)))) == len(the_line_up())
