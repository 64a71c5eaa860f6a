"""Connections: how they are listened for and accepted, what is pipelined on them, and how clients end their side."""

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.server import acceptor
from service.simulator import Fault, FaultKind, Simulator
from telemetry.events import DependencyFailed, RequestServed
from tests.http.conftest import Server
from tests.http.wire import connected, read_answer, request, until_told
from tests.support import with_timeouts

pytestmark = pytest.mark.slow

JSON = "application/json"
SAYING, HEALTH = request("GET", "/sayings"), request("GET", "/health/live")
INVALID, TOO_LARGE = (400, "invalid_request"), (413, "body_too_large")


# --- pipelining -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [b"nonsense\r\n\r\n", b"GET /say ings HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0"])
@pytest.mark.parametrize("count", [1, 3, 100])
async def test_good_requests_before_a_malformed_one_are_answered(server: Server, count: int, bad: bytes) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(HEALTH * count + bad)
        good = [await read_answer(reader) for _ in range(count)]
        refused = await read_answer(reader)
        rest = await reader.read()

    assert {answer.status for answer in good} == {200}
    assert (refused.error, rest) == (INVALID, b"")


@pytest.mark.parametrize("cut", range(1, 5))
async def test_a_blank_line_that_arrives_in_two_parts_ends_a_head(server: Server, cut: int) -> None:
    answers = await server.converse(HEALTH[:-cut], HEALTH[-cut:] + b"nonsense\r\n\r\n", answers=2)

    assert [answer.status for answer in answers] == [200, 400]


async def test_bodies_may_hold_blank_lines_and_be_pipelined(server: Server) -> None:
    wrong = request("POST", "/feedback", b"{\r\n\r\n", Content_Type=JSON)
    chunks = b"5\r\n{\r\n\r\n\r\n1\r\n{\r\n0\r\n\r\n"
    chunked = request("POST", "/feedback", chunks, Content_Type=JSON, Transfer_Encoding="chunked")

    answers = await server.converse((wrong + HEALTH + chunked + HEALTH) * 20, answers=80)

    assert [answer.status for answer in answers] == [400, 200, 400, 200] * 20


@pytest.mark.parametrize("breaks", [b"\n", b"\r\n", b"\r\n\r\n"], ids=repr)
async def test_line_breaks_without_end_cost_the_others_nothing(server: Server, breaks: bytes) -> None:
    async with connected(server.port) as (_, writer):
        writer.write(breaks * (1_000_000 // len(breaks)))
        started = time.monotonic()
        answers = await server.converse(HEALTH * 3, answers=3)
        waited = time.monotonic() - started

    assert {answer.status for answer in answers} == {200}
    assert waited < 0.5


# --- clients that end their side --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 100])
async def test_a_client_that_ends_its_side_gets_its_answers(server: Server, count: int) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(SAYING * count)
        writer.write_eof()
        answers = [await read_answer(reader) for _ in range(count)]
        rest = await reader.read()

    assert {answer.status for answer in answers} == {200}
    assert rest == b""


async def test_a_client_that_ends_its_side_after_an_answer_is_let_go(server: Server) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(HEALTH)
        await read_answer(reader)
        writer.write_eof()

        assert await reader.read() == b""


async def test_half_a_head_is_not_waited_for_when_no_more_can_come(server: Server) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(HEALTH + b"GET /say")
        writer.write_eof()

        assert (await read_answer(reader)).status == 200
        assert await reader.read() == b""


async def test_half_a_body_is_not_waited_for_when_no_more_can_come(server: Server) -> None:
    async with connected(server.port) as (reader, writer):
        writer.write(request("POST", "/feedback", b'{"saying": ', Content_Type=JSON, Content_Length="100"))
        writer.write_eof()

        assert await reader.read() == b""
        assert [event.error_code for event in server.events.of(RequestServed)] == ["invalid_request"]


async def test_a_comparison_is_not_streamed_to_a_half_closed_client(server: Server, simulator: Simulator) -> None:
    simulator.inject("*", Fault(FaultKind.HANG, count=4))
    async with connected(server.port) as (reader, writer):
        writer.write(request("POST", "/compare", b"{}", Content_Type=JSON))
        await simulator.until(lambda: simulator.in_flight == 4)
        writer.write_eof()

        await reader.read()
        served = await until_told(server.events, RequestServed)

    assert (served.operation, served.error_code) == ("postCompare", "broken_off")


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expect", ["", "100-continue"])
async def test_a_body_whose_length_is_too_long_is_refused_unread(server: Server, expect: str) -> None:
    head = request("POST", "/feedback", Content_Type=JSON, Content_Length="1000000", Expect=expect)

    [answer] = await server.converse(head)

    assert answer.error == TOO_LARGE


async def test_a_chunked_body_is_refused_before_it_ends(server: Server) -> None:
    head = request("POST", "/feedback", Content_Type=JSON, Transfer_Encoding="chunked")

    [answer] = await server.converse(head, *[b"1000\r\n" + b" " * 4096 + b"\r\n"] * 5)

    assert answer.error == TOO_LARGE


# --- accepting --------------------------------------------------------------------------------------------------------


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Let this process open no more files and sockets."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


@with_timeouts(accept_retry=0.0)
async def test_without_descriptors_accepting_rests_and_then_goes_on(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        with without_descriptors():
            await loop.sock_connect(client, ("127.0.0.1", server.port))
            for _ in range(100):  # as many attempts to accept
                await asyncio.sleep(0)
        await loop.sock_sendall(client, HEALTH)
        answer = await loop.sock_recv(client, 12)

    assert answer == b"HTTP/1.1 200"
    assert [event.dependency for event in server.events.of(DependencyFailed)] == ["descriptors"]
    assert caplog.records == []


@with_timeouts(keep_alive=60.0, accept_retry=0.0)
async def test_without_descriptors_a_connection_at_rest_is_closed(server: Server) -> None:
    loop = asyncio.get_running_loop()
    async with connected(server.port) as (reader, writer):
        writer.write(HEALTH)
        await read_answer(reader)
        with socket.socket() as client:
            client.setblocking(False)
            with without_descriptors():
                await loop.sock_connect(client, ("127.0.0.1", server.port))

                assert await reader.read() == b""


# What each host listens on, as far as this machine has such addresses.
LISTENED = {"127.0.0.1": ["127.0.0.1"], "0.0.0.0": ["127.0.0.1"]}
if socket.has_dualstack_ipv6():
    LISTENED |= {"::": ["127.0.0.1", "::1"], "::1": ["::1"]}


class TestListening:
    @pytest.fixture
    def settings(self, host: str) -> dict[str, Any]:
        return {"host": host}

    @pytest.mark.parametrize("host", LISTENED)
    async def test_a_host_answers_on_its_addresses(self, server: Server, host: str) -> None:
        answers = []
        for address in LISTENED[host]:
            reader, writer = await asyncio.open_connection(address, server.port)
            writer.write(HEALTH)
            answers.append(await read_answer(reader))
            writer.close()

        assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize(("host", "both"), [("::", True), ("::1", False), ("0.0.0.0", False)])
def test_only_all_of_ipv6_stands_for_all_of_ipv4_too(monkeypatch: pytest.MonkeyPatch, host: str, both: bool) -> None:
    asked: list[bool] = []

    def create_server(*_: object, dualstack_ipv6: bool, **__: object) -> socket.socket:
        asked.append(dualstack_ipv6)
        return socket.socket()

    monkeypatch.setattr(socket, "create_server", create_server)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)

    for listening in acceptor.listen([(socket.AF_INET6, (host, 8080))], backlog=1):
        listening.close()

    assert asked == [both]
