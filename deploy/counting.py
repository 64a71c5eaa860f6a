"""What AWS is asked for by each kind of request: the real code against moto, every call over the wire written down.

Calls are counted where they arrive, so that retries, and whatever a library asks for by itself, count too.
"""

import asyncio
import logging
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import msgspec
from moto.server import ThreadedMotoServer

from deploy.recorder import Call, Recorder
from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.catalogue.models import NANOS_PER_DOLLAR
from service.config import Settings
from service.domain import CallKind, Generation, Saying, Usage, model_source, saying_id
from service.keys.key_store import KeyStore
from service.keys.sources import SsmKeySource
from service.limits import Timeouts
from service.llm.billing import spend_window
from service.resources import Resources, open_resources
from service.server.app import listening
from service.simulator import Simulator
from service.store.dynamodb import create_tables
from telemetry.events import DependencyFailed, Event, ModelCalled, Silence
from workers.fleet import FleetRounds, fleet_rounds
from workers.round import Round

T = TypeVar("T")

REGION = "us-east-1"
SEED = 7
# So many sayings: moto copies its tables for every transaction, and no count depends on what is in them.
OF_THE_COLLECTION = 24
# moto may take its time.
PATIENT = Timeouts(aws_read=30.0, store_write=30.0, statistics=30.0)
COLD_INSTANCES = 50
# What a model has in the store once rounds have run for a while; a pool takes no more of each.
SAYINGS_PER_MODEL = 60


@dataclass(frozen=True, slots=True)
class Count:
    """What one kind of request asked for."""

    calls: tuple[Call, ...]

    @property
    def operations(self) -> Counter[str]:
        return Counter(call.name for call in self.calls)

    @property
    def read_units(self) -> float:
        return sum(call.read_units for call in self.calls)

    @property
    def write_units(self) -> float:
        return sum(call.write_units for call in self.calls)


@dataclass(frozen=True, slots=True)
class ModelUse:
    """The mean call of a kind, over the four models: tokens as the simulator counts them, dollars by the catalogue."""

    input_tokens: float
    output_tokens: float
    dollars: float


@dataclass(slots=True)
class Counted:
    """Everything that was counted, by the kind of request."""

    counts: dict[str, Count] = field(default_factory=dict)
    models: dict[str, ModelUse] = field(default_factory=dict)
    cold_rounds: int = 0
    cold_model_calls: int = 0


class _Listener(Silence):
    """Remembers the calls to models, and what went wrong: then the counts would not be those of a healthy day."""

    def __init__(self) -> None:
        self.called: list[ModelCalled] = []
        self.failed: list[DependencyFailed] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, ModelCalled):
            self.called.append(event)
        elif isinstance(event, DependencyFailed):
            self.failed.append(event)


async def count_everything() -> Counted:
    """Count every kind of request once, in an order in which each finds what it needs. Raises RuntimeError."""
    prefix = f"scale-{uuid.uuid4().hex[:8]}-"
    counted = Counted()
    listener = _Listener()
    with _moto(prefix) as (url, recorder), _environment(url):
        async with _opened(prefix, listener) as resources, listening(resources) as api, _visitor(api) as visitor:

            async def count(kind: str, work: Callable[[], Awaitable[T]]) -> T:
                with recorder.recording() as calls:
                    result = await work()
                counted.counts[kind] = Count(tuple(calls))
                return result

            # First, one after the other: so the simulator's dice fall the same way every time.
            counted.models = await _model_use(resources, listener)
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
    await count("readiness check", lambda: _get(visitor, "/health/ready"))


