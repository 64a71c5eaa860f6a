"""Worlds in which the truth is known, and people as they are: with tastes, and some of whom vote far more than others.

An opinion is drawn from a chance in logits: how good the model is, how lenient the voter, the voter's taste for the
model, and how good the saying is. Times are not modelled, only days.
"""

import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from service.statistics.samples import Groups, Sample
from service.statistics.verdicts import Record
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PERIOD, LATELY = 30, 7
# Of the voters, 5 % give 60 % of the votes.
REGULARS, THEIR_SHARE = 0.05, 0.6


@dataclass(frozen=True)
class World:
    """How much voters and sayings differ, as standard deviations in logits.

    With `regulars`, a few voters give most of the votes, and the others two or three a model; without, every vote comes
    from another voter. `sayings` is the number that a model has at a time, each for five days where days pass.
    """

    leniency: float
    taste: float
    quality: float = 0.0
    regulars: bool = True
    sayings: int = 300

    def logit(self, approval: float) -> float:
        """How good a model must be for this share of upvotes."""
        return _logit(approval, math.hypot(self.leniency, self.taste, self.quality))


INDEPENDENT = World(leniency=1, taste=0.5, regulars=False)
MEDIUM = World(leniency=1, taste=0.5)
STRONG = World(leniency=1.5, taste=1)
MIXED = World(leniency=1, taste=1, quality=0.5, sayings=60)


@dataclass(frozen=True)
class Days:
    """The votes of every model, day and group: votes and upvotes by voter group, votes and upvotes by item group."""

    counts: tuple[Ints, Ints, Ints, Ints]

    def sample(self, model: int, first: int, end: int) -> Sample:
        """A model's votes on the days from `first` to the one before `end`."""
        groups = [count[model, max(0, first) : max(0, end)].sum(axis=0).tolist() for count in self.counts]
        return Sample(Groups(groups[0], groups[1]), Groups(groups[2], groups[3]))

    def records(self, day: int) -> dict[str, Record]:
        """What the statistics know at the end of a day, which are counted from 1."""
        return {
            str(model): Record(
                recent=self.sample(model, day - PERIOD, day),
                lately=self.sample(model, day - LATELY, day),
                before=self.sample(model, day - PERIOD, day - LATELY),
                voters=1_000,
                sayings=1_000,
                room=max(1.0, PERIOD / day),
            )
            for model in range(len(self.counts[0]))
        }


def show(figure: str) -> None:
    """Print what a simulation found, which `pytest -rP` shows."""
    sys.stdout.write(f"{figure}\n")


def voted(world: World, approvals: Floats, votes: int, chance: np.random.Generator) -> Days:
    """So many votes a day on each model, whose approvals are given by model and day."""
    models, days = approvals.shape
    logits = np.vectorize(world.logit)(approvals)
    voters = max(20, days * votes // 2) if world.regulars else days * votes
    leniency, groups = chance.normal(0, world.leniency, voters), chance.integers(VOTER_GROUPS, size=voters)
    every = [_of_one_model(world, logits[model], votes, leniency, groups, chance) for model in range(models)]
    by_voter, ups_by_voter, by_item, ups_by_item = (np.stack(parts) for parts in zip(*every, strict=True))
    return Days((by_voter, ups_by_voter, by_item, ups_by_item))


def sample(world: World, approval: float, votes: int, chance: np.random.Generator) -> Sample:
    """So many votes on one model, all on one day."""
    return voted(world, np.array([[approval]]), votes, chance).sample(0, 0, 1)


def steady(approvals: list[float], days: int) -> Floats:
    """The same approvals every day."""
    return np.repeat(np.array(approvals)[:, None], days, axis=1)


def _of_one_model(
    world: World, logits: Floats, votes: int, leniency: Floats, groups: Ints, chance: np.random.Generator
) -> tuple[Ints, Ints, Ints, Ints]:
    days, voters = len(logits), len(leniency)
    day = np.repeat(np.arange(days), votes)
    voter = _voters(world, voters, len(day), chance)
    taste = chance.normal(0, world.taste, voters)
    fresh = max(1, world.sayings // 5) if days > 1 else world.sayings
    saying = day * fresh + chance.integers(world.sayings, size=len(day))
    quality = chance.normal(0, world.quality, saying.max() + 1)
    item = chance.integers(ITEM_GROUPS, size=saying.max() + 1)[saying]
    logit = logits[day] + leniency[voter] + taste[voter] + quality[saying]
    up = chance.random(len(day)) < 1 / (1 + np.exp(-logit))
    return (
        _by_day(day, groups[voter], VOTER_GROUPS, days),
        _by_day(day[up], groups[voter][up], VOTER_GROUPS, days),
        _by_day(day, item, ITEM_GROUPS, days),
        _by_day(day[up], item[up], ITEM_GROUPS, days),
    )


def _voters(world: World, voters: int, votes: int, chance: np.random.Generator) -> Ints:
    if not world.regulars:
        return np.arange(votes)
    regulars = max(1, round(REGULARS * voters))
    is_regular = chance.random(votes) < THEIR_SHARE
    return np.where(is_regular, chance.integers(regulars, size=votes), chance.integers(regulars, voters, size=votes))


def _by_day(day: Ints, group: Ints, groups: int, days: int) -> Ints:
    return np.bincount(day * groups + group, minlength=days * groups).reshape(days, groups)


@cache
def _logit(approval: float, spread: float) -> float:
    """The logit that gives this approval on average, over normal differences with this standard deviation."""
    low, high = -9.0, 9.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _approval(middle, spread) < approval else (low, middle)
    return low


@cache
def _nodes() -> tuple[Any, Any]:
    return np.polynomial.hermite_e.hermegauss(60)


def _approval(logit: float, spread: float) -> float:
    nodes, weights = _nodes()
    return float((weights / (1 + np.exp(-logit - spread * nodes))).sum() / weights.sum())
