"""One process of a fleet, put together around a store and a simulator."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from service.catalogue.models import NANOS_PER_DOLLAR, Catalogue, load_catalogue
from service.catalogue.topics import load_topics
from service.config import Settings
from service.keys.key_store import KeyStore
from service.keys.sources import FixedKeySource, KeySource
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.billing import Budget, CallRecorder
from service.llm.concurrency import LiveCalls
from service.llm.gateway import Gateway
from service.llm.parse import Parser
from service.llm.vendors import VENDORS, Adapters
from service.sayings.pool import Pool
from service.sayings.pool_filler import PoolFiller
from service.store.base import Lease, Spend, Store
from telemetry.events import Listener, ModelReport, RoundFinished
from workers.round import Round

MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini")
TTL = 3600.0
PLENTY = Spend(100 * NANOS_PER_DOLLAR, 100 * NANOS_PER_DOLLAR)


class WatchedFiller(PoolFiller):
    """Sets `warm` when it finds that nothing is lacking."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.warm = asyncio.Event()

    def is_needed(self) -> bool:
        needed = super().is_needed()
        if not needed:
            self.warm.set()
        return needed


@dataclass
class Instance:
    """A pool of its own, and rounds that fill it."""

    store: Store
    adapters: Adapters
    listener: Listener
    keys: KeySource = field(default_factory=lambda: FixedKeySource("sk-simulated"))
    caps: Spend = PLENTY
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    catalogue: Catalogue = field(default_factory=lambda: load_catalogue(VENDORS))

    def __post_init__(self) -> None:
        models = [model for model in self.catalogue if model.id in MODELS]
        topics, timeouts = load_topics(), self.timeouts
        self.key_store = KeyStore(self.keys, self.listener, timeouts=timeouts)
        gateway = Gateway(
            self.adapters,
            self.key_store,
            Budget(self.store, self.listener, caps=self.caps, timeouts=timeouts),
            CallRecorder(self.store, self.listener, timeouts=timeouts),
            self.listener,
            live_calls=LiveCalls(16),
            catalogue=self.catalogue,
            topics=topics,
            parser=Parser(topics, ()),
            key_parameters=Settings().key_parameters,
            simulated=True,
        )
        self.pool = Pool(ttl=TTL)
        self.filler = WatchedFiller(
            self.pool, self.store, models, self.listener, ttl=TTL, simulated=True, timeouts=timeouts
        )
        self.round = Round(gateway, self.store, self.pool, topics, models, self.listener, timeouts=timeouts)

    async def lease(self) -> Lease:
        lease = await self.store.acquire_lease("round", "this instance", now=0.0, seconds=10.0)
        assert lease is not None
        return lease

    async def close(self) -> None:
        await self.key_store.close()
        await self.adapters.close()


def by_model(finished: RoundFinished) -> dict[str, ModelReport]:
    return {report.model: report for report in finished.models}


def brought(finished: RoundFinished) -> dict[str, int]:
    return {report.model: report.sayings for report in finished.models}


def failures(finished: RoundFinished) -> dict[str, str]:
    """The models that failed, each with the type of its error."""
    return {report.model: report.error_type for report in finished.models if report.error_type}
