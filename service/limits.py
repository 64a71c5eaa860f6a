"""How much is taken on: requests by one client address, and model calls by the process."""

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from cachetools import TTLCache

from service.errors import ModelsBusy, RateLimited

# Addresses that are remembered, in a few megabytes. In a flood from more of them the oldest begin afresh: such a flood
# is what the limits of the process and the spend caps are for.
MOST_ADDRESSES = 20_000

_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


class Limit(StrEnum):
    """What a client's requests are counted as."""

    READ = "read"
    VOTE = "vote"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Rate | None":
        """`60/minute` as a rate; None for `off`. Raises ValueError."""
        if text == "off":
            return None
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is neither off nor a rate such as 60/minute")
        return cls(int(match[1]), _SECONDS[match[2]])


class RateLimiter:
    """A leaky bucket for each address: the rate's count at once, and then one more as each has drained.

    All there is to know about a bucket is when it will be empty, which is not later than the rate's time from now: an
    address that nothing was heard of for so long is forgotten.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._one = rate.seconds / rate.count
        self._patience = rate.seconds - self._one
        self._empty_at: TTLCache[str, float] = TTLCache(MOST_ADDRESSES, rate.seconds, timer=clock)

    def admit(self, address: str) -> None:
        """Count a request. Raises RateLimited, which says when to come again; those are not counted.

        An address that nobody could tell ("") has no limit: it is no client of the network's.
        """
        if not address:
            return
        now = self._clock()
        empty_at = max(now, self._empty_at.get(address, now))
        wait = round(empty_at - now - self._patience, 3)  # or a rounding error would cost a request
        if wait > 0:
            raise RateLimited(retry_after=math.ceil(wait))
        self._empty_at[address] = empty_at + self._one


class LiveCalls:
    """Places for model calls that somebody waits for."""

    def __init__(self, places: int) -> None:
        self._free = places

    def take(self, count: int) -> None:
        """Occupy places, for `give_back` to free. Raises ModelsBusy when there are not as many."""
        if count > self._free:
            raise ModelsBusy("As many model calls as may be are under way.")
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Occupy places for the block. Raises ModelsBusy."""
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
