"""Rate limits per client network."""

import math
import time
from collections.abc import Callable

from cachetools import TTLCache

from service.errors import RateLimited
from service.limits import DEFAULT_LIMITS, Limits, Rate
from service.resilience.networks import networks


class RateLimiter:
    """A leaky bucket for each network: it holds the rate's count and drains evenly over the rate's seconds.

    A network with the allowance of several addresses has a bucket that is as many times larger and drains as many times
    faster. The state of a bucket is the time at which it will be empty, which is at most the rate's seconds away. A
    network without requests for that long therefore has an empty bucket and is forgotten.
    """

    def __init__(
        self, rate: Rate, *, limits: Limits = DEFAULT_LIMITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._empty_at: TTLCache[str, float] = TTLCache(limits.remembered_addresses, rate.seconds, timer=clock)

    def admit(self, address: str) -> None:
        """Count a request. Raises RateLimited with the seconds to wait; refused requests are not counted.

        An unknown address ("") has no limit, because it does not belong to a client on the network.
        """
        now = self._clock()
        filled = {}
        for network, times in networks(address):
            drain_seconds = self._rate.seconds / (self._rate.count * times)  # for one request
            empty_at = max(now, self._empty_at.get(network, now)) + drain_seconds
            wait = round(empty_at - now - self._rate.seconds, 3)  # otherwise a rounding error could refuse a request
            if wait > 0:
                raise RateLimited(retry_after=math.ceil(wait))
            filled[network] = empty_at
        self._empty_at.update(filled)
