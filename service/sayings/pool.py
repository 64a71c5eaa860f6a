"""The warm sayings of one process: a bounded set per contributor, served in equal shares."""

import heapq
import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from service.domain import Saying
from service.limits import DEFAULT_LIMITS, Limits

SAYINGS_PER_MODEL = 60
# When a model has fewer fresh sayings than this, the pool needs another round.
LOW_WATER = 3
# When a model's sayings have been served this often on average, they are stale and the pool needs another round.
SERVES_BEFORE_STALE = 20
# How many serves to one client count for that in a day. Without a bound a single client could have rounds made for it.
SERVES_OF_ONE_CLIENT = 60
_DAY = 86_400.0
# How many missed serves a returning model may catch up on. Without a bound it would be served alone for hours.
CATCH_UP_SERVES = 100


@dataclass(slots=True, eq=False)
class _Warm:
    """A saying in the heap, which orders by serves and breaks ties at random."""

    serves: int
    tie: float
    saying: Saying
    expires_at: float
    counted: int = 0  # the serves that make it stale

    def __lt__(self, other: "_Warm") -> bool:
        return self.serves < other.serves or (self.serves == other.serves and self.tie < other.tie)


@dataclass(slots=True)
class _Shelf:
    """The sayings of one contributor."""

    serves: int = 0
    heap: list[_Warm] = field(default_factory=list)


class Pool:
    """Warm sayings. `ttl` in seconds counts from when a saying was written; `clock` is seconds since the epoch."""

    def __init__(self, *, ttl: float, limits: Limits = DEFAULT_LIMITS, clock: Callable[[], float] = time.time) -> None:
        self._ttl = ttl
        self._clock = clock
        self._most_clients = limits.remembered_addresses
        self._clients: dict[str, int] = {}  # the serves to each since the day began
        self._day = 0.0
        self._shelves: dict[str, _Shelf] = {}
        self._ids: set[str] = set()
        self._kept_out: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, saying_id: object) -> bool:
        return saying_id in self._ids

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._ids)

    def add(self, sayings: Iterable[Saying]) -> int:
        """Add sayings that models wrote, and return how many were new. A full shelf drops its oldest saying.

        The most served saying is not dropped instead, because it may still be among the newest in the store. The next
        fill from the store would then add it again as if it were new.
        """
        return sum(self._add(saying) for saying in sayings)

    def take(self, client: str = "") -> Saying | None:
        """The least-served saying of the least-served contributor, or None when no fresh saying is left.

        `client` is any name for the client that it is for, such as its address.
        """
        now = self._clock()
        while True:
            shelf = self._least_served()
            if shelf is None:
                return None
            warm = shelf.heap[0]
            if warm.expires_at > now:
                shelf.serves += 1
                warm.serves += 1
                served = self._clients.get(client, 0)
                if served < SERVES_OF_ONE_CLIENT:
                    self._clients[client] = served + 1
                    warm.counted += 1
                warm.tie = random.random()
                heapq.heapreplace(shelf.heap, warm)
                return warm.saying
            heapq.heappop(shelf.heap)
            self._ids.discard(warm.saying.saying_id)

    def keep_out(self, saying_ids: frozenset[str]) -> None:
        """Drop these sayings and add none of them from now on. They take the place of those kept out so far."""
        self._kept_out = saying_ids
        self.drop(saying_ids)

    def drop(self, saying_ids: Collection[str]) -> None:
        """Remove those of the sayings that are in the pool."""
        found = self._ids.intersection(saying_ids)
        if not found:
            return
        self._ids -= found
        for shelf in self._shelves.values():
            shelf.heap = [warm for warm in shelf.heap if warm.saying.saying_id not in found]
            heapq.heapify(shelf.heap)

    def size_of(self, contributor: str) -> int:
        """The number of a contributor's sayings, including expired ones that have not been removed yet."""
        shelf = self._shelves.get(contributor)
        return len(shelf.heap) if shelf else 0

    def lacks(self, contributor: str) -> bool:
        """Whether a contributor has too few fresh sayings, or ones that many clients have been served."""
        now = self._clock()
        self._forget_clients(now)
        fresh = [warm for warm in self._shelf(contributor).heap if warm.expires_at > now]
        return len(fresh) < LOW_WATER or sum(warm.counted for warm in fresh) >= SERVES_BEFORE_STALE * len(fresh)

    def _forget_clients(self, now: float) -> None:
        if now - self._day >= _DAY or len(self._clients) > self._most_clients:
            self._day = now
            self._clients.clear()

    def _add(self, saying: Saying) -> bool:
        if saying.generation is None or saying.saying_id in self._ids or saying.saying_id in self._kept_out:
            return False
        expires_at = saying.generation.created_at + self._ttl
        if expires_at <= self._clock():
            return False
        shelf = self._shelf(saying.contributor)
        if not shelf.heap:
            shelf.serves = max(shelf.serves, self._most_serves() - CATCH_UP_SERVES)
        elif len(shelf.heap) >= SAYINGS_PER_MODEL and not self._drop_one_before(expires_at, shelf):
            return False
        heapq.heappush(shelf.heap, _Warm(0, random.random(), saying, expires_at))
        self._ids.add(saying.saying_id)
        return True

    def _shelf(self, contributor: str) -> _Shelf:
        return self._shelves.setdefault(contributor, _Shelf())

    def _most_serves(self) -> int:
        return max(shelf.serves for shelf in self._shelves.values())

    def _least_served(self) -> _Shelf | None:
        """The shelf to serve from next, among those that are not empty. Ties are broken at random."""
        least: list[_Shelf] = []
        for shelf in self._shelves.values():
            if not shelf.heap:
                continue
            if not least or shelf.serves < least[0].serves:
                least = [shelf]
            elif shelf.serves == least[0].serves:
                least.append(shelf)
        if len(least) < 2:
            return least[0] if least else None
        return random.choice(least)

    def _drop_one_before(self, expiry: float, shelf: _Shelf) -> bool:
        """Drop the oldest saying if it expires before that time; returns whether one was dropped."""
        oldest = min(shelf.heap, key=lambda warm: warm.expires_at)
        if oldest.expires_at >= expiry:
            return False
        shelf.heap.remove(oldest)
        heapq.heapify(shelf.heap)
        self._ids.discard(oldest.saying.saying_id)
        return True
