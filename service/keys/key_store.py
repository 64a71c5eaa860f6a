"""An async cache of API keys with a time to live.

Callers that want the same key share one fetch. Each key expires on its own, by a monotonic clock. Shortly before, the
next call of `get` starts a refresh in the background, while all callers go on using the current key. When the source
fails, a known key is served for up to an hour more. A failed fetch is remembered for a few seconds, so that the source
is not flooded with calls that it denies.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from cachetools import TTLCache

from service.errors import KeyStoreError, KeyStoreUnavailable, cause_of
from service.keys.secret import Secret
from service.keys.sources import KeySource
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from telemetry.events import DependencyFailed, Listener, Unexpected

STALE_SECONDS = 3600.0
FAILURE_MEMORY_SECONDS = 5.0
# A key is refreshed at a random point between these fractions of its time to live, so that the processes of a fleet do
# not all call the source at once.
EARLIEST_REFRESH = 0.80
LATEST_REFRESH = 0.95


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key with its times on the store's clock. When the source fails, `expires_at` moves to `stale_until`."""

    secret: Secret
    refresh_at: float
    expires_at: float
    stale_until: float


class KeyStore:
    """The keys by the name of their parameter. The store must be closed.

    `ttl` is the time to live in seconds, and `clock` a monotonic clock in seconds.
    """

    def __init__(
        self,
        source: KeySource,
        listener: Listener,
        *,
        ttl: float = 300.0,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._listener = listener
        self._ttl = ttl
        self._fetch_seconds = timeouts.key_fetch
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._fetches: dict[str, asyncio.Task[Secret | KeyStoreError]] = {}
        self._failures: TTLCache[str, KeyStoreError] = TTLCache(64, FAILURE_MEMORY_SECONDS, timer=clock)

    async def get(self, name: str) -> Secret:
        """The key in this parameter. Raises KeyStoreError.

        A cancelled caller does not cancel the fetch that other callers may be waiting for.
        """
        entry = self._entries.get(name)
        if entry is not None:
            now = self._clock()
            if now < entry.refresh_at:
                return entry.secret
            if now < entry.expires_at:
                self._refresh_in_background(name)
                return entry.secret
        return await self._get_slowly(name)

    def invalidate(self, name: str, rejected: Secret) -> None:
        """Forget a key that the vendor rejected, unless it has been replaced since."""
        entry = self._entries.get(name)
        if entry is not None and entry.secret == rejected:
            del self._entries[name]

    async def close(self) -> None:
        """Cancel the fetches that are still running."""
        fetches = list(self._fetches.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)

    async def _get_slowly(self, name: str) -> Secret:
        outcome: Secret | KeyStoreError | None = self._failures.get(name)
        if outcome is None:
            outcome = await asyncio.shield(self._fetch(name))
        if isinstance(outcome, Secret):
            return outcome
        entry = self._entries.get(name)
        if entry is not None and self._clock() < entry.expires_at:  # the failure has moved it to `stale_until`
            return entry.secret
        # Each caller gets a new exception, because one that is raised again and again collects all their tracebacks.
        raise type(outcome)(*outcome.args)

    def _refresh_in_background(self, name: str) -> None:
        if name not in self._failures:
            self._fetch(name)

    def _fetch(self, name: str) -> asyncio.Task[Secret | KeyStoreError]:
        """The running fetch of this key, which is started if there is none."""
        fetch = self._fetches.get(name)
        if fetch is None:
            fetch = asyncio.create_task(self._load(name), name=f"fetch key {name}")
            self._fetches[name] = fetch
            fetch.add_done_callback(lambda done: self._settled(name, done))
        return fetch

    def _settled(self, name: str, fetch: asyncio.Task[Secret | KeyStoreError]) -> None:
        del self._fetches[name]
        defect = None if fetch.cancelled() else fetch.exception()
        if defect is not None:  # reported here, because no caller awaits a refresh in the background
            self._listener.emit(Unexpected("fetch key", defect))

    async def _load(self, name: str) -> Secret | KeyStoreError:
        try:
            async with asyncio.timeout(self._fetch_seconds):
                secret = await self._source.fetch(name)
        except TimeoutError:
            return self._failed(name, KeyStoreUnavailable("The key store did not answer in time."))
        except KeyStoreError as error:
            return self._failed(name, error)
        self._entries[name] = self._new_entry(secret)
        return secret

    def _new_entry(self, secret: Secret) -> _Entry:
        now = self._clock()
        refresh_after = self._ttl * random.uniform(EARLIEST_REFRESH, LATEST_REFRESH)
        return _Entry(secret, now + refresh_after, now + self._ttl, now + self._ttl + STALE_SECONDS)

    def _failed(self, name: str, error: KeyStoreError) -> KeyStoreError:
        """Remember and report the failure.

        A known key stays valid until `stale_until`, so that no caller waits for the source while it is down.
        """
        self._failures[name] = error
        entry = self._entries.get(name)
        if entry is not None:
            self._entries[name] = replace(entry, expires_at=entry.stale_until)
        self._listener.emit(DependencyFailed("key store", "fetch", type(error).__name__, str(error), cause_of(error)))
        return error
