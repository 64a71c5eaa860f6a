"""The API and a worker on one store, on Lambda and on ECS, in minutes that pass as fast as they are played.

The service is the real one, with the simulator behind it. What AWS measures itself (API Gateway, the load balancer and
Lambda's errors) is fed by hand, from the answers that came.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp
import msgspec
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.config import Settings
from service.errors import CloudSayingsError
from service.limits import Timeouts
from service.resources import Resources, open_resources
from service.server.app import listening
from service.store.sqlite import SqliteStore
from telemetry.events import Listeners
from telemetry.lambda_setup import LambdaTelemetry
from telemetry.logs import LogListener
from telemetry.metrics import Metrics
from telemetry.metrics_data import MetricsConverter
from telemetry.spans import resource_of
from tests.aws_lambda.gateway import Asked, Remaining
from tests.aws_lambda.gateway import answer as gateway_answer
from tests.deploy.ecs import EcsStack
from tests.deploy.stack import Stack, observability
from tests.observability import awsemf
from tests.observability.alarms import MINUTE
from tests.observability.recording import Recording, series
from tests.support import Clock
from tests.telemetry.receiver import http_receiver
from workers.fleet import FleetRounds, fleet_rounds
from workers.lambda_handler import Worker

STARTED_AT = 1_796_000_400.0
API, WORKER = "sayings-api", "sayings-worker"
JSON = {"Content-Type": "application/json"}

T = TypeVar("T")


@dataclass(frozen=True)
class Answered:
    status: int
    json: Any


class Platform(Protocol):
    """Where a fleet runs. The metrics of a call are recorded at the latest when `flush` has ended."""

    api: Resources
    worker: Resources

    async def ask(self, method: str, path: str, body: bytes) -> Answered: ...

    async def in_api(self, work: Callable[[], Awaitable[T]]) -> T: ...

    async def round(self) -> None: ...

    def tries_a_round(self, minute: int) -> bool: ...

    async def flush(self) -> list[str]: ...

    def count_request(self, recording: Recording, at: float, *, failed: bool) -> None: ...

    def count_round(self, recording: Recording, at: float, *, failed: bool) -> None: ...

    def count_probe(self, recording: Recording, at: float, *, failed: bool) -> None: ...


@dataclass
class Fleet:
    """A platform and its clients. What is switched off does not happen in the minutes that follow."""

    platform: Platform
    clock: Clock
    recording: Recording = field(default_factory=Recording)
    emf: list[str] = field(default_factory=list)
    rounds: bool = True
    visits: bool = True
    probes: bool = True
    votes_a_minute: float = 0.1
    comparisons_a_minute: float = 1 / 30
    telemetry_arrives: bool = True
    _minutes: int = 0

    @property
    def api(self) -> Resources:
        return self.platform.api

    @property
    def worker(self) -> Resources:
        return self.platform.worker

    async def minutes(self, count: int) -> None:
        """Clients come, rounds are made, and what was measured is recorded."""
        for _ in range(count):
            self.clock.forward(MINUTE / 2)
            if self.rounds and self.platform.tries_a_round(self._minutes):
                await self._round()
            if self.visits:
                await self._visits()
            if self.probes:
                await self._probe()
            lines = await self.platform.flush()
            if self.telemetry_arrives:
                self.emf += lines
                self.recording.add_emf(lines)
            self.clock.forward(MINUTE / 2)
            self._minutes += 1

    async def _visits(self) -> None:
        saying = await self.ask("GET", "/sayings")
        for _ in range(4):
            await self.ask("GET", "/sayings")
        for _ in range(self._due(self.votes_a_minute)):
            vote = {"sayingId": saying.json["sayingId"], "source": saying.json["source"], "feedbackType": "POSITIVE"}
            await self.ask("POST", "/feedback", vote)
        for _ in range(self._due(self.comparisons_a_minute)):
            await self.ask("POST", "/compare", {})
        await self.ask("GET", "/stats")

    def _due(self, a_minute: float) -> int:
        return int((self._minutes + 1) * a_minute) - int(self._minutes * a_minute)

    async def ask(self, method: str, path: str, body: Any = None) -> Answered:
        answered = await self.platform.ask(method, path, b"" if body is None else json.dumps(body).encode())
        self.platform.count_request(self.recording, self.clock(), failed=answered.status >= 500)
        return answered

    async def _probe(self) -> None:
        answered = await self.ask("GET", "/health/ready")
        self.platform.count_probe(self.recording, self.clock(), failed=answered.status != 200)

    async def _round(self) -> None:
        try:
            await self.platform.round()
        except CloudSayingsError:
            self.platform.count_round(self.recording, self.clock(), failed=True)
        else:
            self.platform.count_round(self.recording, self.clock(), failed=False)


class OnLambda:
    """Both functions as Lambda has them: their handlers, and their lines in EMF."""

    def __init__(self, settings: dict[str, str], clock: Clock, timeouts: Timeouts, round_minutes: int) -> None:
        self._round_minutes = round_minutes
        self._api_lines, self._worker_lines = io.StringIO(), io.StringIO()
        self._api = _function(settings | {"SAYINGS_ROUNDS": "off"}, API, self._api_lines, clock, timeouts)
        self._worker = _function(settings | {"SAYINGS_ROUNDS": "off"}, WORKER, self._worker_lines, clock, timeouts)
        self.api, self.worker = self._api.resources, self._worker.resources
        self._api_handler, self._worker_handler = Api(self._api), Worker(self._worker)

    async def ask(self, method: str, path: str, body: bytes) -> Answered:
        event = Asked(method, path, body, {"Content_Type": "application/json", "Accept": "application/json"}).v1()
        answer = gateway_answer(await asyncio.to_thread(self._api_handler.handle, event, Remaining()))
        return Answered(answer.status, answer.json)

    async def in_api(self, work: Callable[[], Awaitable[T]]) -> T:
        async def worked() -> T:
            return await work()

        return await asyncio.to_thread(self._api.run, worked(), Remaining())

    async def round(self) -> None:
        await asyncio.to_thread(self._worker_handler.handle, Remaining(120.0))

    def tries_a_round(self, minute: int) -> bool:
        """By the schedule."""
        return minute % self._round_minutes == 0

    async def flush(self) -> list[str]:
        lines = []
        for written in (self._api_lines, self._worker_lines):
            lines += written.getvalue().splitlines()
            written.seek(0)
            written.truncate()
        return lines

    def count_request(self, recording: Recording, at: float, *, failed: bool) -> None:
        dimensions = [("ApiName", "sayings"), ("Stage", "live")]
        recording.add(series("AWS/ApiGateway", "Count", dimensions), at, [1])
        recording.add(series("AWS/ApiGateway", "5XXError", dimensions), at, [failed])
        recording.add(series("AWS/Lambda", "Invocations", [("FunctionName", API)]), at, [1])

    def count_round(self, recording: Recording, at: float, *, failed: bool) -> None:
        recording.add(series("AWS/Lambda", "Errors", [("FunctionName", WORKER)]), at, [failed])

    def count_probe(self, recording: Recording, at: float, *, failed: bool) -> None:
        recording.add(series("AWS/Lambda", "Errors", [("FunctionName", "Probe")]), at, [failed])

    def close(self) -> None:
        self._api.close()
        self._worker.close()


def _function(
    settings: dict[str, str], service: str, lines: io.StringIO, clock: Clock, timeouts: Timeouts
) -> LambdaProcess:
    telemetry = LambdaTelemetry({"OTEL_SERVICE_NAME": service}, lines, lambda: round(clock() * 1e9))
    chosen = msgspec.structs.replace(Settings.from_env(settings), timeouts=timeouts)
    return LambdaProcess(chosen, settings, telemetry)


class OnEcs:
    """Both containers as ECS has them: a server and a worker that send OTLP, and the collector beside them."""

    def __init__(self, api: Resources, worker: Resources, rounds: FleetRounds, url: str, sent: "_Sent") -> None:
        self.api, self.worker = api, worker
        self._rounds, self._url, self._sent = rounds, url, sent
        self._client: aiohttp.ClientSession = sent.client

    async def ask(self, method: str, path: str, body: bytes) -> Answered:
        headers = JSON | {"Accept": "application/json"}
        async with self._client.request(method, self._url + path, data=body or None, headers=headers) as response:
            return Answered(response.status, await response.json())

    async def in_api(self, work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    async def round(self) -> None:
        await self._rounds.run()

    def tries_a_round(self, minute: int) -> bool:
        """Whenever the lease is free, which rests after a round."""
        return True

    async def flush(self) -> list[str]:
        self.api.gauge.measure()  # a job of the server, whose pauses are real
        return await self._sent.lines()

    def count_request(self, recording: Recording, at: float, *, failed: bool) -> None:
        dimensions = [("LoadBalancer", "LoadBalancer.LoadBalancerFullName")]
        recording.add(series("AWS/ApplicationELB", "RequestCount", dimensions), at, [1])
        if failed:
            recording.add(series("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", dimensions), at, [1])

    def count_round(self, recording: Recording, at: float, *, failed: bool) -> None:
        """Nothing but the worker itself counts its rounds there."""

    def count_probe(self, recording: Recording, at: float, *, failed: bool) -> None:
        """There is no probe, because the load balancer asks."""


@dataclass
class _Sent:
    """The metrics of both containers on their way through OTLP and the collector."""

    metrics: Mapping[str, Metrics]
    client: aiohttp.ClientSession
    receiver: Any

    async def lines(self) -> list[str]:
        found: list[str] = []
        for service, metrics in self.metrics.items():
            resource = resource_of(service)
            exporter = OTLPMetricExporter(endpoint=f"{self.receiver.url}/v1/metrics")
            await asyncio.to_thread(exporter.export, MetricsConverter(resource).metrics_data(metrics.take()))
            points, self.receiver.all_points = self.receiver.all_points, []
            found += awsemf.emf_lines(points, resource.attributes)
        return found


@asynccontextmanager
async def on_lambda(
    settings: dict[str, str], clock: Clock, timeouts: Timeouts, round_minutes: int
) -> AsyncIterator[Fleet]:
    upkeep = replace(timeouts, maintenance_every=0.0)  # due with every request: its pauses are real
    platform = await asyncio.to_thread(OnLambda, settings, clock, upkeep, round_minutes)
    _use(clock, platform)
    try:
        yield Fleet(platform, clock)
    finally:
        await asyncio.to_thread(platform.close)


@asynccontextmanager
async def on_ecs(
    settings: dict[str, str], clock: Clock, timeouts: Timeouts, round_minutes: int
) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        chosen = msgspec.structs.replace(Settings.from_env(settings | {"SAYINGS_ROUNDS": "off"}), timeouts=timeouts)
        metrics = {service: Metrics(lambda: round(clock() * 1e9)) for service in (API, WORKER)}
        api, worker = [
            await stack.enter_async_context(open_resources(chosen, {}, Listeners(LogListener(), each)))
            for each in metrics.values()
        ]
        url = await stack.enter_async_context(listening(api))
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        sent = _Sent(metrics, client, await stack.enter_async_context(http_receiver()))
        platform = OnEcs(api, worker, fleet_rounds(worker, rest_seconds=60 * round_minutes), url, sent)
        _use(clock, platform)
        yield Fleet(platform, clock)


def _use(clock: Clock, platform: Platform) -> None:
    """Let leases end by the clock of the minutes."""
    for resources in (platform.api, platform.worker):
        assert isinstance(resources.store, SqliteStore)
        resources.store._clock = clock


FLEETS = {"Lambda": on_lambda, "ECS": on_ecs}


def stack_of(platform: str, round_minutes: int = 15) -> Stack:
    """The nested stack of alarms and dashboard there."""
    parent = {"Lambda": Stack, "ECS": EcsStack}[platform](RoundMinutes=str(round_minutes))
    return observability(parent)


def settings_for(directory: Path, simulator_url: str, **others: str) -> dict[str, str]:
    """Settings of both processes, whose votes and comparisons are not limited for coming from one address."""
    return {
        "SAYINGS_PORT": "0",
        "SAYINGS_STORE": f"sqlite:///{directory}/sayings.db",
        "SAYINGS_SIMULATOR": simulator_url,
        "SAYINGS_HOURLY_CAP_USD": "5",
        "SAYINGS_VOTE_RATE": "off",
        "SAYINGS_COMPARE_RATE": "off",
        **others,
    }
