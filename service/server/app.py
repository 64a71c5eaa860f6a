"""The aiohttp server, a thin layer that reads a request, passes it to the dispatcher and writes the response.

It uses aiohttp's low-level server rather than its Application, because routes, errors and limits are shared with the
Lambda handler. Malformed HTTP is refused with the same documented errors.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import cast

from aiohttp import HttpVersion11, web
from multidict import CIMultiDict

from service.api.client_address import TrustedProxies, client_address, forwarded_value
from service.api.dispatcher import Dispatcher
from service.api.http import Caller, Request, Response
from service.config import Settings
from service.errors import BodyTooLarge, ConfigError, HttpError, InvalidRequest, Overloaded, RequestTimeout
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.page.files import Page
from service.resilience.networks import networks
from service.resources import Resources
from service.server.acceptor import Acceptor, listen
from service.server.connections import Connection, Server
from service.server.descriptors import places_that_fit
from service.server.places import Doors, Networks, Places
from service.server.response_writer import SERVER_NAME, wire_form
from telemetry.events import DependencyFailed


class Application:
    """Adapts aiohttp's requests and responses to those of the dispatcher.

    `under_way` bounds the requests of each client behind the trusted proxies, whose connections carry those of many.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        page: Page,
        under_way: "Places[_Client]",
        *,
        proxies: TrustedProxies,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._body_seconds = timeouts.request_body
        self._dispatcher = dispatcher
        self._page = page
        self._proxies = proxies
        self._under_way = under_way

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", incoming.protocol)
        connection.begun()
        caller = _Client(incoming, connection, self._proxies.of(incoming.headers))
        if not self._proxies.count:
            return await self._respond(incoming, connection, caller)
        caller.take_place(self._under_way)
        try:
            return await self._respond(incoming, connection, caller)
        finally:
            self._under_way.leave(caller)

    async def _respond(
        self, incoming: web.BaseRequest, connection: Connection, caller: "_Client"
    ) -> web.StreamResponse:
        query = incoming.rel_url.raw_query_string
        request = Request(incoming.method, incoming.path, _headers(incoming), query=query, caller=caller)
        self._dispatcher.begin(request)
        response = self._file(request)
        if response is None:
            read_body = partial(_read_body, incoming, self._body_seconds)
            response = await self._dispatcher.dispatch(request, len(incoming.raw_path), read_body)
        if response.stream is not None:
            written = await _streamed(incoming, response, response.stream)
        else:
            has_whole_body = incoming.content.exception() is None
            stays = incoming.keep_alive and has_whole_body and not connection.is_spare
            written = await _write(incoming, response, stays=stays)
        connection.answered()
        return written

    def _file(self, request: Request) -> Response | None:
        try:
            return self._page.find(request)
        except HttpError as error:
            return self._dispatcher.refuse(request, error)

    def refuse_malformed(self) -> web.StreamResponse:
        """The response to malformed HTTP, or to a line longer than aiohttp's limit of 8 KiB."""
        return _final(self._dispatcher.refuse(self._unread_request(), InvalidRequest("The request is not valid HTTP.")))

    def refuse_connection(self) -> bytes:
        """The encoded response to a connection beyond the limit."""
        return wire_form(self._dispatcher.refuse(self._unread_request(), Overloaded()))

    def refuse_slow_head(self) -> bytes:
        """The encoded response to headers that do not end in time."""
        return wire_form(self._dispatcher.refuse(self._unread_request(), RequestTimeout()))

    def fail(self, error: BaseException) -> web.StreamResponse:
        """The response to a defect outside the dispatcher."""
        return _final(self._dispatcher.fail(self._unread_request(), error))

    def _unread_request(self) -> Request:
        """A stand-in for a request that could not be read."""
        request = Request("", "", {})
        self._dispatcher.begin(request)
        return request


def _headers(incoming: web.BaseRequest) -> Mapping[str, str]:
    """The headers of a request, with one for all cookies: proxies from HTTP/2 may leave a header for each of them."""
    headers = incoming.headers
    cookies = headers.getall("Cookie", ())
    if len(cookies) < 2:
        return headers
    joined = CIMultiDict(headers)
    joined["Cookie"] = "; ".join(cookies)
    return joined


class _Client(Caller):
    """The client of a connection, as seen through the trusted proxies in front of the server."""

    __slots__ = ("_connection", "_has_too_many", "_incoming", "_trusted_proxies", "networks")

    takes_streams = True

    def __init__(self, incoming: web.BaseRequest, connection: Connection, trusted_proxies: int) -> None:
        self._incoming = incoming
        self._connection = connection
        self._trusted_proxies = trusted_proxies
        self._has_too_many = False
        self.networks: Networks = ()

    def take_place(self, under_way: "Places[_Client]") -> None:
        """Count this request among those of its client. If there are too many, only its health is answered."""
        self.networks = networks(self.address)
        self._has_too_many = not under_way.have_room(self.networks)
        under_way.take(self)

    @property
    def address(self) -> str:
        forwarded = self._incoming.headers.getall("X-Forwarded-For", ())
        return client_address(self._incoming.remote or "", forwarded, trusted_proxies=self._trusted_proxies)

    def forwarded(self, header: str) -> str:
        return forwarded_value(self._incoming.headers.getall(header, ()), trusted_proxies=self._trusted_proxies)

    @property
    def is_too_many(self) -> bool:
        return self._connection.is_spare or self._has_too_many

    @property
    def is_secure(self) -> bool:
        return (self.forwarded("X-Forwarded-Proto") or self._incoming.scheme).lower() == "https"

    def staying(self) -> AbstractContextManager[None]:
        return self._connection.staying()


