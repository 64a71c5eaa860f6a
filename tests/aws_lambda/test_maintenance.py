"""What is done beside the requests: the pool fills from the store, serves get written, a fleet asks for one round."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.domain import Ballot, Withdrawal, WithdrawnBy, saying_id
from service.limits import Timeouts
from service.sayings.pool_filler import PoolFiller
from service.sayings.round_trigger import TRIGGER_SECONDS
from service.store.sqlite import SqliteStore
from telemetry import traces
from telemetry.events import DependencyFailed, RequestServed, Unexpected, WorkFinished
from telemetry.notes import Finished, NoteTaker
from telemetry.story import story_of
from tests.aws import REGION, answering, http_response
from tests.aws_lambda.conftest import Start
from tests.aws_lambda.gateway import Asked, Remaining, answer
from tests.store.builders import comparison
from tests.support import NAMES, PATIENT, Clock, RecordingListener, clocked, model_saying
from tests.telemetry.composition import sampler

ACCEPTED = http_response(b"", status=202)
WITH_WORKER = {"SAYINGS_ROUNDS": "lambda:the-worker", "AWS_REGION": REGION}
DEAD_END = "http://127.0.0.1:1"
# For a busy machine: an answer waits until all that is done beside it has been done, and nothing of that is cut short.
AND_WHOLE = replace(PATIENT, maintenance=60.0, warm_up=60.0)
FLEET = 50
LAMBDAS_TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"


async def started(
    start: Start, environ: Mapping[str, str] = MappingProxyType({}), *, timeouts: Timeouts = AND_WHOLE
) -> LambdaProcess:
    return await asyncio.to_thread(start, timeouts=timeouts, **environ)


async def ask(api: Api, times: int = 1, path: str = "/sayings") -> None:
    """Send that many requests, one after the other."""
    for _ in range(times):
        result = await asyncio.to_thread(api.handle, Asked("GET", path).v2(), Remaining())
        assert answer(result).status == 200


async def put_fresh_sayings(process: LambdaProcess, each: int = 3) -> None:
    """What a round of another process brings: so many of every model."""
    sayings = [
        model_saying(f"{number} on Amazon S3 by {model}", model=model, created_at=time.time(), simulated=True)
        for model in NAMES
        for number in range(each)
    ]
    await asyncio.to_thread(process.run, process.resources.store.put_sayings(sayings), Remaining())


async def serves(process: LambdaProcess) -> int:
    reading = process.resources.store.aggregates(since_hour="")
    counted = await asyncio.to_thread(process.run, reading, Remaining())
    return sum(counted.serves.values())


async def hang(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def tasks_of_the_loop() -> int:
    return len(asyncio.all_tasks())


async def test_the_first_answer_waits_for_nothing_and_the_second_warms_up(start: Start) -> None:
    # Given fresh sayings in the store
    process = await started(start)
    await put_fresh_sayings(process)
    api = Api(process)

    # When there is one request, and another
    await ask(api)
    after_one = (len(process.resources.pool), await serves(process))
    await ask(api)
    after_two = (len(process.resources.pool), await serves(process))

    # Then the first left everything to the second
    assert (after_one, after_two) == ((0, 0), (12, 1))


async def test_a_probe_begins_no_job(start: Start) -> None:
    process = await started(start)
    await put_fresh_sayings(process)
    api = Api(process)

    await ask(api, times=3, path="/health/ready")

    assert (len(process.resources.pool), await serves(process)) == (0, 0)


async def test_a_token_comes_with_the_first_answer_too(start: Start) -> None:
    process = await started(start)
    headers = {"Cookie": f"sayings_voter={'v' * 32}"}

    result = await asyncio.to_thread(Api(process).handle, Asked("GET", "/sayings", headers=headers).v2(), Remaining())

    assert answer(result).json["voteToken"]


async def test_a_warm_up_warms_up_at_once(start: Start) -> None:
    process = await started(start)
    await put_fresh_sayings(process)

    await asyncio.to_thread(Api(process).handle, {"warmup": True}, Remaining())

    assert len(process.resources.pool) == 12


@pytest.mark.parametrize(("every", "written"), [(0.0, 4), (3600.0, 1)])
async def test_it_is_done_at_an_interval(start: Start, every: float, written: int) -> None:
    timeouts = replace(AND_WHOLE, maintenance_every=every)
    process = await started(start, {"SAYINGS_SIMULATOR": "off"}, timeouts=timeouts)

    await ask(Api(process), times=5)

    assert await serves(process) == written  # the last request's own are for the next time


async def test_the_sayings_of_a_comparison_are_stored_before_the_answer(start: Start) -> None:
    process = await started(start)
    api, compared = Api(process), comparison()
    ballot = Ballot(compared.comparison_id, "v" * 32, time.time())
    await asyncio.to_thread(process.run, process.resources.store.put_comparison(compared, ballot), Remaining())
    headers = {"Content_Type": "application/json", "Cookie": f"sayings_voter={ballot.voter}"}
    vote = Asked("POST", f"/compare/{compared.comparison_id}/vote", b'{"winner": "A"}', headers)

    result = await asyncio.to_thread(api.handle, vote.v2(), Remaining())

    assert answer(result).status == 200
    assert {saying_id(entry.saying) for entry in compared.entries if entry.saying} == process.resources.pool.ids


async def test_a_fleet_asks_for_one_round(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    # Given fifty environments on one store, their pools as empty as the store
    heads: list[str] = []
    async with answering(ACCEPTED, heads) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        apis = [Api(await started(start, WITH_WORKER)) for _ in range(FLEET)]

        # When each has its first and its second request, all at the same time
        await asyncio.gather(*(ask(api, times=2) for api in apis))
        for api in apis:  # what a busy machine did not finish beside them
            await asyncio.to_thread(api.handle, {"warmup": True}, Remaining())

    # Then the worker function was invoked once, and no request waited for it
    assert len(heads) == 1
    assert heads[0].startswith("POST /2015-03-31/functions/the-worker/invocations ")
    assert "x-amz-invocation-type: event" in heads[0].lower()
    assert not events.of(Unexpected)


async def test_the_worker_continues_the_trace_of_the_upkeep(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    # Given a function as Lambda runs it, in a trace that Lambda began for a request
    heads: list[str] = []
    found: list[Finished] = []
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sayings-api")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", LAMBDAS_TRACE)
    async with answering(ACCEPTED, heads) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        process = await started(start, WITH_WORKER)
        notes = NoteTaker(sampler(0), keep=found.append)
        monkeypatch.setattr(events, "emit", notes.emit)

        # When its upkeep, which a request has started, asks for a round
        await ask(Api(process), times=2)

    # Then the function that makes it gets the trace of the upkeep, below the call, and is to keep it
    [upkeep] = [each for each in found if isinstance(each.last, WorkFinished)]
    [call] = [span for span in story_of(upkeep, "x") if span.name == "Lambda.Invoke"]
    header = re.search(r"(?i)^x-amzn-trace-id: (.*?)\r$", heads[0], re.MULTILINE)
    assert header is not None
    assert header[1] == f"Root={traces.xray_form(upkeep.trace.trace_id)};Parent={call.span_id};Sampled=1"
    assert upkeep.trace.trace_id not in LAMBDAS_TRACE.replace("-", "")


async def test_a_pool_that_the_store_could_fill_asks_for_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[str] = []
    async with answering(ACCEPTED, heads) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        process = await started(start, WITH_WORKER)
        await put_fresh_sayings(process)

        await ask(Api(process), times=3)

    assert heads == []


async def test_while_the_pool_stays_low_it_is_asked_again_after_a_while(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[str] = []
    clock = Clock()
    async with answering(ACCEPTED, heads) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        process = await started(start, WITH_WORKER)
        trigger = process.resources.round_trigger
        assert trigger is not None
        monkeypatch.setattr(trigger, "_store", clocked(trigger._store, clock))

        pulled = []
        for seconds in (0.0, TRIGGER_SECONDS - 1, 1.0):
            clock.forward(seconds)
            pulled.append(await asyncio.to_thread(process.run, trigger.pull(), Remaining()))

    assert pulled == [True, False, True]
    assert len(heads) == 2


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (http_response(b'{"Message": "the SDK\'s own words"}', status=403), "ClientError"),
        (http_response(b"<html>", status=503), "ClientError"),
        (b"nonsense\r\n\r\n", "HTTPClientError"),
    ],
    ids=["denied", "down", "junk"],
)
async def test_a_worker_function_that_cannot_be_asked_is_reported(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener, response: bytes, cause: str
) -> None:
    async with answering(response) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        api = Api(await started(start, WITH_WORKER))

        await asyncio.to_thread(api.handle, {"warmup": True}, Remaining())
        await ask(api)

    [failure] = events.of(DependencyFailed)
    assert (failure.dependency, failure.operation, failure.error_type) == ("worker", "invoke", "WorkerNotAsked")
    assert failure.cause == cause
    assert "words" not in failure.error_message
    assert not events.of(Unexpected)


async def test_jobs_that_hang_are_cancelled_and_go_on_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given jobs that are due with every request, one of which hangs twice
    filled: list[str] = []

    async def fill(_: PoolFiller) -> None:
        filled.append("begun")
        if len(filled) <= 2:
            await asyncio.Event().wait()
        filled.append("ended")

    monkeypatch.setattr(PoolFiller, "fill", fill)
    process = await started(start, timeouts=replace(PATIENT, maintenance=0.05, maintenance_every=0.0))
    api = Api(process)

    # When there are requests until all has been done
    async with asyncio.timeout(30):
        while len(filled) < 4:
            await ask(api, path="/models")
    await ask(api)

    # Then all were answered, and nothing was left running
    assert filled[:4] == ["begun", "begun", "begun", "ended"]
    assert await asyncio.to_thread(process.run, tasks_of_the_loop(), Remaining()) == 1


async def test_serves_that_could_not_be_written_in_time_are_written_later(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    # Given a store that hangs when it shall write the serves of the first request
    process = await started(start, timeouts=replace(PATIENT, maintenance=0.05, maintenance_every=0.0))
    api = Api(process)
    await ask(api)
    with monkeypatch.context() as hanging:
        hanging.setattr(SqliteStore, "add_serves", hang)
        await ask(api)

    # When it works again
    async with asyncio.timeout(30):
        while await serves(process) < 2:
            await ask(api, path="/models")

    # Then nothing was lost, and no failure reported that was only our haste
    assert await serves(process) == 2
    assert events.of(DependencyFailed) == []


async def test_a_worker_function_that_hangs_is_reported(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    timeouts = replace(PATIENT, maintenance=0.05, round_trigger=0.2)
    process = await started(start, WITH_WORKER, timeouts=timeouts)
    monkeypatch.setattr(process.resources.round_trigger, "_invoke", hang)

    await asyncio.to_thread(Api(process).handle, {"warmup": True}, Remaining())

    [failure] = events.of(DependencyFailed)
    assert (failure.dependency, failure.error_type) == ("worker", "WorkerNotAsked")


@pytest.mark.parametrize(
    ("settings", "failed"),
    [({"SAYINGS_STORE": "dynamodb://"}, "store"), ({}, "worker")],
    ids=["no store", "no Lambda service"],
)
async def test_without_aws_there_are_answers_and_reports(
    start: Start, monkeypatch: pytest.MonkeyPatch, events: RecordingListener, settings: dict[str, str], failed: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", DEAD_END)
    api = Api(await started(start, WITH_WORKER | settings))

    await asyncio.to_thread(api.handle, {"warmup": True}, Remaining())
    await ask(api, times=3)

    assert {failure.dependency for failure in events.of(DependencyFailed)} >= {failed}
    assert {served.status for served in events.of(RequestServed)} == {200}
    assert not events.of(Unexpected)


async def test_a_frozen_environment_shows_nothing_that_was_withdrawn_meanwhile(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a warm environment
    process = await started(start)
    await put_fresh_sayings(process)
    api = Api(process)
    await asyncio.to_thread(api.handle, {"warmup": True}, Remaining())
    [bad, *_] = sorted(process.resources.pool.ids)

    # When a saying of its pool is withdrawn elsewhere while it is frozen, and it is woken by a request
    withdrawal = Withdrawal(bad, "slander", WithdrawnBy.OPERATOR, time.time())
    await asyncio.to_thread(process.run, process.resources.store.withdraw_saying(withdrawal), Remaining())
    clock = Clock(time.monotonic() + 3600)
    monkeypatch.setattr(process.resources.takedowns, "_monotonic", clock)
    await ask(api)

    # Then that request was served without it
    assert bad not in process.resources.pool.ids
    assert len(process.resources.pool) == 11
