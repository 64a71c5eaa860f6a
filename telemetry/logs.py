"""Structured logs: one JSON object a line on stdout, with the fields that saved queries rely on.

Every record has `timestamp`, `level`, `logger`, `message`, `request_id`, `trace_id`, `xray_trace_id`, `error_type`,
`error_message`, `model` and `api_time_ms` (empty strings and null where they do not apply), and `stack` when an
exception is logged.
"""

import datetime
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import msgspec

from telemetry import traces
from telemetry.events import (
    BallotTaken,
    ComparisonFinished,
    DataPruned,
    DependencyFailed,
    Event,
    FileExposed,
    ModelCalled,
    ModelConcerning,
    ModelReport,
    PriceMissing,
    RequestServed,
    RoundFinished,
    SayingServed,
    SayingsRejected,
    Unexpected,
    UsageDoubted,
    VoteTaken,
)

logger = logging.getLogger("sayings")

_EMPTY: dict[str, Any] = {"error_type": "", "error_message": "", "model": "", "api_time_ms": None}


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks in hostile text stay inside their string."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_ids(),
            **_EMPTY,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _exception_fields(record.exc_info[1])
        return _encoded(line)


def _ids() -> dict[str, str]:
    """The request's id, which is its trace id, in the forms used to search logs, OpenTelemetry and X-Ray."""
    trace = traces.current()
    trace_id = trace.trace_id if trace else ""
    return {
        "request_id": trace_id,
        "trace_id": trace_id,
        "xray_trace_id": traces.xray_form(trace_id) if trace_id else "",
    }


def _message(record: logging.LogRecord) -> str:
    """Format the first line without exception texts; asyncio adds the `repr` of an exception in further lines."""
    text = str(_harmless(record.msg))
    args = record.args or ()
    try:
        if isinstance(args, Mapping):
            text %= {name: _harmless(value) for name, value in args.items()}
        elif args:
            text %= tuple(map(_harmless, args))
    except (TypeError, ValueError, KeyError):
        pass  # the template alone is informative enough
    return text.partition("\n")[0]


def _harmless(value: object) -> object:
    """Keep texts and numbers; replace anything else, above all exceptions, by the name of its class."""
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def _encoded(line: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=_harmless).decode()
    except (UnicodeEncodeError, TypeError, RecursionError):  # a lone surrogate, a key that is not text, a cycle
        return json.dumps({name: _harmless(value) for name, value in line.items()})


def _exception_fields(error: BaseException) -> dict[str, Any]:
    """The types and stacks of the exception and of its causes, without their texts."""
    names = [type(link).__name__ for link in _chain(error)]
    return {
        "error_type": names[0],
        "error_message": f"unexpected {' from '.join(names)}",
        "stack": stack_of(error),
    }


def stack_of(error: BaseException) -> str:
    """The stacks of an exception and of its causes, without their texts."""
    return "".join(
        f"{type(link).__name__}:\n{''.join(traceback.format_tb(link.__traceback__))}" for link in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Write our own records from `level` on, and warnings and errors of libraries, to `stream` (default: stdout)."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(_is_ours_or_warns)
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelName(level)), handlers=[handler], force=True)
    logger.setLevel(level)


def _is_ours_or_warns(record: logging.LogRecord) -> bool:
    """Drop library records below WARNING whatever their logger's level, as ANTHROPIC_LOG=debug would print prompts."""
    return record.name == logger.name or record.levelno >= logging.WARNING


class LogListener:
    """Logs the important events: failures, changes of stored data, and sayings served degraded."""

    def emit(self, event: Event) -> None:
        # A look-up is faster than matching case by case, and this runs for every request.
        log = _LOGGERS.get(type(event))
        if log is not None:
            log(event)


def _log_saying(event: SayingServed) -> None:
    if event.degraded is not None:
        _log(logging.WARNING, "saying served degraded", event, error_type=event.degraded)


def _log_request(event: RequestServed) -> None:
    if event.status >= 500:
        _log(logging.WARNING, "request failed", event, error_type=event.error_code)


def _log_model_call(event: ModelCalled) -> None:
    if event.error_type:
        _log(logging.WARNING, "model call failed", event)
    else:
        _log(logging.INFO, "model answered", event)


def _log_report(event: ModelReport) -> None:
    if event.error_type:
        _log(logging.WARNING, "model failed in the round", event)
    else:
        _log(logging.INFO, "model took part in the round", event)


def _log_unexpected(event: Unexpected) -> None:
    logger.error("unexpected error", exc_info=event.error, extra={"fields": {"operation": event.operation}})


def _warning(message: str, **fields: object) -> Callable[[Event], None]:
    return lambda event: _log(logging.WARNING, message, event, **fields)


def _info(message: str) -> Callable[[Event], None]:
    return lambda event: _log(logging.INFO, message, event)


# Events without an entry are not logged.
_LOGGERS: dict[type[Event], Callable[[Any], None]] = {
    SayingServed: _log_saying,
    RequestServed: _log_request,
    ModelCalled: _log_model_call,
    PriceMissing: _warning("a model has no price: its cost is unknown", error_type="PriceMissing"),
    UsageDoubted: _warning("a vendor's usage is doubted: the worst case is booked", error_type="UsageDoubted"),
    ModelConcerning: _warning("a model needs a person", error_type="ModelConcern"),
    DependencyFailed: lambda event: _log(logging.WARNING, f"{event.dependency} failed", event),
    SayingsRejected: _warning("model output rejected", error_type="OutputRejected"),
    VoteTaken: _info("vote taken"),
    ComparisonFinished: _info("comparison finished"),
    BallotTaken: _info("ballot taken"),
    ModelReport: _log_report,
    RoundFinished: _info("round finished"),
    DataPruned: _info("data pruned"),
    FileExposed: _warning("other users could read a file of the database", error_type="FileExposed"),
    Unexpected: _log_unexpected,
}


def _log(level: int, message: str, event: Event, **fields: object) -> None:
    logger.log(level, message, extra={"fields": msgspec.structs.asdict(event) | fields})
