"""Connections and their limits: slow headers, excess connections and malformed HTTP get a documented error."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from aiohttp import StreamReader, web

from service.limits import Limits, Timeouts
from service.resilience.networks import networks
from service.server.places import Doors, Networks, Room

HEAD_END = b"\r\n\r\n"
_LINE_BREAKS = re.compile(rb"[\r\n]*")
# How often a connection whose client has ended its side is looked at: once all is answered, our side is ended, too.
HALF_CLOSED_CHECK_SECONDS = 0.05


class Responder(Protocol):
    """Responds to requests, and to input that never becomes a request. Bytes are written unchanged."""

    async def handle(self, incoming: web.BaseRequest) -> web.StreamResponse: ...

    def refuse_malformed(self) -> web.StreamResponse: ...

    def refuse_connection(self) -> bytes: ...

    def refuse_slow_head(self) -> bytes: ...

    def fail(self, error: BaseException) -> web.StreamResponse: ...


class Connection(web.RequestHandler):
    """A connection with documented errors, instead of aiohttp's, for input that never becomes a request."""

    def __init__(
        self,
        server: "Server",
        application: Responder,
        timeouts: Timeouts,
        limits: Limits,
        networks_: Networks,
        *,
        is_spare: bool,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=timeouts.keep_alive,
            read_bufsize=limits.body_buffer,
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
        self._active_at = self._loop.time()
        self._has_served = False
        self._is_done = False
        self._is_half_closed = False
        self._unparsed = b""
        self._newest_body: StreamReader | None = None
        self.networks = networks_
        self.is_spare = is_spare

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Writing then pauses as soon as the client's side of the connection is full.
        cast("asyncio.Transport", transport).set_write_buffer_limits(0)

    def pause_writing(self) -> None:
        super().pause_writing()
        # It aborts the connection, because a closed transport would still wait for the client to read.
        abort = cast("asyncio.Transport", self.transport).abort
        self._unread_timer = self._loop.call_later(self._timeouts.unread_answer, abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_unread_timer()

    def data_received(self, data: bytes) -> None:
        self._parse(data)
        self._active_at = self._loop.time()
        if not self._awaits_head():
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(
                self._timeouts.request_head, self._refuse_slow_head
            )

    def _parse(self, data: bytes) -> None:
        """Hand the data to aiohttp one head at a time.

        When its parser meets an error, aiohttp loses the requests that it has parsed from the same data before.
        """
        data = self._unparsed + data
        end = 0
        while True:
            start, end = end, _end_of_piece(data, end)
            super().data_received(data[start:end])
            if self._messages:
                self._note_body(self._messages[-1][1])
            if end == len(data) or self._is_full:
                break
        self._unparsed = data[end:]

    def _note_body(self, body: StreamReader) -> None:
        """Note the body of the newest request, or of the error that came instead of one."""
        before, self._newest_body = self._newest_body, body
        if before is not None and before is not body and not before.is_eof():
            before.set_exception(web.RequestPayloadError("The body is malformed."))
            before.feed_eof()  # otherwise aiohttp tries to read the rest

    @property
    def _is_full(self) -> bool:
        """Whether aiohttp wants no more data for now. It will ask for more by calling `data_received` without any."""
        return self._reading_paused or len(self._messages) >= self._max_msg_queue_size

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for this answer, which aiohttp does not give
        """Whether to keep the connection, although the client sends no more: it may still read its answers.

        Work that is useful only while the client is connected is not gone on with, because a client that has gone looks
        the same. A body that has ended too early cannot become a request any more.
        """
        has_whole_body = self._newest_body is None or self._newest_body.is_eof()
        if self._awaits_head() or self._staying is not None or not has_whole_body:
            return False
        self._is_half_closed = True
        self._end_when_answered()
        return True

    def _end_when_answered(self) -> None:
        if self._awaits_head():
            self.force_close()
        elif self.transport is not None:
            self._loop.call_later(HALF_CLOSED_CHECK_SECONDS, self._end_when_answered)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._stop_unread_timer()
        self._server.release(self)
        super().connection_lost(exc)
        if self._staying is not None and not self._staying.cancelling():  # at shutdown the task is already cancelled
            self._staying.cancel()

    def begun(self) -> None:
        """Note that a request is being answered."""
        self._has_served = True

    def answered(self) -> None:
        """Note that an answer has been written."""
        self._active_at = self._loop.time()
        self._is_done = self.is_spare

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Cancel the current task when the connection is lost; aiohttp can do so only for all tasks or for none."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._server.hold(task)
        self._staying = task
        if self.transport is None or self._is_half_closed:  # the client has gone already
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
        return self._awaits_head() and self._loop.time() - self._active_at >= self._timeouts.idle_connection

    @property
    def is_waiting(self) -> bool:
        """Whether there is no request to be answered: none has come, or the only one that was allowed is answered."""
        return self._awaits_head() or self._is_done

    def dismiss(self) -> None:
        """End the connection, because another needs its place. A client that has asked nothing yet is told why."""
        if self._has_served:
            self.force_close()
        else:
            self._refuse(self._application.refuse_connection())

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


class Server(web.Server):
    """aiohttp's low-level server, whose connections are admitted one by one (see `Doors`).

    Where `shares` is false, they are not shared out between networks: behind proxies, a connection belongs to a proxy
    and says nothing about the clients.
    """

    def __init__(
        self, application: Responder, doors: Doors[Connection], *, shares: bool, timeouts: Timeouts, limits: Limits
    ) -> None:
        super().__init__(application.handle)
        self._application = application
        self._doors = doors
        self._shares = shares
        self._timeouts = timeouts
        self._limits = limits
        self._held: set[asyncio.Task[Any]] = set()

    def admit(self, address: str) -> Connection | None:
        """A connection for a client of that address, whose place `release` gives back; None when there is no place."""
        networks_ = networks(address) if self._shares else ()
        room = self._doors.make_room(networks_)
        if room is Room.NONE:
            return None
        spare = room is Room.SPARE
        connection = Connection(self, self._application, self._timeouts, self._limits, networks_, is_spare=spare)
        self._doors.enter(connection)
        return connection

    def release(self, connection: Connection) -> None:
        self._doors.leave(connection)

    def refusal(self) -> bytes:
        """The encoded response to a connection that has not been admitted."""
        return self._application.refuse_connection()

    def dismiss_one(self) -> None:
        """End a connection on which no request is pending, if there is one, because its descriptor is needed."""
        self._doors.dismiss_one()

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Register a task for `settle` to wait for."""
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    async def settle(self) -> None:
        """Wait for tasks that aiohttp cancels at its shutdown timeout but does not await; they may still store work."""
        await asyncio.gather(*self._held, return_exceptions=True)


def _end_of_piece(data: bytes, start: int) -> int:
    """Where a run of line breaks ends that begins here, or else the first head; the end of the data without either.

    Line breaks may be the end of a head that came before. A run of them is one piece, so that a flood of them takes no
    more steps than its reads.
    """
    end = cast("re.Match[bytes]", _LINE_BREAKS.match(data, start)).end()
    if end > start:
        return end
    end = data.find(HEAD_END, start)
    return len(data) if end < 0 else end + len(HEAD_END)
