"""The warm sayings of one process: a bounded set per contributor, served in equal shares."""

import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from service.domain import Saying
from service.limits import DEFAULT_LIMITS, Limits
from service.sayings.wish import ANYTHING, Wish, short_id

SAYINGS_PER_MODEL = 60
# When a model has fewer fresh sayings than this, the pool needs another round.
LOW_WATER = 3
# When a model's sayings have been served this often on average, they are stale and the pool needs another round.
SERVES_BEFORE_STALE = 20
# How many serves to one client count for that in a day. Without a bound a single client could have rounds made for it.
SERVES_OF_ONE_CLIENT = 60
_DAY = 86_400.0

# No saying is served this many times as often as the median saying. A round is asked for at half of it.
MOST_TIMES_THE_MEDIAN = 20
# The median is computed anew after this many serves, because that takes as long as several serves.
_SERVES_PER_MEDIAN = 64

# A contributor that has been served this much more than another waits for it.
MOST_AHEAD = 8
# No contributor gets more than so many of so many serves in a row, as long as there are two others.
MOST_IN_A_ROW, ROW = 10, 20
# How many of the serves go to contributors that are further behind, beside their equal share of the others.
_SHARE_OF_THOSE_BEHIND = 0.25
# How many missed serves a returning model may catch up on. Without a bound it would be favoured for hours.
CATCH_UP_SERVES = 100


@dataclass(slots=True, eq=False)
class _Warm:
    saying: Saying
    expires_at: float
    serves: int = 0
    counted: int = 0  # the serves that make it stale


# A saying in a heap, with its short id. The first number orders by serves, and its fraction breaks ties at random.
_Entry = tuple[float, int, _Warm]


@dataclass(slots=True, eq=False)
class _Shelf:
    """The sayings of one contributor, its serves, and how many of the last serves of all were its own."""

    heap: list[_Entry] = field(default_factory=list)
    serves: int = 0
    in_row: int = 0


