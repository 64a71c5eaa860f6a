"""The rows of the process: killed, told to stop and frozen under load, on both stores, with a ledger outside."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest

from service.limits import DEFAULT_TIMEOUTS
from service.simulator import Fault, FaultKind, Simulator
from tests.faults.conftest import OnlyModels, Serve
from tests.faults.load import Load
from tests.faults.places import Place
from tests.test_processes import Machine, Server, new_visitor

pytestmark = pytest.mark.slow

NANOS = 1_000_000_000
MODEL, OTHER = "gpt-4.1", "gpt-4.1-mini"  # those whose SDK is imported faster


@pytest.fixture
async def load(serve: Serve, only_models: OnlyModels) -> AsyncIterator[tuple[Server, Load]]:
    """A server, and a load of visitors that has not begun yet."""
    server = await serve(SAYINGS_CATALOGUE=only_models(MODEL))
    async with new_visitor() as visitor:
        saying = await server.get("/sayings", visitor)
    async with Load(server.url, saying) as load:
        yield server, load


async def counted_once(server: Server, load: Load) -> None:
    """Let all voters vote again, and check that no acknowledged vote was lost and no voter is counted twice."""
    load.url = server.url
    answers = {voter: await load.vote(voter) for voter in load.sent}
    assert {answers[voter]["status"] for voter in load.acknowledged} == {"unchanged"}
    assert max(answer["upvotes"] for answer in answers.values()) == len(answers)


async def test_kill_9_loses_or_doubles_no_vote_and_keeps_money_spent(
    load: tuple[Server, Load], serve: Serve, place: Place, simulator: Simulator, only_models: OnlyModels
) -> None:
    server, visitors = load
    simulator.inject("*", Fault(FaultKind.HANG))
    visitors.begin(readers=4)  # they get as far as the live request
    await simulator.until(lambda: simulator.in_flight == 1)
    visitors.begin(voters=4)
    await visitors.until(acknowledged=20)

    await server.stop(signal.SIGKILL)
    spent = await place.spent()
    server = await serve(SAYINGS_CATALOGUE=only_models(MODEL), SAYINGS_DAILY_CAP_USD=str(spent / NANOS))

    assert set(visitors.statuses) <= {200, 503}  # the latter where the machine was too busy for its store
    await counted_once(server, visitors)
    assert spent > 0
    assert [await visitors.get("/sayings") for _ in range(4)][3]["degraded"] == "budget"


async def test_sigterm_under_load_drains_every_accepted_request(
    load: tuple[Server, Load], serve: Serve, place: Place
) -> None:
    server, visitors = load
    visitors.begin(voters=3, readers=3)
    await visitors.until(acknowledged=10)
    held = [f"held-{number:027d}" for number in range(5)]
    with place.hold():
        accepted = [asyncio.create_task(visitors.vote(voter)) for voter in held]
        await visitors.get("/health/live")  # which came after them
        server.process.send_signal(signal.SIGTERM)
        await until_refused(visitors)

    answers = await asyncio.gather(*accepted)
    code = await server.ended()

    recorded = [voter for voter, answer in zip(held, answers, strict=True) if answer.get("status") == "recorded"]
    refused = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert len(recorded) + refused.count("store_unavailable") == 5  # the latter where the machine was too busy
    assert code == 0
    assert len(server.said) == 1  # where it listens, and no warning of a task left unawaited
    assert "ERROR" not in {line["level"] for line in server.logged}  # as which asyncio tells of a task left behind
    visitors.acknowledged += recorded
    visitors.sent += held
    await counted_once(await serve(), visitors)


async def until_refused(visitors: Load) -> None:
    """Wait until the server refuses connections, after the load balancer has had time to see that it is not ready."""
    async with asyncio.timeout(10):
        try:
            while True:
                await visitors.get("/health/live")
        except aiohttp.ClientError:
            return


async def test_sigterm_while_models_hang_answers_all_with_what_has_landed(
    machine: Machine, simulator: Simulator
) -> None:
    unshared = {"SAYINGS_MAX_LIVE_CALLS": "64", "SAYINGS_HOURLY_CAP_USD": "100", "SAYINGS_DAILY_CAP_USD": "100"}
    server = await machine.serve("service", SAYINGS_LIVE_EVERY="1", **unshared)
    async with new_visitor() as visitor:
        await landed(server, visitor, "text/event-stream")  # so that the SDKs are there, and the visitor has a cookie
        for _ in range(3):
            await server.get("/sayings", visitor)
        simulator.inject("*", Fault(FaultKind.HANG))
        live = asyncio.create_task(server.get("/sayings", visitor))
        await simulator.until(lambda: simulator.in_flight == 1)
        simulator.inject(MODEL, Fault(FaultKind.HANG, count=2))
        forms = ("application/json", "text/event-stream")
        comparing = [asyncio.create_task(landed(server, visitor, form)) for form in forms]
        await simulator.until(lambda: simulator.in_flight == 3 and len(simulator.calls) == 4 + 2 * 3)

        code = await server.stop()
        compared = await asyncio.gather(*comparing)
        server = await machine.serve("service")
        statuses = [await vote_on(server, visitor, identity) for identity, _ in compared]

    assert code == 0
    assert (await live)["degraded"] == "live_timeout"
    assert [sorted(errors, key=str) for _, errors in compared] == [[None, None, None, "timeout"]] * 2
    assert statuses == ["recorded"] * 2


async def landed(server: Server, visitor: aiohttp.ClientSession, form: str) -> tuple[str, list[str | None]]:
    """Request a comparison; returns its id and the error of each slot."""
    async with visitor.post(f"{server.url}/compare", json={}, headers={"Accept": form}) as answer:
        if answer.content_type == "application/json":
            told = await answer.json()
            return told["comparisonId"], [slot["error"] for slot in told["slots"]]
        events = [json.loads(line[6:]) async for line in answer.content if line.startswith(b"data: ")]
    [slots] = [event["slots"] for event in events if "slots" in event]
    return events[-1]["comparisonId"], [slot["error"] for slot in slots]


async def vote_on(server: Server, visitor: aiohttp.ClientSession, identity: str) -> str:
    """Vote for no slot, which every comparison with sayings accepts, and return the status of the vote."""
    async with visitor.post(f"{server.url}/compare/{identity}/vote", json={"winner": "none"}) as answer:
        told = await answer.json()
    return str(told["status"])


async def test_kill_9_during_a_comparison_keeps_votes_and_money_spent(
    serve: Serve, place: Place, simulator: Simulator, only_models: OnlyModels
) -> None:
    server = await serve(SAYINGS_CATALOGUE=only_models(MODEL, OTHER))
    async with new_visitor() as visitor:
        identity, _ = await landed(server, visitor, "text/event-stream")
        acknowledged = await vote_on(server, visitor, identity)
        before = await place.spent()
        simulator.inject(MODEL, Fault(FaultKind.HANG))
        comparing = asyncio.create_task(landed(server, visitor, "text/event-stream"))
        await simulator.until(lambda: simulator.in_flight == 1 and len(simulator.calls) == 3)

        await server.stop(signal.SIGKILL)
        await asyncio.gather(comparing, return_exceptions=True)
        server = await serve(SAYINGS_CATALOGUE=only_models(MODEL, OTHER))
        repeated = await vote_on(server, visitor, identity)

    assert (acknowledged, repeated) == ("recorded", "unchanged")
    assert await place.spent() - before > before  # a whole comparison's, which is less than one model's worst case


async def test_freeze_and_thaw_under_load_neither_lose_nor_double_votes(
    load: tuple[Server, Load], place: Place
) -> None:
    server, visitors = load
    visitors.begin(voters=3, readers=1)
    await visitors.until(acknowledged=10)

    server.process.send_signal(signal.SIGSTOP)
    place.lose_connections()
    await asyncio.sleep(DEFAULT_TIMEOUTS.vote + 0.5)  # so that every deadline has passed when it wakes up
    before = len(visitors.acknowledged)
    server.process.send_signal(signal.SIGCONT)
    await visitors.until(acknowledged=before + 5)

    assert set(visitors.statuses) <= {200, 503}
    assert (await visitors.get("/health/ready"))["status"] == "ready"
    await visitors.__aexit__()
    async with Load(server.url, visitors.saying, visitors.sent, visitors.acknowledged) as later:
        await counted_once(server, later)
    assert await server.stop() == 0
