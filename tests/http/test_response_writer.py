"""Responses as the server itself writes them to the wire: length, date, and the fate of the connection."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from telemetry.events import Unexpected
from tests.http.conftest import Server
from tests.http.wire import connected, read_answer, request

LIVE = request("GET", "/health/live")


async def test_it_has_its_length_the_date_and_a_name_that_tells_no_version(server: Server) -> None:
    [answer] = await server.converse(LIVE)

    assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
    assert abs(parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)) < timedelta(seconds=30)
    assert answer.headers["Server"] == "cloud-sayings"


@pytest.mark.parametrize(
    ("version", "asked", "told", "stays"),
    [
        (b"HTTP/1.1", "", None, True),
        (b"HTTP/1.1", "close", "close", False),
        (b"HTTP/1.0", "", "close", False),
        (b"HTTP/1.0", "keep-alive", "keep-alive", True),
    ],
)
async def test_a_connection_stays_or_ends_as_the_client_was_told(
    server: Server, version: bytes, asked: str, told: str | None, stays: bool
) -> None:
    headers: dict[str, Any] = {"Connection": asked} if asked else {}
    question = request("GET", "/health/live", **headers).replace(b"HTTP/1.1", version)

    async with connected(server.port) as (reader, writer):
        writer.write(question)
        first = await read_answer(reader)
        writer.write(question)
        rest = await (reader.read(1) if stays else reader.read())

    assert first.headers.get("Connection") == told
    assert bool(rest) is stays


async def test_several_requests_sent_at_once_are_answered_in_their_order(server: Server) -> None:
    answers = await server.converse(LIVE + request("GET", "/nowhere") + LIVE, answers=3)

    assert [answer.status for answer in answers] == [200, 404, 200]


@pytest.mark.usefixtures("built_page")
async def test_what_has_no_body_has_no_length(server: Server) -> None:
    page = await server.ask("GET", "/")

    unchanged = await server.ask("GET", "/", headers={"If-None-Match": page.headers["ETag"]})

    assert (unchanged.status, unchanged.body) == (304, b"")
    assert "Content-Length" not in unchanged.headers
    assert unchanged.headers["ETag"] == page.headers["ETag"]


async def test_a_disconnect_is_not_an_internal_error(server: Server) -> None:
    async with connected(server.port) as (_, writer):
        writer.write(LIVE * 50)
        writer.transport.abort()

    [answer] = await server.converse(LIVE)

    assert answer.status == 200
    assert server.events.of(Unexpected) == []
