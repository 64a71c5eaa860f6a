"""Latencies as counts by bucket: two histograms are merged by adding, whichever process counted them.

Each bucket is 2**(1/16) times as wide as the one before, so that a percentile read from them is off by at most 2.2 %.
That is well within the promised 5 %.
"""

import math
from collections.abc import Mapping

_PER_OCTAVE = 16
RELATIVE_ERROR = 2 ** (0.5 / _PER_OCTAVE) - 1


def bucket_of(milliseconds: float) -> int:
    """The bucket of a latency: bucket i holds (2**((i-1)/16), 2**(i/16)]. Less than a microsecond counts as one."""
    return math.ceil(math.log2(max(milliseconds, 0.001)) * _PER_OCTAVE)


def bounds(index: int) -> tuple[float, float]:
    """The lower bound (exclusive) and the upper bound (inclusive) of a bucket, in milliseconds."""
    return 2 ** ((index - 1) / _PER_OCTAVE), 2 ** (index / _PER_OCTAVE)


def percentile(buckets: Mapping[int, int], share: float, *, later: int = 0) -> float | None:
    """The latency in milliseconds that this share of the calls (0 to 1) does not exceed.

    `later` is the number of further calls that took longer than any in the buckets. None when the latency is one of
    those, and without calls.
    """
    rank = math.ceil(share * (sum(buckets.values()) + later))
    seen = 0
    for index in sorted(buckets):
        seen += buckets[index]
        if seen >= max(rank, 1):
            return 2 ** ((index - 0.5) / _PER_OCTAVE)
    return None
