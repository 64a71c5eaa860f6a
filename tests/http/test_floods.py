"""With too many requests, model calls or connections, a client is told at once to wait, and health is answered."""

import asyncio
import hashlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.server import connections
from service.simulator import Fault, FaultKind, Simulator
from telemetry.events import ComparisonFinished, RequestServed
from tests.http.conftest import Server
from tests.http.wire import PATIENCE_SECONDS, Answer, connected, read_answer, request
from tests.support import timeless_entries, with_timeouts

pytestmark = pytest.mark.slow

JSON = "application/json"
SAYING, HEALTH = request("GET", "/sayings"), request("GET", "/health/live")
OVERLOADED = (503, "overloaded")


def by(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


class TestWithOneRequestAnHour:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"vote_rate": "1/hour", "compare_rate": "1/hour", "read_rate": "1/hour", "trusted_proxies": 1}

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("POST /feedback", f"DELETE /feedback/{'0' * 32}"),
            (f"DELETE /feedback/{'0' * 32}", f"POST /compare/{'0' * 32}/vote"),
            (f"POST /compare/{'0' * 32}/vote", "POST /feedback"),
            ("POST /compare", "POST /compare"),
            ("GET /sayings", "GET /models"),
            ("GET /models", "GET /stats"),
            ("HEAD /stats", "GET /openapi.json"),
        ],
    )
    async def test_a_client_over_the_rate_is_refused_with_retry_after(
        self, server: Server, first: str, second: str
    ) -> None:
        taken = await server.ask(*first.split(), headers=by("192.0.2.1"), json={})

        refused = await server.ask(*second.split(), headers=by("192.0.2.1"), json={})
        elsewhere = await server.ask(*second.split(), headers=by("192.0.2.2"), json={})

        assert refused.error == (429, "rate_limited")
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert 429 not in (taken.status, elsewhere.status)

    async def test_votes_comparisons_and_reads_have_separate_limits(self, server: Server) -> None:
        each = ["POST /feedback", "POST /compare", "GET /sayings"]

        answers = [await server.ask(*asked.split(), headers=by("192.0.2.1"), json={}) for asked in each]

        assert 429 not in {answer.status for answer in answers}

    @pytest.mark.parametrize(
        "addresses",
        [("198.51.100.1, 192.0.2.1", "198.51.100.2, 192.0.2.1"), ("2001:db8::1", "2001:db8::2")],
        ids=["made up by the client", "of one network"],
    )
    async def test_no_choice_of_addresses_gets_around_the_limit(
        self, server: Server, addresses: tuple[str, str]
    ) -> None:
        answers = [await server.ask("GET", "/sayings", headers=by(address)) for address in addresses]

        assert [answer.status for answer in answers] == [200, 429]

    async def test_health_and_the_page_are_not_limited(self, server: Server) -> None:
        paths = ["/health/live", "/health/ready", "/"] * 3

        answers = [await server.ask("GET", path) for path in paths]

        assert {answer.status for answer in answers} == {200}


