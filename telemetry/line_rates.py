"""The rate of warnings in the log: a flood of refusals or failures must not become a flood of lines.

A client, or a dependency that fails, can repeat a warning as often as it likes. The log gets the first few lines of a
kind in every minute. At the minute's end one more line stands for the others, with their number in `suppressed`. Every
line thus stands for itself and for `suppressed` more like it. Metrics count everything as it happens.
"""

import logging
from collections import Counter
from dataclasses import dataclass

from telemetry.harmless import harmless, template

MOST_LINES = 20
WINDOW_SECONDS = 60.0
# A library may put anything into its messages, so that every line is of a kind of its own.
MOST_KINDS = 500
# The fields by which the saved queries count. Each has few values.
_FIELDS = ("error_type", "model", "operation", "origin", "status")


@dataclass(frozen=True, slots=True)
class Kind:
    """The properties that lines of one kind have in common; `fields` are pairs of a name and a value."""

    logger: str
    level: int
    message: str
    fields: tuple[tuple[str, object], ...] = ()

    def summary(self, count: int) -> logging.LogRecord:
        """The record that stands for `count` lines that were left out."""
        no_request = {"request_id": "", "trace_id": "", "xray_trace_id": ""}
        fields = {**dict(self.fields), **no_request, "suppressed": count - 1}
        return logging.makeLogRecord(
            {
                "name": self.logger,
                "levelno": self.level,
                "levelname": logging.getLevelName(self.level),
                "msg": self.message,
                "fields": fields,
            }
        )


def kind_of(record: logging.LogRecord) -> Kind:
    """The kind of a record, by the template of its message, because the arguments of each may be different."""
    found = getattr(record, "fields", {})
    fields = {name: harmless(found[name]) for name in _FIELDS if name in found}
    if record.exc_info and record.exc_info[1] is not None:
        fields["error_type"] = type(record.exc_info[1]).__name__
    return Kind(record.name, record.levelno, template(record), tuple(fields.items()))


class LineRate:
    """Admits the first `most` lines of each kind in a window of `seconds`, and counts the others."""

    def __init__(self, most: int = MOST_LINES, seconds: float = WINDOW_SECONDS) -> None:
        self.seconds = seconds
        self._most = most
        self._seen: Counter[Kind] = Counter()

    def admits(self, kind: Kind) -> bool:
        """Whether a line of this kind may be written now."""
        if kind not in self._seen and len(self._seen) >= MOST_KINDS:
            kind = Kind(kind.logger, kind.level, "further messages")
        self._seen[kind] += 1
        return self._seen[kind] <= self._most

    def end_window(self) -> dict[Kind, int]:
        """Begin a new window, and return how many lines of each kind were left out in the last one."""
        left_out = {kind: count - self._most for kind, count in self._seen.items() if count > self._most}
        self._seen.clear()
        return left_out
