"""moto's server in a process of its own, which keeps what it remembers out of the tests' processes."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).parent.parent


@contextmanager
def serving_moto() -> Iterator[str]:
    """Start the server and yield its URL. It is gone at the end of the block, or of this process."""
    command = [sys.executable, "-m", "tests.moto_server"]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def emptied(url: str) -> Iterator[str]:
    """Yield the server's URL, and leave it empty: no test is to find what another has left.

    Besides, moto copies all its tables for every transaction.
    """
    try:
        yield url
    finally:
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()


def main() -> None:
    """Serve until standard input ends; the URL is the only output."""
    # Imported here because importing takes a second and 50 MB, which only this process is to pay; the backends because
    # a first answer would take seconds otherwise.
    from moto.backends import get_backend
    from moto.server import ThreadedMotoServer

    for service in ("dynamodb", "ssm"):
        get_backend(service)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    running: Any = server._server
    running.app = _one_at_a_time(running.app)
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _one_at_a_time(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Requests in turn: moto's transactions are only whole when nothing else runs."""
    lock = threading.Lock()

    def serialised(*request: Any) -> Iterable[bytes]:
        with lock:
            return app(*request)

    return serialised


if __name__ == "__main__":
    main()
