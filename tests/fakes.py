"""A store and a gateway that do as they are told, for the parts that stand on them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import cast

from service.catalogue import Catalogue, Model, load_catalogue
from service.domain import CallKind, Saying, Vote, VoteResult
from service.errors import DependencyError
from service.llm.gateway import Gateway, Written
from service.llm.registry import ADAPTERS
from service.store.base import Store
from tests.support import model_saying


def the_catalogue() -> Catalogue:
    return load_catalogue(ADAPTERS)


class FakeStore:
    """Remembers what it is given. With `trouble` it raises that, when it `hangs` it never answers."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.hangs = False
        self.saying: Saying | None = None
        self.recent: list[Saying] = []
        self.kept: list[Saying] = []
        self.serves: list[dict[str, int]] = []
        self.asked = asyncio.Event()

    def as_store(self) -> Store:
        return cast("Store", self)

    async def random_saying(self) -> Saying | None:
        await self._obey()
        return self.saying

    async def put_sayings(self, sayings: Sequence[Saying]) -> frozenset[str]:
        await self._obey()
        new = {saying.saying_id for saying in sayings} - {saying.saying_id for saying in self.kept}
        self.kept += sayings
        return frozenset(new)

    async def get_saying(self, saying_id: str) -> Saying | None:
        await self._obey()
        return self.saying

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        await self._obey()
        return self.recent

    async def vote(self, vote: Vote) -> VoteResult | None:
        await self._obey()
        return None

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        await self._obey()
        return None

    async def add_serves(self, serves: Mapping[str, int]) -> None:
        await self._obey()
        self.serves.append(dict(serves))

    async def until_asked(self) -> None:
        """Until somebody wants something the next time."""
        self.asked.clear()
        async with asyncio.timeout(10):
            await self.asked.wait()

    async def _obey(self) -> None:
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble


class FakeGateway:
    """Every model writes one saying at once, unless there is `trouble`, it `hangs` or what it writes is `rejected`."""

    def __init__(self) -> None:
        self.trouble: DependencyError | None = None
        self.hangs = False
        self.rejected = False
        self.asked: list[tuple[str, float]] = []

    def as_gateway(self) -> Gateway:
        return cast("Gateway", self)

    async def write(
        self, model: Model, services: Sequence[str], *, kind: CallKind, timeout: float, known: Collection[str] = ()
    ) -> Written:
        self.asked.append((model.id, timeout))
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        saying = model_saying(f"the {len(self.asked)}th live saying", model=model.id, created_at=2e9)
        assert saying.generation is not None
        return Written(saying.generation, () if self.rejected else (saying,), ())
