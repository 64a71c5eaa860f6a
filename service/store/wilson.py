"""Wilson's interval of a share, and what a saying is worth by it."""

import math

SIGMAS = 1.959963984540054  # 95 % of a normal distribution lie within this many standard deviations


def wilson(share: float, votes: float) -> tuple[float, float]:
    """The ends of the 95 % interval of a share observed in this many votes. Without votes it is the interval (0, 1).

    Wilson, E. B.: Probable inference, the law of succession, and statistical inference. JASA 22 (1927), 209-212.
    """
    if not votes:
        return 0.0, 1.0
    weight = SIGMAS * SIGMAS / votes
    centre = share + weight / 2
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4)
    return max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight))


def worth(upvotes: int, downvotes: int) -> float | None:
    """What the best sayings are ordered by: the lower end of the interval of the share of upvotes. None without votes.

    A saying with one vote is worth less than one that many people like, because the interval of few votes is wide.
    """
    votes = upvotes + downvotes
    return wilson(upvotes / votes, votes)[0] if votes else None
