"""Spans for X-Ray and any OpenTelemetry backend, made from the notes of a trace once its work is over.

The root of a request is a SERVER span named after its route template; the root of a round is a LOCAL_ROOT, so that
X-Ray gives it the service's name. Calls to AWS and to models are CLIENT children with the attributes by which X-Ray
draws their nodes and distinguishes throttles (429) from faults (5xx).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

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
    Unexpected,
    VoteTaken,
)
from telemetry.logs import stack_of
from telemetry.notes import Finished
from telemetry.traces import Trace

_SCOPE = InstrumentationScope(names.SCOPE)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

_GENERATION_ID = re.compile("[0-9a-f]{48}")

Note = tuple[int, Event]


def resource_of(service: str) -> Resource:
    """Build the resource from the service's name and OTEL_RESOURCE_ATTRIBUTES."""
    return Resource.create({"service.name": service})


class SpanMaker:
    """Builds the spans of finished traces for the service described by `resource`."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def spans(self, finished: Finished) -> list[ReadableSpan]:
        """Return the root span first, then a child for every call."""
        trace, last = finished
        root = self._request_root(trace, last) if isinstance(last, RequestServed) else self._round_root(trace, last)
        return [root, *(self._child(note, trace.trace_id, root) for note in trace.notes if isinstance(note[1], _CALLS))]

    def _request_root(self, trace: Trace, event: RequestServed) -> ReadableSpan:
        attributes: dict[str, Any] = {
            names.HTTP_METHOD: event.method,
            names.HTTP_ROUTE: event.route,
            names.URL_PATH: event.route,
            names.HTTP_STATUS: event.status,
            names.OPERATION: event.operation,
            names.ERROR_TYPE: event.error_code,
        }
        for _, note in trace.notes:
            if isinstance(note, SayingServed):
                attributes[names.ORIGIN] = note.origin
                attributes[names.REQUEST_NUMBER] = note.request_number
                attributes[names.DEGRADED] = note.degraded
            elif isinstance(note, ComparisonFinished) and note.replayed in ("budget", "busy"):
                attributes[names.DEGRADED] = note.replayed
        return self._root(
            trace,
            f"{event.method} {event.route}".strip(),
            event.total_ms,
            SpanKind.SERVER,
            attributes,
            failed=event.status >= 500,
        )

    def _round_root(self, trace: Trace, event: RoundFinished) -> ReadableSpan:
        attributes = {
            names.OPERATION: "round",
            names.AWS_SPAN_KIND: "LOCAL_ROOT",
            names.AWS_LOCAL_SERVICE: str(self._resource.attributes.get("service.name", "")),
            names.FENCING_TOKEN: event.fencing_token,
        }
        failed = all(report.error_type for report in event.models)
        return self._root(trace, "round", event.total_ms, SpanKind.INTERNAL, attributes, failed=failed)

    def _root(
        self, trace: Trace, name: str, total_ms: float, kind: SpanKind, attributes: dict[str, Any], *, failed: bool
    ) -> ReadableSpan:
        parent = _context(trace.trace_id, trace.parent_id, is_remote=True) if trace.parent_id else None
        return ReadableSpan(
            name=name,
            context=_context(trace.trace_id, traces.new_span_id()),
            parent=parent,
            resource=self._resource,
            attributes=_without_empty(attributes),
            events=_events(trace.notes),
            links=_links(trace.notes),
            kind=kind,
            status=_status(failed=failed),
            start_time=trace.ended_at - round(total_ms * 1e6),
            end_time=trace.ended_at,
            instrumentation_scope=_SCOPE,
        )

    def _child(self, note: Note, trace_id: str, root: ReadableSpan) -> ReadableSpan:
        ended_at, event = note
        call = _DESCRIBE[type(event)](event)
        span_id = event.generation_id[32:] if isinstance(event, ModelCalled) else ""
        failure = [_exception(ended_at, call.error_type, call.error_message)] if call.failed else []
        return ReadableSpan(
            name=call.name,
            context=_context(trace_id, span_id or traces.new_span_id()),
            parent=root.get_span_context(),
            resource=self._resource,
            attributes=_without_empty(call.attributes),
            events=failure,
            kind=SpanKind.CLIENT,
            status=_status(failed=call.failed),
            start_time=ended_at - round(call.total_ms * 1e6),
            end_time=ended_at,
            instrumentation_scope=_SCOPE,
        )


class _Call(NamedTuple):
    """What a call's span shows; `error_type` and `error_message` are used only when it `failed`."""

    name: str
    total_ms: float
    attributes: dict[str, Any]
    failed: bool
    error_type: str
    error_message: str = ""


