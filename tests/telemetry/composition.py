"""The service put together as its processes are, with telemetry to a receiver and the simulator behind it."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.config import Settings
from service.resilience.tasks import running
from service.resources import Resources, open_resources
from service.server.app import listening
from telemetry.export_times import DEFAULT_EXPORT_TIMES
from telemetry.otel_settings import read_otel_settings
from telemetry.sampling import Sampler
from telemetry.setup import open_telemetry
from tests.http.wire import Answer
from workers.fleet import fleet_rounds

ROUTE = "/sayings"
TRACE_ID = "6a2b3c4d0123456789abcdef01234567"
# Of a caller that wants its trace to be kept, and of one that wants it not to be.
SAMPLED = {"X-Amzn-Trace-Id": "Root=1-6a2b3c4d-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1"}
UNSAMPLED = {"X-Amzn-Trace-Id": "Root=1-6a2b3c4d-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=0"}


def sampler(share: float) -> Sampler:
    """One that keeps this share of the traces, and of the others the remarkable ones."""
    return Sampler(read_otel_settings({"OTEL_TRACES_SAMPLER_ARG": str(share)}))


@dataclass(frozen=True)
class Service:
    resources: Resources
    url: str
    client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.client.request(method, self.url + path, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def saying(self, **options: Any) -> dict[str, Any]:
        answer = await self.ask("GET", "/sayings", **options)
        assert answer.status == 200
        saying: dict[str, Any] = answer.json
        return saying

    async def sayings(self, count: int, **options: Any) -> list[dict[str, Any]]:
        return [await self.saying(**options) for _ in range(count)]

    async def vote(self, saying: dict[str, Any], opinion: str = "POSITIVE", **options: Any) -> Answer:
        vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion}
        return await self.ask("POST", "/feedback", json=vote, **options)

    async def round(self) -> None:
        await fleet_rounds(self.resources).run()


class Composition:
    """What services are started with: their directory, their environment and settings, the times of the export.

    They stand behind proxies, so that a caller's wish to be sampled is followed, within a rate.
    """

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        self.times = DEFAULT_EXPORT_TIMES
        self.behind_proxies = True
        self.settings: dict[str, Any] = {"port": 0, "store": f"sqlite:///{directory}/sayings.db"}

    def set(self, **environ: str) -> None:
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)

    def send_to(self, url: str, protocol: str = "grpc") -> None:
        self.set(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)

    def patient(self) -> None:
        """Send what is left at the end, however long that takes on a busy machine."""
        self.times = replace(self.times, last_flush=60.0)

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[Service]:
        """What is left of the telemetry has been sent when the block has ended."""
        chosen = Settings(**(self.settings | settings))
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            opening = open_telemetry(os.environ, times=self.times, behind_proxies=self.behind_proxies)
            telemetry = await stack.enter_async_context(opening)
            resources = await stack.enter_async_context(open_resources(chosen, os.environ, telemetry.listener))
            url = await stack.enter_async_context(listening(resources))
            await stack.enter_async_context(running(telemetry.jobs, telemetry.listener))
            yield Service(resources, url, client)