class TestWithAnOriginSecret:
    """Behind proxies that can be gone around: only requests that bring the secret came through them."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        digests = ",".join(hashlib.sha256(secret).hexdigest() for secret in (b"current", b"previous"))
        return {"vote_rate": "2/hour", "trusted_proxies": 2, "origin_secret_sha256": digests}

    @pytest.mark.parametrize("secret", ["current", "previous"])
    async def test_clients_behind_the_proxies_are_told_apart(self, server: Server, secret: str) -> None:
        origin = {"X-Origin-Secret": secret}

        one = [await vote(server, "6.6.6.6, 192.0.2.1, 10.0.0.1", **origin) for _ in range(3)]
        other = await vote(server, "6.6.6.6, 192.0.2.2, 10.0.0.1", **origin)

        assert (one, other) == ([400, 400, 429], 400)

    @pytest.mark.parametrize("origin", [{}, {"X-Origin-Secret": "a guess"}])
    async def test_a_client_that_goes_around_them_cannot_choose_its_address(
        self, server: Server, origin: dict[str, str]
    ) -> None:
        forged = [await vote(server, f"192.0.2.{n}, 10.0.0.1", **origin) for n in range(3)]
        through_the_proxies = await vote(server, "192.0.2.1, 10.0.0.1", **{"X-Origin-Secret": "current"})

        assert (forged, through_the_proxies) == ([400, 400, 429], 400)


async def vote(server: Server, forwarded: str, **headers: str) -> int:
    """The status of an empty vote, which is refused once it is counted."""
    answer = await server.ask("POST", "/feedback", json={}, headers={"X-Forwarded-For": forwarded} | headers)
    return answer.status


async def test_by_default_reading_is_not_limited_and_comparing_is(server: Server) -> None:
    sayings = [await server.ask("GET", "/sayings") for _ in range(100)]
    nonsense = [await server.ask("POST", "/compare", json={"service": "none"}) for _ in range(11)]

    assert {answer.status for answer in sayings} == {200}
    assert [answer.status for answer in nonsense] == [400] * 10 + [429]


@asynccontextmanager
async def comparing_for_ever(server: Server, simulator: Simulator) -> AsyncIterator[None]:
    """Keep a client connected whose comparison hangs in all models."""
    simulator.inject("*", Fault(FaultKind.HANG, count=4))
    async with connected(server.port) as (_, writer):
        writer.write(request("POST", "/compare", b"{}", Content_Type=JSON))
        await simulator.until(lambda: simulator.in_flight == 4)
        yield


class TestWithPlacesForOneComparison:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"max_live_calls": 4}

    async def test_a_live_request_falls_back_while_they_are_taken(self, server: Server, simulator: Simulator) -> None:
        async with comparing_for_ever(server, simulator):
            *_, fourth = [(await server.ask("GET", "/sayings")).json for _ in range(4)]

        assert (fourth["degraded"], fourth["metrics"]["apiLatency"]) == ("busy", None)
        assert simulator.max_in_flight == 4

    async def test_another_comparison_is_a_replay_or_has_to_wait(self, server: Server, simulator: Simulator) -> None:
        made = await server.ask("POST", "/compare", json={}, headers={"Accept": JSON})
        other = {"Accept": JSON, "Cookie": f"sayings_voter={'v' * 32}"}

        async with comparing_for_ever(server, simulator):
            shown = await server.ask("POST", "/compare", json={}, headers=other)
            again = await server.ask("POST", "/compare", json={}, headers=other)

        assert shown.json == made.json | {"replayed": True, "reason": "busy"}
        assert again.error == (503, "comparison_unavailable")
        assert again.headers["Retry-After"] == "5"
        assert simulator.max_in_flight == 4


class TestWithModelsThatAreGivenUpSoon:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> dict[str, Any]:
        catalogue = tmp_path / "catalogue.json"
        catalogue.write_text(json.dumps({"models": [entry | {"timeout_seconds": 4} for entry in timeless_entries()]}))
        return {"max_live_calls": 4, "catalogue": str(catalogue)}

    async def test_places_are_free_again_when_the_calls_of_an_abandoned_comparison_end(
        self, server: Server, simulator: Simulator
    ) -> None:
        async with comparing_for_ever(server, simulator):
            pass
        while not server.events.of(ComparisonFinished):
            await server.ask("GET", "/app.js")

        answer = await server.ask("POST", "/compare", json={}, headers={"Accept": JSON})

        assert (answer.status, answer.json["replayed"]) == (200, False)


# --- more than the loop can do ----------------------------------------------------------------------------------------

TURN_SECONDS = 0.2


@asynccontextmanager
async def busy_loop() -> AsyncIterator[None]:
    """Keep the loop late at every turn."""

    async def compute() -> None:
        while True:
            time.sleep(TURN_SECONDS)  # noqa: ASYNC251 - which is the point
            await asyncio.sleep(0)

    computing = asyncio.create_task(compute())
    try:
        yield
    finally:
        computing.cancel()
        await asyncio.gather(computing, return_exceptions=True)


async def sayings(server: Server, count: int) -> list[Answer]:
    """The answers to so many requests for a saying, one after the other on one connection."""
    answers = []
    async with connected(server.port) as (reader, writer):
        for _ in range(count):
            writer.write(SAYING)
            answers.append(await read_answer(reader))
    return answers


async def test_requests_that_wait_for_the_loop_are_answered_because_a_refusal_would_take_as_long(
    server: Server,
) -> None:
    async with busy_loop():
        answers = await asyncio.gather(*(sayings(server, 3) for _ in range(60)))

    assert {answer.status for on_one_connection in answers for answer in on_one_connection} == {200}


# --- connections ------------------------------------------------------------------------------------------------------


class TestWithRoomForTwo:
    """Two connections, and two more for one answer each; a client may have one of both kinds."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"max_connections": 2}

    @pytest.fixture
    async def two_others(self, server: Server) -> AsyncIterator[None]:
        async with (
            connected(server.port, "127.0.0.2") as (one, to_one),
            connected(server.port, "127.0.0.3") as (other, to_other),
        ):
            for reader, writer in ((one, to_one), (other, to_other)):
                writer.write(SAYING)
                assert (await read_answer(reader)).status == 200
            yield

    @pytest.mark.usefixtures("two_others")
    async def test_a_third_is_refused_and_closed_while_health_is_answered(self, server: Server) -> None:
        async with (
            connected(server.port, "127.0.0.4") as (third, to_third),
            connected(server.port, "127.0.0.5") as (fourth, to_fourth),
        ):
            to_third.write(SAYING)
            to_fourth.write(HEALTH)
            answers = [await read_answer(third), await read_answer(fourth)]

            assert (answers[0].error, answers[1].status) == (OVERLOADED, 200)
            assert {answer.headers["Connection"] for answer in answers} == {"close"}
            assert int(answers[0].headers["Retry-After"]) > 0
            assert await third.read() == await fourth.read() == b""

    @pytest.mark.usefixtures("two_others")
    async def test_for_a_fifth_one_is_closed_that_has_asked_nothing(self, server: Server) -> None:
        async with (
            connected(server.port, "127.0.0.4") as (third, _),
            connected(server.port, "127.0.0.5"),
            connected(server.port, "127.0.0.6") as (fifth, to_fifth),
        ):
            to_fifth.write(HEALTH)
            told, answered = await read_answer(third), await read_answer(fifth)

            assert (told.error, answered.status) == (OVERLOADED, 200)
            assert await third.read() == b""

    @with_timeouts(idle_connection=0.0)
    @pytest.mark.usefixtures("two_others")
    async def test_one_that_rests_makes_room(self, server: Server) -> None:
        async with connected(server.port) as (reader, writer):
            for _ in range(2):
                writer.write(SAYING)
                assert (await read_answer(reader)).status == 200

    async def test_a_client_with_all_its_places_has_its_oldest_closed(self, server: Server) -> None:
        async with connected(server.port) as (first, _), connected(server.port) as (second, to_second):
            to_second.write(SAYING)
            answered, told = await read_answer(second), await read_answer(first)

            assert (answered.status, told.error) == (200, OVERLOADED)

    async def test_a_closed_connection_takes_no_room(self, server: Server) -> None:
        for _ in range(10):
            async with connected(server.port):
                pass

        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await server.converse(SAYING))[0].status != 200:
                pass


