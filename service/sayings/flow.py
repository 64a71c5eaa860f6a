"""The source of the next saying: decided by the request's number alone, then fetched, with fallbacks."""

import random
import time
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count

import msgspec

from service.catalogue.collection import collection
from service.catalogue.models import Model
from service.catalogue.topics import Topics
from service.domain import CallKind, Generation, Origin, Saying
from service.errors import DependencyError, ModelBadResponse, ModelError, ModelNotAsked, NoSayingAvailable, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.gateway import Gateway
from service.resilience.timeouts import Drain, is_time_for, store_guard, within
from service.sayings.pool import Pool
from service.sayings.serve_counter import ServeCounter
from service.sayings.wish import ANYTHING, Wish, short_id
from service.store.base import Store
from telemetry.events import Listener, SayingServed

DATABASE_REQUESTS = 3
LIVE_REQUEST = 4
# How many sayings the database is asked for, one after the other, until there is one that the client has not seen.
UNSEEN_DRAWS = 3

# The origins to try, in order. When the database fails, a warm pool is better than a builtin saying.
_CHAINS = {
    Origin.LIVE: (Origin.LIVE, Origin.CACHE, Origin.DATABASE),
    Origin.CACHE: (Origin.CACHE, Origin.DATABASE),
    Origin.DATABASE: (Origin.DATABASE, Origin.CACHE),
}


def wanted_origin(request_number: int, live_every: int = 0) -> Origin:
    """The origin that a process's n-th request (counted from 1) should have. This is a pure function.

    Requests 1 to 3 use the database, which is fast while the pool is still cold. Request 4 shows a live generation. The
    rest come from the pool, except that every `live_every`-th one is live (0: none).
    """
    if request_number <= DATABASE_REQUESTS:
        return Origin.DATABASE
    if request_number == LIVE_REQUEST or (live_every and request_number % live_every == 0):
        return Origin.LIVE
    return Origin.CACHE


class Served(msgspec.Struct, frozen=True, gc=False):
    """A saying to be served to a client.

    `degraded` is the first reason why it is not from the wanted origin. `api_latency_ms` is set when this request
    called a model, `generation` when that call succeeded.
    """

    saying: Saying
    origin: Origin
    request_number: int
    degraded: str | None = None
    api_latency_ms: float | None = None
    generation: Generation | None = None


@dataclass(slots=True)
class _Search:
    """What a search along the chain of origins for a client, with its wish, has found so far."""

    client: str
    wish: Wish
    degraded: str | None = None
    api_latency_ms: float | None = None
    generation: Generation | None = None


