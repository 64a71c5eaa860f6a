"""API keys behind an async time-to-live store: one fetch however many wait, served stale when the source is down.

Each key lives its own life on a monotonic clock. A little before a life ends one caller's visit starts a refresh in the
background while everybody goes on with the key at hand; when the source fails, a known key is served for up to an hour
more. What could not be fetched is remembered for a few seconds, so that a denial is not hammered.
"""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cachetools import TTLCache

from service.errors import (
    ConfigError,
    KeyAccessDenied,
    KeyNotFound,
    KeyStoreError,
    KeyStoreThrottled,
    KeyStoreUnavailable,
)
from service.secret import Secret
from telemetry.events import DependencyFailed, Listener, Unexpected

if TYPE_CHECKING:
    from types_aiobotocore_ssm.client import SSMClient

FETCH_TIMEOUT_SECONDS = 3.0
STALE_SECONDS = 3600.0
FAILURE_MEMORY_SECONDS = 5.0
# A life is refreshed in its last fifth, each at a random point, so that a fleet does not ask in step.
EARLIEST_REFRESH = 0.80
LATEST_REFRESH = 0.95
# What an HTTP header can carry.
_A_KEY = re.compile(r"[!-~]+")


class KeySource(Protocol):
    """Where keys come from. `fetch` raises a KeyStoreError and nothing else."""

    async def fetch(self, name: str) -> Secret: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and its life. When the source fails, `expires_at` moves to `stale_until`."""

    secret: Secret
    refresh_at: float
    expires_at: float
    stale_until: float


class KeyStore:
    """Keys by parameter name. Must be closed; `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        source: KeySource,
        listener: Listener,
        *,
        ttl: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._listener = listener
        self._ttl = ttl
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._fetches: dict[str, asyncio.Task[Secret | KeyStoreError]] = {}
        self._failures: TTLCache[str, KeyStoreError] = TTLCache(64, FAILURE_MEMORY_SECONDS, timer=clock)

    async def get(self, name: str) -> Secret:
        """The key of that parameter. Raises KeyStoreError; a cancelled caller cancels nobody else's fetch."""
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
        """Cancel the fetches still under way."""
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
        if entry is not None and self._clock() < entry.expires_at:  # which the failure has put off
            return entry.secret
        # A new instance each time: one exception raised for many callers would gather all their tracebacks.
        raise type(outcome)(*outcome.args)

    def _refresh_in_background(self, name: str) -> None:
        if name not in self._failures:
            self._fetch(name)

    def _fetch(self, name: str) -> asyncio.Task[Secret | KeyStoreError]:
        """The one fetch of that key under way, started if there is none."""
        fetch = self._fetches.get(name)
        if fetch is None:
            fetch = asyncio.create_task(self._load(name), name=f"fetch key {name}")
            self._fetches[name] = fetch
            fetch.add_done_callback(lambda done: self._settled(name, done))
        return fetch

    def _settled(self, name: str, fetch: asyncio.Task[Secret | KeyStoreError]) -> None:
        del self._fetches[name]
        defect = None if fetch.cancelled() else fetch.exception()
        if defect is not None:  # told here, because nobody awaits a refresh in the background
            self._listener.emit(Unexpected("fetch key", defect))

    async def _load(self, name: str) -> Secret | KeyStoreError:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
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
        """Remember and report it; a key that is known lives on, and nobody waits for the source until it is back."""
        self._failures[name] = error
        entry = self._entries.get(name)
        if entry is not None:
            self._entries[name] = replace(entry, expires_at=entry.stale_until)
        cause = type(error.__cause__).__name__ if error.__cause__ else ""
        self._listener.emit(DependencyFailed("key store", "fetch", type(error).__name__, str(error), cause))
        return error


class SsmKeySource:
    """SecureString parameters of SSM Parameter Store, decrypted."""

    def __init__(self, client: "SSMClient") -> None:
        self._client = client

    async def fetch(self, name: str) -> Secret:
        async with _translated_errors():
            answer = await self._client.get_parameter(Name=name, WithDecryption=True)
            # Pasted keys often end in a line break.
            value = answer["Parameter"]["Value"].strip()
        if not _A_KEY.fullmatch(value):
            raise KeyNotFound("The key parameter does not hold a key.")
        return Secret(value)


class EnvironmentKeySource:
    """Keys from environment variables: `variables` maps a parameter name to the variable that stands in for it."""

    def __init__(self, environ: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self._secrets = {
            name: Secret(_checked(variable, environ[variable]))
            for name, variable in variables.items()
            if variable in environ
        }

    def __contains__(self, name: object) -> bool:
        return name in self._secrets

    async def fetch(self, name: str) -> Secret:
        if name not in self._secrets:
            raise KeyNotFound("The environment has no such key.")
        return self._secrets[name]


def _checked(variable: str, key: str) -> str:
    if not key:
        raise ConfigError(variable, "is empty; unset it or give it a key")
    if not _A_KEY.fullmatch(key):
        raise ConfigError(variable, "has white space or other characters in it that no key has")
    return key


class FixedKeySource:
    """The same key for every name: what the simulator is called with."""

    def __init__(self, key: str) -> None:
        self._secret = Secret(key)

    async def fetch(self, name: str) -> Secret:
        return self._secret


class PrefixedKeySource:
    """Only those keys of another source that begin in a certain way: a real one never reaches the simulator."""

    def __init__(self, source: KeySource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    async def fetch(self, name: str) -> Secret:
        secret = await self._source.fetch(name)
        if not secret.reveal().startswith(self._prefix):
            raise KeyAccessDenied("The key was not made for the simulator.")
        return secret


_DENIED = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId",
     "InvalidSignatureException", "ExpiredTokenException", "KMSAccessDeniedException", "InvalidKeyId"}
)  # fmt: skip
_NOT_FOUND = frozenset({"ParameterNotFound", "ParameterVersionNotFound"})
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyUpdates", "RequestLimitExceeded"})


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """botocore's errors as ours; `from` keeps the cause for its class, our message says nothing it said."""
    from botocore.exceptions import BotoCoreError, ClientError  # only here once the client exists anyway

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NOT_FOUND:
            raise KeyNotFound("There is no such key parameter.") from error
        if code in _DENIED:
            raise KeyAccessDenied("The key parameter may not be read.") from error
        if code in _THROTTLED:
            raise KeyStoreThrottled("The key store asks for fewer calls.") from error
        raise KeyStoreUnavailable("The key store failed.") from error
    except (BotoCoreError, OSError) as error:
        raise KeyStoreUnavailable("The key store cannot be reached.") from error
    except Exception as error:  # for an answer that is not what it documents botocore has no error, it trips over it
        raise KeyStoreUnavailable("The key store's answer makes no sense.") from error
