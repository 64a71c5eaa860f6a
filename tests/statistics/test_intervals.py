"""Wilson's interval as the textbooks have it, and what it says about approval and the cost of a net upvote."""

import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]

from service.statistics.intervals import CONFIDENCE, MIN_VOTES, approval, cost_per_net_upvote, wilson
from service.statistics.schemas import Interval, Range


@pytest.mark.parametrize(("upvotes", "votes"), [(0, 1), (1, 1), (0, 50), (50, 50), (7, 120), (600, 1_000), (1, 10**6)])
def test_the_interval_is_wilsons(upvotes: int, votes: int) -> None:
    reference = binomtest(upvotes, votes).proportion_ci(CONFIDENCE, method="wilson")

    low, high = wilson(upvotes / votes, votes)

    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= low < high <= 1


def test_without_votes_everything_is_possible() -> None:
    assert approval(0, 0) == Interval(None, 0.0, 1.0)


def test_too_few_votes_name_no_approval_but_an_interval() -> None:
    few = approval(MIN_VOTES - 1, 0)
    enough = approval(MIN_VOTES, 0)

    assert few.value is None
    assert few.low == pytest.approx(0.969, abs=1e-3)
    assert enough.value == 1.0


def test_with_the_minimum_of_votes_approval_is_within_nine_points() -> None:
    low, high = wilson(0.5, MIN_VOTES)

    assert (high - low) / 2 == pytest.approx(0.09, abs=0.002)


def test_the_cost_per_net_upvote_divides_by_upvotes_minus_downvotes() -> None:
    value, interval = cost_per_net_upvote(3_000_000_000, 800, 200)

    low, high = wilson(0.8, 1_000)
    assert value == 3 / 600
    assert interval.low == pytest.approx(3 / (1_000 * (2 * high - 1)))
    assert interval.high == pytest.approx(3 / (1_000 * (2 * low - 1)))


@pytest.mark.parametrize(
    ("upvotes", "downvotes", "known"),
    [
        (800, 200, (True, True, True)),
        (510, 490, (True, True, False)),  # perhaps more downvotes than upvotes
        (490, 510, (False, True, False)),
        (200, 800, (False, False, False)),
    ],
)
def test_where_upvotes_may_not_outnumber_downvotes_there_is_no_bound(
    upvotes: int, downvotes: int, known: tuple[bool, bool, bool]
) -> None:
    value, interval = cost_per_net_upvote(10**9, upvotes, downvotes)

    assert (value is not None, interval.low is not None, interval.high is not None) == known


@pytest.mark.parametrize(("cost", "upvotes"), [(None, 1_000), (10**9, MIN_VOTES - 1), (10**9, 0)])
def test_without_a_cost_or_enough_votes_a_net_upvote_has_no_price(cost: int | None, upvotes: int) -> None:
    assert cost_per_net_upvote(cost, upvotes, 0) == (None, Range(None, None))
