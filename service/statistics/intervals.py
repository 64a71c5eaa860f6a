"""How sure a share can be: Wilson's interval, and what follows from it for the cost of a net upvote."""

import math

from service.catalogue.models import NANOS_PER_DOLLAR
from service.statistics.schemas import Interval, Range

CONFIDENCE = 0.95
# Below it no approval is named: a Wilson interval of 120 votes is still about nine points to either side.
MIN_VOTES = 120

_Z = 1.959963984540054  # of the normal distribution, 95 % lie within as many standard deviations


def wilson(share: float, votes: float) -> tuple[float, float]:
    """The ends of the 95 % interval of a share seen in so many votes; all there is without votes.

    Wilson, E. B.: Probable inference, the law of succession, and statistical inference. JASA 22 (1927), 209-212.
    """
    if not votes:
        return 0.0, 1.0
    weight = _Z * _Z / votes
    centre = share + weight / 2
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4)
    return max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight))


def approval(upvotes: int, downvotes: int) -> Interval:
    """The share of upvotes; its value is None below MIN_VOTES, its ends are always given."""
    votes = upvotes + downvotes
    share = upvotes / votes if votes else 0.0
    low, high = wilson(share, votes)
    return Interval(share if votes >= MIN_VOTES else None, low, high)


def cost_per_net_upvote(cost_nanos: int | None, upvotes: int, downvotes: int) -> tuple[float | None, Range]:
    """US dollars per upvote more than downvotes, and its 95 % interval: the cost is known, only the votes are not sure.

    The value is None when upvotes do not outnumber downvotes, an end of the interval when that may be so there, all
    without a cost or below MIN_VOTES.
    """
    votes = upvotes + downvotes
    if cost_nanos is None or votes < MIN_VOTES:
        return None, Range(None, None)
    lowest, highest = (votes * (2 * end - 1) for end in wilson(upvotes / votes, votes))
    range_ = Range(low=_dollars_per(cost_nanos, highest), high=_dollars_per(cost_nanos, lowest))
    return _dollars_per(cost_nanos, upvotes - downvotes), range_


def _dollars_per(nanos: int, net: float) -> float | None:
    return nanos / net / NANOS_PER_DOLLAR if net > 0 else None
