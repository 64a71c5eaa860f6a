"""The events of the service as frozen records, and the protocol of the listeners that receive them.

The core emits events and knows nothing of logs or OpenTelemetry. Fields are plain values, times are milliseconds.
No field ever holds a key, a prompt or the text of a saying.
"""

from typing import Protocol

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """The base of all events."""


class RequestServed(Event, frozen=True, gc=False):
    """An HTTP request was answered. `origin` is where its saying came from, empty for everything but GET /sayings."""

    operation: str
    status: int
    total_ms: float
    error_code: str = ""
    method: str = ""
    route: str = ""
    origin: str = ""


class SayingServed(Event, frozen=True, gc=False):
    """GET /sayings served a saying. `degraded` is why it did not come from the intended origin, None if it did."""

    origin: str
    request_number: int
    degraded: str | None


class DependencyFailed(Event, frozen=True, gc=False):
    """A dependency failed and the service worked around it.

    `cause` is the code that AWS or SQLite gave, or the class of the library's error, and never its text.
    """

    dependency: str
    operation: str
    error_type: str
    error_message: str
    cause: str = ""
    model: str = ""


class PriceMissing(Event, frozen=True, gc=False):
    """A model of the catalogue has no price: the cost of its calls is null, and they reserve the highest price."""

    model: str


class UsageDoubted(Event, frozen=True, gc=False):
    """A vendor's count of its tokens cannot be true, for this reason: the worst case was booked instead."""

    model: str
    reason: str


class ModelLifeMeasured(Event, frozen=True, gc=False):
    """The days until a model of the line-up retires."""

    model: str
    days_left: int


class ModelConcerning(Event, frozen=True, gc=False):
    """Something about a model, or about an empty seat, needs a person; `error_message` says what."""

    model: str
    error_message: str


class ModelCalled(Event, frozen=True, gc=False):
    """One attempt to call a model, successful or not. `simulated` means that the simulator answered for the vendor.

    `display_name` is the model's name for people and `response_model` the one under which it answered. `output_type` is
    `json` where the vendor was asked for structured output, else "". `finish_reason` is OpenTelemetry's word for why
    the model stopped. The tokens are None without an answer, and those that were cached or thinking are among them.
    """

    model: str
    vendor: str
    kind: str
    attempt: int
    api_time_ms: float
    error_type: str = ""
    error_message: str = ""
    cause: str = ""
    status: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nanos: int | None = None
    generation_id: str = ""
    response_id: str = ""
    simulated: bool = False
    display_name: str = ""
    server_address: str = ""
    server_port: int | None = None
    prompt_version: str = ""
    max_tokens: int | None = None
    output_type: str = ""
    response_model: str = ""
    finish_reason: str = ""
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    thinking_tokens: int | None = None


class SayingsWritten(Event, frozen=True, gc=False):
    """The answer of a call has been read: these sayings of it may be shown."""

    generation_id: str
    saying_ids: tuple[str, ...]


class AwsCalled(Event, frozen=True, gc=False):
    """One HTTP call to AWS.

    `status` is None without a response; `error_type` is the error code of AWS or the class of an exception.
    `request_id` is the one that AWS gave the call, or "". `span_id` has 16 hex digits.
    """

    service: str
    operation: str
    region: str
    total_ms: float
    status: int | None = None
    error_type: str = ""
    tables: tuple[str, ...] = ()
    request_id: str = ""
    span_id: str = ""


class SqliteCalled(Event, frozen=True, gc=False):
    """One transaction or read of the SQLite store; `total_ms` includes the wait for its thread."""

    operation: str
    total_ms: float
    error_type: str = ""


class PoolMeasured(Event, frozen=True, gc=False):
    """The number of warm sayings of a model that this process holds."""

    model: str
    size: int


class ModelMeasured(Event, frozen=True, gc=False):
    """Whether a model is failing: it failed in the latest round, or its breaker is open in this process."""

    model: str
    failing: bool


