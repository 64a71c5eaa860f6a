"""What the statistics claim, held against truths that are known: intervals cover them as often as they say."""

import random
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from service.domain import TIE, Outcome
from service.statistics.intervals import cost_per_net_upvote, wilson
from service.statistics.schemas import Interval, Range
from service.statistics.strength import MIN_DECIDED, pairwise, strengths
from tests.statistics.truths import Shares, choices_with_failed_slots, true_strengths, whole_choices

MODELS = ("a", "b", "c", "d")
# Of drawing votes on comparisons: the bounds are about four standard errors from 95 %.
REPETITIONS = 600


def is_calibrated(coverage: float) -> bool:
    return 0.93 <= coverage <= 0.97


def cast(chance: random.Random, votes: int, approval: float) -> int:
    """The upvotes among so many votes."""
    return sum(chance.random() < approval for _ in range(votes))


@pytest.mark.parametrize("votes", [120, 500, 2_000])
@pytest.mark.parametrize("approval", [0.3, 0.5, 0.62, 0.85])
def test_intervals_of_approval_cover_the_true_one(approval: float, votes: int) -> None:
    chance = random.Random(f"{approval} {votes}")

    ends = [wilson(cast(chance, votes, approval) / votes, votes) for _ in range(1_500)]

    assert is_calibrated(sum(low <= approval <= high for low, high in ends) / len(ends))


@pytest.mark.parametrize("votes", [120, 1_000])
@pytest.mark.parametrize("approval", [0.52, 0.62, 0.85])
def test_intervals_of_the_cost_of_a_net_upvote_cover_the_true_one(approval: float, votes: int) -> None:
    chance = random.Random(f"{approval} {votes}")
    truth = 3.0 / (votes * (2 * approval - 1))

    def covers(upvotes: int) -> bool:
        _, interval = cost_per_net_upvote(3_000_000_000, upvotes, votes - upvotes)
        return lies_in(truth, interval)

    covered = sum(covers(cast(chance, votes, approval)) for _ in range(1_500)) / 1_500

    assert is_calibrated(covered)


def lies_in(truth: float, interval: Interval | Range) -> bool:
    """Whether the interval holds the truth.

    Without an upper bound it is open. Without a lower one it holds nothing: such votes leave no net upvote at any cost.
    """
    return interval.low is not None and interval.low <= truth and (interval.high is None or truth <= interval.high)


CLOSE = dict(zip(MODELS, (1.6, 1.2, 0.9, 0.6), strict=True))
FAR = dict(zip(MODELS, (3.0, 1.0, 0.7, 0.4), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("votes", "appeal", "choices"),
    [
        (int(1.2 * MIN_DECIDED), CLOSE, whole_choices),
        (300, FAR, whole_choices),
        (2_000, CLOSE, whole_choices),
        (300, CLOSE, choices_with_failed_slots),
        (1_000, FAR, choices_with_failed_slots),
    ],
)
def test_intervals_of_strength_cover_the_true_ones(
    votes: int, appeal: Mapping[str, float], choices: Callable[[Mapping[str, float]], Shares]
) -> None:
    shares = choices(appeal)
    truth = true_strengths(shares)
    chance = random.Random(f"{votes}")
    covered = Counter[bool]()

    for _ in range(REPETITIONS):
        counts = Counter(chance.choices(list(shares), list(shares.values()), k=votes))
        covered.update(lies_in(truth[name], found) for name, found in strengths(counts, resamples=39).items())

    assert covered.total() > 0.9 * REPETITIONS * len(MODELS)
    assert is_calibrated(covered[True] / covered.total())


def test_intervals_over_pairs_instead_of_votes_would_be_too_narrow() -> None:
    shares = whole_choices(CLOSE)
    truth = true_strengths(shares)
    chance = random.Random(5)
    covered = Counter[bool]()

    for _ in range(REPETITIONS // 3):
        counts = Counter(chance.choices(list(shares), list(shares.values()), k=500))
        wins, ties = pairwise(counts)
        pairs = {Outcome(tuple(sorted(pair)), pair[0]): votes for pair, votes in wins.items()}
        pairs |= {Outcome(pair, TIE): votes for pair, votes in ties.items() if pair[0] < pair[1]}
        covered.update(lies_in(truth[name], found) for name, found in strengths(pairs, resamples=39).items())

    assert covered[True] / covered.total() < 0.93
