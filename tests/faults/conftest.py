"""The real server with real SDKs and stores, and proxies that fail on demand between it and its dependencies."""

import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aioboto3
import aiohttp
import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and a live call has only eight
import openai  # noqa: F401
import pytest
from aiobotocore.config import AioConfig

from service.config import Settings
from service.keys.key_store import KeyStore
from service.llm.gateway import Gateway
from service.resources import open_resources
from service.sayings.flow import DATABASE_REQUESTS
from service.server.app import listening
from service.store.dynamodb import create_tables, transport
from service.store.sqlite import SqliteStore
from tests.aws import REGION
from tests.faults.places import OneFile, Place, Tables
from tests.faults.proxy import AwsProxy
from tests.http.conftest import Server
from tests.support import PATIENT, Clock, RecordingListener, timeless_entries
from tests.test_processes import Machine, machine
from tests.test_processes import Server as ServerProcess

__all__ = ["machine"]

LONG = replace(PATIENT, readiness_every=0.0)
PATIENT_CONFIG = AioConfig(connect_timeout=60, read_timeout=60, max_pool_connections=50)

Start = Callable[..., Awaitable[Server]]
OnlyModels = Callable[..., str]
Serve = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture(scope="session")
def session() -> aioboto3.Session:
    """One AWS session for all tests, because each new one reads the descriptions of AWS's services again."""
    return aioboto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


@pytest.fixture
async def proxy(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AwsProxy]:
    """The proxy that a server in this process uses as AWS."""
    async with AwsProxy(moto_url).serve() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
async def aws(proxy: AwsProxy, moto_url: str, session: aioboto3.Session) -> AsyncIterator[Tables]:
    async with session.client("dynamodb", endpoint_url=moto_url, config=PATIENT_CONFIG) as dynamodb:
        prefix = f"faults-{uuid.uuid4().hex[:12]}-"
        await create_tables(dynamodb, prefix)
        yield Tables(proxy, prefix, dynamodb)


@pytest.fixture
async def start(tmp_path: Path, simulator_url: str, events: RecordingListener) -> AsyncIterator[Start]:
    """Starts servers, with SQLite and the simulator unless told otherwise; from the fourth on every saying is live."""
    usual: dict[str, Any] = {
        "port": 0,
        "store": f"sqlite:///{tmp_path}/sayings.db",
        "simulator": simulator_url,
        "live_every": 1,
        # One client asks for everything, and must not meet its shares.
        "max_live_calls": 64,
        "hourly_cap_usd": 100.0,
        "daily_cap_usd": 100.0,
    }
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))

        async def start(**settings: Any) -> Server:
            resources = await stack.enter_async_context(open_resources(Settings(**(usual | settings)), {}, events))
            url = await stack.enter_async_context(listening(resources))
            return Server(resources, events, url, client)

        yield start


@pytest.fixture(params=["sqlite", "dynamodb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each store in its turn."""
    if request.param == "sqlite":
        return OneFile(tmp_path / "sayings.db")
    aws: Tables = request.getfixturevalue("aws")
    return aws


@pytest.fixture
async def serve(machine: Machine, place: Place) -> Serve:
    """Starts the API as a container does, on that store, with a saying in it."""
    await place.seed()
    usual = {"SAYINGS_VOTE_RATE": "off", **place.environ}
    return lambda **environ: machine.serve("service", **usual, **environ)


async def saying(server: Server) -> dict[str, Any]:
    """Request the next saying, which must be served whatever fails."""
    answer = await server.ask("GET", "/sayings")
    assert answer.status == 200
    told: dict[str, Any] = answer.json
    return told


async def up_to_live(server: Server) -> None:
    """Make the requests that are served from the database, so that the next one calls a model."""
    for _ in range(DATABASE_REQUESTS):
        await saying(server)


async def limit_pages(server: Server, *, extra: int) -> None:
    """Let the file grow by so many pages; beyond them SQLite reports a full disk."""

    def limit(database: sqlite3.Connection) -> None:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages + extra}")

    store = server.resources.store
    assert isinstance(store, SqliteStore)
    await store._writer.run("test", limit)


@pytest.fixture
def only_models(tmp_path: Path) -> OnlyModels:
    """Writes a catalogue with these models in it, for tests that must know which one is called; returns its path."""

    def write(*models: str, **changes: Any) -> str:
        path = tmp_path / "catalogue.json"
        entries = [entry | changes for entry in timeless_entries() if entry["id"] in models]
        path.write_text(json.dumps({"models": entries}))
        return str(path)

    return write


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries come at once."""
    monkeypatch.setattr(transport, "PAUSE_SECONDS", 0.0)
    defaults = Gateway.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "jitter", lambda: 0.0)


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The monotonic clock of keys and breakers, moved by hand; request this fixture before a server is started."""
    clock = Clock()
    for user in (KeyStore, Gateway):
        defaults = user.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "clock", clock)
    return clock
