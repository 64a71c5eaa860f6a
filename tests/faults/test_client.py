"""The rows of the client: slow, half, gone, or far too many at once."""

import asyncio
import time

import pytest

from telemetry.events import Unexpected, VoteTaken
from tests.aws import REGION
from tests.faults.conftest import Serve, Start
from tests.faults.load import Load
from tests.faults.places import Place, Tables
from tests.faults.proxy import held
from tests.http.conftest import SIMULATED
from tests.http.wire import connected, read_answer, request
from tests.support import RecordingListener
from tests.test_processes import new_visitor

TIMEOUT = (408, "request_timeout")
SLACK_SECONDS = 5.0
HEALTH_P95_SECONDS = 0.5
SLACK_FACTOR = 3  # the machine may be busy with something else


@pytest.mark.slow
async def test_slow_body_and_half_headers_are_408_at_five_seconds(start: Start) -> None:
    server = await start()
    pieces = [
        request("POST", "/feedback", b'{"saying":', Content_Type="application/json", Content_Length="1000"),
        b"GET /sayings HTTP/1.1\r\nHost: x\r\n",
    ]

    async def send(piece: bytes) -> tuple[int, str]:
        async with connected(server.port) as (reader, writer):
            writer.write(piece)
            return (await read_answer(reader)).error

    started = time.monotonic()
    answers = await asyncio.gather(*map(send, pieces))
    took = time.monotonic() - started

    assert answers == [TIMEOUT, TIMEOUT]
    assert 4.9 < took < 5.0 + SLACK_SECONDS


async def test_disconnect_a_vote_once_accepted_is_completed(
    aws: Tables, start: Start, events: RecordingListener
) -> None:
    server = await start(store=aws.address, aws_region=REGION)
    vote = await server.known()
    go_on = asyncio.Event()
    aws.proxy.inject("TransactWriteItems", held(go_on))

    leaving = asyncio.create_task(server.post_vote(vote))
    await aws.proxy.until(lambda: aws.proxy.asked["TransactWriteItems"] == 2)  # one was the saying's
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    go_on.set()
    await server.resources.endpoints._saying_votes.close()  # waits for the votes under way

    assert (await aws.store.aggregates(since_hour="")).contributors[SIMULATED.contributor].upvotes == 1
    assert [taken.status for taken in events.of(VoteTaken)] == ["recorded"]
    assert not events.of(Unexpected)


async def p95(load: Load, path: str, count: int = 20) -> float:
    """Of the seconds that an answer takes."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        await load.get(path)
        took.append(time.perf_counter() - started)
    return sorted(took)[int(count * 0.95)]


@pytest.mark.slow
async def test_flood_is_answered_200_or_503_with_retry_after_and_health_stays_quick(serve: Serve, place: Place) -> None:
    server = await serve()
    async with new_visitor() as visitor:
        saying = await server.get("/sayings", visitor)
    async with Load(server.url, saying) as load:
        load.begin(voters=8, readers=8)
        await load.until(acknowledged=8)
        while_it_writes = await p95(load, "/health/live")
        with place.hold():
            refused = load.statuses[503]
            while_it_hangs = await p95(load, "/health/live")
            while load.statuses[503] == refused:
                await load.get("/sayings")
        await load.until(acknowledged=len(load.acknowledged) + 1)

    assert max(while_it_writes, while_it_hangs) < HEALTH_P95_SECONDS * SLACK_FACTOR
    assert set(load.statuses) == {200, 503}
