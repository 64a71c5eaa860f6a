"""What DynamoDB is asked for by each kind of request: the real code against moto, every call written down.

Calls are counted where they arrive, so that retries, and whatever a library asks for by itself, count too.
"""

import asyncio
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest.mock import patch

import aiohttp
import msgspec

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.catalogue.models import NANOS_PER_DOLLAR
from service.config import Settings
from service.domain import CallKind, Generation, Saying, Usage, model_source, saying_id
from service.limits import DAY_SECONDS
from service.llm.billing import spend_window
from service.resources import Resources, open_resources
from service.server.app import listening
from service.simulator import Simulator
from service.store.base import DAILY_LEASE, HOURLY_LEASE
from service.store.dynamodb import create_tables
from telemetry.events import DependencyFailed, Event, Silence
from tests.faults.proxy import EVERYTHING, AwsProxy
from tests.support import PATIENT, clocked
from tests.tools.recorder import Call, Recorder
from workers.fleet import FleetRounds, fleet_rounds
from workers.round import Round

T = TypeVar("T")

REGION = "us-east-1"
SEED = 7
# So many sayings: moto copies its tables for every transaction, and no count depends on what is in them.
OF_THE_COLLECTION = 24
COLD_INSTANCES = 50
# What a model has in the store once rounds have run for a while; a pool takes no more of each.
SAYINGS_PER_MODEL = 60


@dataclass(frozen=True, slots=True)
class Count:
    """What one kind of request asked for."""

    calls: tuple[Call, ...]

    @property
    def operations(self) -> Counter[str]:
        return Counter(f"{call.operation} {call.resource}" for call in self.calls)

    @property
    def write_units(self) -> int:
        return sum(call.write_units for call in self.calls)


@dataclass(slots=True)
class Counted:
    """Everything that was counted, by the kind of request, and the rounds that the cold instances made."""

    counts: dict[str, Count] = field(default_factory=dict)
    cold_rounds: int = 0


class _Failures(Silence):
    """Remembers what went wrong: then the counts would not be those of a healthy day."""

    def __init__(self) -> None:
        self.failed: list[DependencyFailed] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, DependencyFailed):
            self.failed.append(event)


async def count_everything(moto_url: str) -> Counted:
    """Count every kind of request once, in an order in which each finds what it needs. Raises RuntimeError."""
    counted, listener = Counted(), _Failures()
    async with (
        _recorder(moto_url) as (recorder, prefix),
        _opened(prefix, listener) as resources,
        listening(resources) as api,
        _visitor(api) as visitor,
    ):

        async def count(kind: str, work: Callable[[], Awaitable[T]]) -> T:
            with recorder.recording() as calls:
                result = await work()
            counted.counts[kind] = Count(tuple(calls))
            return result

        await count("secrets of three days", resources.secrets.refresh)
        await _count_sayings(count, visitor, resources)
        await _count_votes(count, visitor)
        await _count_comparisons(count, api, visitor, resources)
        await _count_background(count, counted, visitor, resources, listener)
    if listener.failed:
        raise RuntimeError(f"Counted in distress: {listener.failed}")
    return counted


async def _count_sayings(
    count: Callable[..., Awaitable[Any]],
    visitor: aiohttp.ClientSession,
    resources: Resources,
) -> None:
    await resources.store.put_sayings(_written_by_rounds(resources))
    for _ in range(3):
        await count("saying from the database", lambda: _get(visitor, "/sayings"))
    await count("live saying", lambda: _get(visitor, "/sayings"))
    await count("pool filled from the store", resources.filler.fill)
    await count("warm saying", lambda: _get(visitor, "/sayings"))
    await count("hourly ranking of few sayings", resources.ranking.run)
    await count("page of the newest", lambda: _get(visitor, "/sayings/best?order=new"))
    await count("readiness check", lambda: _get(visitor, "/health/ready"))


async def _count_votes(count: Callable[..., Awaitable[Any]], visitor: aiohttp.ClientSession) -> None:
    named, blind = await _served(visitor, blind=False), await _served(visitor, blind=True)
    without_token = {"sayingId": named["sayingId"], "source": named["source"]}
    await count("vote without a token", lambda: _vote(visitor, without_token, "POSITIVE"))
    vote = {"sayingId": blind["sayingId"], "voteToken": blind["voteToken"]}
    for kind, opinion in (("vote", "POSITIVE"), ("vote repeated", "POSITIVE"), ("vote changed", "NEGATIVE")):
        answer = await count(kind, lambda opinion=opinion: _vote(visitor, vote, opinion))
        assert answer["standing"] == "counted"
    await count("vote taken back", lambda: _delete(visitor, f"/feedback/{blind['sayingId']}"))


async def _served(visitor: aiohttp.ClientSession, *, blind: bool) -> Any:
    """A warm saying that is shown blindly, or with its author: a coin decides."""
    while (saying := await _get(visitor, "/sayings?attribution=random"))["blind"] is not blind:
        pass
    return saying


async def _vote(visitor: aiohttp.ClientSession, vote: dict[str, str], opinion: str) -> Any:
    return await _post(visitor, "/feedback", vote | {"feedbackType": opinion})


