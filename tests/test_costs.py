"""What a warm saying costs, counted rather than timed: nothing is waited for, few calls are made, nothing is kept.

Operations of DynamoDB by kind of request are held by tests/store/test_operations.py, imports at a cold start by
tests/aws_lambda/test_runtime_client.py, SSM calls of a burst by tests/keys/test_key_store.py, rounds of a fleet by
tests/workers/test_fleet.py, spans and series by tests/telemetry/.
"""

import gc
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from service.api.dispatcher import Dispatcher
from service.api.http import Request, Response
from service.config import Settings
from service.resources import open_resources
from telemetry.events import Listeners
from telemetry.logs import LogListener
from telemetry.metrics import Metrics
from telemetry.notes import Finished, NoteTaker
from tests.support import NAMES, model_saying
from tests.telemetry.composition import sampler

# Python's and C's together, from the dispatcher down; when this was written there were 91 to 99 (ties are drawn).
MOST_CALLS = 125
FIRST_REQUESTS = 4
REQUESTS = 2_000
# By all of them together; when this was written it was 3,500, one trace kept of each would be a million.
MOST_BYTES_KEPT = 20_000

Ask = Callable[[], Coroutine[Any, Any, Response]]


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Ask]:
    """Asks for a saying of a service that is warm, with everything that counts and traces at work."""
    told: list[Finished] = []
    listener = Listeners(LogListener(), Metrics(), NoteTaker(sampler(0), keep=told.append))
    settings = Settings(store=f"sqlite:///{tmp_path}/sayings.db", simulator="off")
    async with open_resources(settings, {}, listener) as resources:
        resources.pool.add(model_saying(f"{model} on S3", model=model, created_at=time.time()) for model in NAMES)
        dispatcher = Dispatcher(resources.endpoints.routes, listener, allowed_origins=frozenset())

        async def ask() -> Response:
            request = Request("GET", "/sayings", {})
            dispatcher.begin(request)
            return await dispatcher.dispatch(request, len(request.path), _no_body)

        for _ in range(FIRST_REQUESTS):
            await ask()
        yield ask


async def _no_body(_: int) -> bytes:
    raise AssertionError("Nobody reads the body of a GET.")


def answer_at_once(request: Coroutine[Any, Any, Response]) -> Response:
    """The answer of a coroutine that never lets go of the event loop."""
    try:
        request.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    request.close()
    raise AssertionError("It waits for something.")


async def test_it_waits_for_nothing(ask: Ask) -> None:
    response = answer_at_once(ask())

    assert response.status == 200
    assert b'"origin":"cache"' in response.body


async def test_it_takes_few_calls(ask: Ask) -> None:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls[event] += 1

    sys.setprofile(count)
    try:
        answer_at_once(ask())
    finally:
        sys.setprofile(None)

    assert calls.total() <= MOST_CALLS


async def test_it_leaves_nothing_behind(ask: Ask) -> None:
    for _ in range(REQUESTS):
        await ask()
    tracemalloc.start()
    try:
        for _ in range(REQUESTS):
            await ask()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept <= MOST_BYTES_KEPT
