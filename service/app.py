"""The aiohttp server: thin. It reads a request, hands it over and writes the answer.

It stands on aiohttp's low-level server rather than on its Application: routes, errors and limits are the same ones that
the Lambda handler uses, and what is not HTTP at all is refused in the same words.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager, suppress
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from aiohttp import HttpVersion11, web

from service.client_address import client_address
from service.config import Settings
from service.dispatch import Dispatcher
from service.errors import BodyTooLarge, ConfigError, HttpError, InvalidRequest, Overloaded, RequestTimeout
from service.http import BODY_SECONDS, Caller, Request, Response
from service.load import LoopLoad
from service.page import Page
from service.resources import Resources

# Instead of aiohttp's, which tells the versions of Python and aiohttp.
SERVER_NAME = "cloud-sayings"
KEEP_ALIVE_SECONDS = 75.0
# From the first byte of a request to the end of its headers.
HEAD_SECONDS = 5.0
# For how long a client may take nothing of what is there for it.
UNREAD_SECONDS = 30.0
# Connections that wait to be taken: one more than these is tried again by its client only after a second.
BACKLOG = 1024
# A connection that has been silent for so long may be closed for another one's sake.
IDLE_SECONDS = 5.0
# For how long a body that was refused is still read, so that its sender gets to see the answer.
LINGERING_SECONDS = 1.0
# aiohttp waits twice this long for handlers; with the last flush it stays within the ten seconds after SIGTERM.
SHUTDOWN_SECONDS = 3.0


class Application:
    """Adapts aiohttp's requests to the dispatcher's."""

    def __init__(self, dispatcher: Dispatcher, page: Page, load: LoopLoad, *, trusted_proxies: int = 0) -> None:
        self._dispatcher = dispatcher
        self._page = page
        self._load = load
        self._trusted_proxies = trusted_proxies

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        caller = _Client(incoming, self._load, self._trusted_proxies)
        request = Request(
            incoming.method, incoming.path, incoming.headers, secure=self._is_secure(incoming), caller=caller
        )
        self._dispatcher.begin(request)
        response = await self._answer(incoming, request)
        if response.stream is None:
            return _last(response) if caller.is_spare else _outgoing(response)
        return await _streamed(incoming, response, response.stream)

    async def _answer(self, incoming: web.BaseRequest, request: Request) -> Response:
        try:
            if file := self._page.find(request):
                return file
        except HttpError as error:
            return self._dispatcher.refuse(request, error)
        return await self._dispatcher.dispatch(request, len(incoming.raw_path), partial(_read_body, incoming))

    def refuse_malformed(self) -> web.Response:
        """The answer to what is not HTTP, or has a line of more than aiohttp's 8 KiB."""
        return _last(self._dispatcher.refuse(self._nameless(), InvalidRequest("The request is not valid HTTP.")))

    def refuse_connection(self) -> bytes:
        """The answer, as it goes over the wire, to a connection too many."""
        return _wire_form(self._dispatcher.refuse(self._nameless(), Overloaded()))

    def refuse_slow_head(self) -> bytes:
        """The answer, as it goes over the wire, to headers that do not end."""
        return _wire_form(self._dispatcher.refuse(self._nameless(), RequestTimeout()))

    def fail(self, error: BaseException) -> web.Response:
        """The answer to a defect in this class."""
        return _last(self._dispatcher.fail(self._nameless(), error))

    def _nameless(self) -> Request:
        """Stands for a request that could not be read."""
        request = Request("", "", {})
        self._dispatcher.begin(request)
        return request

    def _is_secure(self, incoming: web.BaseRequest) -> bool:
        forwarded = incoming.headers.get("X-Forwarded-Proto") if self._trusted_proxies else None
        return (forwarded or incoming.scheme) == "https"


class _Client(Caller):
    """The other end of a connection, or of the proxies before it."""

    __slots__ = ("_incoming", "_load", "_trusted_proxies")

    takes_streams = True

    def __init__(self, incoming: web.BaseRequest, load: LoopLoad, trusted_proxies: int) -> None:
        self._incoming = incoming
        self._load = load
        self._trusted_proxies = trusted_proxies

    @property
    def address(self) -> str:
        forwarded = self._incoming.headers.getall("X-Forwarded-For", ())
        return client_address(self._incoming.remote or "", forwarded, trusted_proxies=self._trusted_proxies)

    @property
    def is_too_many(self) -> bool:
        return self._load.is_late or self.is_spare

    @property
    def is_spare(self) -> bool:
        return self._connection.is_spare

    def staying(self) -> AbstractContextManager[None]:
        return self._connection.staying()

    @property
    def _connection(self) -> "_Connection":
        return cast("_Connection", self._incoming.protocol)


def _outgoing(response: Response) -> web.Response:
    outgoing = web.Response(status=response.status, body=response.body, headers=response.headers)
    outgoing.headers["Server"] = SERVER_NAME
    return outgoing