async def _count_votes(count: Callable[..., Awaitable[Any]], visitor: aiohttp.ClientSession) -> None:
    saying = await _get(visitor, "/sayings")
    vote = {"sayingId": saying["sayingId"], "source": saying["source"]}
    for kind, opinion in (("vote", "POSITIVE"), ("vote repeated", "POSITIVE"), ("vote changed", "NEGATIVE")):
        await count(kind, lambda opinion=opinion: _post(visitor, "/feedback", vote | {"feedbackType": opinion}))
    await count("vote taken back", lambda: _delete(visitor, f"/feedback/{saying['sayingId']}"))


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
    listener: _Listener,
) -> None:
    await resources.serves.flush()
    for contributor in {saying.contributor for saying in _written_by_rounds(resources)}:
        resources.serves.count(contributor)
    await count("serves written", resources.serves.flush)
    await count("statistics", lambda: _get(visitor, "/stats"))
    await count("round", fleet_rounds(resources).run)
    await count("round that is not one's turn", fleet_rounds(resources).run)
    await _count_cold_start(count, counted, resources, listener)
    async with AsyncExitStack() as stack:
        ssm = await AwsClients(REGION, stack, timeouts=PATIENT).ssm()
        await ssm.put_parameter(Name="/api-key/openai", Value="sk-test", Type="SecureString")
        keys = KeyStore(SsmKeySource(ssm), listener)
        await count("key fetched", lambda: keys.get("/api-key/openai"))
        await keys.close()


async def _count_cold_start(
    count: Callable[..., Awaitable[Any]], counted: Counted, resources: Resources, listener: _Listener
) -> None:
    """Fifty processes that want a round at once, an hour after the last."""
    listener.called.clear()
    round_ = Round(resources.gateway, resources.store, resources.pool, resources.models, listener)
    fleet = [
        FleetRounds(round_, resources.store, listener, clock=lambda: time.time() + 3600) for _ in range(COLD_INSTANCES)
    ]
    finished = await count("fifty cold instances", lambda: asyncio.gather(*(rounds.run() for rounds in fleet)))
    counted.cold_rounds = sum(one is not None for one in finished)
    counted.cold_model_calls = len(listener.called)


async def _model_use(resources: Resources, listener: _Listener) -> dict[str, ModelUse]:
    """A live call and a round's call to each model."""
    uses = {}
    for kind, services in ((CallKind.LIVE, ["Amazon S3"]), (CallKind.ROUND, ["Amazon S3", "AWS Lambda", "Amazon SQS"])):
        listener.called.clear()
        for model in resources.models:
            await resources.gateway.write(model, services, kind=kind, timeout=20)
        uses[kind.value] = _mean(listener.called)
    return uses


def _mean(calls: list[ModelCalled]) -> ModelUse:
    return ModelUse(
        sum(call.input_tokens or 0 for call in calls) / len(calls),
        sum(call.output_tokens or 0 for call in calls) / len(calls),
        sum(call.cost_nanos or 0 for call in calls) / len(calls) / 1e9,
    )


def _written_by_rounds(resources: Resources) -> list[Saying]:
    """What rounds have stored after a day, of a model saying's usual length."""
    texts = [saying.text for saying in collection()][:SAYINGS_PER_MODEL]
    sayings = []
    for model in resources.models:
        made = Generation(
            uuid.UUID(int=0).hex, model.id, model.vendor, CallKind.ROUND, resources.simulated, "2026-11-20.1", 1204.2,
            Usage(287, 141), 846_000, time.time() - 60,
        )  # fmt: skip
        source = model_source(model.display_name, simulated=resources.simulated)
        own = [f"{text} ({model.id})" for text in texts]
        sayings += [Saying(saying_id(text), text, ("Amazon S3",), source, made) for text in own]
    return sayings


# --- Where it runs ----------------------------------------------------------------------------------------------------


@contextmanager
def _moto(prefix: str) -> Iterator[tuple[str, Recorder]]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    running: Any = server._server
    running.app = recorder = Recorder(running.app, prefix)
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}", recorder
    finally:
        server.stop()
        running.server_close()


@contextmanager
def _environment(url: str) -> Iterator[None]:
    """The AWS SDK reads its settings from the process's environment."""
    ours = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@asynccontextmanager
async def _opened(prefix: str, listener: _Listener) -> AsyncIterator[Resources]:
    """The service on DynamoDB with some of the collection in it, and models that answer at once."""
    async with AsyncExitStack() as stack:
        await create_tables(await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb(), prefix)
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
