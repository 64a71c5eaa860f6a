"""Our log as it is written, and as it would be without our care."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telemetry.line_rates import LineRate
from telemetry.logs import configure_logging, logger


class Log(io.StringIO):
    """What the process would write to stdout."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().split("\n")[:-1]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def only(self) -> dict[str, Any]:
        (record,) = self.records
        return record


@contextmanager
def captured_log(level: str = "INFO") -> Iterator[Log]:
    """Logging set up as in a process of ours, but without a bound on warnings, and put back as it was."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], (root.level, logger.level)
    root.handlers = []  # kept from `force=True`, which would close them
    log = Log()
    try:
        configure_logging(level, log, LineRate(most=sys.maxsize))
        yield log
    finally:
        root.handlers = handlers
        root.setLevel(levels[0])
        logger.setLevel(levels[1])


@contextmanager
def everything_logged(*names: str) -> Iterator[list[str]]:
    """What these loggers, set to DEBUG, would write with Python's own formatter."""
    written: list[str] = []

    class Remembering(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Remembering()
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.addHandler(handler)
    try:
        yield written
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
            each.removeHandler(handler)