async def _streamed(
    incoming: web.BaseRequest, response: Response, stream: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    outgoing = web.StreamResponse(status=response.status, headers=response.headers | {"Server": SERVER_NAME})
    # Begun before the first byte is sent: what was never begun does nothing when it is closed.
    with suppress(ConnectionError):  # aiohttp meets the same one again, and knows what to do
        async with aclosing(stream):
            async for chunk in stream:
                await outgoing.prepare(incoming)
                await outgoing.write(chunk)
    return outgoing


def _last(response: Response) -> web.Response:
    outgoing = _outgoing(response)
    outgoing.force_close()
    return outgoing


def _wire_form(response: Response) -> bytes:
    headers = response.headers | {
        "Server": SERVER_NAME, "Content-Length": str(len(response.body)), "Connection": "close"
    }  # fmt: skip
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n{''.join(lines)}\r\n"
    return head.encode() + response.body


async def _read_body(incoming: web.BaseRequest) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await _invite_body(incoming)
            return await incoming.read()
    except TimeoutError:
        raise RequestTimeout from None
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidRequest("The body did not arrive whole.") from None


async def _invite_body(incoming: web.BaseRequest) -> None:
    """curl and others send a large body only when asked for it, which aiohttp's low-level server leaves to us."""
    if incoming.headers.get("Expect", "").lower() == "100-continue" and incoming.version >= HttpVersion11:
        await incoming.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        incoming.writer.output_size = 0  # the answer has not begun


class _Connection(web.RequestHandler):
    """A connection on which also what never becomes a request gets a documented answer instead of aiohttp's."""

    def __init__(self, server: "Server", application: Application) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # which is how aiohttp's own documentation turns it off
            lingering_time=LINGERING_SECONDS,
            auto_decompress=False,  # no bombs: a body with a Content-Encoding is refused
        )
        self._application = application
        self._head_timer: asyncio.TimerHandle | None = None
        self._server = server
        self._staying: asyncio.Task[Any] | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self.is_spare = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # So that writing is paused as soon as the client's side of the connection is full.
        cast("asyncio.Transport", transport).set_write_buffer_limits(0)
        room = self._server.make_room()
        self.is_spare = room is Room.SPARE
        if room is Room.NONE:
            self._last_words(self._application.refuse_connection())

    def pause_writing(self) -> None:
        super().pause_writing()
        # Closed, the transport would still wait for the client to read.
        abort = cast("asyncio.Transport", self.transport).abort
        self._unread_timer = self._loop.call_later(UNREAD_SECONDS, abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_unread_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._heard_at = self._loop.time()
        if not self._awaits_head():
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._refuse_slow_head)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)
        if self._staying is not None and not self._staying.cancelling():  # when stopped it is cancelled already
            self._staying.cancel()

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Cancel the current task when the connection is lost, as aiohttp does it with all tasks or with none."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._server.hold(task)
        self._staying = task
        if self.transport is None:  # it already is
            task.cancel()
        try:
            yield
        finally:
            self._staying = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status < 500:
            return self._application.refuse_malformed()
        return self._application.fail(exc or TimeoutError())

    @property
    def is_idle(self) -> bool:
        """Whether nothing has been asked that is not answered, and that for a while."""
        return self._awaits_head() and self._loop.time() - self._heard_at >= IDLE_SECONDS

    def _awaits_head(self) -> bool:
        # aiohttp cuts slow headers only at the keep-alive's end, without a word. It says nowhere in public that it is
        # between two requests; this is what its own keep-alive looks at.
        return self._waiter is not None and not self._waiter.done()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _refuse_slow_head(self) -> None:
        self._last_words(self._application.refuse_slow_head())

    def _last_words(self, answer: bytes) -> None:
        if self.transport is not None:
            self.transport.write(answer)
            self.force_close()


class Room(Enum):
    """What there is for one more connection."""

    ENOUGH = auto()
    SPARE = auto()
    NONE = auto()


class Server(web.Server):
    """aiohttp's low-level server with our connections: `most` of them, and as many again for one short answer each.

    So questions after our health find an open door, and the others hear that there are too many.
    """

    def __init__(self, application: Application, most: int) -> None:
        super().__init__(application.handle)
        self._application = application
        self._most = most
        self._held: set[asyncio.Task[Any]] = set()

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Have the task waited for in the end."""
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    def make_room(self) -> Room:
        """Room for the newest connection: for its sake, that one is closed which is idle and has been open longest."""
        connections = self.connections
        if len(connections) <= self._most:
            return Room.ENOUGH
        for connection in connections:
            if cast("_Connection", connection).is_idle:
                connection.force_close()
                return Room.ENOUGH
        return Room.SPARE if len(connections) <= 2 * self._most else Room.NONE

    async def settle(self) -> None:
        """Wait for what aiohttp, after its patience, cancels and leaves: there may be work to be put away."""
        await asyncio.gather(*self._held, return_exceptions=True)

    def __call__(self) -> _Connection:
        return _Connection(self, self._application)


@asynccontextmanager
async def listening(resources: Resources) -> AsyncIterator[str]:
    """Serve until the block is left; yields the URL. Raises ConfigError when the port is taken."""
    settings = resources.settings
    dispatcher = Dispatcher(
        resources.endpoints.routes, resources.listener, allowed_origins=settings.origins, rates=settings.rates
    )
    load = LoopLoad()
    application = Application(dispatcher, Page(), load, trusted_proxies=settings.trusted_proxies)
    server = Server(application, settings.max_connections)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _start(runner, settings)
        async with load.watched():
            yield _url(settings.host, runner.addresses[0][1])
    finally:
        resources.endpoints.drain()
        await runner.cleanup()
        await server.settle()


def _url(host: str, port: int) -> str:
    if host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - recognised, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _start(runner: web.ServerRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG).start()
    except OSError as error:
        about_the_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise ConfigError(
            "SAYINGS_HOST" if about_the_host else "SAYINGS_PORT",
            f"cannot listen on {settings.host}:{settings.port} ({reason})",
        ) from error
