"""A company's network: the only way out is a proxy, and an authority of its own signs what is behind it."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from telemetry.outbound import Outbound
from tests.telemetry.tls import DOMAIN, certificates

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# With all that a URL has to encode.
USER, PASSWORD = "ann@home", "p@ss:w/%"
_AUTHORIZATION = f"Proxy-Authorization: Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


class Company:
    """`outbound` is what the settings have to say, and `asked` the addresses that the proxy was asked for."""

    outbound: Outbound

    def __init__(self, folder: Path) -> None:
        self._certificates = certificates(folder)
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []

    @property
    def stranger(self) -> Outbound:
        """What somebody says who does not know the password."""
        return replace(self.outbound, proxy=f"http://{self.outbound.proxy.rpartition('@')[2]}")

    @property
    def doubter(self) -> Outbound:
        """What somebody says who does not trust the authority."""
        return replace(self.outbound, authorities="")

    async def open(self) -> None:
        port = await self._listen(self._tunnel)
        proxy = f"http://ann%40home:p%40ss%3Aw%2F%25@127.0.0.1:{port}"
        self.outbound = Outbound(proxy, str(self._certificates.authority))

    async def put(self, name: str, url: str) -> str:
        """Give a server of this machine a name in the company, and a certificate. Returns its URL there."""
        context = self._certificates.open_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        target = urlsplit(url).port or 0
        host = f"{name}.{DOMAIN}"
        self._ports[host] = await self._listen(lambda reader, writer: _relay(reader, writer, target), context)
        return f"https://{host}"

    def at(self, local: str, url: str) -> str:
        """The URL of the same server on this machine, under the name `local`."""
        return f"https://{local}:{self._ports[urlsplit(url).hostname or '']}"

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _listen(self, serve: Serve, context: ssl.SSLContext | None = None) -> int:
        async def bounded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await _closing(writer, serve(reader, writer))

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections.add(asyncio.create_task(bounded(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        method, address, _ = head[0].split()
        self.asked.append(address)
        if method != "CONNECT" or _AUTHORIZATION not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _relay(reader, writer, self._ports[address.removesuffix(":443")])


@asynccontextmanager
async def open_company(folder: Path) -> AsyncIterator[Company]:
    company = Company(folder)
    await company.open()
    try:
        yield company
    finally:
        await company.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes between a client and a port of this machine, until one of them has had enough."""
    others_reader, others_writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(
        _closing(others_writer, _pump(reader, others_writer)), _closing(writer, _pump(others_reader, writer))
    )


async def _closing(writer: asyncio.StreamWriter, work: Awaitable[None]) -> None:
    """Do the work, and then close the connection; at once if the work is cancelled."""
    try:
        await work
        writer.close()
        await writer.wait_closed()
    finally:
        writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
