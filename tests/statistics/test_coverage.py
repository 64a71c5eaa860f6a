"""Intervals that say 95 % hold the truth at least so often, also where voters have tastes and sayings differ."""

from collections.abc import Mapping

import numpy as np
import pytest

from service.domain import Outcome
from service.statistics.choices import Ballots, picked
from service.statistics.intervals import difference_interval, share_interval
from service.statistics.schemas import Interval
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS
from service.store.wilson import wilson
from tests.statistics.worlds import (
    INDEPENDENT,
    MEDIUM,
    MIXED,
    REGULARS,
    STRONG,
    THEIR_SHARE,
    Floats,
    World,
    sample,
    show,
    steady,
    voted,
)

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "c", "d")


def only_sayings_differ(sayings: int) -> World:
    return World(leniency=0, taste=0, quality=0.8, regulars=False, sayings=sayings)


def holds(interval: Interval, truth: float) -> bool:
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


@pytest.mark.parametrize(
    ("name", "world", "votes"),
    [
        ("independent", INDEPENDENT, 1_000),
        ("independent", INDEPENDENT, 4_000),
        ("leniency 1, taste .5", MEDIUM, 1_000),
        ("leniency 1, taste .5", MEDIUM, 4_000),
        ("leniency 1.5, taste 1", STRONG, 1_000),
        ("leniency 1.5, taste 1", STRONG, 4_000),
        ("both, and sayings", MIXED, 1_000),
        ("60 sayings", only_sayings_differ(60), 2_000),
        ("10 sayings", only_sayings_differ(10), 2_000),
        ("3 sayings", only_sayings_differ(3), 2_000),
    ],
)
def test_intervals_of_approval(name: str, world: World, votes: int) -> None:
    covered, naive = approval_coverage(world, votes, repetitions=300)

    show(f"approval, {name}, {votes} votes: covered {covered:.3f} (as independent votes {naive:.3f})")
    assert covered >= 0.92
    assert naive < 0.75 or world is INDEPENDENT


def approval_coverage(world: World, votes: int, *, repetitions: int) -> tuple[float, float]:
    """How often the interval holds the truth, and how often one would that takes the votes to be independent."""
    chance, truth = np.random.default_rng(votes), 0.64
    samples = [sample(world, truth, votes, chance) for _ in range(repetitions)]
    naive = [Interval(None, *wilson(one.share, one.votes)) for one in samples]
    return (
        float(np.mean([holds(share_interval(one, named=True), truth) for one in samples])),
        float(np.mean([holds(interval, truth) for interval in naive])),
    )


# Named and blind votes on one model differ as two models do that all voters have the same taste for.
ONE_MODEL = World(leniency=1.5, taste=0)


@pytest.mark.parametrize(
    ("name", "world"), [("independent", INDEPENDENT), ("medium", MEDIUM), ("strong", STRONG), ("brand", ONE_MODEL)]
)
def test_intervals_of_a_difference(name: str, world: World) -> None:
    chance, covered = np.random.default_rng(3), []

    for _ in range(200):
        days = voted(world, steady([0.70, 0.64], 1), 1_000, chance)
        covered.append(holds(difference_interval(days.sample(0, 0, 1), days.sample(1, 0, 1)), 0.06))

    show(f"difference, {name}: covered {np.mean(covered):.3f}")
    assert np.mean(covered) >= 0.92


APPEAL = np.log([1.6, 1.2, 0.9, 0.6])


@pytest.mark.parametrize(
    ("name", "taste", "quality", "regulars", "comparisons"),
    [
        ("independent", 0.5, 0.0, False, 2_000),
        ("taste .5, 5 % give 60 %", 0.5, 0.0, True, 2_000),
        ("50 comparisons, quality 1", 0.0, 1.0, False, 50),
        ("8 ballots each, both", 0.5, 1.0, True, 125),
    ],
)
def test_intervals_of_being_picked(name: str, taste: float, quality: float, regulars: bool, comparisons: int) -> None:
    chance, covered = np.random.default_rng(4), []
    truth = dict(zip(NAMES, true_picks(np.hypot(taste, quality)), strict=True))
    rivals = {name: [rival for rival in NAMES if rival != name] for name in NAMES}

    for _ in range(80):
        outcomes = balloted(1_000, taste, quality, regulars, comparisons, chance)
        found = picked(outcomes, rivals, failures_lose=False)
        covered += [holds(found[name], truth[name]) for name in NAMES]

    show(f"picked, {name}: covered {np.mean(covered):.3f}")
    assert np.mean(covered) >= 0.90  # 320 intervals, which go together by fours


def true_picks(spread: float) -> Floats:
    utilities = APPEAL + np.random.default_rng(0).normal(0, spread, (200_000, len(NAMES)))
    shares = np.exp(utilities) / np.exp(utilities).sum(axis=1, keepdims=True)
    return np.asarray(shares.mean(axis=0))


def balloted(
    ballots: int, taste: float, quality: float, regulars: bool, comparisons: int, chance: np.random.Generator
) -> Mapping[Outcome, Ballots]:
    """Ballots by voters with tastes on comparisons that differ."""
    voters = ballots // 10 if regulars else ballots
    few = max(1, round(REGULARS * voters))
    is_regular = chance.random(ballots) < THEIR_SHARE
    by_share = np.where(is_regular, chance.integers(few, size=ballots), chance.integers(few, voters, size=ballots))
    voter = by_share if regulars else np.arange(ballots)
    item = chance.integers(comparisons, size=ballots)
    tastes, qualities = chance.normal(0, taste, (voters, 4)), chance.normal(0, quality, (comparisons, 4))
    best = (APPEAL + tastes[voter] + qualities[item] + chance.gumbel(size=(ballots, 4))).argmax(axis=1)
    voter_groups, item_groups = (
        chance.integers(VOTER_GROUPS, size=voters),
        chance.integers(ITEM_GROUPS, size=comparisons),
    )
    return {
        Outcome(NAMES, name): Ballots(
            np.bincount(voter_groups[voter[best == model]], minlength=VOTER_GROUPS).tolist(),
            np.bincount(item_groups[item[best == model]], minlength=ITEM_GROUPS).tolist(),
        )
        for model, name in enumerate(NAMES)
    }