@asynccontextmanager
async def flooding(server: Server, addresses: Iterable[str]) -> AsyncIterator[None]:
    """Keep a connection open from each of these addresses that has sent one byte."""
    clients = []
    try:
        for address in addresses:
            client = socket.socket()
            clients.append(client)
            client.setblocking(False)
            client.bind((address, 0))
            client.connect_ex(("127.0.0.1", server.port))
        for client in clients:
            await asyncio.get_running_loop().sock_sendall(client, b"G")
        yield
    finally:
        for client in clients:
            client.close()


VISITOR = "127.0.0.2"


async def of_visitor(server: Server, *requests: bytes) -> list[int]:
    """The statuses of the answers to these requests from another address than the flood's, each on a new connection."""
    statuses = []
    for asked in requests:
        async with connected(server.port, VISITOR) as (reader, writer):
            writer.write(asked)
            statuses.append((await read_answer(reader)).status)
    return statuses


@pytest.mark.parametrize("count", [460, 1_000, 2_000])
async def test_a_flood_from_one_address_costs_the_others_nothing(server: Server, count: int) -> None:
    vote = request("POST", "/feedback", msgspec.json.encode(await server.known()), Content_Type=JSON)
    comparison = request("POST", "/compare", b"{}", Content_Type=JSON, Accept=JSON)
    ready = request("GET", "/health/ready")

    async with flooding(server, ["127.0.0.1"] * count):
        statuses = await of_visitor(server, *[SAYING] * 20, vote, comparison, HEALTH, ready)

    assert set(statuses) == {200}


