"""Structured logs: one JSON object a line on stdout, with the fields that saved queries rely on.

Every record has `timestamp`, `level`, `logger`, `message`, `request_id`, `trace_id`, `xray_trace_id`, `error_type`,
`error_message`, `model` and `api_time_ms` (empty strings and null where they do not apply), `suppressed` (how many more
lines like it this one stands for), and `stack` when an exception is logged.
"""

import datetime
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
    RoundFailed,
    RoundFinished,
    SayingReported,
    SayingRestored,
    SayingServed,
    SayingsRejected,
    SayingTakenDown,
    Unexpected,
    UsageDoubted,
    VoteTaken,
)
from telemetry.harmless import harmless, template
from telemetry.line_rates import LineRate
from telemetry.log_output import LogHandler, Output, standard_output

logger = logging.getLogger("sayings")

_EMPTY: dict[str, Any] = {"error_type": "", "error_message": "", "model": "", "api_time_ms": None, "suppressed": 0}


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks in hostile text stay inside their string."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._format(record)
        except Exception as error:  # noqa: BLE001 - an argument's `__str__`, or a dying interpreter without its modules
            return json.dumps(_base(record, "a record could not be formatted") | {"error_type": type(error).__name__})

    def _format(self, record: logging.LogRecord) -> str:
        line = {
            **_base(record, _message(record)),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _exception_fields(record.exc_info[1])
        return _encoded(line)


def _base(record: logging.LogRecord, message: str) -> dict[str, Any]:
    time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    return {
        "timestamp": time.isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": message,
        **_ids(),
        **_EMPTY,
    }


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
    """Format the first line without exception texts."""
    text = template(record)
    # The arguments of asyncio are texts that show tasks, and with them what the tasks have raised.
    args = record.args if record.args and record.name != "asyncio" else ()
    try:
        if isinstance(args, Mapping):
            text %= {name: harmless(value) for name, value in args.items()}
        elif args:
            text %= tuple(map(harmless, args))
    except (TypeError, ValueError, KeyError):
        pass  # the template alone is informative enough
    return text.partition("\n")[0]


def _encoded(line: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=harmless).decode()
    except (UnicodeEncodeError, TypeError, RecursionError):  # a lone surrogate, a key that is not text, a cycle
        return json.dumps({name: harmless(value) for name, value in line.items()})


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


def configure_logging(level: str = "INFO", output: Output | None = None, rate: LineRate | None = None) -> None:
    """Write our own records from `level` on, and warnings and errors of libraries, to `output` (default: stdout).

    `rate` bounds warnings and errors; without it the usual rate holds.
    """
    handler = LogHandler(output or standard_output(), rate or LineRate())
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


def _log_takedown(event: SayingTakenDown) -> None:
    if event.withdrawn_by == "visitors":
        _log(logging.WARNING, "a saying is set aside until somebody looks at it", event, error_type="SayingSetAside")
    else:
        _log(logging.INFO, "a saying is taken down", event)


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
    SayingReported: _info("saying reported"),
    SayingTakenDown: _log_takedown,
    SayingRestored: _info("a saying is restored"),
    ComparisonFinished: _info("comparison finished"),
    BallotTaken: _info("ballot taken"),
    ModelReport: _log_report,
    RoundFinished: _info("round finished"),
    RoundFailed: _warning("round failed"),
    DataPruned: _info("data pruned"),
    FileExposed: _warning("other users could read a file of the database", error_type="FileExposed"),
    Unexpected: _log_unexpected,
}


def _log(level: int, message: str, event: Event, **fields: object) -> None:
    logger.log(level, message, extra={"fields": msgspec.structs.asdict(event) | fields})
