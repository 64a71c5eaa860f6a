"""What a finished trace tells: its spans, without OpenTelemetry, which need not be imported to know them.

The root of a request is a SERVER span named after its route template; the root of a round, or of other work of its own,
is a LOCAL_ROOT, so that X-Ray gives it the service's name. Calls to AWS and to models are CLIENT children with the
attributes by which X-Ray draws their nodes and distinguishes throttles (429) from faults (5xx).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

from telemetry import names, traces
from telemetry.events import (
    AwsCalled,
    ComparisonFinished,
    DependencyFailed,
    Event,
    ModelCalled,
    ModelReport,
    RequestServed,
    RoundFinished,
    SayingServed,
    SqliteCalled,
    StepTaken,
    Unexpected,
    VoteTaken,
    WorkFinished,
)
from telemetry.logs import stack_of
from telemetry.notes import Finished
from telemetry.traces import Note, Trace

_GENERATION_ID = re.compile("[0-9a-f]{48}")


class Kind(Enum):
    """The kinds of spans, as OpenTelemetry has them."""

    SERVER = auto()
    CLIENT = auto()
    INTERNAL = auto()


class Moment(NamedTuple):
    """An event of a span, at a time in nanoseconds since the epoch."""

    name: str
    at: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A span, with times in nanoseconds since the epoch.

    Ids have 16 hex digits; `parent_id` is empty for the root of a trace that began here. A link is to a trace id and a
    span id.
    """

    name: str
    kind: Kind
    span_id: str
    parent_id: str
    started_at: int
    ended_at: int
    attributes: Mapping[str, Any]
    moments: Sequence[Moment] = ()
    links: Sequence[tuple[str, str]] = ()
    failed: bool = False


def story_of(finished: Finished, service: str) -> list[Span]:
    """The spans of a trace of the service of this name: the root first, then the others in the order of their ends."""
    trace, last = finished
    match last:
        case RequestServed():
            root = _request_root(trace, last)
        case RoundFinished():
            root = _round_root(trace, last, service)
        case WorkFinished():
            root = _work_root(trace, last, service)
    return [root, *(_child(note, root) for note in trace.notes if type(note.event) in _DESCRIBE)]


def _request_root(trace: Trace, event: RequestServed) -> Span:
    attributes: dict[str, Any] = {
        names.HTTP_METHOD: event.method,
        names.HTTP_ROUTE: event.route,
        names.URL_PATH: event.route,
        names.HTTP_STATUS: event.status,
        names.OPERATION: event.operation,
        names.ERROR_TYPE: event.error_code,
    }
    for _, noted, _ in trace.notes:
        if isinstance(noted, SayingServed):
            attributes[names.ORIGIN] = noted.origin
            attributes[names.REQUEST_NUMBER] = noted.request_number
            attributes[names.DEGRADED] = noted.degraded
        elif isinstance(noted, ComparisonFinished) and noted.replayed in ("budget", "busy"):
            attributes[names.DEGRADED] = noted.replayed
    name = f"{event.method} {event.route}".strip()
    return _root(trace, name, event.total_ms, Kind.SERVER, attributes, failed=event.status >= 500)


def _round_root(trace: Trace, event: RoundFinished, service: str) -> Span:
    attributes = _local_root("round", service) | {names.FENCING_TOKEN: event.fencing_token}
    failed = all(report.error_type for report in event.models)
    return _root(trace, "round", event.total_ms, Kind.INTERNAL, attributes, failed=failed)


def _work_root(trace: Trace, event: WorkFinished, service: str) -> Span:
    attributes = _local_root(event.operation, service)
    return _root(trace, event.operation, event.total_ms, Kind.INTERNAL, attributes, failed=False)


def _local_root(operation: str, service: str) -> dict[str, Any]:
    return {names.OPERATION: operation, names.AWS_SPAN_KIND: "LOCAL_ROOT", names.AWS_LOCAL_SERVICE: service}


def _root(trace: Trace, name: str, total_ms: float, kind: Kind, attributes: dict[str, Any], *, failed: bool) -> Span:
    return Span(
        name,
        kind,
        trace.span_id,
        trace.parent_id,
        trace.ended_at - round(total_ms * 1e6),
        trace.ended_at,
        _without_empty(attributes),
        _moments(trace.notes),
        _links(trace.notes),
        failed,
    )


def _child(note: Note, root: Span) -> Span:
    part = _DESCRIBE[type(note.event)](note.event)
    failure = [_exception(note.at, part.error_type, part.error_message)] if part.failed and part.is_call else []
    return Span(
        part.name,
        Kind.CLIENT if part.is_call else Kind.INTERNAL,
        part.span_id or traces.new_span_id(),
        note.parent_id or root.span_id,
        note.at - round(part.total_ms * 1e6),
        note.at,
        _without_empty(part.attributes),
        failure,
        (),
        part.failed,
    )


