"""Whatever is under way when an invocation ends: after an hour in the freezer it does not come back as a failure."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.domain import Ballot
from service.errors import StoreError
from telemetry.events import (
    AwsCalled,
    DependencyFailed,
    ModelCalled,
    RequestServed,
    SqliteCalled,
    Unexpected,
)
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining
from tests.logging_capture import captured_log
from tests.store.builders import comparison
from tests.support import PATIENT, RecordingListener

HOUR = 3600.0
# Whatever hangs here would hang for a minute. A response waits for it only for a moment.
IMPATIENT = replace(
    PATIENT, leftovers=0.05, maintenance=0.05, maintenance_every=0.0, saying_read=5.0, live_saying=1.0,
    live_model=0.5, comparison=5.0,
)  # fmt: skip
SAYINGS, MODELS = Asked("GET", "/sayings"), Asked("GET", "/models")
COMPARE = Asked("POST", "/compare", b"{}", {"Content_Type": "application/json"})


@dataclass
class Hanging:
    """A call that is never answered; `calls` are its beginnings and `cancelled` its ends."""

    calls: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def __call__(self, *arguments: object, **_: object) -> Any:
        self.calls.append(str(arguments))
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1


class Freezer:
    """Python's clocks, which go on while the environment is frozen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._seconds = 0.0
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, self._late(getattr(time, name)))

    def freeze(self, seconds: float) -> None:
        self._seconds += seconds

    def _late(self, clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + self._seconds


Begin = Callable[[Api, pytest.MonkeyPatch, Hanging], Awaitable[None]]


async def ask(api: Api, asked: Asked) -> None:
    result = await asyncio.to_thread(api.handle, asked.v2(), Remaining())
    assert result["statusCode"] < 500, result


async def run(process: LambdaProcess, work: Awaitable[Any]) -> None:
    async def awaited() -> None:
        await work

    await asyncio.to_thread(process.run, awaited(), Remaining())


async def a_key_is_fetched(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    resources = api._process.resources
    monkeypatch.setattr(resources.gateway._keys._source, "fetch", hanging)
    await run(api._process, resources.gateway.load(resources.line_up))
    for _ in range(4):  # the fourth saying is a live one
        await ask(api, SAYINGS)


async def models_are_booked(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    monkeypatch.setattr(api._process.resources.store, "adjust_spend", hanging)
    await ask(api, COMPARE)


async def the_pool_is_filled(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    monkeypatch.setattr(api._process.resources.store, "recent_sayings", hanging)
    await ask(api, MODELS)
    await ask(api, MODELS)


async def a_read_goes_on_after_another_failed(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    async def recent_sayings(model: str, **_: object) -> None:
        if hanging.calls:
            raise StoreError("a test")
        await hanging(model)

    monkeypatch.setattr(api._process.resources.store, "recent_sayings", recent_sayings)
    await ask(api, MODELS)
    await ask(api, MODELS)


async def sayings_of_a_ballot_are_stored(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    store, compared = api._process.resources.store, comparison()
    await run(api._process, store.put_comparison(compared, Ballot(compared.comparison_id, "v" * 32, time.time())))
    monkeypatch.setattr(store, "put_sayings", hanging)
    headers = {"Content_Type": "application/json", "Cookie": f"sayings_voter={'v' * 32}"}
    vote = json.dumps({"winner": "A"}).encode()
    await ask(api, Asked("POST", f"/compare/{compared.comparison_id}/vote", vote, headers))


async def a_gone_model_is_marked(api: Api, monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    resources = api._process.resources
    monkeypatch.setattr(resources.store, "mark_gone", hanging)

    async def report() -> None:
        resources.gone_models.report(next(iter(resources.line_up)))
        await asyncio.sleep(0)

    await run(api._process, report())


@pytest.mark.parametrize(
    "begin",
    [
        a_key_is_fetched,
        models_are_booked,
        the_pool_is_filled,
        a_read_goes_on_after_another_failed,
        sayings_of_a_ballot_are_stored,
        a_gone_model_is_marked,
    ],
)
async def test_an_hour_frozen_brings_no_failure_that_never_was(
    begin: Begin,
    start: Start,
    simulator_url: str,
    events: RecordingListener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an environment that has answered while something was under way
    freezer, hanging = Freezer(monkeypatch), Hanging()
    environ = {"SAYINGS_SIMULATOR": simulator_url, "SAYINGS_LIVE_EVERY": "4"}
    api = Api(await asyncio.to_thread(start, timeouts=IMPATIENT, **environ))
    with monkeypatch.context() as hangs:
        await begin(api, hangs, hanging)
    before = len(events.events)

    # When it is frozen for an hour and answers again
    freezer.freeze(HOUR)
    with captured_log() as log:
        await ask(api, MODELS)
        await asyncio.to_thread(api.handle, {"warmup": True}, Remaining())

    # Then what was under way has ended before, and nothing is said of it
    assert hanging.calls
    assert hanging.cancelled == len(hanging.calls)
    since = events.events[before:]
    assert not [event for event in since if isinstance(event, DependencyFailed | Unexpected | ModelCalled)]
    assert not api._process.resources.filler.is_overdue
    timed = [event for event in since if isinstance(event, RequestServed | SqliteCalled | AwsCalled)]
    assert all(0 <= event.total_ms < HOUR * 100 for event in timed)
    assert all(breaker._open_until is None for breaker in api._process.resources.gateway._breakers.values())
    assert [record for record in log.records if record["level"] != "INFO"] == []