async def test_a_flood_from_many_addresses_leaves_health(server: Server) -> None:
    addresses = [f"127.0.{third}.{fourth}" for third in range(1, 5) for fourth in range(250)]

    async with flooding(server, addresses):
        statuses = await of_visitor(server, HEALTH, request("GET", "/health/ready"))

    assert statuses == [200, 200]


class TestWithTwoRequestsAtOnce:
    """Behind a proxy, whose one connection, or many, carry the requests of all clients."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"trusted_proxies": 1, "connections_per_address": 2}

    async def test_a_client_behind_a_proxy_has_so_many_under_way(self, server: Server, simulator: Simulator) -> None:
        simulator.inject("*", Fault(FaultKind.HANG, count=8))
        greedy = [asyncio.create_task(server.ask("POST", "/compare", json={}, headers=by("192.0.2.1"))) for _ in "12"]
        await simulator.until(lambda: simulator.in_flight == 8)

        third = await server.ask("GET", "/models", headers=by("192.0.2.1"))
        health = await server.ask("GET", "/health/live", headers=by("192.0.2.1"))
        other = await server.ask("GET", "/models", headers=by("192.0.2.2"))
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)

        assert third.error == OVERLOADED
        assert (health.status, other.status) == (200, 200)

    async def test_the_connections_of_a_proxy_are_not_bounded(self, server: Server) -> None:
        answers = await asyncio.gather(*(server.ask("GET", "/models", headers=by(f"192.0.2.{n}")) for n in range(50)))

        assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("count", [10, 10_000])
async def test_headers_without_number_are_no_request(server: Server, count: int) -> None:
    head = HEALTH[:-2] + b"".join(b"X-%d: 1\r\n" % number for number in range(count)) + b"\r\n"

    async with connected(server.port) as (reader, writer):
        writer.write(head)
        answer = await read_answer(reader)

    assert (answer.status == 200) == (count == 10)
    assert count == 10 or answer.error == (400, "invalid_request")


async def test_the_least_that_is_left_unread_counts_as_that(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = connections.Connection.connection_made

    def connection_made(connection: Any, transport: Any) -> None:
        original(connection, transport)
        made.append(transport.get_write_buffer_limits())

    monkeypatch.setattr(connections.Connection, "connection_made", connection_made)

    await server.converse(HEALTH)

    assert made == [(0, 0)]


@with_timeouts(unread_answer=0.05)
async def test_a_client_that_does_not_read_responses_is_disconnected(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = asyncio.Event()
    original = connections.Connection.connection_lost

    def connection_lost(connection: Any, exc: BaseException | None) -> None:
        original(connection, exc)
        lost.set()

    monkeypatch.setattr(connections.Connection, "connection_lost", connection_lost)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setblocking(False)
        asking = asyncio.create_task(
            asyncio.get_running_loop().sock_sendall(client, request("GET", "/openapi.json") * 2000)
        )

        async with asyncio.timeout(PATIENCE_SECONDS):
            await lost.wait()
        await asyncio.gather(asking, return_exceptions=True)

    assert 0 < len(server.events.of(RequestServed)) < 2000
