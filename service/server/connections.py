"""Connections, and how many: what is too slow, too much or no HTTP at all gets a documented answer, and an end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Protocol, cast

from aiohttp import web

from service.limits import DEFAULT_TIMEOUTS, Timeouts


class Answers(Protocol):
    """What is said to requests, and to what never becomes one. Bytes are written as they are."""

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse: ...

    def refuse_malformed(self) -> web.StreamResponse: ...

    def refuse_connection(self) -> bytes: ...

    def refuse_slow_head(self) -> bytes: ...

    def fail(self, error: BaseException) -> web.StreamResponse: ...


class Connection(web.RequestHandler):
    """A connection on which also what never becomes a request gets a documented answer instead of aiohttp's."""

    def __init__(self, server: "Server", application: Answers, timeouts: Timeouts) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=timeouts.keep_alive,
            access_log=None,  # type: ignore[arg-type]  # which is how aiohttp's own documentation turns it off
            lingering_time=timeouts.lingering_read,
            auto_decompress=False,  # no bombs: a body with a Content-Encoding is refused
        )
        self._timeouts = timeouts
        self._application = application
        self._head_timer: asyncio.TimerHandle | None = None
        self._server = server
        self._staying: asyncio.Task[Any] | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._waiting_since: float | None = None  # of a request that has been read and not begun
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
        self._unread_timer = self._loop.call_later(self._timeouts.unread_answer, abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_unread_timer()

    def data_received(self, data: bytes) -> None:
        awaited_head = self._awaits_head()
        super().data_received(data)
        self._heard_at = self._loop.time()
        if not self._awaits_head():
            self._stop_head_timer()
            if awaited_head:
                self._waiting_since = self._heard_at
        elif self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(
                self._timeouts.request_head, self._refuse_slow_head
            )

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)
        if self._staying is not None and not self._staying.cancelling():  # when stopped it is cancelled already
            self._staying.cancel()

    def end_wait(self) -> float:
        """For how many seconds the request that now begins has waited for the event loop since it was read.

        0.0 for a pipelined request, which has waited for the one before it.
        """
        since, self._waiting_since = self._waiting_since, None
        return 0.0 if since is None else self._loop.time() - since

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
        return self._awaits_head() and self._loop.time() - self._heard_at >= self._timeouts.idle_connection

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

    def __init__(self, application: Answers, most: int, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        super().__init__(application.handle)
        self._application = application
        self._most = most
        self._timeouts = timeouts
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
            if cast("Connection", connection).is_idle:
                connection.force_close()
                return Room.ENOUGH
        return Room.SPARE if len(connections) <= 2 * self._most else Room.NONE

    async def settle(self) -> None:
        """Wait for what aiohttp, after its patience, cancels and leaves: there may be work to be put away."""
        await asyncio.gather(*self._held, return_exceptions=True)

    def __call__(self) -> Connection:
        return Connection(self, self._application, self._timeouts)