class _Part(NamedTuple):
    """What the span of a call or a step shows; `error_type` and `error_message` are used only when it `failed`.

    `span_id` is empty when nothing refers to it.
    """

    name: str
    total_ms: float
    attributes: dict[str, Any]
    failed: bool
    error_type: str
    error_message: str = ""
    span_id: str = ""
    is_call: bool = True


def _model_call(event: ModelCalled) -> _Part:
    attributes = {
        names.GEN_AI_OPERATION: names.CHAT,
        names.PROVIDER: event.vendor,
        names.REQUEST_MODEL: event.model,
        names.PEER_SERVICE: event.vendor,
        names.HTTP_STATUS: event.status,
        names.INPUT_TOKENS: event.input_tokens,
        names.OUTPUT_TOKENS: event.output_tokens,
        names.RESPONSE_ID: event.response_id,
        names.CALL_KIND: event.kind,
        names.ATTEMPT: event.attempt,
        names.ERROR_TYPE: event.error_type,
    }
    name, failed = f"{names.CHAT} {event.model}", bool(event.error_type)
    span_id = event.generation_id[32:]
    return _Part(name, event.api_time_ms, attributes, failed, event.error_type, event.error_message, span_id)


def _aws_call(event: AwsCalled) -> _Part:
    attributes = {
        names.RPC_SYSTEM: "aws-api",
        names.RPC_SERVICE: event.service,
        names.RPC_METHOD: event.operation,
        names.AWS_REGION: event.region,
        names.AWS_TABLES: event.tables,
        # Most of AWS throttles with a 400; X-Ray draws a throttle only where it sees a 429.
        names.HTTP_STATUS: 429 if event.error_type in _THROTTLES else event.status,
        names.ERROR_TYPE: event.error_type,
    }
    # A condition that does not hold is a normal response, not a failure.
    failed = bool(event.error_type) and event.error_type not in _ANSWERS
    name = f"{event.service}.{event.operation}"
    return _Part(name, event.total_ms, attributes, failed, event.error_type, span_id=event.span_id)


def _sqlite_call(event: SqliteCalled) -> _Part:
    attributes = {
        names.DB_SYSTEM: "sqlite",
        names.DB_OPERATION: event.operation,
        names.ERROR_TYPE: event.error_type,
    }
    return _Part(f"sqlite {event.operation}", event.total_ms, attributes, bool(event.error_type), event.error_type)


def _step(event: StepTaken) -> _Part:
    attributes = {names.REQUEST_MODEL: event.model, names.ERROR_TYPE: event.error_type}
    name, failed = f"{event.name} {event.model}".strip(), bool(event.error_type)
    return _Part(name, event.total_ms, attributes, failed, event.error_type, span_id=event.span_id, is_call=False)


_ANSWERS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException",
     "TooManyRequestsException"}
)  # fmt: skip
_DESCRIBE: dict[type[Event], Callable[[Any], _Part]] = {
    ModelCalled: _model_call,
    AwsCalled: _aws_call,
    SqliteCalled: _sqlite_call,
    StepTaken: _step,
}


def _moments(notes: Sequence[Note]) -> list[Moment]:
    return [moment for note in notes if (moment := _moment(note.at, note.event)) is not None]


def _moment(at: int, event: Event) -> Moment | None:
    match event:
        case Unexpected():
            attributes: dict[str, Any] = {
                names.EXCEPTION_TYPE: type(event.error).__name__,
                names.EXCEPTION_MESSAGE: "unexpected",  # a library's error text may contain a key
                names.EXCEPTION_STACK: stack_of(event.error),
            }
            return Moment("exception", at, attributes)
        case DependencyFailed() | ModelReport() if event.error_type:
            return _exception(at, event.error_type, event.error_message)
        case VoteTaken():
            attributes = {
                names.EVALUATION_NAME: names.USER_FEEDBACK,
                names.EVALUATION_LABEL: event.feedback_type or "WITHDRAWN",
                names.EVALUATION_VALUE: {"POSITIVE": 1.0, "NEGATIVE": 0.0}.get(event.feedback_type, 0.5),
            }
            return Moment(names.EVALUATION, at, attributes)
    return None


def _exception(at: int, error_type: str, message: str) -> Moment:
    """Build an exception event, the only form from which X-Ray shows the exceptions of a segment."""
    return Moment("exception", at, {names.EXCEPTION_TYPE: error_type, names.EXCEPTION_MESSAGE: message})


def _links(notes: Sequence[Note]) -> list[tuple[str, str]]:
    """Link the trace of a vote to the call that wrote the saying: a generation id is its trace id and span id."""
    return [
        (note.event.generation_id[:32], note.event.generation_id[32:])
        for note in notes
        if isinstance(note.event, VoteTaken) and _GENERATION_ID.fullmatch(note.event.generation_id)
    ]


def _without_empty(attributes: dict[str, Any]) -> dict[str, Any]:
    """Drop the attributes that are None or empty."""
    return {key: value for key, value in attributes.items() if value not in (None, "", ())}
