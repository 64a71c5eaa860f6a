"""Estimates and their 95 % intervals, where votes of one voter, and votes on one item, resemble each other.

The variance has two parts. One is that of independent votes. The other is what their resemblance adds to it, estimated
from how far groups formed at random differ (Wolter 2007, Introduction to Variance Estimation, chapter 2). The groups of
voters and those of items overlap, so that the variances found by both are added and the common part is taken off
(Cameron, Gelbach and Miller 2011, Robust Inference with Multiway Clustering).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.statistics.samples import Groups, Sample
from service.statistics.schemas import Interval
from service.store.wilson import SIGMAS, wilson

CONFIDENCE = 0.95
# No approval is given for fewer votes. Even with 120 independent ones, the interval extends nine points to either side.
MIN_VOTES = 120
# No share of answers is given for fewer calls.
MIN_CALLS = 30

UNKNOWN = Interval(None, None, None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share, or a sum of shares with signs, and its variance.

    `independent` is the variance of independent votes and `excess` what their resemblance adds to it, which is known
    with `freedom` degrees of freedom.
    """

    value: float
    independent: float
    excess: float
    freedom: float

    @property
    def variance(self) -> float:
        return self.independent + self.excess

    def reach(self, sigmas: float) -> float:
        """How far the truth may be from the value, at the confidence that a normal distribution has at these sigmas."""
        if not self.excess:
            return sigmas * math.sqrt(self.independent)
        return math.sqrt(sigmas**2 * self.independent + student(sigmas, self.freedom) ** 2 * self.excess)

    def plus(self, number: float) -> "Estimate":
        return replace(self, value=self.value + number)

    def scaled(self, ratio: float) -> "Estimate":
        """The same with this much of its variance, as if there were more votes of the same voters and items."""
        return replace(self, independent=self.independent * ratio, excess=self.excess * ratio)


def student(sigmas: float, freedom: float) -> float:
    """The quantile of Student's distribution that belongs to so many standard deviations of the normal one.

    Wallace, D. L.: Bounds on normal approximations to Student's and the chi-square distributions. Annals of
    Mathematical Statistics 30 (1959), 1121-1130. At 95 % it is too long by 4 % for two degrees of freedom, by 2 % for
    three, and by less for more.
    """
    normal = sigmas * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(min(normal**2 / freedom, 700.0)))


def estimate(*terms: tuple[int, Sample]) -> Estimate:
    """The sum of the shares of upvotes, each with its sign. What the terms have in common is allowed for."""
    if not all(sample.votes for _, sample in terms):
        return Estimate(0.0, math.inf, 0.0, 0.0)
    by_voter = [(sign, sample.by_voter) for sign, sample in terms]
    by_item = [(sign, sample.by_item) for sign, sample in terms]
    return clustered(
        sum(sign * sample.share for sign, sample in terms),
        sum(independent_variance(sample.upvotes, sample.votes) for _, sample in terms),
        (_spread(by_voter), _spread(by_item)),
        min(effective(groups.votes) for _, groups in by_voter + by_item) - 1,
    )


def clustered(value: float, independent: float, spreads: tuple[float, ...], freedom: float) -> Estimate:
    """The estimate with the variance found by each kind of group. Fewer than two groups say nothing about it."""
    if freedom < 1:
        return Estimate(value, independent, math.inf, 1.0)
    together = sum(spreads) - (len(spreads) - 1) * independent
    return Estimate(value, independent, max(together, *spreads, independent) - independent, freedom)


def effective(sizes: Sequence[int]) -> float:
    """How many groups of equal size would say as much about how groups differ. 0 if all are empty.

    What a group adds to the variance goes with the square of its size (Satterthwaite 1946, An Approximate Distribution
    of Estimates of Variance Components).
    """
    squares = [size * size for size in sizes]
    fourth = sum([square * square for square in squares])
    return sum(squares) ** 2 / fourth if fourth else 0.0


def independent_variance(upvotes: int, votes: int) -> float:
    """The variance of a share of so many independent votes. One more of each kind keeps it from being 0."""
    share = (upvotes + 1) / (votes + 2)
    return share * (1 - share) / votes


def share_interval(sample: Sample, *, named: bool) -> Interval:
    """The share of upvotes, if it may be named, with Wilson's interval for as many votes as the sample is worth."""
    found = estimate((1, sample))
    return Interval(sample.share if named else None, *wilson(sample.share, _worth(found, sample.votes)))


def design_effect(sample: Sample) -> float | None:
    """By how much the variance is larger than that of independent votes. None if it cannot be known."""
    found = estimate((1, sample))
    return found.variance / found.independent if math.isfinite(found.variance) else None


def difference_interval(one: Sample, other: Sample) -> Interval:
    """The share of the one minus that of the other. Unknown with fewer than MIN_VOTES votes on either."""
    found = estimate((1, one), (-1, other))
    if min(one.votes, other.votes) < MIN_VOTES or not math.isfinite(found.variance):
        return UNKNOWN
    reach = found.reach(SIGMAS)
    return Interval(found.value, max(-1.0, found.value - reach), min(1.0, found.value + reach))


def interval_by_day(answers: int, calls: int, days: Groups) -> Interval:
    """The share of answers, whose interval allows for resemblance within each of the days.

    The days may be only some of those of the calls, if the others are not known one by one.
    """
    known = sum(days.votes)
    if not known:
        return UNKNOWN
    independent = independent_variance(sum(days.upvotes), known)
    found = clustered(0.0, independent, (_spread([(1, days)]),), effective(days.votes) - 1)
    share = answers / calls
    return Interval(share if calls >= MIN_CALLS else None, *wilson(share, _worth(found, calls)))


def _worth(found: Estimate, votes: int) -> float:
    """How many independent votes would say as much as these."""
    if not math.isfinite(found.variance):
        return 0.0
    return votes * found.independent * (SIGMAS / found.reach(SIGMAS)) ** 2


def _spread(terms: Sequence[tuple[int, Groups]]) -> float:
    """The variance of a sum of shares with signs, from how far its groups differ."""
    together = list(map(sum, zip(*(_residuals(*term) for term in terms), strict=True)))
    taking_part = sum(map(any, zip(*(groups.votes for _, groups in terms), strict=True)))
    if taking_part < 2:
        return 0.0
    return taking_part / (taking_part - 1) * math.fsum(part * part for part in together)


def _residuals(sign: int, groups: Groups) -> list[float]:
    """What each group adds to the share, beyond what as many votes of the average would add."""
    votes = sum(groups.votes)
    share, weight = sum(groups.upvotes) / votes, sign / votes
    return [weight * (up - share * all_) for up, all_ in zip(groups.upvotes, groups.votes, strict=True)]
