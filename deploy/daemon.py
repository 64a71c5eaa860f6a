"""Background processes that outlive the command that starts them, so that a later command can find and stop them."""

import fcntl
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from deploy.environments import ROOT, Command, DeploymentFailed, last_lines

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05


class Process(msgspec.Struct, frozen=True):
    pid: int
    port: int


class Daemon:
    """A background process, which is described in `<name>.json` of a folder and writes its output to `<name>.log`.

    The process keeps its file locked for as long as it lives, so that another process that later gets the same id is
    not mistaken for it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.json"

    def start(self, command: Command, environ: Mapping[str, str], port: int) -> None:
        """Start the process, which will listen on `port`. Raises DeploymentFailed when it is already running."""
        with self._file.open("ab") as file:  # not truncated here, because it may belong to a running process
            if not _lock(file, fcntl.LOCK_EX):
                raise DeploymentFailed(f"Somebody else has just started what writes {self.log}.")
            with self.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603
                    command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True, pass_fds=[file.fileno()],
                )  # fmt: skip
            file.truncate(0)
            file.write(msgspec.json.encode(Process(process.pid, port)))

    def running(self) -> Process | None:
        """The id and port of the process if it is alive, otherwise None."""
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(), type=Process) if not _lock(file, fcntl.LOCK_SH) else None
        except FileNotFoundError:
            return None

    def wait_for(self, url: str, what: str) -> None:
        """Wait until the URL answers; `what` names the process in messages.

        Raises DeploymentFailed, with the end of the log, when the process ends or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if self.running() is None:
                raise DeploymentFailed(f"{what} ended at once{last_lines(self.log)}")
            if time.monotonic() > deadline:
                raise DeploymentFailed(f"{what} does not answer after {START_SECONDS:.0f} s{last_lines(self.log)}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> bool:
        """Stop the process and its children. Returns False when it was not running."""
        process = self.running()
        if process is None:
            return False
        os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() is not None:
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        return True


def _lock(file: IO[bytes], how: int) -> bool:
    """Lock the file until every process that inherited it has closed it. False when another process holds a lock."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Without a proxy, because the server is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, seconds: float) -> bytes:
    """The body of a successful response from a server on this machine; `seconds` is the timeout. Raises OSError."""
    with _OPENER.open(url, timeout=seconds) as answer:
        body: bytes = answer.read()
        return body


def _answers(url: str) -> bool:
    try:
        get(url, 5.0)
    except OSError:
        return False
    return True