async def _count_comparisons(
    count: Callable[..., Awaitable[Any]], api: str, visitor: aiohttp.ClientSession, resources: Resources
) -> None:
    compared = await count("comparison", lambda: _post(visitor, "/compare", {}))
    vote = f"/compare/{compared['comparisonId']}/vote"
    await count("vote on a comparison", lambda: _post(visitor, vote, {"winner": "A"}))
    window, everything = spend_window(time.time()), round(resources.settings.hourly_cap_usd * NANOS_PER_DOLLAR)
    await resources.store.adjust_spend(window, everything)
    async with _visitor(api) as other:
        await count("comparison replayed, over the cap", lambda: _post(other, "/compare", {}))
    await resources.store.adjust_spend(window, -everything)


async def _count_background(
    count: Callable[..., Awaitable[Any]],
    counted: Counted,
    visitor: aiohttp.ClientSession,
    resources: Resources,
    listener: _Failures,
) -> None:
    await resources.serves.flush()
    for contributor in {saying.contributor for saying in _written_by_rounds(resources)}:
        resources.serves.count(contributor)
    await count("serves written", resources.serves.flush)
    await count("statistics", lambda: _get(visitor, "/stats"))
    await count("being forgotten", lambda: _delete(visitor, "/me"))
    await count("daily pass over few votes", resources.pruning.run)
    for lease in (HOURLY_LEASE, DAILY_LEASE):  # what a round does so often is counted apart
        taken = await resources.store.acquire_lease(lease, "another", now=time.time(), seconds=DAY_SECONDS)
        assert taken is not None
    await count("round", fleet_rounds(resources).run)
    await count("round that is not one's turn", fleet_rounds(resources).run)
    counted.cold_rounds = await _cold_rounds(resources, listener)


async def _cold_rounds(resources: Resources, listener: _Failures) -> int:
    """The rounds that fifty processes make which all want one at once, an hour after the last."""
    round_ = Round(resources.gateway, resources.store, resources.pool, resources.topics, resources.line_up, listener)
    store = clocked(resources.store, lambda: time.time() + 3600)
    fleet = [FleetRounds(round_, store, listener) for _ in range(COLD_INSTANCES)]
    finished = await asyncio.gather(*(rounds.run() for rounds in fleet))
    return sum(one is not None for one in finished)


def _written_by_rounds(resources: Resources) -> list[Saying]:
    """What rounds have stored after a day, of a model saying's usual length."""
    texts = [saying.text for saying in collection()][:SAYINGS_PER_MODEL]
    sayings = []
    for model in resources.line_up:
        made = Generation(
            uuid.UUID(int=0).hex, model.id, model.vendor, CallKind.ROUND, resources.simulated, "2026-11-20.1", 1204.2,
            Usage(287, 141), 846_000, time.time() - 60,
        )  # fmt: skip
        source = model_source(model.display_name, simulated=resources.simulated)
        own = [f"{text} ({model.id})" for text in texts]
        sayings += [Saying(saying_id(text), text, ("Amazon S3",), source, made) for text in own]
    return sayings


# --- Where it runs ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _recorder(moto_url: str) -> AsyncIterator[tuple[Recorder, str]]:
    """Empty tables, the AWS of this process for as long as the block lasts, and what records the calls to them."""
    prefix = f"counting-{uuid.uuid4().hex[:8]}-"
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(AwsProxy(moto_url).serve())
        stack.enter_context(patch.dict(os.environ, keys | {"AWS_ENDPOINT_URL": moto_url}))
        direct = await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb()
        await create_tables(direct, prefix)
        recorder = Recorder(direct, prefix)
        proxy.inject(EVERYTHING, recorder.handle, count=None)
        os.environ["AWS_ENDPOINT_URL"] = proxy.url
        yield recorder, prefix


@asynccontextmanager
async def _opened(prefix: str, listener: _Failures) -> AsyncIterator[Resources]:
    """The service on DynamoDB with some of the collection in it, and models that answer at once."""
    async with AsyncExitStack() as stack:
        simulator_url = await stack.enter_async_context(Simulator(seed=SEED, speed=0).serve())
        environ = {
            "SAYINGS_STORE": f"dynamodb://{prefix}",
            "SAYINGS_SIMULATOR": simulator_url,
            "SAYINGS_PORT": "0",
            "AWS_REGION": REGION,
        }
        settings = msgspec.structs.replace(Settings.from_env(environ), timeouts=PATIENT)
        resources = await stack.enter_async_context(open_resources(settings, environ, listener))
        await resources.store.put_sayings(collection()[:OF_THE_COLLECTION])
        random.seed(SEED)
        yield resources


@asynccontextmanager
async def _visitor(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as visitor:
        yield visitor


async def _get(visitor: aiohttp.ClientSession, path: str) -> Any:
    async with visitor.get(path) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _post(visitor: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> Any:
    async with visitor.post(path, json=body, headers={"Accept": "application/json"}) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _delete(visitor: aiohttp.ClientSession, path: str) -> None:
    async with visitor.delete(path) as answer:
        answer.raise_for_status()
