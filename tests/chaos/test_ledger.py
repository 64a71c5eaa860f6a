"""The ledger knows what may be stored, and finds whatever is not."""

from dataclasses import replace

import pytest

from tests.chaos.ledger import (
    NEGATIVE,
    POSITIVE,
    SHOWN,
    Books,
    Fate,
    Ledger,
    Line,
    Spending,
    Stored,
    possible,
    pseudonym,
)

ALICE = (pseudonym("alice"), "saying")
BOB = (pseudonym("bob"), "saying")
BALLOT = (pseudonym("alice"), "comparison")

YES = Line(POSITIVE, Fate.ACKNOWLEDGED, "recorded")
NO = Line(NEGATIVE, Fate.ACKNOWLEDGED, "changed")
BACK = Line(None, Fate.ACKNOWLEDGED, "withdrawn")


@pytest.mark.parametrize(
    ("history", "values"),
    [
        ([], {None}),
        ([YES], {POSITIVE}),
        ([YES, NO], {NEGATIVE}),
        ([YES, BACK], {None}),
        ([Line(POSITIVE, Fate.REFUSED)], {None}),
        ([Line(POSITIVE, Fate.UNSURE)], {None, POSITIVE}),
        ([Line(POSITIVE, Fate.UNSURE), NO], {NEGATIVE}),
        ([Line(POSITIVE, Fate.OPEN), NO], {POSITIVE, NEGATIVE}),
        ([YES, Line(None, Fate.UNSURE)], {POSITIVE, None}),
    ],
)
def test_what_may_be_stored_follows_from_what_the_voter_was_told(history: list[Line], values: set[str | None]) -> None:
    assert possible(history) == values


@pytest.fixture
def ledger() -> Ledger:
    """Alice voted yes, Bob no, and Alice found A the best."""
    ledger = Ledger()
    ledger.votes[ALICE].append(YES)
    ledger.votes[BOB].append(Line(NEGATIVE, Fate.ACKNOWLEDGED, "recorded"))
    ledger.ballots[BALLOT] += [Line(SHOWN, Fate.ACKNOWLEDGED), Line("A", Fate.ACKNOWLEDGED, "recorded")]
    return ledger


BOOKS = Books(
    votes=(Stored(ALICE, POSITIVE), Stored(BOB, NEGATIVE)),
    ballots=(Stored(BALLOT, "A"),),
    counters={"saying": (1, 1)},
    totals=(1, 1),
    ballots_counted=1,
)


def test_books_that_agree_are_in_order(ledger: Ledger) -> None:
    assert ledger.lost(BOOKS) == ledger.doubled(BOOKS) == ledger.contradictions() == []
    assert ledger.certain == (3, 3)


def test_a_comparison_that_was_stored_as_shown_and_never_arrived_is_no_lost_vote(ledger: Ledger) -> None:
    books = replace(BOOKS, ballots=(*BOOKS.ballots, Stored(BOB, SHOWN)))

    assert ledger.lost(books) == ledger.doubled(books) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"votes": (Stored(BOB, NEGATIVE),), "counters": {"saying": (0, 1)}, "totals": (0, 1)},
        {"votes": (Stored(ALICE, NEGATIVE), Stored(BOB, NEGATIVE)), "counters": {"saying": (0, 2)}, "totals": (0, 2)},
        {"ballots": (), "ballots_counted": 0},
        {"ballots": (Stored(BALLOT, SHOWN),), "ballots_counted": 0},
        {"ballots": (*BOOKS.ballots, Stored(BOB, "tie")), "ballots_counted": 2},
    ],
    ids=["vote gone", "vote turned", "comparison gone", "ballot gone", "ballot of nobody"],
)
def test_a_vote_that_is_not_what_its_voter_was_told_is_lost(ledger: Ledger, wrong: dict[str, object]) -> None:
    books = replace(BOOKS, **wrong)  # type: ignore[arg-type]

    assert len(ledger.lost(books)) == 1
    assert ledger.doubled(books) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"votes": (*BOOKS.votes, Stored(ALICE, POSITIVE)), "counters": {"saying": (2, 1)}, "totals": (2, 1)},
        {"counters": {"saying": (2, 1)}},
        {"counters": {}},
        {"totals": (1, 2)},
        {"ballots_counted": 2},
    ],
    ids=["stored twice", "counted twice", "not counted", "statistics of votes", "statistics of ballots"],
)
def test_a_vote_that_is_not_there_or_not_counted_once_is_doubled(ledger: Ledger, wrong: dict[str, object]) -> None:
    books = replace(BOOKS, **wrong)  # type: ignore[arg-type]

    assert len(ledger.doubled(books)) == 1
    assert ledger.lost(books) == []


@pytest.mark.parametrize(
    ("history", "contradicts"),
    [
        ([YES, Line(POSITIVE, Fate.ACKNOWLEDGED, "unchanged"), NO, BACK], False),
        ([YES, YES], True),
        ([Line(POSITIVE, Fate.ACKNOWLEDGED, "unchanged")], True),
        ([YES, BACK, Line(POSITIVE, Fate.ACKNOWLEDGED, "changed")], True),
        ([Line(POSITIVE, Fate.UNSURE), Line(POSITIVE, Fate.ACKNOWLEDGED, "unchanged")], False),
        ([Line(POSITIVE, Fate.UNSURE), YES], False),
    ],
)
def test_a_status_that_the_past_rules_out_is_found(history: list[Line], contradicts: bool) -> None:
    ledger = Ledger()
    ledger.votes[ALICE] += history

    assert len(ledger.contradictions()) == contradicts


@pytest.mark.parametrize(
    ("spending", "overspent", "unbooked"),
    [
        (Spending(billed=80, booked=100, cap=100), 0, 0),
        (Spending(billed=101, booked=101, cap=100), 1, 0),
        (Spending(billed=80, booked=103, cap=100), 3, 0),
        (Spending(billed=80, booked=78, cap=100), 0, 2),
        (Spending(billed=105, booked=None, cap=100), 5, 0),
    ],
)
def test_money_is_never_spent_beyond_the_cap_nor_outside_the_books(
    spending: Spending, overspent: int, unbooked: int
) -> None:
    assert (spending.overspent, spending.unbooked) == (overspent, unbooked)
