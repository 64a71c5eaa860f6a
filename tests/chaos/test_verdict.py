"""Whatever is planted in a run that was in order turns the verdict red, and nothing else does."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.ledger import POSITIVE, Books, Fate, Ledger, Line, Spending, Stored, pseudonym
from tests.chaos.plan import Kind
from tests.chaos.processes import Vitals
from tests.chaos.report import ECHO_SECONDS, MEGABYTE, musts
from tests.chaos.soak import Run
from tests.chaos.traffic import End, Visit

KEY = (pseudonym("alice"), "saying")
VITALS = Vitals(memory=100 * MEGABYTE, descriptors=20, threads=5, children=0, tasks=8)


@pytest.fixture
def run() -> Run:
    """One vote, one call, one outage; everything in order."""
    ledger = Ledger()
    ledger.votes[KEY].append(Line(POSITIVE, Fate.ACKNOWLEDGED, "recorded"))
    return Run(
        visits=[
            Visit(Kind.VOTE, 1.0, 1.1, End.GOOD),
            Visit(Kind.SAYING, 2.0, 2.5, End.DOCUMENTED, "503 no_saying_available"),
            Visit(Kind.SAYING, 4.5, 4.6, End.UNANSWERED),
        ],
        ledger=ledger,
        down=[(4.0, 5.0)],
        starts=2,
        failed_starts=0,
        spending=Spending(billed=1, booked=2, cap=2),
        calls=1,
        failed_calls=0,
        books=Books((Stored(KEY, POSITIVE),), (), {"saying": (1, 0)}, (1, 0), 0),
        start=VITALS,
        end=VITALS,
        complaints=[],
    )


def test_a_run_in_order_holds(run: Run) -> None:
    assert [must.name for must in musts(run) if not must.holds] == []


PLANTS: dict[str, Callable[[Run], Run]] = {
    "lost votes": lambda run: replace(run, books=Books((), (), {}, (0, 0), 0)),
    "doubled votes": lambda run: replace(run, books=replace(run.books, counters={"saying": (2, 0)})),
    "overspend": lambda run: replace(run, spending=Spending(billed=3, booked=3, cap=2)),
    "billed, but in no books": lambda run: replace(run, spending=Spending(billed=2, booked=1, cap=2)),
    "undocumented errors": lambda run: replace(
        run, visits=[*run.visits, Visit(Kind.STATS, 2.0, 2.1, End.UNDOCUMENTED, "500")]
    ),
    "memory, warm → end": lambda run: replace(run, end=replace(VITALS, memory=120 * MEGABYTE)),
    "descriptors, warm → end": lambda run: replace(run, end=replace(VITALS, descriptors=60)),
    "threads, warm → end": lambda run: replace(run, end=replace(VITALS, threads=20)),
    "children, warm → end": lambda run: replace(run, end=replace(VITALS, children=1)),
    "tasks, warm → end": lambda run: replace(run, end=replace(VITALS, tasks=40)),
    "complaints of the processes": lambda run: replace(run, complaints=["Task was destroyed but it is pending!"]),
}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found(run: Run, name: str) -> None:
    planted = PLANTS[name](run)

    assert [must.name for must in musts(planted) if not must.holds] == [name]


@pytest.mark.parametrize(
    ("started", "finished", "excused"),
    [(3.0, 4.5, True), (4.5, 9.0, True), (5.0 + ECHO_SECONDS / 2, 9.0, True), (1.0, 3.9, False), (7.0, 8.0, False)],
)
def test_no_answer_is_an_error_unless_the_process_was_down(
    run: Run, started: float, finished: float, excused: bool
) -> None:
    run.visits.append(Visit(Kind.SAYING, started, finished, End.UNANSWERED))

    assert musts(run)[0].holds == excused
