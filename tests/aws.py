"""AWS for tests: clients of our own, pointed at moto or at a server with scripted responses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from service.aws.clients import AwsClients
from tests.support import PATIENT

if TYPE_CHECKING:
    from types_aiobotocore_ssm.client import SSMClient

REGION = "eu-west-1"


@asynccontextmanager
async def ssm_client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["SSMClient"]:
    """The client that the service makes for itself, but patient."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    async with AsyncExitStack() as stack:
        yield await AwsClients(REGION, stack, timeouts=PATIENT).ssm()


async def put_key(client: "SSMClient", name: str, value: str) -> None:
    await client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


@asynccontextmanager
async def answering(response: bytes | None, heads: list[str] | None = None) -> AsyncIterator[str]:
    """The URL of a server that answers every request with these bytes and hangs up; with None it never answers.

    `heads` collects the requests' first lines and headers.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head.decode())
            if response is None:
                await reader.read()  # until the caller gives up
            else:
                writer.write(response)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http_response(body: bytes, *, status: int = 200, length: int | None = None) -> bytes:
    """An answer of SSM, cut short when `length` is more than the body's."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body) if length is None else length, body)
