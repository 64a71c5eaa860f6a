"""How often one client address may ask."""

import math
import time
from collections.abc import Callable

from cachetools import TTLCache

from service.errors import RateLimited
from service.limits import DEFAULT_LIMITS, Limits, Rate


class RateLimiter:
    """A leaky bucket for each address: the rate's count at once, and then one more as each has drained.

    All there is to know about a bucket is when it will be empty, which is not later than the rate's time from now: an
    address that nothing was heard of for so long is forgotten.
    """

    def __init__(
        self, rate: Rate, *, limits: Limits = DEFAULT_LIMITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._one = rate.seconds / rate.count
        self._patience = rate.seconds - self._one
        self._empty_at: TTLCache[str, float] = TTLCache(limits.remembered_addresses, rate.seconds, timer=clock)

    def admit(self, address: str) -> None:
        """Count a request. Raises RateLimited, which says when to come again; those are not counted.

        An unknown address ("") has no limit, because it does not belong to a client on the network.
        """
        if not address:
            return
        now = self._clock()
        empty_at = max(now, self._empty_at.get(address, now))
        wait = round(empty_at - now - self._patience, 3)  # or a rounding error would cost a request
        if wait > 0:
            raise RateLimited(retry_after=math.ceil(wait))
        self._empty_at[address] = empty_at + self._one
