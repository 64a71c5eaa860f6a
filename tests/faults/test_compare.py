"""Comparisons and the votes on them, in all columns: what landed stands, no vote is lost, none counted twice."""

import asyncio
import time
from collections.abc import Iterable

import pytest

from service.domain import Ballot, Comparison
from service.simulator import Simulator
from service.store.base import Store
from tests.aws import REGION
from tests.faults import proxy as faults
from tests.faults.conftest import LONG, Start, limit_pages
from tests.faults.places import Tables
from tests.faults.proxy import Fault, refuse, unheard
from tests.http.conftest import Server
from tests.http.wire import Answer
from tests.store.builders import comparison
from tests.store.counting import outcomes

GET, TRANSACT, UPDATE = "BatchGetItem", "TransactWriteItems", "UpdateItem"
UNAVAILABLE, FULL = (503, "store_unavailable"), (503, "storage_full")
GPT, MINI = "gpt-4.1", "gpt-4.1-mini"
VOTERS = "abcd"
COMPARED = comparison()


@pytest.fixture
async def on_dynamodb(aws: Tables, start: Start) -> Server:
    """A server with a comparison that all voters have seen, which waits for DynamoDB, however long it takes."""
    server = await start(store=aws.address, aws_region=REGION, timeouts=LONG)
    await show(COMPARED, aws.store)
    return server


@pytest.fixture
async def on_sqlite(start: Start) -> Server:
    """A server with a comparison that all voters have seen."""
    server = await start(vote_rate="off")
    await show(COMPARED, server.resources.store)
    return server


async def show(compared: Comparison, store: Store, voters: Iterable[str] = VOTERS) -> None:
    first, *others = (Ballot(compared.comparison_id, f"{voter:v>32}", time.time()) for voter in voters)
    await store.put_comparison(compared, first)
    for other in others:
        await store.show_comparison(other)


async def vote(server: Server, voter: str = "a") -> tuple[int, str]:
    """Vote; returns the HTTP status, and the status of the vote or its error code."""
    cookie = {"Cookie": f"sayings_voter={voter:v>32}"}
    path = f"/compare/{COMPARED.comparison_id}/vote"
    answer = await server.ask("POST", path, json={"winner": "A"}, headers=cookie)
    if answer.status == 200:
        return 200, answer.json["status"]
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    return answer.error


async def counted(store: Store) -> int:
    """The number of votes in the statistics, of which only some count because they come from one address."""
    return sum(counted + aside for counted, aside in (await outcomes(store)).values())


async def compare(server: Server) -> Answer:
    return await server.ask("POST", "/compare", json={}, headers={"Accept": "application/json"})


# --- votes, on DynamoDB -----------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_hang_or_drip_a_vote_is_503_and_safe_to_repeat(on_dynamodb: Server, aws: Tables, start: Start) -> None:
    hasty = await start(store=aws.address, aws_region=REGION)
    aws.proxy.inject(GET, faults.hang)
    for fault in (faults.hang, unheard(faults.hang), faults.drip):
        aws.proxy.inject(TRANSACT, fault)

    first = await asyncio.gather(*(vote(hasty, voter) for voter in VOTERS))
    second = [await vote(on_dynamodb, voter) for voter in VOTERS]

    assert first == [UNAVAILABLE] * 4
    assert sorted(second) == [(200, "recorded")] * 2 + [(200, "unchanged")] * 2
    assert await counted(aws.store) == 4


THROTTLED, FAILED = refuse("ThrottlingException"), refuse("InternalServerError", 500)
CONFLICT = refuse("TransactionCanceledException", 400, "TransactionConflict", "None", "None")
PASSING = {
    "429": (THROTTLED, "recorded"),
    "conflict": (CONFLICT, "recorded"),
    "500": (FAILED, "recorded"),
    "500 after it was done": (unheard(FAILED), "unchanged"),
    "reset": (faults.reset, "recorded"),
    "reset after it was done": (unheard(faults.reset), "unchanged"),
    "HTML": (faults.junk(b"<html>502</html>"), "recorded"),
    "truncated": (faults.truncated, "unchanged"),
}


@pytest.mark.parametrize("name", PASSING)
async def test_429_500_reset_or_junk_a_ballot_is_retried_then_refused(
    on_dynamodb: Server, aws: Tables, name: str
) -> None:
    fault, when_repeated = PASSING[name]
    aws.proxy.inject(TRANSACT, fault)
    mended = await vote(on_dynamodb, "a")
    aws.proxy.inject(TRANSACT, fault, count=None)
    refused = await vote(on_dynamodb, "b")
    aws.proxy.clear()

    again = [await vote(on_dynamodb, voter) for voter in "ab"]

    assert (mended, refused) == ((200, "recorded"), UNAVAILABLE)
    assert again == [(200, "unchanged"), (200, when_repeated)]
    assert await counted(aws.store) == 2


@pytest.mark.parametrize("fault", [THROTTLED, FAILED, faults.reset], ids=["429", "500", "reset"])
async def test_without_a_database_comparisons_are_refused_or_not_votable(
    on_dynamodb: Server, aws: Tables, simulator: Simulator, fault: Fault
) -> None:
    aws.proxy.inject(UPDATE, fault, count=None)
    refused = await compare(on_dynamodb)
    calls = len(simulator.calls)
    aws.proxy.clear()
    aws.proxy.inject(TRANSACT, fault, count=None)
    shown = await compare(on_dynamodb)

    assert (refused.error, calls) == ((503, "comparison_unavailable"), 0)
    assert int(refused.headers["Retry-After"]) > 0
    assert (shown.status, shown.json["votable"]) == (200, False)
    assert all(slot["saying"] for slot in shown.json["slots"])


# --- votes, on SQLite -------------------------------------------------------------------------------------------------


async def test_disk_full_ballots_are_503_storage_full_and_can_be_repeated(on_sqlite: Server) -> None:
    store, crowd = on_sqlite.resources.store, [str(number) for number in range(100)]
    await show(COMPARED, store, crowd)
    await limit_pages(on_sqlite, extra=0)
    first = {voter: await vote(on_sqlite, voter) for voter in crowd}
    await limit_pages(on_sqlite, extra=100)

    refused = {voter for voter in crowd if first[voter] == FULL}
    again = {voter: await vote(on_sqlite, voter) for voter in refused}

    assert FULL in first.values()
    assert set(again.values()) == {(200, "recorded")}
    assert await counted(store) == len(again) + list(first.values()).count((200, "recorded"))


# --- the models -------------------------------------------------------------------------------------------------------
