"""The way of a log line to the standard output, which may be closed, full or without a reader.

Python's own handler then prints the record and the exception in hand, with a stack, on the standard error. Both may
hold a key: a vendor's error message, for example, can repeat the one that it was sent. We count the lost lines instead.
"""

import errno
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Protocol

from telemetry.line_rates import LineRate, kind_of

# How often it is said, at most, that the log is gone: a disk at its limit takes some lines and refuses others.
SAY_AGAIN_SECONDS = 60.0


def say(line: str) -> None:
    """Print a line for the operator on the standard error, because the log on the standard output is pure JSON.

    A standard error that is closed or broken must not stop the process, so the line is lost then.
    """
    with suppress(OSError, ValueError):
        if sys.stderr is not None:  # as it is in a process that was started without one
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class Output(Protocol):
    """Where lines are written to. Raises OSError or ValueError when it cannot."""

    def write(self, text: str, /) -> object: ...


class StandardOutput:
    """The standard output without a buffer, which would keep lines that could not be written for a later attempt."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._torn = False  # whether the end of the last line is missing

    def write(self, text: str) -> None:
        """Write the whole text. Raises OSError."""
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        data = ("\n" if self._torn else "").encode() + text.encode(errors="backslashreplace")
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        finally:
            self._torn = 0 < written < len(data) or (self._torn and not written)


def standard_output() -> Output:
    """The standard output of this process, or what a test or an emulator has put in its place."""
    if sys.stdout is None:  # closed; its descriptor may meanwhile belong to another file
        return StandardOutput(None)
    try:
        return StandardOutput(sys.stdout.fileno())
    except OSError:
        return sys.stdout


class LogHandler(logging.Handler):
    """Writes records as lines, warnings at a bounded rate. It never raises or prints what it was given.

    When a line cannot be written, it says so once on the standard error and counts the lost lines. Each new record is
    another attempt; the first to succeed is preceded by a line with the number of lost ones in `lost`.
    """

    def __init__(self, output: Output, rate: LineRate) -> None:
        super().__init__()
        self._output = output
        self._lost = 0
        self._said_at = -SAY_AGAIN_SECONDS
        self._rate = rate
        self._window_ends_at = 0.0
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record, time.monotonic())
        except Exception:  # noqa: BLE001 - whatever it is, the code that logs must go on
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is Python's
        """Count the record as lost."""
        self._lost += 1

    def close(self) -> None:
        """Write what is known of the lines that were left out. Python calls this at its end."""
        self._end_window()
        super().close()

    def _emit(self, record: logging.LogRecord, now: float) -> None:
        if now >= self._window_ends_at:
            self._end_window()
            self._window_ends_at = now + self._rate.seconds
        if record.levelno < logging.WARNING or self._rate.admits(kind_of(record)):
            self._write(self.format(record))
        elif self._timer is None:
            self._start_timer(self._window_ends_at - now)

    def _start_timer(self, seconds: float) -> None:
        """See to it that the window ends even if nothing else is logged."""
        timer = threading.Timer(seconds, self._end_window)
        timer.daemon = True
        with suppress(RuntimeError):  # no thread is to be had, and the next record ends the window
            timer.start()
            self._timer = timer

    def _end_window(self) -> None:
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for kind, count in self._rate.end_window().items():
                self._write(self.format(kind.summary(count)))
        finally:
            self.release()

    def _write(self, line: str) -> None:
        try:
            self._output.write(f"{self._regained()}{line}\n")
            self._lost = 0
        except (OSError, ValueError) as error:
            self._lost += 1
            if self._lost == 1:
                self._say_that_it_is_gone(error)

    def _regained(self) -> str:
        """The line for the log's return, if it was gone."""
        if not self._lost:
            return ""
        record = logging.makeLogRecord(
            {
                "name": "sayings",
                "levelno": logging.WARNING,
                "levelname": "WARNING",
                "msg": "the log is written again",
                "fields": {"error_type": "LogLost", "lost": self._lost},
            }
        )
        return f"{self.format(record)}\n"

    def _say_that_it_is_gone(self, error: OSError | ValueError) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            reason = error.strerror if isinstance(error, OSError) else "it is closed"
            say(f"The log cannot be written ({reason}). Its lines are lost until it can be written again.")