class Pool:
    """Warm sayings. `ttl` in seconds counts from when a saying was written; `clock` is seconds since the epoch.

    Contributors get equal shares, but which one comes next is drawn among all that are not ahead. If it were always the
    one with the fewest serves, a lone visitor who knows the authors of three sayings would know that of the fourth.
    """

    def __init__(self, *, ttl: float, limits: Limits = DEFAULT_LIMITS, clock: Callable[[], float] = time.time) -> None:
        self._ttl = ttl
        self._clock = clock
        self._most_clients = limits.remembered_addresses
        self._clients: dict[str, int] = {}  # the serves to each since the day began
        self._day = 0.0
        self._shelves: dict[str, _Shelf] = {}
        self._served_below = 0  # a shelf with fewer serves than this may be served, and 0 while one is behind
        self._ids: set[str] = set()
        self._kept_out: frozenset[str] = frozenset()
        self._row: deque[_Shelf] = deque()
        self._most_serves = MOST_TIMES_THE_MEDIAN
        self._until_median = _SERVES_PER_MEDIAN
        self._skips = False  # whether the last search has passed over a shelf that has been served too often

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, saying_id: object) -> bool:
        return saying_id in self._ids

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._ids)

    @property
    def contributors(self) -> int:
        """The number of contributors that have sayings to be served."""
        return sum(bool(shelf.heap) for shelf in self._shelves.values())

    def add(self, sayings: Iterable[Saying]) -> int:
        """Add sayings that models wrote, and return how many were new. A full shelf drops its oldest saying.

        The most served saying is not dropped instead, because it may still be among the newest in the store. The next
        fill from the store would then add it again as if it were new.
        """
        added = sum(self._add(saying) for saying in sayings)
        self._served_below = 0
        self._update_most_serves()
        return added

    def take(self, client: str = "", wish: Wish = ANYTHING) -> Saying | None:
        """One of the least-served sayings that the wish allows, or None when the pool has none.

        `client` is any name for the client that it is for, such as its address. What somebody asks for by its service
        does not count in the shares, so that nobody can shift them.
        """
        taken = self._find(wish)
        if taken is None and self._skips:
            self._update_most_serves()
            taken = self._find(wish)
        if taken is None:
            return None
        shelf, entry = taken
        warm = self._serve(shelf, entry)
        if wish.service is None:
            self._count_share(shelf)
        served = self._clients.get(client, 0)
        if served < SERVES_OF_ONE_CLIENT:
            self._clients[client] = served + 1
            warm.counted += 1
        self._until_median -= 1
        if not self._until_median:
            self._update_most_serves()
        return warm.saying

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
            shelf.heap = [entry for entry in shelf.heap if entry[2].saying.saying_id not in found]
            heapq.heapify(shelf.heap)
        self._update_most_serves()

    def size_of(self, contributor: str) -> int:
        """The number of a contributor's sayings, including expired ones that have not been removed yet."""
        shelf = self._shelves.get(contributor)
        return len(shelf.heap) if shelf else 0

    def lacks(self, contributor: str) -> bool:
        """Whether a contributor has too few fresh sayings, or ones that many clients have been served."""
        now = self._clock()
        self._forget_clients(now)
        self._update_most_serves()
        counted = [warm.counted for _, _, warm in self._shelf(contributor).heap if warm.expires_at > now]
        return (
            len(counted) < LOW_WATER
            or sum(counted) >= SERVES_BEFORE_STALE * len(counted)
            or min(counted) >= self._most_serves // 2
        )

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
        if len(shelf.heap) >= SAYINGS_PER_MODEL and not self._drop_one_before(expires_at, shelf):
            return False
        heapq.heappush(shelf.heap, (random.random(), short_id(saying.saying_id), _Warm(saying, expires_at)))
        self._ids.add(saying.saying_id)
        return True

    def _shelf(self, contributor: str) -> _Shelf:
        return self._shelves.setdefault(contributor, _Shelf())

    def _drop_one_before(self, expiry: float, shelf: _Shelf) -> bool:
        """Drop the oldest saying if it expires before that time; returns whether one was dropped."""
        oldest = min(shelf.heap, key=lambda entry: entry[2].expires_at)
        if oldest[2].expires_at >= expiry:
            return False
        self._remove(oldest, shelf)
        return True

    def _remove(self, entry: _Entry, shelf: _Shelf) -> None:
        shelf.heap.remove(entry)
        heapq.heapify(shelf.heap)
        self._ids.discard(entry[2].saying.saying_id)

    def _find(self, wish: Wish) -> tuple[_Shelf, _Entry] | None:
        """A shelf that is drawn among those that have a saying which the wish allows, and the least-served of these."""
        now, self._skips = self._clock(), False
        shelves = list(self._shelves.values())
        if shelves:
            shelf = _any_of(shelves)
            # Nearly always this one will do, which spares the warm path the comparison of all shelves.
            if shelf.serves < self._served_below and shelf.in_row < MOST_IN_A_ROW:
                entry = self._least_served(shelf, wish, now)
                if entry is not None:
                    return shelf, entry
        shelves = [shelf for shelf in shelves if shelf.heap]
        while shelves:
            shelf = self._draw(shelves)
            entry = self._least_served(shelf, wish, now)
            if entry is not None:
                return shelf, entry
            shelves.remove(shelf)
        return None

    def _least_served(self, shelf: _Shelf, wish: Wish, now: float) -> _Entry | None:
        """The least-served saying of a shelf that the wish allows, unless even that has been served too often."""
        while shelf.heap:
            entry = shelf.heap[0]
            if wish is not ANYTHING and not wish.allows(entry[2].saying, entry[1]):
                allowed = (each for each in shelf.heap if wish.allows(each[2].saying, each[1]))
                found = min(allowed, default=None)
                if found is None:
                    return None
                entry = found
            if entry[2].expires_at <= now:
                self._remove(entry, shelf)
            elif entry[2].serves < self._most_serves:
                return entry
            else:
                self._skips = True
                return None
        return None

    def _draw(self, shelves: Sequence[_Shelf]) -> _Shelf:
        """The shelf to serve from: drawn among those that are not ahead of others, and seldom among those behind."""
        drawn = shelves
        if len(shelves) > 2:  # with two of them, a row like this could only repeat itself
            drawn = [shelf for shelf in shelves if shelf.in_row < MOST_IN_A_ROW]
        serves = [shelf.serves for shelf in drawn]
        least, most = min(serves), max(serves)
        self._served_below = least + MOST_AHEAD if most - least <= MOST_AHEAD else 0
        if self._served_below:
            return _any_of([shelf for shelf in drawn if shelf.serves < self._served_below])
        behind = [shelf for shelf in drawn if shelf.serves < most - MOST_AHEAD]
        for shelf in behind:
            shelf.serves = max(shelf.serves, most - CATCH_UP_SERVES)
        if random.random() < _SHARE_OF_THOSE_BEHIND:
            return _any_of(behind)
        least = min(count for count in serves if count >= most - MOST_AHEAD)
        return _any_of([shelf for shelf in drawn if shelf.serves < least + MOST_AHEAD])

    def _serve(self, shelf: _Shelf, entry: _Entry) -> _Warm:
        _, short, warm = entry
        warm.serves += 1
        served = (warm.serves + random.random(), short, warm)
        if shelf.heap[0] is entry:
            heapq.heapreplace(shelf.heap, served)
        else:
            shelf.heap[shelf.heap.index(entry)] = served
            heapq.heapify(shelf.heap)
        return warm

    def _count_share(self, shelf: _Shelf) -> None:
        shelf.serves += 1
        shelf.in_row += 1
        self._row.append(shelf)
        if len(self._row) == ROW:
            self._row.popleft().in_row -= 1

    def _update_most_serves(self) -> None:
        serves = sorted(warm.serves for shelf in self._shelves.values() for _, _, warm in shelf.heap)
        median = serves[(len(serves) - 1) // 2] if serves else 0
        self._most_serves = MOST_TIMES_THE_MEDIAN * max(1, median)
        self._until_median = _SERVES_PER_MEDIAN


def _any_of(shelves: Sequence[_Shelf]) -> _Shelf:
    return shelves[int(random.random() * len(shelves))]  # random.choice takes five times as long
