"""Verdicts hold for somebody who looks every day: what they say is seldom wrong, and it changes when people do."""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from service.statistics.samples import Groups, Sample
from service.statistics.verdicts import Ranking, pair_verdict, ranking
from tests.statistics.worlds import (
    INDEPENDENT,
    MEDIUM,
    PERIOD,
    REGULARS,
    STRONG,
    THEIR_SHARE,
    Days,
    Floats,
    World,
    show,
    steady,
    voted,
)

pytestmark = pytest.mark.slow

DAYS, VOTES = 60, 120
POPULATIONS = [
    pytest.param(INDEPENDENT, id="independent"),
    pytest.param(MEDIUM, id="regulars"),
    pytest.param(STRONG, id="strong tastes"),
]


def looks(days: Days, first: int = 1, end: int = DAYS) -> Iterator[Ranking]:
    return (ranking(days.records(day)) for day in range(first, end + 1))


def worlds(world: World, approvals: Floats, count: int, seed: int) -> Iterator[Days]:
    chance = np.random.default_rng(seed)
    return (voted(world, approvals, VOTES, chance) for _ in range(count))


@pytest.mark.parametrize("world", POPULATIONS)
def test_no_model_leads_where_the_two_best_are_equal(world: World) -> None:
    wrong = false_leaders(world, count=40)

    show(f"a false leader in 60 days: {wrong:.3f}")
    assert wrong <= 0.10  # four of forty, where one or two are expected


def false_leaders(world: World, count: int) -> float:
    """In how many worlds a model ever leads that is no better than another."""
    tied = steady([0.66, 0.66, 0.60, 0.55], DAYS)
    return float(np.mean([any(look.leader for look in looks(days)) for days in worlds(world, tied, count, seed=1)]))


@pytest.mark.parametrize("world", POPULATIONS)
def test_equal_models_are_not_told_apart(world: World) -> None:
    wrong = false_pairs(world, count=40)

    show(f"two of four equal models told apart in 60 days: {wrong:.3f}")
    assert wrong <= 0.125


def false_pairs(world: World, count: int) -> float:
    """In how many worlds of equal models one ever trails, or is told apart from another."""
    equal = steady([0.66] * 4, DAYS)
    return float(np.mean([any(look.settled for look in looks(days)) for days in worlds(world, equal, count, seed=2)]))


@pytest.mark.parametrize(("name", "taste", "quality"), [("alike", 0.0, 0.0), ("strong tastes", 1.0, 1.0)])
def test_ballots_do_not_tell_equal_models_apart(name: str, taste: float, quality: float) -> None:
    wrong = false_tints(taste, quality, count=40)

    show(f"{name}: ballots tell two of four equal models apart in 60 days: {wrong:.3f}")
    assert wrong <= 0.125


def false_tints(taste: float, quality: float, count: int) -> float:
    """In how many worlds of equal models one is ever ahead of another, by 60 ballots a day of voters with tastes."""
    chance = np.random.default_rng(7)
    return float(np.mean([any(tints(taste, quality, chance)) for _ in range(count)]))


def tints(taste: float, quality: float, chance: np.random.Generator) -> Iterator[bool]:
    ballots, voters, comparisons = DAYS * 60, DAYS * 12, DAYS * 8
    regulars = chance.random(ballots) < THEIR_SHARE
    few = round(REGULARS * voters)
    voter = np.where(regulars, chance.integers(few, size=ballots), chance.integers(few, voters, size=ballots))
    day = np.arange(ballots) * DAYS // ballots
    item = day * 8 + chance.integers(8, size=ballots)
    tastes, qualities = chance.normal(0, taste, (voters, 4)), chance.normal(0, quality, (comparisons, 4))
    best = (tastes[voter] + qualities[item] + chance.gumbel(size=(ballots, 4))).argmax(axis=1)
    voter_group, item_group = (chance.integers(16, size=size) for size in (voters, comparisons))
    wins = [np.zeros((DAYS, 4, 16), int), np.zeros((DAYS, 4, 16), int)]
    np.add.at(wins[0], (day, best, voter_group[voter]), 1)
    np.add.at(wins[1], (day, best, item_group[item]), 1)
    for end in range(2, DAYS + 1):
        by_voter, by_item = (count[max(0, end - PERIOD) : end].sum(axis=0) for count in wins)
        for one, other in combinations(range(4), 2):
            groups = (Groups((by[one] + by[other]).tolist(), by[one].tolist()) for by in (by_voter, by_item))
            yield pair_verdict(Sample(*groups), 6) is not None


