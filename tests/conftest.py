"""What many tests stand on: a moto server, the simulator over the wire, a store in a file, remembered events."""

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from service.page import PAGE_FOLDER
from service.simulator import Simulator
from service.store.sqlite import SqliteStore
from tests.npm import npm
from tests.support import RecordingListener


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, region or setting of the machine that runs the tests gets into them."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with serving_moto() as url:
        yield url


@contextmanager
def serving_moto() -> Iterator[str]:
    """A moto server that answers one request at a time: its transactions are only whole when nothing else runs."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    running = server._server
    assert running is not None
    running.app = _one_at_a_time(running.app)
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    running.server_close()


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The folder of the page, built from what is there now."""
    npm("run", "build")
    return PAGE_FOLDER


def _one_at_a_time(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    lock = threading.Lock()

    def serialised(*request: Any) -> Iterable[bytes]:
        with lock:
            return app(*request)

    return serialised


@pytest.fixture
def events() -> RecordingListener:
    return RecordingListener()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty SQLite store."""
    store = await SqliteStore.open(tmp_path / "sayings.db")
    yield store
    await store.close()


@pytest.fixture
def simulator() -> Simulator:
    """The simulator, answering at once and always alike."""
    return Simulator(seed=1, speed=0)


@pytest.fixture
async def simulator_url(simulator: Simulator) -> AsyncIterator[str]:
    async with simulator.serve() as url:
        yield url
