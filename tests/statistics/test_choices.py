"""Strengths from ballots equal those of choix and evalica, and ties leave them as they are."""

import math
import random
from collections.abc import Mapping
from itertools import combinations

import choix
import numpy as np
import pytest
from evalica import Winner, bradley_terry
from scipy.stats import t  # type: ignore[import-untyped]

from service.domain import NONE, TIE, Outcome
from service.statistics.choices import MIN_BALLOTS, Ballots, outcomes_since, pair, picked, share_of
from service.statistics.luce import Wins, fit, log_odds, log_odds_variance
from service.statistics.schemas import Interval
from service.store.base import OutcomeTally
from tests.statistics.builders import cast

ALL = ("a", "b", "c", "d")
RIVALS = {name: [rival for rival in ALL if rival != name] for name in ALL}


def random_wins(chance: random.Random, sizes: tuple[int, ...], most: int = 200) -> dict[tuple[int, ...], list[int]]:
    """Choices among all or some of up to six models, some liked far more than others."""
    models = chance.randint(4, 6)
    appeal = [chance.lognormvariate(0, 1) for _ in range(models)]
    return {
        shown: [1 + int(most * chance.random() * appeal[model]) for model in shown]
        for size in sizes
        for shown in combinations(range(models), size)
    }


@pytest.mark.parametrize("seed", range(3))
def test_strengths_are_those_of_choix(seed: int) -> None:
    wins = random_wins(random.Random(seed), (3, 4), most=5)
    models = max(model for shown in wins for model in shown) + 1
    choices = [
        (best, tuple(rival for rival in shown if rival != best))
        for shown, counts in wins.items()
        for best, count in zip(shown, counts, strict=True)
        for _ in range(count)
    ]

    fitted = fit(wins, [0.0] * models)

    assert fitted == pytest.approx(choix.opt_top1(models, choices).tolist(), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_strengths_from_pairs_are_those_of_evalica(seed: int) -> None:
    wins = random_wins(random.Random(seed), (2,))
    xs, ys, winners, weights = zip(
        *(
            (pair[0], pair[1], winner, float(count))
            for pair, counts in wins.items()
            for winner, count in zip((Winner.X, Winner.Y), counts, strict=True)
        ),
        strict=True,
    )
    reference = bradley_terry(xs, ys, winners, weights=list(weights), win_weight=1, tolerance=1e-10, limit=10_000)
    models = max(max(pair) for pair in wins) + 1

    fitted = fit(wins, [0.0] * models)

    scores = np.log([reference.scores[model] for model in range(models)])
    assert fitted == pytest.approx((scores - scores.mean()).tolist(), abs=1e-6)


def test_the_variance_of_log_odds_is_that_of_a_binomial() -> None:
    wins: Wins = {(0, 1): (300.0, 100.0)}
    fitted = fit(wins, [0.0, 0.0])

    assert log_odds(fitted, 0, [1]) == pytest.approx(math.log(3))
    assert log_odds_variance(wins, fitted, 0, [1]) == pytest.approx(1 / 300 + 1 / 100)


def test_two_circles_that_rarely_met_are_compared_by_how_they_met() -> None:
    wins: Wins = {(0, 1): (5_000, 5_000), (2, 3): (5_000, 5_000), (1, 2): (9, 1)}

    fitted = fit(wins, [0.0] * 4)

    assert np.exp(fitted).tolist() == pytest.approx([3, 3, 1 / 3, 1 / 3])


def test_strengths_that_are_worlds_apart_are_found() -> None:
    assert np.exp(fit({(0, 1): (10**6, 1)}, [0.0, 0.0])).tolist() == pytest.approx([1e3, 1e-3])


def whole(*wins: int, ties: int = 0, none: int = 0) -> dict[Outcome, int]:
    """Ballots on comparisons of all models."""
    return {Outcome(ALL, result): count for result, count in zip((*ALL, TIE, NONE), (*wins, ties, none), strict=True)}


def shares(votes: Mapping[Outcome, int], *, failures_lose: bool = False) -> dict[str, float]:
    found = picked(cast(votes), RIVALS, failures_lose=failures_lose)
    return {name: interval.value for name, interval in found.items() if interval.value is not None}


def test_a_model_is_picked_as_often_as_it_was_picked() -> None:
    found = shares(whole(360, 270, 230, 140))

    assert found == pytest.approx({"a": 0.36, "b": 0.27, "c": 0.23, "d": 0.14}, abs=0.001)


def test_ties_and_none_leave_the_shares_as_they_are() -> None:
    assert shares(whole(90, 70, 50, 30, ties=1_000, none=500)) == shares(whole(90, 70, 50, 30))


def test_the_shares_of_pairs_are_within_a_point_of_the_fit() -> None:
    votes = whole(160, 120, 90, 60) | {
        Outcome(("a", "b", "c"), "a"): 40, Outcome(("a", "b", "c"), "b"): 30, Outcome(("a", "b", "c"), "c"): 22,
    }  # fmt: skip
    found = shares(votes)

    for one, other in combinations(ALL, 2):
        assert found[one] / (found[one] + found[other]) == pytest.approx(pair(cast(votes), one, other).share, abs=0.01)


def test_a_model_that_failed_has_lost_where_failures_count() -> None:
    votes = whole(100, 100, 100, 100) | {Outcome(ALL[:3], name, ("d",)): 100 for name in ALL[:3]}

    without, with_failures = shares(votes), shares(votes, failures_lose=True)

    assert without["d"] == pytest.approx(0.25, abs=0.001)
    assert with_failures["d"] == pytest.approx(100 / 700, abs=0.002)


def test_shares_have_the_interval_of_a_binomial_where_groups_do_not_differ() -> None:
    found = picked(cast(whole(400, 300, 200, 100)), RIVALS, failures_lose=False)["a"]

    reach = 1.96 * math.sqrt(1 / 400 + 1 / 600)
    ends = [1 / (1 + math.exp(-math.log(4 / 6) + sign * reach)) for sign in (1, -1)]
    assert (found.low, found.high) == pytest.approx(ends, abs=0.002)


def test_voters_who_differ_make_the_interval_longer() -> None:
    alike = cast(whole(240, 240, 240, 240))
    fans = {
        Outcome(ALL, name): Ballots(tuple(60 if group % 4 == number else 0 for group in range(16)), (15,) * 16)
        for number, name in enumerate(ALL)
    }

    even, split = (picked(given, RIVALS, failures_lose=False)["a"] for given in (alike, fans))

    assert width(split) > 3 * width(even)
    assert split.value == even.value


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def test_the_jackknife_leaves_one_group_out_at_a_time() -> None:
    by_voter = {"a": (12, 2) * 8, "b": (2, 12) * 8}
    outcomes = {Outcome(("a", "b"), name): Ballots(groups, (7,) * 16) for name, groups in by_voter.items()}

    found = picked(outcomes, {"a": ["b"], "b": ["a"]}, failures_lose=False)["a"]

    left = [math.log((112.5 - a) / (112.5 - b)) for a, b in zip(*by_voter.values(), strict=True)]
    independent, spread = 2 / 112.5, 15 / 16 * sum(value**2 for value in left)
    reach = math.sqrt(1.96**2 * independent + t.ppf(0.975, 15) ** 2 * (spread - independent))
    assert width(found) == pytest.approx(math.tanh(reach / 2), rel=0.001)


def test_models_with_few_ballots_are_left_out_also_as_rivals() -> None:
    votes = {Outcome(("a", "b"), "a"): 60, Outcome(("a", "b"), "b"): 60} | {
        Outcome(("a", "b", "c"), "a"): MIN_BALLOTS - 1
    }

    assert set(shares(votes)) == {"a", "b"}
    assert sum(shares(votes).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "votes", [{}, {Outcome(("a", "b"), NONE): 500}, {Outcome(("a",), "a"): 500}, {Outcome(("a", "b"), "a"): 99}]
)
def test_without_enough_ballots_there_are_no_shares(votes: dict[Outcome, int]) -> None:
    assert shares(votes) == {}


def test_a_model_that_always_won_has_a_share_below_one() -> None:
    found = picked(cast(whole(500, 0, 0, 0)), RIVALS, failures_lose=False)

    assert found["a"].value == pytest.approx(0.997, abs=0.001)
    assert found["b"].low is not None
    assert 0 <= found["b"].low < 0.01


def test_ballots_are_taken_from_a_day_on_and_by_the_models_shown() -> None:
    ours, theirs = Outcome(("a", "b"), "a"), Outcome(("x", "y"), "x")
    tallies = {
        ("", ours): OutcomeTally({(0, 0): 100}, 7),
        ("2026-11-20", ours): OutcomeTally({(0, 1): 5, (2, 1): 3}, 1),
        ("2026-11-21", ours): OutcomeTally({(0, 1): 2, (3, 3): -1}, 1),
        ("2026-11-21", theirs): OutcomeTally({(0, 1): 90}, 1),
    }

    outcomes, aside = outcomes_since(tallies, "2026-11-20", {"a", "b"})

    assert (list(outcomes), aside) == ([ours], 2)
    assert outcomes[ours].by_voter == (7, 0, 3) + (0,) * 13
    assert outcomes[ours].by_item == (0, 10) + (0,) * 14
    assert outcomes_since(tallies, "", {"a"})[0][ours].by_voter[0] == 107


def test_a_pair_is_the_ballots_that_picked_one_of_two_that_were_both_shown() -> None:
    votes = whole(50, 30, 20, 0, ties=9, none=9) | {Outcome(("a", "c", "d"), "a"): 40, Outcome(("a", "b"), "b"): 10}

    found = pair(cast(votes), "a", "b")

    assert (found.upvotes, found.votes) == (50, 90)
    assert sum(found.by_item.votes) == 90


def test_a_share_of_ballots_is_of_all_of_them() -> None:
    found = share_of(cast(whole(50, 30, 20, 0, ties=25, none=15)), lambda outcome: outcome.result == TIE)

    assert (found.upvotes, found.votes) == (25, 140)
