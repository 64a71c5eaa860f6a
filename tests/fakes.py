"""A fake store and a fake gateway with scripted failures, for tests of the parts that use them."""

import asyncio
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import date
from typing import cast

from service.catalogue.line_up import LineUp
from service.catalogue.models import Catalogue, Model, load_catalogue
from service.domain import Ballot, CallKind, Comparison, Saying, Vote, VoteResult
from service.errors import DependencyError
from service.keys.secret import Secret
from service.llm.billing import Advance
from service.llm.gateway import Gateway, Written
from service.llm.vendors import VENDORS
from service.store.base import SpendWindow, Store
from tests.support import NAMES, ORIGINAL_DAY, model_saying


def the_catalogue() -> Catalogue:
    return load_catalogue(VENDORS)


def the_models() -> list[Model]:
    """The four original models, which hold the seats in the tests."""
    catalogue = the_catalogue()
    return [catalogue[model_id] for model_id in NAMES]


def the_line_up(day: date = ORIGINAL_DAY, *, keyed: Collection[str] | None = None) -> LineUp:
    """The line-up of a day, with a key for every model or for those with the ids in `keyed`."""
    catalogue = the_catalogue()
    return LineUp(catalogue, [model.id for model in catalogue] if keyed is None else keyed, day=lambda: day)


class FakeStore:
    """Remembers what it is given. With `trouble` it raises that, when it `hangs` it never answers."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.hangs = False
        self.saying: Saying | None = None
        self.recent: list[Saying] = []
        self.kept: list[Saying] = []
        self.looked_for: list[frozenset[str]] = []
        self.serves: list[dict[str, int]] = []
        self.days: list[str] = []
        self.comparisons: list[Comparison] = []
        self.ballots: list[Ballot] = []
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

    async def stored_ids(self, saying_ids: Collection[str]) -> frozenset[str]:
        await self._obey()
        self.looked_for.append(frozenset(saying_ids))
        return self.looked_for[-1] & {saying.saying_id for saying in self.kept}

    async def get_saying(self, saying_id: str) -> Saying | None:
        await self._obey()
        return self.saying

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        await self._obey()
        return self.recent

    async def day_secret(self, day: str) -> Secret:
        await self._obey()
        self.days.append(day)
        return Secret(f"secret of {day}")

    async def vote(self, vote: Vote, check: Callable[[Saying], None]) -> tuple[Saying, VoteResult] | None:
        await self._obey()
        return None

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        await self._obey()
        return None

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        await self._obey()
        self.serves.append(dict(serves))

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        await self._obey()
        self.comparisons.append(comparison)
        self.ballots.append(ballot)

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        await self._obey()
        return None

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        await self._obey()
        shown = {ballot.comparison_id for ballot in self.ballots if ballot.voter == voter}
        showable = (each for each in self.comparisons if not each.shows_any(withdrawn))
        candidates = (each for each in showable if each.comparison_id not in shown)
        return next((each for each in candidates if service in (None, each.service)), None)

    async def show_comparison(self, ballot: Ballot) -> None:
        await self._obey()
        self.ballots.append(ballot)

    async def cast_ballot(self, comparison_id: str, voter: str, winner: str, **_: object) -> None:
        await self._obey()

    async def until_asked(self) -> None:
        """Wait for the next operation on the store; raises TimeoutError after ten seconds."""
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
    """Every model writes one saying at once, unless there is `trouble`, it `hangs` or what it writes is `rejected`.

    Each saying is another one, unless there is a `text`. `troubles` are single models' own, before they are called;
    those in `hanging` answer once `late` is set. `released` is what was given back of what was `reserved` together, in
    amounts of one for each model.
    """

    def __init__(self) -> None:
        self.trouble: DependencyError | None = None
        self.hangs = False
        self.rejected = False
        self.text = ""
        self.asked: list[tuple[str, float]] = []
        self.services: list[Sequence[str]] = []
        self.lingering: list[float] = []
        self.late = asyncio.Event()
        self.troubles: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.unreservable: DependencyError | None = None
        self.reserved: list[list[str]] = []
        self.released: list[int] = []

    def as_gateway(self) -> Gateway:
        return cast("Gateway", self)

    async def load(self, models: Iterable[Model]) -> None:
        """Do nothing, because there is nothing to import."""

    async def reserve(self, models: Iterable[Model], services: Sequence[str], *, client: str = "") -> Advance:
        if self.unreservable is not None:
            raise self.unreservable
        self.reserved.append([model.id for model in models])
        return Advance(SpendWindow("today", "now"), dict.fromkeys(self.reserved[-1], 1))

    async def release(self, advance: Advance) -> None:
        self.released.append(advance.take_rest().amount)

    async def write(
        self,
        model: Model,
        services: Sequence[str],
        *,
        kind: CallKind,
        timeout: float,
        linger: float = 0.0,
        known: Collection[str] = (),
        advance: Advance | None = None,
        client: str = "",
    ) -> Written:
        if model.id in self.troubles:
            raise self.troubles[model.id]
        if advance is not None:
            advance.take(model.id)
        self.asked.append((model.id, timeout))
        self.services.append(services)
        self.lingering.append(linger)
        text = self.text or f"the {len(self.asked)}th live saying"
        if self.hangs or model.id in self.hanging:
            await self.late.wait()
        if self.trouble is not None:
            raise self.trouble
        saying = model_saying(text, model=model.id, created_at=2e9)
        assert saying.generation is not None
        return Written(saying.generation, () if self.rejected else (saying,), ())
