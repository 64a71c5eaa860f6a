"""The aiohttp server: thin. It reads a request, hands it over and writes the answer.

It stands on aiohttp's low-level server rather than on its Application: routes, errors and limits are the same ones that
the Lambda handler uses, and what is not HTTP at all is refused in the same words.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from service.config import Settings
from service.dispatch import Dispatcher
from service.errors import BodyTooLarge, ConfigError, HttpError, InvalidRequest, RequestTimeout
from service.http import BODY_SECONDS, Request, Response
from service.page import Page
from service.resources import Resources

KEEP_ALIVE_SECONDS = 75.0
# For how long a body that was refused is still read, so that its sender gets to see the answer.
LINGERING_SECONDS = 1.0
# aiohttp waits twice this long for handlers; with the last flush it stays within the ten seconds after SIGTERM.
SHUTDOWN_SECONDS = 3.0


class Application:
    """Adapts aiohttp's requests to the dispatcher's."""

    def __init__(self, dispatcher: Dispatcher, page: Page, *, trusted_proxies: int = 0) -> None:
        self._dispatcher = dispatcher
        self._page = page
        self._trusted_proxies = trusted_proxies

    async def handle(self, incoming: web.BaseRequest) -> web.Response:
        request = Request(incoming.method, incoming.path, incoming.headers, secure=self._is_secure(incoming))
        self._dispatcher.begin(request)
        response = self._page.find(request) or self._dispatcher.preflight(request)
        if response is None:
            response = await self._answer(incoming, request)
        return web.Response(status=response.status, body=response.body, headers=response.headers)

    async def _answer(self, incoming: web.BaseRequest, request: Request) -> Response:
        try:
            route = self._dispatcher.find(request, len(incoming.raw_path))
            if route.body is not None:
                request.body = await _read_body(incoming)
        except HttpError as error:
            return self._dispatcher.refuse(request, error)
        return await self._dispatcher.answer(request, route)

    def refuse_malformed(self, incoming: web.BaseRequest) -> web.Response:
        """The answer to what is not HTTP, or has a line of more than aiohttp's 8 KiB."""
        request = Request("", "", incoming.headers)
        self._dispatcher.begin(request)
        response = self._dispatcher.refuse(request, InvalidRequest("The request is not valid HTTP."))
        outgoing = web.Response(status=response.status, body=response.body, headers=response.headers)
        outgoing.force_close()
        return outgoing

    def _is_secure(self, incoming: web.BaseRequest) -> bool:
        forwarded = incoming.headers.get("X-Forwarded-Proto") if self._trusted_proxies else None
        return (forwarded or incoming.scheme) == "https"


async def _read_body(incoming: web.BaseRequest) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await incoming.read()
    except TimeoutError:
        raise RequestTimeout from None
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except web.RequestPayloadError:
        raise InvalidRequest("The body did not arrive whole.") from None


class _Connection(web.RequestHandler):
    """A connection whose malformed requests get the documented answer instead of aiohttp's plain text."""

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

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        return self._application.refuse_malformed(request)


class Server(web.Server):
    """aiohttp's low-level server with our connections."""

    def __init__(self, application: Application) -> None:
        super().__init__(application.handle)
        self._application = application

    def __call__(self) -> _Connection:
        return _Connection(self, self._application)


@asynccontextmanager
async def listening(resources: Resources) -> AsyncIterator[str]:
    """Serve until the block is left; yields the URL. Raises ConfigError when the port is taken."""
    settings = resources.settings
    dispatcher = Dispatcher(resources.endpoints.routes, resources.listener, allowed_origins=settings.origins)
    server = Server(Application(dispatcher, Page(), trusted_proxies=settings.trusted_proxies))
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _start(runner, settings)
        port = runner.addresses[0][1]
        yield f"http://{'localhost' if settings.host in ('127.0.0.1', '0.0.0.0') else settings.host}:{port}"  # noqa: S104
    finally:
        resources.endpoints.draining = True
        await runner.cleanup()


async def _start(runner: web.ServerRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        problem = f"cannot listen on {settings.host}:{settings.port} ({error.strerror})"
        raise ConfigError("SAYINGS_PORT", problem) from error


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