class SpendMeasured(Event, frozen=True, gc=False):
    """The spend of today, reserved or final, of all processes together."""

    today_usd: float


class SayingsRejected(Event, frozen=True, gc=False):
    """The parser rejected sayings of a model; `problems` are its reasons, which are of a closed set."""

    model: str
    problems: tuple[str, ...]


class VoteTaken(Event, frozen=True, gc=False):
    """A vote was stored, changed, withdrawn or found unchanged."""

    feedback_type: str
    status: str
    contributor: str
    generation_id: str = ""


class SayingReported(Event, frozen=True, gc=False):
    """A visitor's report of a saying was stored, or found unchanged."""

    saying_id: str
    reason: str
    status: str


class SayingTakenDown(Event, frozen=True, gc=False):
    """A saying was taken down in the whole fleet, by an `operator` or by enough `visitors`."""

    saying_id: str
    withdrawn_by: str


class SayingRestored(Event, frozen=True, gc=False):
    """An operator has restored a saying, or looked at its reports and kept it."""

    saying_id: str


class ComparisonFinished(Event, frozen=True, gc=False):
    """Every slot of a comparison has a saying or has failed.

    `replayed` is why an older comparison was shown (`budget`, `busy` or `asked`), or "" for a new one. `abandoned`
    means that the client disconnected before its end.
    """

    answered: int
    failed: int
    total_ms: float
    replayed: str = ""
    abandoned: bool = False


class BallotTaken(Event, frozen=True, gc=False):
    """A vote on a comparison was stored, kept apart because it came after the reveal, or found unchanged.

    It was not stored if it is `unverified`, which means that it came without a voter's cookie.
    `outcome` is what was voted for: `winner`, `tie` or `none`.
    """

    outcome: str
    status: str


class RoundStarted(Event, frozen=True, gc=False):
    """A round has started, in which these models are called concurrently."""

    models: tuple[str, ...]


class ModelReport(Event, frozen=True, gc=False):
    """The result of one model in a round: the sayings stored, and the time from reading its key to storing them."""

    model: str
    sayings: int
    total_ms: float
    error_type: str = ""
    error_message: str = ""


class RoundFinished(Event, frozen=True, gc=False):
    """Every model of a round has answered or failed."""

    models: tuple[ModelReport, ...]
    total_ms: float
    fencing_token: int


class WorkFinished(Event, frozen=True, gc=False):
    """Work is over that belongs to no request and no round, such as the upkeep of a Lambda environment."""

    operation: str
    total_ms: float


class RoundFailed(Event, frozen=True, gc=False):
    """A round could not begin or was cut off, so that no model brought anything."""

    error_type: str
    error_message: str


class StepTaken(Event, frozen=True, gc=False):
    """A part of a trace's work has ended. It is noted in the trace only; `span_id` has 16 hex digits."""

    name: str
    span_id: str
    total_ms: float
    model: str = ""
    error_type: str = ""


class DataPruned(Event, frozen=True, gc=False):
    """A pass, or a part of one, has removed what had reached its end; `finished` is false when there is more to do.

    The counts are those of `service.store.retention.Pruned`.
    """

    addresses: int
    voters: int
    unvoted: int
    taken_back: int
    finished: bool


class FileExposed(Event, frozen=True, gc=False):
    """Other users could read a file of the database, whose mode was `mode`; no longer, if it could be `narrowed`."""

    name: str
    mode: str
    narrowed: bool


class Unexpected(Event, frozen=True):
    """A defect: an unexpected exception, with its stack."""

    operation: str
    error: BaseException


class Listener(Protocol):
    """Receives every event as it happens. `emit` must not block and must not raise."""

    def emit(self, event: Event) -> None: ...


class Listeners:
    """Passes every event on to several listeners, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self._emits = tuple(listener.emit for listener in listeners)

    def emit(self, event: Event) -> None:
        for emit in self._emits:
            emit(event)


class Silence:
    """A listener that ignores every event."""

    def emit(self, event: Event) -> None:
        """Do nothing."""


SILENCE = Silence()