def _model_call(event: ModelCalled) -> _Call:
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
    return _Call(name, event.api_time_ms, attributes, failed, event.error_type, event.error_message)


def _aws_call(event: AwsCalled) -> _Call:
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
    return _Call(f"{event.service}.{event.operation}", event.total_ms, attributes, failed, event.error_type)


def _sqlite_call(event: SqliteCalled) -> _Call:
    attributes = {
        names.DB_SYSTEM: "sqlite",
        names.DB_OPERATION: event.operation,
        names.ERROR_TYPE: event.error_type,
    }
    return _Call(f"sqlite {event.operation}", event.total_ms, attributes, bool(event.error_type), event.error_type)


_ANSWERS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException",
     "TooManyRequestsException"}
)  # fmt: skip
_CALLS = (ModelCalled, AwsCalled, SqliteCalled)
_DESCRIBE: dict[type[Event], Callable[[Any], _Call]] = {
    ModelCalled: _model_call,
    AwsCalled: _aws_call,
    SqliteCalled: _sqlite_call,
}


def _events(notes: Sequence[Note]) -> list[SpanEvent]:
    return [event for at, note in notes if (event := _event(at, note)) is not None]


def _event(at: int, note: Event) -> SpanEvent | None:
    match note:
        case Unexpected():
            attributes: dict[str, Any] = {
                names.EXCEPTION_TYPE: type(note.error).__name__,
                names.EXCEPTION_MESSAGE: "unexpected",  # a library's error text may contain a key
                names.EXCEPTION_STACK: stack_of(note.error),
            }
            return SpanEvent("exception", attributes, at)
        case DependencyFailed() | ModelReport() if note.error_type:
            return _exception(at, note.error_type, note.error_message)
        case VoteTaken():
            attributes = {
                names.EVALUATION_NAME: names.USER_FEEDBACK,
                names.EVALUATION_LABEL: note.feedback_type or "WITHDRAWN",
                names.EVALUATION_VALUE: {"POSITIVE": 1.0, "NEGATIVE": 0.0}.get(note.feedback_type, 0.5),
            }
            return SpanEvent(names.EVALUATION, attributes, at)
    return None


def _exception(at: int, error_type: str, message: str) -> SpanEvent:
    """Build an exception event, the only form from which X-Ray shows the exceptions of a segment."""
    return SpanEvent("exception", {names.EXCEPTION_TYPE: error_type, names.EXCEPTION_MESSAGE: message}, at)


def _links(notes: Sequence[Note]) -> list[Link]:
    """Link the trace of a vote to the call that wrote the saying: a generation id is its trace id and span id."""
    return [
        Link(_context(note.generation_id[:32], note.generation_id[32:], is_remote=True))
        for _, note in notes
        if isinstance(note, VoteTaken) and _GENERATION_ID.fullmatch(note.generation_id)
    ]


def _without_empty(attributes: dict[str, Any]) -> dict[str, Any]:
    """Drop the attributes that are None or empty."""
    return {key: value for key, value in attributes.items() if value not in (None, "", ())}


def _context(trace_id: str, span_id: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, _SAMPLED)


def _status(*, failed: bool) -> Status:
    return Status(StatusCode.ERROR if failed else StatusCode.UNSET)
