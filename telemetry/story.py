"""What a finished trace tells: its spans, without OpenTelemetry, which need not be imported to know them.

The root of a request is a SERVER span named after its route template; the root of a round, or of other work of its own,
is a LOCAL_ROOT, so that X-Ray gives it the service's name. The parts of their work (see `telemetry.traces.step`) are
INTERNAL. Calls to AWS and to models are CLIENT spans below the part that made them, with the attributes by which X-Ray
draws their nodes and distinguishes throttles (429) from faults (5xx). What failed without a call is an event of the
part in which it failed.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_network
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
    SayingsWritten,
    SqliteCalled,
    StepTaken,
    Unexpected,
    VoteTaken,
    WorkFinished,
)
from telemetry.harmless import printable
from telemetry.logs import stack_of
from telemetry.notes import Finished, Last
from telemetry.traces import Facts, Note, Trace

_GENERATION_ID = re.compile("[0-9a-f]{48}")
# A Host header that names a host, and perhaps its port.
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# The most that is kept of a text that a client has sent.
MOST_LETTERS = 256
# How much of a client's address is kept: its network, because the page promises that the address is not.
_IPV4_BITS, _IPV6_BITS = 24, 48


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
    parts = list(_parts(trace.notes))
    parents = {part.span_id for _, part in parts if part.span_id}
    simulated = _simulated(note.event for note in trace.notes)
    moments: defaultdict[str, list[Moment]] = defaultdict(list)

    def parent_of(note: Note) -> str:
        return note.parent_id if note.parent_id in parents else trace.span_id

    for note in trace.notes:
        if (moment := _moment(note.at, note.event)) is not None:
            moments[parent_of(note)].append(moment)
    root = _root(trace, last, service)
    return [
        _span_of(root, trace.span_id, trace.parent_id, trace.ended_at, simulated, moments, _links(trace.notes)),
        *(
            _span_of(part, part.span_id or traces.new_span_id(), parent_of(note), note.at, simulated, moments)
            for note, part in parts
        ),
    ]


def _parts(notes: Sequence[Note]) -> "Iterator[tuple[Note, _Part]]":
    """The calls and steps. What a call wrote becomes known after its end, so it comes as another event."""
    written = {
        note.event.generation_id: note.event.saying_ids for note in notes if isinstance(note.event, SayingsWritten)
    }
    for note in notes:
        describe = _DESCRIBE.get(type(note.event))
        if describe is not None:
            part = describe(note.event)
            if isinstance(note.event, ModelCalled):
                part.attributes[names.SAYING_IDS] = written.get(note.event.generation_id, ())
            yield note, part


def _simulated(events: Iterable[Event]) -> dict[str, str]:
    """The attribute that says whether the simulator answered in this trace; none if no model was called."""
    called = [event.simulated for event in events if isinstance(event, ModelCalled)]
    return {names.SIMULATED: str(any(called)).lower()} if called else {}


def _root(trace: Trace, last: Last, service: str) -> "_Part":
    match last:
        case RequestServed():
            return _request_root(trace, last)
        case RoundFinished():
            return _round_root(last, service)
        case WorkFinished():
            return _work_root(last, service)


def _request_root(trace: Trace, event: RequestServed) -> "_Part":
    failed = event.status >= 500
    attributes: dict[str, Any] = {
        names.HTTP_METHOD: event.method,
        names.HTTP_ROUTE: event.route,
        names.HTTP_STATUS: event.status,
        names.OPERATION: event.operation,
        names.ERROR_TYPE: event.error_code if failed else "",  # what the client did wrong is not our error
        names.ERROR_CODE: event.error_code,
        **(_facts(trace.facts) if trace.facts else {}),
    }
    for _, noted, _ in trace.notes:
        if isinstance(noted, SayingServed):
            attributes[names.ORIGIN] = noted.origin
            attributes[names.REQUEST_NUMBER] = noted.request_number
            attributes[names.DEGRADED] = noted.degraded
        elif isinstance(noted, ComparisonFinished) and noted.replayed in ("budget", "busy"):
            attributes[names.DEGRADED] = noted.replayed
    return _Part(f"{event.method} {event.route}".strip(), Kind.SERVER, event.total_ms, attributes, failed)


def _facts(facts: Facts) -> dict[str, Any]:
    host = _HOST.fullmatch(facts.host)
    return {
        names.URL_SCHEME: facts.scheme,
        names.URL_PATH: printable(facts.path[:MOST_LETTERS]),
        names.SERVER_ADDRESS: host[1].lower() if host else "",
        names.SERVER_PORT: int(host[2] or _DEFAULT_PORTS[facts.scheme]) if host else None,
        names.CLIENT_ADDRESS: _network(facts.client) if facts.client else "",
        names.USER_AGENT: printable(facts.user_agent[:MOST_LETTERS]),
    }


def _network(client: str) -> str:
    """The address of the client's network, in which the bits of the client itself are zero."""
    network = ip_network(client)
    bits = _IPV4_BITS if network.version == 4 else _IPV6_BITS
    return str(network.supernet(new_prefix=bits).network_address)


