"""Fixtures of many tests: a moto server, the simulator over the wire, a store in a file, recorded events."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.catalogue import line_up
from service.llm.vendors import VENDORS
from service.page.document import PAGE_FOLDER
from service.simulator import Simulator
from service.store.sqlite import SqliteStore
from tests.moto_server import emptied, serving_moto
from tests.support import ORIGINAL_DAY, RecordingListener


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, region or setting of the machine that runs the tests gets into them."""
    keys = [vendor.key_variable for vendor in VENDORS.values()]
    for name in (*keys, "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(autouse=True)
def day_of_the_original_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day on which the four original models hold the seats, whenever the tests are run."""
    monkeypatch.setattr(line_up, "today", lambda: ORIGINAL_DAY)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """moto's URL, for fixtures that are shared by many tests. They have to leave it `emptied`."""
    with serving_moto() as url:
        yield url


@pytest.fixture
def moto_url(moto_server: str) -> Iterator[str]:
    """moto's URL, which each test finds empty."""
    with emptied(moto_server) as url:
        yield url


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The folder of the page. Tests do not build it, because servers of other tests read it at the same time."""
    if not (PAGE_FOLDER / "index.html").is_file():
        pytest.fail("The page is not built: `make page` builds it.")
    return PAGE_FOLDER


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
