"""Latencies as counts by bucket: two histograms are merged by adding, whichever process counted them.

Buckets grow by 2**(1/16), so that a percentile read from them is off by 2.2 % at most, well within the 5 % promised.
"""

import math
from collections.abc import Mapping

_PER_OCTAVE = 16
RELATIVE_ERROR = 2 ** (0.5 / _PER_OCTAVE) - 1


def bucket_of(milliseconds: float) -> int:
    """The bucket of a latency: index i holds values in (2**((i-1)/16), 2**(i/16)]; nothing is below a microsecond."""
    return math.ceil(math.log2(max(milliseconds, 0.001)) * _PER_OCTAVE)


def bounds(index: int) -> tuple[float, float]:
    """The milliseconds above which and up to which values fall into that bucket."""
    return 2 ** ((index - 1) / _PER_OCTAVE), 2 ** (index / _PER_OCTAVE)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The latency in milliseconds that this share of the calls (0 to 1) does not exceed; None without calls."""
    rank = math.ceil(share * sum(buckets.values()))
    seen = 0
    for index in sorted(buckets):
        seen += buckets[index]
        if seen >= max(rank, 1):
            return 2 ** ((index - 0.5) / _PER_OCTAVE)
    return None