class Flow:
    """Serves sayings. `models` are the participating models, those whose vendor has a key.

    `withdrawn` has the ids of the sayings that are never served. The pool and the store leave them out by themselves.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        store: Store,
        gateway: Gateway,
        serves: ServeCounter,
        listener: Listener,
        topics: Topics,
        models: Sequence[Model],
        live_every: int = 0,
        last_resort: bool = True,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        choose_model: Callable[[Sequence[Model]], Model] = random.choice,
    ) -> None:
        self._pool = pool
        self._store = store
        self._gateway = gateway
        self._serves = serves
        self._listener = listener
        self._topics = topics
        self._models = models
        self._live_every = live_every
        self._last_resort = last_resort
        self._withdrawn = withdrawn
        self._choose_model = choose_model
        self._numbers = count(1)
        self._timeouts = timeouts
        self._drain = Drain(timeouts.drain)

    async def next_saying(self, client: str = "", wish: Wish = ANYTHING) -> Served:
        """The next saying for the client with that address, and one that the wish allows while there are such.

        Raises NoSayingAvailable, which can only happen when the last resort is off or empty.
        """
        number = next(self._numbers)
        wanted = wanted_origin(number, self._live_every)
        if wanted is Origin.CACHE and (saying := self._pool.take(client, wish)):
            return self._serve(Served(saying, wanted, number))
        return self._serve(await self._search(wanted, number, _Search(client, wish)))

    def drain(self) -> None:
        """Cut live calls short, so that the waiting clients get a saying from another origin."""
        self._drain.begin()

    def _serve(self, served: Served) -> Served:
        self._serves.count(served.saying.contributor)
        self._listener.emit(SayingServed(served.origin, served.request_number, served.degraded))
        return served

    async def _search(self, wanted: Origin, number: int, search: _Search) -> Served:
        chain, service = _CHAINS[wanted], search.wish.service
        for wish in search.wish.and_less():
            search.wish = wish
            if wish.service != service:
                search.degraded = search.degraded or "service_empty"
            found = await self._along(chain, search)
            if found is not None:
                saying, origin = found
                return Served(saying, origin, number, search.degraded, search.api_latency_ms, search.generation)
            chain = _CHAINS[Origin.CACHE]  # no model is called twice
        raise NoSayingAvailable

    async def _along(self, chain: Sequence[Origin], search: _Search) -> tuple[Saying, Origin] | None:
        """A saying that the search's wish allows, from the first origin of the chain that has one, or a builtin one."""
        for origin in chain:
            saying, reason = await self._from(origin, search)
            if saying is not None:
                return saying, origin
            search.degraded = search.degraded or reason
        return self._builtin(search.wish)

    def _builtin(self, wish: Wish) -> tuple[Saying, Origin] | None:
        """A random saying of the collection in memory that the wish allows."""
        candidates = _collection() if self._last_resort else ()
        allowed = [
            saying
            for short, saying in candidates
            if wish.allows(saying, short) and saying.saying_id not in self._withdrawn
        ]
        return (random.choice(allowed), Origin.BUILTIN) if allowed else None

    async def _from(self, origin: Origin, search: _Search) -> tuple[Saying | None, str | None]:
        """A saying of that origin, or None with the reason.

        There is no reason when only the wish rules out what there is: then the client does not get less than it wants.
        """
        if origin is Origin.CACHE:
            saying = self._pool.take(search.client, search.wish)
            return saying, None if len(self._pool) else "pool_empty"
        if origin is Origin.DATABASE:
            return await self._from_database(search.wish)
        return await self._from_model(search)

    async def _from_database(self, wish: Wish) -> tuple[Saying | None, str | None]:
        """A random saying that the wish allows. The database cannot be asked for a service."""
        if wish.service is not None:
            return None, None
        try:
            async with store_guard("random saying", within(self._timeouts.saying_read), self._listener):
                for _ in range(UNSEEN_DRAWS):
                    saying = await self._store.random_saying()
                    if saying is None:
                        return None, "database_empty"
                    if wish.allows(saying, short_id(saying.saying_id)):
                        return saying, None
                return None, None
        except StoreError as error:
            return None, error.reason

    async def _from_model(self, search: _Search) -> tuple[Saying | None, str | None]:
        models = tuple(self._models)
        if not models:
            return None, "no_model"
        seconds = self._timeouts.live_saying
        if not is_time_for(seconds + self._timeouts.saying_read):  # a model that gets less time would seem to fail
            return None, ModelNotAsked.reason
        deadline = time.monotonic() + seconds
        try:
            async with self._drain.limit(seconds):
                saying = await self._write_live(self._choose_model(models), search)
        except TimeoutError:
            return None, "live_timeout"
        except DependencyError as error:
            if isinstance(error, ModelError):
                search.api_latency_ms = error.api_time_ms
            return None, error.reason
        await self._keep(saying, deadline - time.monotonic())
        return saying, None

    async def _write_live(self, model: Model, search: _Search) -> Saying:
        service = search.wish.service or random.choice(self._topics.names)
        written = await self._gateway.write(
            model, [service], kind=CallKind.LIVE, timeout=self._timeouts.live_model, client=search.client
        )
        search.api_latency_ms = written.generation.latency_ms
        if not written.sayings or written.sayings[0].saying_id in self._withdrawn:
            error = ModelBadResponse("The model wrote nothing that may be shown.")
            error.api_time_ms = written.generation.latency_ms
            raise error
        search.generation = written.generation
        return written.sayings[0]

    async def _keep(self, saying: Saying, seconds: float) -> None:
        """Store a live saying so that it can be voted on. It is paid for, so it is served even if the store fails."""
        with suppress(StoreError):
            async with store_guard("put saying", min(seconds, self._timeouts.saying_read), self._listener):
                new = await self._store.put_sayings([saying])
            if new:  # otherwise another model wrote the same words first
                self._pool.add([saying])


@cache
def _collection() -> tuple[tuple[int, Saying], ...]:
    """Every hand-written saying with its short id."""
    return tuple((short_id(saying.saying_id), saying) for saying in collection())