@pytest.mark.parametrize("world", POPULATIONS)
def test_a_better_model_leads_before_long(world: World) -> None:
    median = days_to_lead(world, count=30)

    show(f".70 against .64: leads on day {median:.0f}")
    assert median <= 25


def days_to_lead(world: World, count: int, approvals: tuple[float, ...] = (0.70, 0.64, 0.60, 0.55)) -> float:
    """The median of the first days on which the best model leads."""
    return float(
        np.median(
            [
                next((day for day, look in enumerate(looks(days), start=1) if look.leader == "0"), DAYS)
                for days in worlds(world, steady(list(approvals), DAYS), count, seed=3)
            ]
        )
    )


@pytest.mark.parametrize("rivals", [(0.66, 0.60, 0.55), (0.60, 0.55, 0.50), (0.55, 0.52, 0.50)])
@pytest.mark.parametrize("world", POPULATIONS)
def test_a_model_that_falls_stops_leading_within_eight_days(world: World, rivals: tuple[float, ...]) -> None:
    days = days_after_a_fall(world, rivals, count=15)

    show(f"a fall from .70 to .50 over {rivals}: {np.median(days):.0f} days, at most {max(days)}")
    assert np.mean(np.array(days) <= 8) >= 0.9


def days_after_a_fall(world: World, rivals: tuple[float, ...], count: int) -> list[int]:
    """How many days after its fall a leader is no longer named, in the worlds in which it was."""
    falls = steady([0.70, *rivals], DAYS)
    falls[0, 35:] = 0.50
    found = []
    for days in worlds(world, falls, count, seed=4):
        if next(looks(days, 35)).leader == "0":
            after = (look.leader != "0" for look in looks(days, 36))
            found.append(next(number for number, is_over in enumerate(after, start=1) if is_over))
    return found


UNEQUAL = [(0.70, 0.66, 0.60, 0.55), (0.72, 0.64, 0.62, 0.60), (0.68, 0.66, 0.64, 0.62), (0.66, 0.66, 0.66, 0.60)]


@pytest.mark.parametrize("world", POPULATIONS)
def test_votes_needed_settle_what_they_are_said_to_settle(world: World) -> None:
    right = [was_right for approvals in UNEQUAL for was_right in predictions(world, approvals, count=8)]

    show(f"votes needed: said {len(right)} times, right {np.mean(right):.3f}")
    assert len(right) > 20
    assert np.mean(right) >= 0.70  # they go together by worlds


@pytest.mark.parametrize("world", POPULATIONS)
def test_votes_needed_are_seldom_shown_where_models_are_equal(world: World) -> None:
    shown = shown_where_equal(world, count=40)

    show(f"votes needed shown in {shown:.3f} of equal worlds")
    assert shown <= 0.15


# On these days somebody reads how many votes are needed.
READ_ON = (3, 6, 10, 15, 20, 25)


def shown_where_equal(world: World, count: int) -> float:
    equal = steady([0.66] * 4, max(READ_ON))
    return float(np.mean([any(list(needed(days, day)) for day in READ_ON) for days in worlds(world, equal, count, 5)]))


def needed(days: Days, day: int) -> Iterator[tuple[str, int]]:
    """The models for which it is said on a day how many votes would settle what is open."""
    for name, standing in ranking(days.records(day)).standings.items():
        if standing.verdict == "too close to call" and standing.votes_needed is not None:
            yield name, standing.votes_needed


def predictions(world: World, approvals: tuple[float, ...], count: int) -> Iterator[bool]:
    """Whether what was said to be settled after so many votes was settled by then."""
    for days in worlds(world, steady(list(approvals), DAYS), count, seed=6):
        for day in READ_ON:
            for name, votes in needed(days, day):
                later = looks(days, day, day + math.ceil(votes / VOTES))
                yield any(look.standings[name].verdict in ("leads", "trails") for look in later)
