"""The real server on a port of its own, with an SQLite file and the simulator behind it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from service.config import Settings
from service.domain import Saying
from service.limits import Timeouts
from service.resources import Resources, open_resources
from service.server.app import listening
from tests.http.wire import Answer, converse
from tests.support import PATIENT, RecordingListener, model_saying

SIMULATED = model_saying("Amazon S3 is an attic that sends you the bill for its own dust.", simulated=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test; every request without cookies of its own comes from a new visitor."""

    resources: Resources
    events: RecordingListener
    url: str
    client: aiohttp.ClientSession

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.client.request(method, self.url + path, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def post_vote(self, vote: object, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = msgspec.json.encode(vote)
        return await self.ask("POST", "/feedback", data=content, headers={"Content-Type": "application/json"} | named)

    async def converse(self, *pieces: bytes, answers: int = 1, without_body: bool = False) -> list[Answer]:
        """Send bytes as they are; the answers that come back."""
        return await converse(self.port, *pieces, answers=answers, without_body=without_body)

    async def known(self, saying: Saying = SIMULATED) -> dict[str, object]:
        """A saying in the store, as a vote on it."""
        await self.resources.store.put_sayings([saying])
        return {"saying": saying.text, "source": saying.source, "feedbackType": "POSITIVE"}


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings beside the store, the simulator and the timeouts; tests override it."""
    return {}


@pytest.fixture
def timeouts() -> Timeouts:
    """The server's timeouts; tests override them with `tests.support.with_timeouts`."""
    return PATIENT


@pytest.fixture
async def server(
    tmp_path: Path, simulator_url: str, events: RecordingListener, settings: dict[str, Any], timeouts: Timeouts
) -> AsyncIterator[Server]:
    store = f"sqlite:///{tmp_path}/sayings.db"
    chosen = Settings(port=0, store=store, simulator=simulator_url, timeouts=timeouts, **settings)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        open_resources(chosen, {}, events) as resources,
        listening(resources) as url,
    ):
        await resources.secrets.refresh()
        yield Server(resources, events, url, client)
