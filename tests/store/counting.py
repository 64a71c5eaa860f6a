"""What a store has counted, added up over days and groups, without what has gone back to nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from service.domain import Outcome
from service.store.base import Aggregates, Counts, HourTally, Store, VoteTally

K = TypeVar("K")
T = TypeVar("T", Counts, HourTally, VoteTally)
NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Total:
    """The votes of a contributor in all of its strands."""

    blind: Counts = NOTHING
    named: Counts = NOTHING
    opened: Counts = NOTHING
    aside: Counts = NOTHING
    unverified: Counts = NOTHING
    voters: int = 0
    sayings: int = 0


async def totals(store: Store) -> dict[str, Total]:
    """The totals by contributor."""
    return totals_of(await store.aggregates(since_hour=""))


def totals_of(counted: Aggregates) -> dict[str, Total]:
    contributors = {strand.contributor for strand in counted.votes}
    by_contributor = {
        name: _total([tally for strand, tally in counted.votes.items() if strand.contributor == name])
        for name in contributors
    }
    return {name: total for name, total in by_contributor.items() if total != Total()}


async def outcomes(store: Store) -> dict[Outcome, tuple[int, int]]:
    """How many of the ballots with an outcome count, and how many are set aside."""
    return outcomes_of(await store.aggregates(since_hour=""))


def outcomes_of(counted: Aggregates) -> dict[Outcome, tuple[int, int]]:
    votes, aside = Counter[Outcome](), Counter[Outcome]()
    for (_, outcome), tally in counted.outcomes.items():
        votes[outcome] += sum(tally.counted.values())
        aside[outcome] += tally.aside
    return {outcome: (votes[outcome], aside[outcome]) for outcome in votes if votes[outcome] or aside[outcome]}


def without(nothing: T, tallies: Mapping[K, T]) -> dict[K, T]:
    return {key: tally for key, tally in tallies.items() if tally != nothing}


def _total(tallies: list[VoteTally]) -> Total:
    return Total(
        _sum(counts for tally in tallies for counts in tally.blind.values()),
        _sum(counts for tally in tallies for counts in tally.named.values()),
        _sum(tally.opened for tally in tallies),
        _sum(tally.aside for tally in tallies),
        _sum(tally.unverified for tally in tallies),
        sum(tally.voters for tally in tallies),
        sum(tally.sayings for tally in tallies),
    )


def _sum(counts: Iterable[Counts]) -> Counts:
    pairs = [(each.votes, each.upvotes) for each in counts]
    return Counts(sum(votes for votes, _ in pairs), sum(upvotes for _, upvotes in pairs))
