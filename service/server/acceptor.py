"""Accepts connections, a few in each turn of the event loop, and rests while the process has no file descriptors.

asyncio's own server accepts all waiting connections in one turn, which may take more descriptors than there are. Then
it logs an error and schedules an attempt as often as its backlog is long, and each attempt does the same again.
"""

import asyncio
import os
import socket
from contextlib import suppress
from functools import partial
from typing import Any

from service.api.client_address import client_address
from service.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from service.server.connections import Connection, Server
from telemetry.events import DependencyFailed, Listener

# A refused connection takes its descriptor until the next turn, so this many may be open beyond the limit.
MOST_AT_ONCE = 8
# A request is read about five turns after its connection was accepted. In a flood, the newest connections must not use
# up all spare places of their network, which are half of all, in that time.
PLACES_PER_ACCEPTED = 16
# A process without descriptors says so at most once in this time.
REPORT_SECONDS = 60.0
# The loop reads from a new connection in the one turn, and starts the request in the other.
READ_TURNS = 2


class Acceptor:
    """Accepts connections for a server from sockets that listen, until `stop`."""

    def __init__(
        self,
        server: Server,
        sockets: list[socket.socket],
        places: int,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._server = server
        self._sockets = sockets
        self._at_once = max(1, min(MOST_AT_ONCE, places // PLACES_PER_ACCEPTED))
        self._backlog = limits.backlog
        self._retry_seconds = timeouts.accept_retry
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._report_at = 0.0

    @property
    def port(self) -> int:
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        for listening in self._sockets:
            self._watch(listening)

    async def stop(self) -> None:
        """Stop accepting, but serve all clients that have connected by now."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            if listening in self._resting:
                self._resting.pop(listening).cancel()
            self._accept(listening, self._backlog)
            listening.close()
        await asyncio.gather(*self._connecting)
        for _ in range(READ_TURNS):
            await asyncio.sleep(0)

    def _watch(self, listening: socket.socket) -> None:
        self._resting.pop(listening, None)
        self._loop.add_reader(listening, partial(self._accept_or_rest, listening))

    def _accept_or_rest(self, listening: socket.socket) -> None:
        error = self._accept(listening, self._at_once)
        if error is not None:
            self._report(error)
            self._server.dismiss_one()
            self._loop.remove_reader(listening)
            self._resting[listening] = self._loop.call_later(self._retry_seconds, self._watch, listening)

    def _accept(self, listening: socket.socket, count: int) -> OSError | None:
        """Accept at most so many connections; the error that prevents it, if any."""
        for _ in range(count):
            try:
                client, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return None
            except OSError as error:
                return error
            client.setblocking(False)
            self._admit(client, client_address(peer[0]))
        return None

    def _admit(self, client: socket.socket, address: str) -> None:
        connection = self._server.admit(address)
        if connection is None:
            _answer_and_close(client, self._server.refusal())
            return
        task = self._loop.create_task(self._connect(client, connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: socket.socket, connection: Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client)
        except OSError:  # the client has gone
            client.close()
            self._server.release(connection)

    def _report(self, error: OSError) -> None:
        now = self._loop.time()
        if now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            message = f"No connection can be accepted ({os.strerror(error.errno or 0)}); trying again until it works."
            self._listener.emit(DependencyFailed("descriptors", "accept", type(error).__name__, message))


def _answer_and_close(client: socket.socket, answer: bytes) -> None:
    """Send an answer that nothing was asked for. What has arrived is read, or else closing would discard the answer."""
    with client, suppress(OSError):
        client.send(answer)
        client.recv(65_536)


def listen(addresses: list[tuple[int, tuple[Any, ...]]], backlog: int) -> list[socket.socket]:
    """Sockets that listen on these addresses, each with its family. `::` is every address of IPv6 and of IPv4.

    Raises OSError.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            both = address[0] == "::" and socket.has_dualstack_ipv6()
            listening = socket.create_server(address, family=family, backlog=backlog, dualstack_ipv6=both)
            listening.setblocking(False)
            sockets.append(listening)
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return sockets
