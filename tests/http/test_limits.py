"""With slow, absent or broken dependencies, or many clients, responses come in time and each vote counts once."""

import asyncio
import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import Saying, Vote
from service.page.files import Page
from service.server.app import listening
from service.store.sqlite import SqliteStore
from telemetry.events import RequestServed, Unexpected
from tests.http.conftest import SIMULATED, Server
from tests.http.wire import PATIENCE_SECONDS, connected, read_answer, request
from tests.store.counting import totals
from tests.support import with_timeouts

pytestmark = pytest.mark.slow

JSON = "application/json"
TIMEOUT = (408, "request_timeout")


class HeldStore:
    """Holds votes at the store until they are released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrived, self.let_go, self.stored = asyncio.Event(), asyncio.Event(), asyncio.Event()
        original = SqliteStore.vote

        async def vote(store: SqliteStore, vote: Vote, check: Callable[[Saying], None]) -> Any:
            self.arrived.set()
            await self.let_go.wait()
            result = await original(store, vote, check)
            self.stored.set()
            return result

        monkeypatch.setattr(SqliteStore, "vote", vote)


async def upvotes(server: Server) -> int:
    tally = (await totals(server.resources.store)).get(SIMULATED.contributor)
    return tally.unverified.upvotes if tally else 0


@with_timeouts(request_body=0.1)
async def test_a_body_that_drips_in_is_cut_off(server: Server) -> None:
    head = request("POST", "/feedback", Content_Type=JSON, Content_Length="1000")

    async with connected(server.port) as (reader, writer):

        async def drip() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.01)

        writer.write(head)
        dripping = asyncio.create_task(drip())
        answer = await read_answer(reader)
        dripping.cancel()

    assert answer.error == TIMEOUT
    assert (await server.ask("GET", "/health/live")).status == 200
    assert server.events.of(RequestServed)[0].operation == "postFeedback"


async def test_a_body_whose_chunks_make_no_sense_is_not_waited_for(server: Server) -> None:
    head = request("POST", "/feedback", Content_Type=JSON, Transfer_Encoding="chunked", Expect="100-continue")
    async with connected(server.port) as (reader, writer):
        writer.write(head)
        assert (await read_answer(reader)).status == 100

        writer.write(b"nonsense\r\n")

        assert (await read_answer(reader)).error == (400, "invalid_request")
        assert await reader.read() == b""


@with_timeouts(request_head=0.1)
@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /sayings HT",),
        (b"GET /sayings HTTP/1.1\r\nHost: x\r\n",),
        (b"G", b"E", b"T", b" "),
        (request("GET", "/health/live"), b"GET /sayings HTTP/1.1\r\nHost"),
    ],
    ids=["half a line", "half the headers", "byte by byte", "the second request"],
)
async def test_headers_that_do_not_end_are_cut_off(server: Server, pieces: tuple[bytes, ...]) -> None:
    async with connected(server.port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            if piece.endswith(b"\r\n\r\n"):
                assert (await read_answer(reader)).status == 200

        answer = await read_answer(reader)

        assert answer.error == TIMEOUT
        assert answer.headers["Connection"] == "close"
        assert await reader.read() == b""


@with_timeouts(request_head=0.05)
async def test_a_connection_that_sends_its_requests_whole_is_left_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldStore(monkeypatch)
    vote = await server.known()
    slow = asyncio.create_task(server.post_vote(vote))
    await held.arrived.wait()

    await asyncio.sleep(0.1)
    held.let_go.set()

    assert (await slow).status == 200


@with_timeouts(request_head=0.05)
async def test_a_connection_may_rest_between_two_requests(server: Server) -> None:
    whole = request("GET", "/health/live")
    async with connected(server.port) as (reader, writer):
        for piece in (whole[:10], whole[10:]):
            writer.write(piece)
            await writer.drain()
        first = await read_answer(reader)

        await asyncio.sleep(0.1)
        writer.write(whole)

        assert [first.status, (await read_answer(reader)).status] == [200, 200]


async def test_a_body_is_asked_for_where_the_client_waits_for_that(server: Server) -> None:
    vote = await server.known()

    answer = await server.ask("POST", "/feedback", json=vote, expect100=True)

    assert answer.status == 200


async def test_the_vote_of_a_client_that_goes_away_still_counts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldStore(monkeypatch)
    await server.known()
    body = b'{"saying": "%s", "source": "%s", "feedbackType": "POSITIVE"}' % (
        SIMULATED.text.encode(),
        SIMULATED.source.encode(),
    )
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(request("POST", "/feedback", body, Content_Type=JSON))
    await held.arrived.wait()

    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closed by a reset
    connection.close()
    assert (await server.ask("GET", "/health/live")).status == 200
    held.let_go.set()
    await held.stored.wait()

    assert await upvotes(server) == 1
    assert not server.events.of(Unexpected)


async def test_half_a_vote_of_a_client_that_goes_away_is_no_vote(server: Server) -> None:
    await server.known()
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(request("POST", "/feedback", b'{"saying": ', Content_Type=JSON, Content_Length="100"))
    assert (await server.ask("GET", "/health/live")).status == 200

    connection.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "invalid_request" not in {event.error_code for event in server.events.of(RequestServed)}:
            await server.ask("GET", "/health/live")

    assert not server.events.of(Unexpected)


async def test_fifty_equal_votes_with_one_cookie_at_once_count_once(server: Server) -> None:
    vote = await server.known()

    answers = await asyncio.gather(*(server.post_vote(vote, Cookie=f"sayings_voter={'v' * 32}") for _ in range(50)))

    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json["status"] for answer in answers) == ["recorded"] + ["unchanged"] * 49
    assert len({answer.json["feedbackId"] for answer in answers}) == 1
    assert await upvotes(server) == 1


@pytest.fixture
async def without_store(server: Server, tmp_path: Path) -> Server:
    """The server after its database has gone."""
    with sqlite3.connect(tmp_path / "sayings.db") as database:
        database.execute("DROP TABLE main_humor")
    database.close()
    return server


async def test_without_a_store_people_still_get_sayings(without_store: Server) -> None:
    answers = [(await without_store.ask("GET", "/sayings")).json for _ in range(3)]

    assert {(answer["origin"], answer["degraded"]) for answer in answers} == {("builtin", "database_error")}


async def test_without_a_store_votes_are_refused_for_now(without_store: Server) -> None:
    vote = {"saying": SIMULATED.text, "source": SIMULATED.source, "feedbackType": "POSITIVE"}

    answers = [
        await without_store.post_vote(vote),
        await without_store.ask("DELETE", f"/feedback/{SIMULATED.saying_id}"),
    ]

    assert [answer.error for answer in answers] == [(503, "store_unavailable")] * 2
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)


async def test_without_a_store_readiness_says_so_and_life_goes_on(without_store: Server) -> None:
    ready = await without_store.ask("GET", "/health/ready")
    live = await without_store.ask("GET", "/health/live")

    assert (ready.status, ready.json) == (503, {"status": "not_ready", "dependencies": {"store": "wrong_schema"}})
    assert (live.status, live.json) == (200, {"status": "alive"})


@with_timeouts(readiness=0.01)
async def test_a_store_that_hangs_is_not_ready_either(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.resources.endpoints._readiness, "_ping", asyncio.Event().wait)

    ready = await server.ask("GET", "/health/ready")

    assert (ready.status, ready.json["dependencies"]) == (503, {"store": "timeout"})


@pytest.mark.parametrize("turns", range(5))
async def test_requests_sent_before_the_stop_are_answered(server: Server, turns: int) -> None:
    with ExitStack() as stack:
        async with listening(server.resources) as url:
            place = ("127.0.0.1", int(url.rpartition(":")[2]))
            clients = [stack.enter_context(socket.create_connection(place, PATIENCE_SECONDS)) for _ in range(5)]
            for client in clients:
                client.sendall(request("GET", "/health/live"))
            for _ in range(turns):  # of the loop, which has not heard of any of them
                await asyncio.sleep(0)

        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 5


async def test_a_server_that_is_being_stopped_is_not_ready(server: Server) -> None:
    server.resources.endpoints.draining = True

    ready = await server.ask("GET", "/health/ready")

    assert (ready.status, ready.json["dependencies"]) == (503, {"store": "ok", "server": "draining"})


class TestWithTheLastResortOff:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"last_resort": "off"}

    async def test_there_is_no_saying_without_a_store(self, without_store: Server) -> None:
        answer = await without_store.ask("GET", "/sayings")

        assert answer.error == (503, "no_saying_available")
        assert int(answer.headers["Retry-After"]) > 0


class TestWithAlmostNoMoney:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"hourly_cap_usd": 1 / NANOS_PER_DOLLAR}

    async def test_a_live_request_over_the_cap_gets_a_stored_saying(self, server: Server) -> None:
        for _ in range(3):
            await server.ask("GET", "/sayings")

        answer = (await server.ask("GET", "/sayings")).json

        assert (answer["origin"], answer["degraded"]) == ("database", "budget")
        assert answer["metrics"]["apiLatency"] is None


async def test_a_defect_is_a_500_that_tells_nothing_and_a_stack_in_the_log(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: SqliteStore) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(SqliteStore, "random_saying", fail)

    answer = await server.ask("GET", "/sayings")

    assert answer.error == (500, "internal_error")
    assert b"inside" not in answer.body
    assert [str(event.error) for event in server.events.of(Unexpected)] == ["the inside"]


async def test_a_defect_around_the_dispatcher_is_a_500_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(Page, "find", fail)

    answer = await server.ask("GET", "/sayings")

    assert answer.error == (500, "internal_error")
    assert [str(event.error) for event in server.events.of(Unexpected)] == ["the inside"]
