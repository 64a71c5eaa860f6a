"""The protocol of a vendor's adapter, and what all adapters share: completions and SDK clients."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Annotated, Generic, Protocol, Self, TypeVar

from msgspec import Meta

from service.catalogue.lifecycle import LifeStage
from service.catalogue.models import Model
from service.domain import Usage
from service.keys.secret import Secret
from service.llm.prompt import Prompt
from telemetry import traces
from telemetry.outbound import DIRECT, Outbound

# A vendor's count of tokens. An impossible count must not get into the sums of money.
Tokens = Annotated[int, Meta(ge=0, le=100_000_000)]


class Finish(Enum):
    """The reason why a model stopped writing."""

    DONE = auto()
    TRUNCATED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Completion:
    """A vendor's successful response: the text, why it ended, and its count of the tokens, or None without one.

    `snapshot` is the name under which the model answered, or "" if the response has none. `tier` is the service tier
    that the vendor bills, if it is not the one that was asked for, else "". A response that is not `billed` costs
    nothing, whatever the usage says.
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
    """Speaks one vendor's protocol to one endpoint.

    An adapter lives as long as the process, and `close()` ends its connections.
    """

    def __init__(self, base_url: str, outbound: Outbound = DIRECT) -> None: ...

    def preload(self) -> None:
        """Begin to import the SDK in a thread, unless that has begun. Waits for nothing."""

    async def load(self) -> None:
        """Wait until the SDK is imported. Called before `complete`, so that no call's latency includes it."""

    async def complete(self, model: Model, prompt: Prompt, key: Secret) -> Completion:
        """Send one request, without retries and without a deadline. Raises ModelError."""

    async def lifecycle(self, model: Model, key: Secret) -> tuple[LifeStage, date | None]:
        """What the vendor says of the model's life, and the day on which it retires. Free of charge.

        Raises ModelError, which is ModelGone where the vendor has no such model.
        """

    async def close(self) -> None: ...


class SdkClient(Protocol):
    """The methods that the clients of both vendors' SDKs have."""

    def with_options(self, *, api_key: str) -> Self: ...

    async def close(self) -> None: ...


C = TypeVar("C", bound=SdkClient)


class LazyClient(Generic[C]):
    """One SDK client for the life of the process.

    `build` imports the SDK and makes the client. It runs in a thread, because importing an SDK takes seconds. It is no
    task, which Lambda would have to wait for or cancel before it freezes the process.
    """

    def __init__(self, build: Callable[[], C]) -> None:
        self._build = build
        self._client: C | None = None
        self._key: Secret | None = None
        self._building: Future[C] | None = None

    def preload(self) -> Future[C]:
        """Begin to build the client, unless that has begun and has not failed."""
        if self._building is None or (self._building.done() and self._building.exception()):
            self._building = asyncio.get_running_loop().run_in_executor(None, self._build)
        return self._building

    async def load(self) -> C:
        if self._client is None:
            building = self.preload()
            with nullcontext() if building.done() else traces.step("import SDK"):
                built = await asyncio.shield(building)
            self._client = self._client or built  # another call may have set its key by now
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
