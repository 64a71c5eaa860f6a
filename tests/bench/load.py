"""A load generator in a process of its own: `python -m tests.bench.load 8080 32 1.0` prints a Burst as JSON.

Every connection has one request under way. It stands on a selector rather than on asyncio, costs 10 to 15 µs a request
where a bare aiohttp server takes 50 and more, and tells how busy it was itself, so that it is never what is measured.
"""

import argparse
import json
import re
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_READ_BYTES = 64 * 1024
PATIENCE_SECONDS = 30.0
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of it. `failures` are answers other than 200; `busy` is the generator's share of a core."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    failures: int
    busy: float


class Connection:
    """A connection that asks again as soon as it has its answer."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = b""
        self._asked_at = 0.0

    def ask(self) -> None:
        self._asked_at = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> tuple[float, bool] | None:
        """Seconds since it was asked, and whether the answer is a 200; None while the answer is not whole."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("The server hung up.")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            return None
        self._received = b""
        return time.perf_counter() - self._asked_at, head.startswith(b"HTTP/1.1 200")


def run(port: int, request: bytes, connections: int, *, seconds: float, requests: int | None = None) -> Burst:
    """Ask for that long, or until that many answers have come."""
    latencies: list[float] = []
    failures = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = Connection(port, request)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask()
        started, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - started < seconds and (requests is None or len(latencies) < requests):
            for key, _ in selector.select(PATIENCE_SECONDS):
                if answer := key.data.receive():
                    latencies.append(answer[0])
                    failures += not answer[1]
                    key.data.ask()
        taken, used = time.perf_counter() - started, time.process_time() - used
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    latencies.sort()
    at = [1000 * latencies[int(len(latencies) * share)] for share in (0.50, 0.99)]
    return Burst(len(latencies) / taken, at[0], at[1], len(latencies), failures, used / taken)


def request_bytes(path: str, body: str) -> bytes:
    if not body:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {JSON}\r\nContent-Type: {JSON}\r\n"
    return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--requests", type=int, help="stop after that many answers")
    parser.add_argument("--path", default="/sayings")
    parser.add_argument("--body", default="", help="JSON to post instead of a GET")
    asked = parser.parse_args()
    request = request_bytes(asked.path, asked.body)
    burst = run(asked.port, request, asked.connections, seconds=asked.seconds, requests=asked.requests)
    sys.stdout.write(json.dumps(asdict(burst)) + "\n")


if __name__ == "__main__":
    main()
