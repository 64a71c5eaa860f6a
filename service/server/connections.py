"""Connections and their limits: slow headers, excess connections and malformed HTTP get a documented error."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Protocol, cast

from aiohttp import web

from service.limits import DEFAULT_TIMEOUTS, Timeouts


class Responder(Protocol):
    """Responds to requests, and to input that never becomes a request. Bytes are written unchanged."""

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse: ...

    def refuse_malformed(self) -> web.StreamResponse: ...

    def refuse_connection(self) -> bytes: ...

    def refuse_slow_head(self) -> bytes: ...

    def fail(self, error: BaseException) -> web.StreamResponse: ...


class Connection(web.RequestHandler):
    """A connection with documented errors, instead of aiohttp's, for input that never becomes a request."""

    def __init__(self, server: "Server", application: Responder, timeouts: Timeouts) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=timeouts.keep_alive,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's documentation turns the log off this way
            lingering_time=timeouts.lingering_read,
            auto_decompress=False,  # no decompression bombs: a body with a Content-Encoding is refused
        )
        self._timeouts = timeouts
        self._application = application
        self._head_timer: asyncio.TimerHandle | None = None
        self._server = server
        self._staying: asyncio.Task[Any] | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._received_at = self._loop.time()
        self._waiting_since: float | None = None  # of a request that is read but not begun
        self.is_spare = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Writing then pauses as soon as the client's side of the connection is full.
        cast("asyncio.Transport", transport).set_write_buffer_limits(0)
        room = self._server.make_room()
        self.is_spare = room is Room.SPARE
        if room is Room.NONE:
            self._refuse(self._application.refuse_connection())

    def pause_writing(self) -> None:
        super().pause_writing()
        # It aborts the connection, because a closed transport would still wait for the client to read.
        abort = cast("asyncio.Transport", self.transport).abort
        self._unread_timer = self._loop.call_later(self._timeouts.unread_answer, abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_unread_timer()

    def data_received(self, data: bytes) -> None:
        awaited_head = self._awaits_head()
        super().data_received(data)
        self._received_at = self._loop.time()
        if not self._awaits_head():
            self._stop_head_timer()
            if awaited_head:
                self._waiting_since = self._received_at
        elif self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(
                self._timeouts.request_head, self._refuse_slow_head
            )

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)
        if self._staying is not None and not self._staying.cancelling():  # at shutdown the task is already cancelled
            self._staying.cancel()

    def end_wait(self) -> float:
        """The seconds that the request now beginning has waited for the event loop since it was read.

        They are 0.0 for a pipelined request, which has waited for the one before it and not for the loop.
        """
        since, self._waiting_since = self._waiting_since, None
        return 0.0 if since is None else self._loop.time() - since

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Cancel the current task when the connection is lost; aiohttp can do so only for all tasks or for none."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._server.hold(task)
        self._staying = task
        if self.transport is None:  # it is lost already
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
        """Whether no request has been pending, and no data received, for the idle time."""
        return self._awaits_head() and self._loop.time() - self._received_at >= self._timeouts.idle_connection

    def _awaits_head(self) -> bool:
        # aiohttp ends slow headers only when the keep-alive time is over, and without a response. It has no public
        # attribute for being between two requests; this private one is what its own keep-alive uses.
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
        self._refuse(self._application.refuse_slow_head())

    def _refuse(self, response: bytes) -> None:
        if self.transport is not None:
            self.transport.write(response)
            self.force_close()


class Room(Enum):
    """Whether there is room for one more connection."""

    ENOUGH = auto()
    SPARE = auto()
    NONE = auto()


class Server(web.Server):
    """aiohttp's low-level server with at most `most` full connections, and as many spare ones for one request each.

    The spare connections keep the health endpoints reachable under overload, and let other requests be refused with
    a documented error.
    """

    def __init__(self, application: Responder, most: int, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        super().__init__(application.handle)
        self._application = application
        self._most = most
        self._timeouts = timeouts
        self._held: set[asyncio.Task[Any]] = set()

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Register a task for `settle` to wait for."""
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    def make_room(self) -> Room:
        """Find room for the newest connection, if necessary by closing the oldest idle connection."""
        connections = self.connections
        if len(connections) <= self._most:
            return Room.ENOUGH
        for connection in connections:
            if cast("Connection", connection).is_idle:
                connection.force_close()
                return Room.ENOUGH
        return Room.SPARE if len(connections) <= 2 * self._most else Room.NONE

    async def settle(self) -> None:
        """Wait for tasks that aiohttp cancels at its shutdown timeout but does not await; they may still store work."""
        await asyncio.gather(*self._held, return_exceptions=True)

    def __call__(self) -> Connection:
        return Connection(self, self._application, self._timeouts)