def _round_root(event: RoundFinished, service: str) -> "_Part":
    attributes = _local_root("round", service) | {names.FENCING_TOKEN: event.fencing_token}
    failed = all(report.error_type for report in event.models)
    return _Part("round", Kind.INTERNAL, event.total_ms, attributes, failed)


def _work_root(event: WorkFinished, service: str) -> "_Part":
    return _Part(event.operation, Kind.INTERNAL, event.total_ms, _local_root(event.operation, service), failed=False)


def _local_root(operation: str, service: str) -> dict[str, Any]:
    return {names.OPERATION: operation, names.AWS_SPAN_KIND: "LOCAL_ROOT", names.AWS_LOCAL_SERVICE: service}


def _span_of(
    part: "_Part",
    span_id: str,
    parent_id: str,
    ended_at: int,
    simulated: Mapping[str, str],
    moments: Mapping[str, Sequence[Moment]],
    links: Sequence[tuple[str, str]] = (),
) -> Span:
    attributes = {**part.attributes, **(simulated if part.tells_of_models else {})}
    failure = [_exception(ended_at, *part.exception)] if part.failed and part.exception else []
    return Span(
        part.name,
        part.kind,
        span_id,
        parent_id,
        ended_at - round(part.total_ms * 1e6),
        ended_at,
        _without_empty(attributes),
        [*moments.get(span_id, ()), *failure],
        links,
        part.failed,
    )


class _Part(NamedTuple):
    """What the span of a root, a call or a step shows.

    `exception` has type and message of the failure of a call. `span_id` is empty when nothing refers to it. A part that
    `tells_of_models` says whether the simulator answered for them.
    """

    name: str
    kind: Kind
    total_ms: float
    attributes: dict[str, Any]
    failed: bool
    exception: tuple[str, str] | None = None
    span_id: str = ""
    tells_of_models: bool = True


def _model_call(event: ModelCalled) -> _Part:
    attributes = {
        names.GEN_AI_OPERATION: names.CHAT,
        names.PROVIDER: event.vendor,
        names.REQUEST_MODEL: event.model,
        names.MAX_TOKENS: event.max_tokens,
        names.OUTPUT_TYPE: event.output_type,
        names.PROMPT_NAME: names.PROMPT if event.prompt_version else "",
        names.PROMPT_VERSION: event.prompt_version,
        names.SERVER_ADDRESS: event.server_address,
        names.SERVER_PORT: event.server_port,
        names.PEER_SERVICE: event.vendor,
        names.HTTP_STATUS: event.status,
        names.RESPONSE_ID: printable(event.response_id[:MOST_LETTERS]),
        names.RESPONSE_MODEL: event.response_model,
        names.FINISH_REASONS: (event.finish_reason,) if event.finish_reason else (),
        names.INPUT_TOKENS: event.input_tokens,
        names.OUTPUT_TOKENS: event.output_tokens,
        names.CACHE_READ_TOKENS: event.cached_input_tokens or None,
        names.CACHE_WRITE_TOKENS: event.cache_write_tokens or None,
        names.REASONING_TOKENS: event.thinking_tokens or None,
        names.COST_USD: None if event.cost_nanos is None else event.cost_nanos / 1e9,
        names.CALL_KIND: event.kind,
        names.ATTEMPT: event.attempt,
        names.ERROR_TYPE: event.error_type,
        # Phoenix and MLflow price a call by the name of its model: no price is known for this one.
        names.MODEL_NAME: f"{event.display_name} (simulated)" if event.simulated and event.display_name else "",
    }
    exception, span_id = (event.error_type, event.error_message), event.generation_id[32:]
    name, failed = f"{names.CHAT} {event.model}", bool(event.error_type)
    return _Part(name, Kind.CLIENT, event.api_time_ms, attributes, failed, exception, span_id)


