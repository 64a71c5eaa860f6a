"""Changes of prompt and snapshot, and the end of a model, are marked with their days."""

from datetime import date

import pytest

from service.domain import CallKind, CallShape
from service.statistics.history import CallLine, History
from service.statistics.marks import marks
from service.statistics.schemas import Mark
from service.store.base import CallTally, Strand
from tests.fakes import the_line_up

GPT = "gpt-4.1"


def called(*strands: tuple[str, str, str]) -> History:
    """Calls on these days, with these prompt versions and snapshots."""
    lines = [CallLine(Strand(GPT, *strand), CallKind.ROUND, CallShape.ROUND, CallTally(1)) for strand in strands]
    return History((), lines)


def found(history: History, *, first: str = "2026-11-01") -> list[Mark]:
    line_up = the_line_up()
    return marks(line_up.catalogue[GPT], history, line_up, first=first)


def test_a_new_prompt_and_a_new_snapshot_are_marked() -> None:
    history = called(
        ("", "v1", "s1"), ("2026-11-10", "v1", "s2"), ("2026-11-12", "v2", "s2"), ("2026-11-10", "v1", "s1")
    )

    assert found(history) == [Mark("2026-11-10", "snapshot", "s2"), Mark("2026-11-12", "prompt", "v2")]


@pytest.mark.parametrize(
    "history",
    [
        History(),
        called(("2026-11-10", "v1", "s1"), ("2026-11-11", "v1", "")),
        called(("2026-11-10", "v1", "s1"), ("2026-11-10", "v2", "s2")),  # what it began with
        called(("2026-10-10", "v1", "s1"), ("2026-10-11", "v2", "s2")),  # before the period
    ],
)
def test_what_did_not_change_in_the_period_is_not_marked(history: History) -> None:
    assert found(history) == []


def test_a_model_that_comes_back_to_a_snapshot_is_marked_once() -> None:
    history = called(("2026-11-10", "v1", "a"), ("2026-11-11", "v1", "b"), ("2026-11-12", "v1", "a"))

    assert found(history) == [Mark("2026-11-11", "snapshot", "b")]


def test_the_day_a_model_left_is_marked_with_its_successor() -> None:
    line_up = the_line_up(date(2026, 11, 30))
    sonnet = line_up.catalogue["claude-sonnet-4-5"]

    assert marks(sonnet, History(), line_up, first="2026-11-01") == [Mark("2026-11-30", "left", "claude-sonnet-5-5")]
    assert marks(sonnet, History(), line_up, first="2026-12-01") == []
