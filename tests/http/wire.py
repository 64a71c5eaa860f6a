"""HTTP written by hand, for requests that no client library would send."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from multidict import CIMultiDict

from service.api.schemas import ErrorAnswer
from telemetry.events import Event
from tests.support import RecordingListener

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of what must be a documented error."""
        assert self.headers["Content-Type"] == "application/json"
        assert self.headers["Cache-Control"] == "no-store"
        answer = msgspec.json.decode(self.body, type=ErrorAnswer)
        assert len(answer.request_id) == 32
        assert answer.error.message.endswith((".", "again"))
        return self.status, answer.error.code


async def converse(port: int, *pieces: bytes, answers: int = 1, without_body: bool = False) -> list[Answer]:
    """Send the pieces one by one on a connection, then read that many answers, as they are to a HEAD if need be."""
    async with connected(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return [await read_answer(reader, without_body=without_body) for _ in range(answers)]


@asynccontextmanager
async def connected(
    port: int, address: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which no wait lasts for ever; raises TimeoutError when the patience of the test ends.

    `address` is the client's: every address of 127.0.0.0/8 is this machine, and another client to the server.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield reader, writer
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, without_body: bool = False) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().rstrip("\r\n").split("\r\n")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(": ")
        headers.add(name, value)
    body = b"" if without_body else await reader.readexactly(int(headers.get("Content-Length", "0")))
    return Answer(int(first.split()[1]), headers, body)


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes; underscores in the names of headers stand for hyphens."""
    given = {"Host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body and "Transfer-Encoding" not in given:
        given.setdefault("Content-Length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


async def until_told(events: RecordingListener, kind: type[Event]) -> Any:
    """The first event of that kind, once it is there."""
    told, emit = asyncio.Event(), events.emit

    def emit_and_tell(event: Event) -> None:
        emit(event)
        told.set()

    events.emit = emit_and_tell  # type: ignore[method-assign]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not events.of(kind):
            told.clear()
            await told.wait()
    return events.of(kind)[0]
