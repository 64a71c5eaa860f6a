"""Estimates and intervals equal those of scipy and statsmodels, and say what is not known."""

import math
import random

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from scipy.stats import binomtest, norm, t  # type: ignore[import-untyped]

from service.statistics.intervals import (
    CONFIDENCE,
    MIN_VOTES,
    UNKNOWN,
    clustered,
    design_effect,
    difference_interval,
    effective,
    estimate,
    interval_by_day,
    share_interval,
    student,
)
from service.statistics.samples import NOTHING, Groups, Sample
from service.statistics.schemas import Interval
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS
from service.store.wilson import SIGMAS, wilson
from tests.statistics.builders import drawn, even


@pytest.mark.parametrize(("upvotes", "votes"), [(0, 1), (1, 1), (0, 50), (50, 50), (7, 120), (600, 1_000), (1, 10**6)])
def test_the_interval_is_wilsons(upvotes: int, votes: int) -> None:
    reference = binomtest(upvotes, votes).proportion_ci(CONFIDENCE, method="wilson")

    low, high = wilson(upvotes / votes, votes)

    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= low < high <= 1


@pytest.mark.parametrize(
    ("freedom", "sigmas", "error"), [(3, 1.96, 0.02), (4, 2.6, 0.02), (8, 3.3, 0.01), (15, 4, 0.005)]
)
def test_students_quantile_is_scipys_and_never_shorter(freedom: float, sigmas: float, error: float) -> None:
    reference = t.ppf(norm.cdf(sigmas), freedom)

    assert reference <= student(sigmas, freedom) <= reference * (1 + error)


def clustered_variance(samples: list[tuple[int, Groups]]) -> float:
    """The variance of the sum of shares with signs by statsmodels: a regression of each vote on what it is about."""
    up, about, group = [], [], []
    for term, (_, groups) in enumerate(samples):
        for number, (votes, upvotes) in enumerate(zip(groups.votes, groups.upvotes, strict=True)):
            up += [1.0] * upvotes + [0.0] * (votes - upvotes)
            about += [term] * votes
            group += [number] * votes
    dummies = np.eye(len(samples))[about]
    fitted = sm.OLS(np.array(up), dummies).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(group), "use_correction": False}
    )
    signs, groups_used = np.array([sign for sign, _ in samples]), len(set(group))
    return float(signs @ fitted.cov_params() @ signs) * groups_used / (groups_used - 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_clusters_of_voters_and_of_items(seed: int) -> None:
    chance = random.Random(seed)
    one, other = drawn(chance, 400), drawn(chance, 900, share=0.5)
    by_voter = clustered_variance([(1, one.by_voter), (-1, other.by_voter)])
    by_item = clustered_variance([(1, one.by_item), (-1, other.by_item)])

    found = estimate((1, one), (-1, other))

    assert found.value == pytest.approx(one.share - other.share)
    expected = max(by_voter + by_item - found.independent, by_voter, by_item, found.independent)
    assert found.variance == pytest.approx(expected)
    assert found.independent == pytest.approx(
        one.share * (1 - one.share) / 400 + other.share * (1 - other.share) / 900, rel=0.02
    )


def test_votes_that_differ_by_chance_have_wilsons_interval() -> None:
    found = share_interval(even(600, 1_000), named=True)

    assert found == Interval(0.6, *wilson(0.6, 1_000))
    assert design_effect(even(600, 1_000)) == 1.0


def test_groups_that_differ_make_the_interval_longer_by_students_quantile() -> None:
    half = VOTER_GROUPS // 2
    split = Groups([50] * VOTER_GROUPS, [40] * half + [20] * half)
    alike = Groups([50] * ITEM_GROUPS, [30] * ITEM_GROUPS)
    independent = 0.6 * 0.4 / 800
    spread = VOTER_GROUPS * (10 / 800) ** 2 * VOTER_GROUPS / (VOTER_GROUPS - 1)

    found = share_interval(Sample(split, alike), named=True)

    # Items add nothing: their variance is 0, that of independent votes at least.
    reach = math.sqrt(SIGMAS**2 * independent + t.ppf(0.975, 15) ** 2 * (spread - independent))
    assert design_effect(Sample(split, alike)) == pytest.approx(spread / independent, rel=0.01)
    assert (found.low, found.high) == pytest.approx(wilson(0.6, 0.24 * (SIGMAS / reach) ** 2), abs=1e-3)


def test_one_group_says_nothing_about_how_groups_differ() -> None:
    alone = Groups([200] + [0] * 15, [150] + [0] * 15)

    assert share_interval(Sample(alone, alone), named=True) == Interval(0.75, 0.0, 1.0)
    assert design_effect(Sample(alone, alone)) is None


def test_without_votes_everything_is_possible() -> None:
    assert share_interval(NOTHING, named=False) == Interval(None, 0.0, 1.0)
    assert design_effect(NOTHING) is None


def test_upvotes_alone_leave_room_for_downvotes() -> None:
    found = share_interval(even(120, 120), named=True)

    assert found.value == 1.0
    assert found.low == pytest.approx(wilson(1.0, MIN_VOTES)[0])


def test_a_difference_has_an_interval_that_ends_where_shares_do() -> None:
    found = difference_interval(even(540, 600), even(300, 600))
    reach = SIGMAS * math.sqrt(0.9 * 0.1 / 600 + 0.25 / 600)

    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((0.4 - reach, 0.4 + reach), abs=1e-3)
    assert difference_interval(even(MIN_VOTES, MIN_VOTES), even(0, MIN_VOTES)).high == 1.0


def test_a_difference_is_unknown_for_few_votes() -> None:
    assert difference_interval(even(50, MIN_VOTES - 1), even(300, 600)) == UNKNOWN
    assert difference_interval(even(300, 600), NOTHING) == UNKNOWN


def test_tastes_that_two_models_share_do_not_count_in_their_difference() -> None:
    lenient = Groups([50] * 16, [45, 25] * 8)
    alike = Groups([50] * 16, [35] * 16)

    found = estimate((1, Sample(lenient, alike)), (-1, Sample(lenient, alike)))

    assert found.excess == 0.0


def test_failures_that_come_on_one_day_make_the_share_of_answers_uncertain() -> None:
    steady = interval_by_day(950, 1_000, Groups([100] * 10, [95] * 10))
    outage = interval_by_day(950, 1_000, Groups([100] * 10, [100] * 9 + [50]))

    assert steady == Interval(0.95, *wilson(0.95, 1_000))
    assert outage.low is not None
    assert steady.low is not None
    assert outage.low < 0.85 < steady.low


def test_days_that_are_folded_count_in_the_share_of_answers() -> None:
    assert interval_by_day(1_950, 2_000, Groups([100] * 10, [95] * 10)).value == 0.975
    assert interval_by_day(29, 29, Groups([15, 14], [15, 14])).value is None
    assert interval_by_day(0, 0, Groups([], [])) == UNKNOWN


def test_groups_of_equal_size_are_all_effective() -> None:
    assert effective([5, 5, 5, 5]) == 4
    assert effective([8, 0, 0]) == 1
    assert effective([]) == 0


def test_two_kinds_of_clusters_add_up_without_what_they_share() -> None:
    assert clustered(0.5, 1.0, (3.0, 2.0), 15).variance == 4.0
    assert clustered(0.5, 1.0, (0.5, 0.25), 15).variance == 1.0
    assert clustered(0.5, 1.0, (5.0, 0.25), 15).variance == 5.0
    assert clustered(0.5, 1.0, (5.0, 0.25), 0.9).reach(1.0) == math.inf