class _Written(web.StreamResponse):
    """Tells aiohttp that the response is already written, and whether the connection stays open."""

    def __init__(self, *, stays: bool) -> None:
        super().__init__()
        self._stays = stays

    @property
    def keep_alive(self) -> bool:
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing, because the headers are already written."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing, because the body is already written."""


# An address that this machine does not have, and a family of addresses that it does not know.
_OF_THE_HOST = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_STAYS, _ENDS = _Written(stays=True), _Written(stays=False)


async def _write(incoming: web.BaseRequest, response: Response, *, stays: bool) -> web.StreamResponse:
    try:
        await incoming.writer.write(wire_form(response, incoming.method, incoming.version, stays=stays))
    except ConnectionError:  # the client has gone
        return _ENDS
    return _STAYS if stays else _ENDS


def _final(response: Response) -> web.StreamResponse:
    """A response for aiohttp to write when there is no request; it closes the connection."""
    outgoing = web.Response(
        status=response.status, body=response.body, headers={**response.headers, "Server": SERVER_NAME}
    )
    outgoing.force_close()
    return outgoing


async def _streamed(
    incoming: web.BaseRequest, response: Response, stream: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    outgoing = web.StreamResponse(status=response.status, headers={**response.headers, "Server": SERVER_NAME})
    # The stream is started before the headers are sent, because closing a generator that never started runs no cleanup.
    with suppress(ConnectionError):  # aiohttp meets the same error again, and handles it
        async with aclosing(stream):
            async for chunk in stream:
                await outgoing.prepare(incoming)
                await outgoing.write(chunk)
    return outgoing


async def _read_body(incoming: web.BaseRequest, seconds: float, most: int) -> bytes:
    if (incoming.content_length or 0) > most:
        raise BodyTooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            await _invite_body(incoming)
            while piece := await incoming.content.readany():
                body += piece
                if len(body) > most:
                    raise BodyTooLarge
    except TimeoutError:
        raise RequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidRequest("The body did not arrive whole.") from None
    return bytes(body)


async def _invite_body(incoming: web.BaseRequest) -> None:
    """Send `100 Continue`, which curl and others await before a large body; aiohttp's low-level server does not."""
    if incoming.headers.get("Expect", "").lower() == "100-continue" and incoming.version >= HttpVersion11:
        await incoming.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        incoming.writer.output_size = 0  # the response itself has not begun


@asynccontextmanager
async def listening(resources: Resources) -> AsyncIterator[str]:
    """Serve until the block is left; yields the URL. Raises ConfigError when it cannot listen on the host and port."""
    settings, timeouts = resources.settings, resources.settings.timeouts
    most = _places(resources)
    per_address = settings.connections_per_address
    application = Application(
        resources.dispatcher,
        Page(),
        Places(most, per_address),
        proxies=TrustedProxies(settings.trusted_proxies, settings.origin_secret_digests),
        timeouts=timeouts,
    )
    server = Server(
        application,
        Doors(most, per_address),
        shares=settings.trusted_proxies == 0,
        timeouts=timeouts,
        limits=settings.limits,
    )
    sockets = await _listen(settings)
    acceptor = Acceptor(server, sockets, most, resources.listener, timeouts=timeouts, limits=settings.limits)
    acceptor.start()
    try:
        yield _url(settings.host, acceptor.port)
    finally:
        resources.endpoints.drain()
        await acceptor.stop()
        server.pre_shutdown()
        await server.shutdown(timeouts.shutdown)
        await server.settle()


def _places(resources: Resources) -> int:
    """How many connections to serve: as many as the settings say, or fewer if there are too few file descriptors."""
    settings = resources.settings
    most, descriptors = places_that_fit(
        settings.max_connections, settings.limits.reserved_descriptors + settings.max_live_calls
    )
    if most < settings.max_connections:
        message = (
            f"SAYINGS_MAX_CONNECTIONS is {settings.max_connections}, but {descriptors} file descriptors"
            f" (ulimit -n) are enough only for {most}."
        )
        resources.listener.emit(DependencyFailed("descriptors", "listen", "TooFewDescriptors", message))
    return most


def _url(host: str, port: int) -> str:
    if host in ("127.0.0.1", "0.0.0.0", "::"):  # noqa: S104 - recognised, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _listen(settings: Settings) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return listen([(family, address) for family, *_, address in found], settings.limits.backlog)
    except OSError as error:
        about_the_host = isinstance(error, socket.gaierror) or error.errno in _OF_THE_HOST
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise ConfigError(
            "SAYINGS_HOST" if about_the_host else "SAYINGS_PORT",
            f"cannot listen on {settings.host}:{settings.port} ({reason})",
        ) from error
