"""Structured logs: one JSON object a line on stdout, with the fields that saved queries rely on.

Every record has `timestamp`, `level`, `message`, `request_id`, `error_type`, `error_message`, `model` and
`api_time_ms` (empty strings and null where there is nothing to say), and `stack` when an exception is logged.
"""

import datetime
import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec

from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RequestServed,
    RoundFinished,
    RoundStarted,
    SayingServed,
    SayingsRejected,
    Unexpected,
    VoteTaken,
)

request_id: ContextVar[str] = ContextVar("request_id", default="")

logger = logging.getLogger("sayings")

_EMPTY: dict[str, Any] = {"error_type": "", "error_message": "", "model": "", "api_time_ms": None}
# At DEBUG botocore prints decrypted SSM values and the HTTP clients print keys; at INFO they chatter.
_NEVER_VERBOSE = ("botocore", "aiobotocore", "boto3", "anthropic", "openai", "httpx2", "httpcore2", "asyncio")


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks in hostile text stay inside their string."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **_EMPTY,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _exception_fields(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()


def _exception_fields(error: BaseException) -> dict[str, Any]:
    """Type and stack without the messages: a library's exception may carry a key or a prompt in its text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    chain = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return {
        "error_type": chain[0],
        "error_message": f"unexpected {' from '.join(chain)}",
        "stack": frames,
    }


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log record to `stream` (stdout) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NEVER_VERBOSE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


class LogListener:
    """Writes the events worth a line: failures, what changed something, and what was served in distress."""

    def emit(self, event: Event) -> None:  # noqa: C901 - one case per event is the plainest form
        match event:
            case SayingServed(degraded=None) | RoundStarted():
                pass
            case RequestServed(status=status) if status < 500:
                pass
            case ModelCalled(error_type=""):
                _log(logging.INFO, "model answered", event)
            case ModelCalled():
                _log(logging.WARNING, "model call failed", event)
            case SayingServed():
                _log(logging.WARNING, "saying served degraded", event, error_type=event.degraded)
            case DependencyFailed():
                _log(logging.WARNING, f"{event.dependency} failed", event)
            case SayingsRejected():
                _log(logging.WARNING, "model output rejected", event, error_type="OutputRejected")
            case RequestServed():
                _log(logging.WARNING, "request failed", event, error_type=event.error_code)
            case VoteTaken():
                _log(logging.INFO, "vote taken", event)
            case ModelReport(error_type=""):
                _log(logging.INFO, "model took part in the round", event)
            case ModelReport():
                _log(logging.WARNING, "model failed in the round", event)
            case RoundFinished():
                _log(logging.INFO, "round finished", event)
            case Unexpected():
                logger.error("unexpected error", exc_info=event.error, extra={"fields": {"operation": event.operation}})


def _log(level: int, message: str, event: Event, **fields: object) -> None:
    logger.log(level, message, extra={"fields": msgspec.structs.asdict(event) | fields})
