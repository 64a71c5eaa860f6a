"""The worker function: a round for each invocation, whatever time it has, and an error that Lambda can count."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and the round here has less
import openai  # noqa: F401
import pytest

from service.aws_lambda.runtime import LambdaProcess
from service.errors import InvocationFailed, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.simulator import Fault, FaultKind, Simulator
from service.store.base import ROUND_LEASE, Lease
from telemetry.events import DependencyFailed, Unexpected
from tests.aws import REGION
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Remaining
from tests.support import NAMES, RecordingListener
from workers.lambda_handler import Worker

# What an invocation needs after the models' answers: to store the sayings, to return the lease and to answer.
RETURN_SECONDS = DEFAULT_TIMEOUTS.invocation_reserve + DEFAULT_TIMEOUTS.lease_update
ENDING_SECONDS = RETURN_SECONDS + DEFAULT_TIMEOUTS.round_write
WORKER = {"SAYINGS_ROUNDS": "off"}


async def invoke(worker: Worker, seconds: float = 120.0) -> Any:
    return await asyncio.to_thread(worker.handle, Remaining(seconds))


async def take_lease(process: LambdaProcess) -> Lease | None:
    """The lease on rounds, if it is free now."""
    taking = process.resources.store.acquire_lease(ROUND_LEASE, "somebody", now=time.time(), seconds=1.0)
    return await asyncio.to_thread(process.run, taking, Remaining())


@pytest.fixture
async def process(start: Start, simulator_url: str) -> LambdaProcess:
    return await asyncio.to_thread(start, SAYINGS_SIMULATOR=simulator_url, **WORKER)


async def test_an_invocation_runs_a_round_and_reports_its_sayings(process: LambdaProcess) -> None:
    result = await invoke(Worker(process))

    report = result["round"]
    assert {each["model"]: each["sayings"] for each in report["models"]} == dict.fromkeys(NAMES, 3)
    assert set(report["models"][0]) == {"model", "sayings", "total_ms", "error_type", "error_message"}
    assert (set(report), report["fencing_token"]) == ({"models", "total_ms", "fencing_token"}, 1)


async def test_there_is_no_round_while_another_worker_has_the_lease(
    process: LambdaProcess, simulator: Simulator
) -> None:
    await take_lease(process)

    result = await invoke(Worker(process))

    assert result == {"round": None}
    assert not simulator.calls


async def test_there_is_no_round_so_soon_after_another(process: LambdaProcess) -> None:
    worker = Worker(process)

    results = [await invoke(worker) for _ in range(2)]

    assert [result["round"] is None for result in results] == [False, True]


async def test_a_hanging_model_is_given_up_in_time_to_store_the_others(
    process: LambdaProcess, simulator: Simulator
) -> None:
    simulator.inject("gpt-4.1", Fault(FaultKind.HANG, count=None))

    result = await invoke(Worker(process), ENDING_SECONDS + 1.5)

    brought = {each["model"]: each["sayings"] for each in result["round"]["models"]}
    assert brought == dict.fromkeys(NAMES, 3) | {"gpt-4.1": 0}
    [late] = [each for each in result["round"]["models"] if each["error_type"]]
    assert late["error_type"] == "ModelTimeout"


async def test_a_round_that_time_cuts_short_fails_and_gives_the_lease_back(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    # Given models that ignore their timeouts
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    process = await asyncio.to_thread(start, timeouts=Timeouts(round_write=1.0), **WORKER)
    monkeypatch.setattr(process.resources.gateway, "write", never)

    # When a round is made that has a second and a half
    with pytest.raises(InvocationFailed, match=r"The round did not end in time\."):
        await invoke(Worker(process), RETURN_SECONDS + 1.5)

    # Then the next one need not wait
    assert await take_lease(process) is not None
    assert not events.of(Unexpected)


@pytest.mark.parametrize("seconds", [0.0, RETURN_SECONDS, ENDING_SECONDS - 0.1])
async def test_with_no_time_left_nothing_begins(process: LambdaProcess, simulator: Simulator, seconds: float) -> None:
    with pytest.raises(InvocationFailed, match="no time left"):
        await invoke(Worker(process), seconds)

    assert not simulator.calls
    assert await take_lease(process) is not None


async def test_a_store_that_is_down_is_reported_without_the_sdks_text(
    start: Start, simulator: Simulator, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    process = await asyncio.to_thread(start, SAYINGS_STORE="dynamodb://", AWS_REGION=REGION, **WORKER)

    with pytest.raises(StoreError) as failure:
        await invoke(Worker(process))

    assert (str(failure.value), failure.value.__cause__) == ("There is no connection to the database.", None)
    assert failure.value.__suppress_context__
    assert {each.dependency for each in events.of(DependencyFailed)} == {"store"}
    assert not simulator.calls


async def test_a_defect_is_an_error_without_its_text(
    process: LambdaProcess, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: object, **__: object) -> Callable[[], None]:
        raise RuntimeError("sk-secret")

    monkeypatch.setattr(process.resources.store, "acquire_lease", trip)

    with pytest.raises(InvocationFailed) as failure:
        await invoke(Worker(process))

    assert "secret" not in str(failure.value)
    assert failure.value.__suppress_context__
    assert [type(defect.error) for defect in events.of(Unexpected)] == [RuntimeError]
