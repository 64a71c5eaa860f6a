"""The protocol of a vendor's adapter, and what all adapters share: completions, SDK clients and errors by status."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Annotated, Generic, Protocol, Self, TypeVar

from msgspec import Meta

from service.catalogue.models import Model
from service.domain import Usage
from service.errors import (
    ModelError,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestRejected,
    ModelSpendLimitReached,
)
from service.keys.secret import Secret
from service.llm.prompt import Prompt

# A vendor may ask for any delay. After an hour we try again nevertheless; the vendor can ask for more then.
MAX_RETRY_AFTER_SECONDS = 3600.0

# A vendor's count of tokens. An impossible count must not get into the sums of money.
Tokens = Annotated[int, Meta(ge=0, le=100_000_000)]


class Finish(Enum):
    """The reason why a model stopped writing."""

    DONE = auto()
    TRUNCATED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Completion:
    """A vendor's successful response: the text, why it ended, and the tokens that the vendor will bill."""

    response_id: str
    text: str
    finish: Finish
    usage: Usage


class ModelAdapter(Protocol):
    """Speaks one vendor's protocol to one endpoint.

    An adapter lives as long as the process, and `close()` ends its connections.
    """

    def __init__(self, base_url: str) -> None: ...

    async def load(self) -> None:
        """Import the SDK outside the event loop. Called before `complete`, so that no call's latency includes it."""

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        """Send one request, without retries and without a deadline. Raises ModelError."""

    async def close(self) -> None: ...


class SdkClient(Protocol):
    """The methods that the clients of both vendors' SDKs have."""

    def with_options(self, *, api_key: str) -> Self: ...

    async def close(self) -> None: ...


C = TypeVar("C", bound=SdkClient)


class LazyClient(Generic[C]):
    """One SDK client for the life of the process.

    `build` imports the SDK and makes the client. It runs in a thread, because importing an SDK takes seconds.
    """

    def __init__(self, build: Callable[[], C]) -> None:
        self._build = build
        self._client: C | None = None
        self._key: Secret | None = None
        self._loading = asyncio.Lock()

    async def load(self) -> C:
        async with self._loading:
            if self._client is None:
                self._client = await asyncio.to_thread(self._build)
            return self._client

    async def with_key(self, key: Secret) -> C:
        """The client with this key. It keeps its connections when the key changes."""
        client = await self.load()
        if key != self._key:
            self._client = client = client.with_options(api_key=key.reveal())
            self._key = key
        return client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def status_error(status: int, *, spend_limit: bool, retry_after: str | None) -> ModelError:
    """The error for a vendor's HTTP status other than 2xx. `retry_after` is the text of the header."""
    wait = retry_after_seconds(retry_after)
    if spend_limit or status == 402:
        return ModelSpendLimitReached("The vendor's spend limit is reached.", status=status)
    if status == 429:
        return ModelRateLimited("The vendor asks for fewer calls.", status=status, retry_after=wait)
    if status in (401, 403):
        return ModelKeyRejected("The vendor does not accept the key.", status=status)
    if status >= 500:
        return ModelOverloaded("The vendor failed.", status=status, retry_after=wait)
    return ModelRequestRejected("The vendor did not accept the request.", status=status)


def retry_after_seconds(header: str | None) -> float | None:
    """The delay in seconds that a Retry-After header asks for, at most an hour.

    None when there is no such header or it is not valid.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = _seconds_until(header)
    if not math.isfinite(seconds):
        return MAX_RETRY_AFTER_SECONDS if seconds == math.inf else None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds_until(http_date: str) -> float:
    try:
        moment = parsedate_to_datetime(http_date)
        # Every HTTP date is in GMT, even when it does not say so.
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # a year of five digits raises the latter
        return math.nan
    return (moment - datetime.now(UTC)).total_seconds()
