"""Rate limits per client address."""

import math
import time
from collections.abc import Callable

from cachetools import TTLCache

from service.errors import RateLimited
from service.limits import DEFAULT_LIMITS, Limits, Rate


class RateLimiter:
    """A leaky bucket for each address: it holds the rate's count and drains evenly over the rate's seconds.

    The state of a bucket is the time at which it will be empty, which is at most the rate's seconds away. An address
    without requests for that long therefore has an empty bucket and is forgotten.
    """

    def __init__(
        self, rate: Rate, *, limits: Limits = DEFAULT_LIMITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._drain_seconds = rate.seconds / rate.count  # for one request
        self._burst_seconds = rate.seconds - self._drain_seconds
        self._empty_at: TTLCache[str, float] = TTLCache(limits.remembered_addresses, rate.seconds, timer=clock)

    def admit(self, address: str) -> None:
        """Count a request. Raises RateLimited with the seconds to wait; refused requests are not counted.

        An unknown address ("") has no limit, because it does not belong to a client on the network.
        """
        if not address:
            return
        now = self._clock()
        empty_at = max(now, self._empty_at.get(address, now))
        wait = round(empty_at - now - self._burst_seconds, 3)  # otherwise a rounding error could refuse a request
        if wait > 0:
            raise RateLimited(retry_after=math.ceil(wait))
        self._empty_at[address] = empty_at + self._drain_seconds
