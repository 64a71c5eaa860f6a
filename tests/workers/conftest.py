"""An instance with a SQLite store of its own, wired to the simulator."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from service.llm.vendors import VENDORS, Adapters
from service.store.base import Store
from service.store.sqlite import SqliteStore
from tests.support import RecordingListener
from tests.workers.instance import Instance

NewInstance = Callable[..., Instance]


@pytest.fixture
async def new_instance(store: SqliteStore, simulator_url: str, events: RecordingListener) -> AsyncIterator[NewInstance]:
    """Makes instances around one store (that of the test unless one is given) and closes them."""
    async with AsyncExitStack() as stack:

        def new(*, store: Store = store, **parts: object) -> Instance:
            adapters = Adapters(VENDORS, simulator_url)
            instance = Instance(store, **({"adapters": adapters, "listener": events} | parts))  # type: ignore[arg-type]
            stack.push_async_callback(instance.close)
            return instance

        yield new


@pytest.fixture
def instance(new_instance: NewInstance) -> Instance:
    return new_instance()
