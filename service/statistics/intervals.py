"""Confidence intervals: Wilson's interval of a share, and from it the interval of the cost of a net upvote."""

import math

from service.catalogue.models import NANOS_PER_DOLLAR
from service.statistics.schemas import Interval, Range

CONFIDENCE = 0.95
# No approval is given for fewer votes. Even with 120, Wilson's interval extends about nine points to either side.
MIN_VOTES = 120

_Z = 1.959963984540054  # 95 % of a normal distribution lie within this many standard deviations


def wilson(share: float, votes: float) -> tuple[float, float]:
    """The ends of the 95 % interval of a share observed in this many votes. Without votes it is the interval (0, 1).

    Wilson, E. B.: Probable inference, the law of succession, and statistical inference. JASA 22 (1927), 209-212.
    """
    if not votes:
        return 0.0, 1.0
    weight = _Z * _Z / votes
    centre = share + weight / 2
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4)
    return max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight))


def approval(upvotes: int, downvotes: int) -> Interval:
    """The share of upvotes with its interval. The value is None below MIN_VOTES; the ends are always given."""
    votes = upvotes + downvotes
    share = upvotes / votes if votes else 0.0
    low, high = wilson(share, votes)
    return Interval(share if votes >= MIN_VOTES else None, low, high)


def cost_per_net_upvote(cost_nanos: int | None, upvotes: int, downvotes: int) -> tuple[float | None, Range]:
    """The cost in US dollars of each net upvote (upvotes minus downvotes), with its 95 % interval.

    The cost itself is known exactly, so the interval comes from that of the votes. The value is None when upvotes do
    not outnumber downvotes, and an end of the interval is None when they may not do so there. All three are None
    without a cost and below MIN_VOTES.
    """
    votes = upvotes + downvotes
    if cost_nanos is None or votes < MIN_VOTES:
        return None, Range(None, None)
    lowest, highest = (votes * (2 * end - 1) for end in wilson(upvotes / votes, votes))
    range_ = Range(low=_dollars_per(cost_nanos, highest), high=_dollars_per(cost_nanos, lowest))
    return _dollars_per(cost_nanos, upvotes - downvotes), range_


def _dollars_per(nanos: int, net: float) -> float | None:
    return nanos / net / NANOS_PER_DOLLAR if net > 0 else None