def _aws_call(event: AwsCalled) -> _Part:
    is_database = event.service == "DynamoDB"
    attributes = {
        names.DB_SYSTEM: "aws.dynamodb" if is_database else "",
        names.DB_OPERATION: event.operation if is_database else "",
        names.RPC_SYSTEM: "aws-api",
        names.RPC_SERVICE: event.service,
        names.RPC_METHOD: event.operation,
        names.AWS_REGION: event.region,
        names.AWS_TABLES: event.tables,
        names.AWS_REQUEST_ID: event.request_id,
        # Most of AWS throttles with a 400; X-Ray draws a throttle only where it sees a 429.
        names.HTTP_STATUS: 429 if event.error_type in _THROTTLES else event.status,
        names.ERROR_TYPE: event.error_type,
    }
    # A condition that does not hold is a normal response, not a failure.
    failed = bool(event.error_type) and event.error_type not in _ANSWERS
    name = f"{event.service}.{event.operation}"
    return _call(name, event.total_ms, attributes, event.error_type, failed=failed, span_id=event.span_id)


def _sqlite_call(event: SqliteCalled) -> _Part:
    attributes = {
        names.DB_SYSTEM: "sqlite",
        names.DB_OPERATION: event.operation,
        names.ERROR_TYPE: event.error_type,
    }
    name, failed = f"sqlite {event.operation}", bool(event.error_type)
    return _call(name, event.total_ms, attributes, event.error_type, failed=failed)


def _call(
    name: str, total_ms: float, attributes: dict[str, Any], error_type: str, *, failed: bool, span_id: str = ""
) -> _Part:
    """A call that is not to a model."""
    return _Part(name, Kind.CLIENT, total_ms, attributes, failed, (error_type, ""), span_id, tells_of_models=False)


def _step(event: StepTaken) -> _Part:
    attributes = {names.REQUEST_MODEL: event.model, names.ERROR_TYPE: event.error_type}
    name, failed = f"{event.name} {event.model}".strip(), bool(event.error_type)
    return _Part(name, Kind.INTERNAL, event.total_ms, attributes, failed, None, event.span_id, bool(event.model))


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
            return Moment(names.EVALUATION, at, evaluation_of(event))
    return None


def evaluation_of(event: VoteTaken) -> dict[str, Any]:
    """The attributes of a vote as an evaluation. A vote that is taken back has no score."""
    attributes = {
        names.EVALUATION_NAME: names.USER_FEEDBACK,
        names.EVALUATION_LABEL: event.feedback_type or "WITHDRAWN",
        names.EVALUATION_VALUE: {"POSITIVE": 1.0, "NEGATIVE": 0.0}.get(event.feedback_type),
    }
    return _without_empty(attributes)


def generation_of(event: VoteTaken) -> tuple[str, str] | None:
    """The trace id and the span id of the call that wrote the saying; None for one of the collection."""
    generation_id = event.generation_id
    return (generation_id[:32], generation_id[32:]) if _GENERATION_ID.fullmatch(generation_id) else None


def _exception(at: int, error_type: str, message: str) -> Moment:
    """Build an exception event, the only form from which X-Ray shows the exceptions of a segment."""
    return Moment("exception", at, {names.EXCEPTION_TYPE: error_type, names.EXCEPTION_MESSAGE: message})


def _links(notes: Sequence[Note]) -> list[tuple[str, str]]:
    """Link the trace of a vote to the call that wrote the saying."""
    votes = (note.event for note in notes if isinstance(note.event, VoteTaken))
    return [generation for vote in votes if (generation := generation_of(vote))]


def _without_empty(attributes: dict[str, Any]) -> dict[str, Any]:
    """Drop the attributes that are None or empty."""
    return {key: value for key, value in attributes.items() if value not in (None, "", ())}
