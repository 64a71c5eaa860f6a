"""How often each model is picked as the best, from the first ballots on comparisons.

Ties and ballots for none say nothing about how the models compare, and are counted apart.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.domain import Outcome
from service.statistics.intervals import clustered, effective
from service.statistics.luce import Wins, fit, log_odds, log_odds_variance
from service.statistics.samples import Groups, Sample
from service.statistics.schemas import Interval
from service.store.base import Cell, OutcomeTally
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS
from service.store.wilson import SIGMAS

# A model that was shown in fewer ballots that picked one has no share, because its interval would not be reliable.
MIN_BALLOTS = 100
# How many comparisons of all models each model has won before the first ballot. It keeps strengths finite.
PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Ballots:
    """The number of ballots with one outcome, by voter group and by comparison group."""

    by_voter: tuple[int, ...] = (0,) * VOTER_GROUPS
    by_item: tuple[int, ...] = (0,) * ITEM_GROUPS

    @property
    def count(self) -> int:
        return sum(self.by_voter)


Outcomes = Mapping[Outcome, Ballots]


def outcomes_since(
    tallies: Mapping[tuple[str, Outcome], OutcomeTally], first: str, names: Collection[str]
) -> tuple[Outcomes, int]:
    """The counted ballots from the day `first` on that concern any of these models, and how many are set aside."""
    lines: dict[Outcome, list[OutcomeTally]] = {}
    for (day, outcome), tally in tallies.items():
        if day >= first and not set(names).isdisjoint(outcome.contributors):
            lines.setdefault(outcome, []).append(tally)
    aside = sum(tally.aside for parts in lines.values() for tally in parts)
    return {outcome: ballots(tally.counted for tally in parts) for outcome, parts in lines.items()}, max(0, aside)


def ballots(lines: Iterable[Mapping[Cell, int]]) -> Ballots:
    """The sums of the cells of all lines over one kind of group and over the other."""
    voters, items = [0] * VOTER_GROUPS, [0] * ITEM_GROUPS
    for line in lines:
        for (voter, item), count in line.items():
            voters[voter] += count
            items[item] += count
    # As in `counts_of`, a ballot may be seen to leave that was not seen to come.
    return Ballots(tuple(max(0, count) for count in voters), tuple(max(0, count) for count in items))


def picking(outcomes: Outcomes) -> Outcomes:
    """The outcomes that pick one of the models shown."""
    return {outcome: given for outcome, given in outcomes.items() if outcome.result in outcome.contributors}


def pair(outcomes: Outcomes, one: str, other: str) -> Sample:
    """The ballots that picked one of these two while both were shown, of which those for the first are the upvotes."""
    both = {
        outcome: given
        for outcome, given in outcomes.items()
        if outcome.result in (one, other) and {one, other}.issubset(outcome.contributors)
    }
    return share_of(both, lambda outcome: outcome.result == one)


def share_of(outcomes: Outcomes, is_one: Callable[[Outcome], bool]) -> Sample:
    """All the ballots as votes, of which those with certain outcomes are the upvotes."""
    some = [given for outcome, given in outcomes.items() if is_one(outcome)] + [Ballots()]
    every = [*outcomes.values(), Ballots()]
    return Sample(
        Groups(_sums(given.by_voter for given in every), _sums(given.by_voter for given in some)),
        Groups(_sums(given.by_item for given in every), _sums(given.by_item for given in some)),
    )


def _sums(parts: Iterable[Sequence[int]]) -> list[int]:
    return list(map(sum, zip(*parts, strict=True)))


def picked(outcomes: Outcomes, rivals: Mapping[str, Collection[str]], *, failures_lose: bool) -> dict[str, Interval]:
    """How often each model is picked as the best among itself and its rivals, with the 95 % interval.

    Models with fewer than MIN_BALLOTS ballots are left out, also as rivals. With `failures_lose`, a model that was
    asked and had no saying to show has lost.
    """
    decided = picking(outcomes)
    enough = {name for name in rivals if _ballots_with(decided, name) >= MIN_BALLOTS}
    against = {name: enough.intersection(rivals[name]) for name in enough}
    if not any(against.values()):
        return {}
    contest = _Contest(decided, failures_lose=failures_lose)
    return {name: contest.interval(name, others) for name, others in against.items() if others}


def _ballots_with(decided: Outcomes, name: str) -> int:
    return sum(given.count for outcome, given in decided.items() if name in outcome.contributors)


class _Contest:
    """The fit to all ballots, and the fits to all but one group of them: the delete-a-group jackknife."""

    def __init__(self, decided: Outcomes, *, failures_lose: bool) -> None:
        shown = {outcome: outcome.contributors + (outcome.failed if failures_lose else ()) for outcome in decided}
        self._names = sorted({name for names in shown.values() for name in names})
        self._picks = [
            (tuple(sorted(map(self._names.index, names))), self._names.index(outcome.result))
            for outcome, names in shown.items()
        ]
        counts = [given.count for given in decided.values()]
        voters = list(zip(*(given.by_voter for given in decided.values()), strict=True))
        items = list(zip(*(given.by_item for given in decided.values()), strict=True))
        self._wins = self._wins_of(counts)
        self._whole = fit(self._wins, [0.0] * len(self._names))
        self._parts = [self._without_each(counts, groups) for groups in (voters, items)]
        self._freedom = min(effective([sum(group) for group in groups]) for groups in (voters, items)) - 1

    def interval(self, name: str, others: Collection[str]) -> Interval:
        model, rivals = self._names.index(name), [self._names.index(other) for other in others]
        value = log_odds(self._whole, model, rivals)
        spreads = tuple(_jackknife(value, [log_odds(part, model, rivals) for part in parts]) for parts in self._parts)
        independent = log_odds_variance(self._wins, self._whole, model, rivals)
        reach = clustered(value, independent, spreads, self._freedom).reach(SIGMAS)
        return Interval(_share(value), _share(value - reach), _share(value + reach))

    def _without_each(self, counts: Sequence[int], groups: Sequence[Sequence[int]]) -> list[list[float]]:
        """The fits without each of the groups that are not empty."""
        return [
            fit(self._wins_of([count - own for count, own in zip(counts, group, strict=True)]), self._whole)
            for group in groups
            if any(group)
        ]

    def _wins_of(self, counts: Iterable[float]) -> Wins:
        """The wins of the prior, and those of as many ballots of each outcome."""
        size = len(self._names)
        wins: dict[tuple[int, ...], list[float]] = {tuple(range(size)): [PRIOR] * size}
        for (shown, best), count in zip(self._picks, counts, strict=True):
            wins.setdefault(shown, [0.0] * len(shown))[shown.index(best)] += count
        return wins


def _jackknife(value: float, parts: Sequence[float]) -> float:
    """The variance of a value, from the values without each of the groups."""
    return (len(parts) - 1) / len(parts) * math.fsum((part - value) ** 2 for part in parts)


def _share(log_odds: float) -> float:
    return (1 + math.tanh(log_odds / 2)) / 2
