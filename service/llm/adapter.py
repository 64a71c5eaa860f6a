"""What an adapter is, and what all adapters share: the shape of a completion, and a client for life."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Generic, Protocol, Self, TypeVar

from msgspec import Meta

from service.catalogue.models import Model
from service.domain import Usage
from service.keys.secret import Secret
from service.llm.prompt import Prompt

# As a vendor counts them. What cannot be true must not get into the sums of money.
Tokens = Annotated[int, Meta(ge=0, le=100_000_000)]


class Finish(Enum):
    """How a model stopped."""

    DONE = auto()
    TRUNCATED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a vendor answered with 200: the text, how it ended and the vendor's count of the tokens, None without one.

    `snapshot` is the name under which the model answered, "" where the answer has none. `tier` is the service tier that
    the call is billed by if that is not the one that was asked for, else "". What is not `billed` costs nothing,
    whatever the usage says.
    """

    response_id: str
    text: str
    finish: Finish
    usage: Usage | None
    snapshot: str = ""
    tier: str = ""
    billed: bool = True


def unasked_tier(model: Model, answered: str | None, asked_for: str) -> str:
    """The tier of an answer if it is not the one that was asked for. Endpoints of one's own are not asked for any."""
    return "" if model.base_url or answered in (None, asked_for) else answered


class ModelAdapter(Protocol):
    """Speaks one vendor's protocol to one endpoint. Lives as long as the process; `close()` ends its connections."""

    def __init__(self, base_url: str) -> None: ...

    async def load(self) -> None:
        """Import the SDK, off the event loop; before the first call, so that no call is timed with it."""

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        """One request, no retry, no deadline of its own. Raises ModelError."""

    async def close(self) -> None: ...


class SdkClient(Protocol):
    """What both vendors' clients can do."""

    def with_options(self, *, api_key: str) -> Self: ...

    async def close(self) -> None: ...


C = TypeVar("C", bound=SdkClient)


class LazyClient(Generic[C]):
    """One SDK client for the life of the process, built by `build` in a thread: importing an SDK takes seconds."""

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
        """The client with that key; a new key keeps the connections."""
        client = await self.load()
        if key != self._key:
            self._client = client = client.with_options(api_key=key.reveal())
            self._key = key
        return client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
