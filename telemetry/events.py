"""What happens in the service, as frozen records, and the protocol of the listeners.

The core emits these and knows nothing of logs or OpenTelemetry; fields are plain values, times are milliseconds.
No field ever holds a key, a prompt or the text of a saying.
"""

from typing import Protocol

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """The base of all events."""


class RequestServed(Event, frozen=True, gc=False):
    """An HTTP request was answered."""

    operation: str
    status: int
    total_ms: float
    error_code: str = ""
    method: str = ""
    route: str = ""


class SayingServed(Event, frozen=True, gc=False):
    """GET /sayings had its saying. `degraded` is why it did not come from where the flow wanted it."""

    origin: str
    request_number: int
    degraded: str | None


class DependencyFailed(Event, frozen=True, gc=False):
    """Something outside failed and was worked around. `cause` is the class of the library's error, never its text."""

    dependency: str
    operation: str
    error_type: str
    error_message: str
    cause: str = ""
    model: str = ""


class PriceMissing(Event, frozen=True, gc=False):
    """A model of the catalogue has no price: its calls cost null, and are reserved at the dearest one's."""

    model: str


class UsageDoubted(Event, frozen=True, gc=False):
    """A vendor's count of its tokens cannot be true, for this reason: the worst case was booked instead."""

    model: str
    reason: str


class ModelCalled(Event, frozen=True, gc=False):
    """One attempt at a model, answered or not."""

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


class AwsCalled(Event, frozen=True, gc=False):
    """One HTTP call to AWS; `status` is None when there was no answer, `error_type` AWS's own code or an exception."""

    service: str
    operation: str
    region: str
    total_ms: float
    status: int | None = None
    error_type: str = ""
    tables: tuple[str, ...] = ()


class SqliteCalled(Event, frozen=True, gc=False):
    """One transaction or read of the embedded store, waiting for its thread included."""

    operation: str
    total_ms: float
    error_type: str = ""


class PoolMeasured(Event, frozen=True, gc=False):
    """How many warm sayings of a model this process holds."""

    model: str
    size: int


class SpendMeasured(Event, frozen=True, gc=False):
    """What is reserved or spent today, by all processes together."""

    today_usd: float


class SayingsRejected(Event, frozen=True, gc=False):
    """What a model wrote and the parser kept out, as the parser's words for it."""

    model: str
    problems: tuple[str, ...]


class VoteTaken(Event, frozen=True, gc=False):
    """A vote was stored, changed, taken back or found unchanged."""

    feedback_type: str
    status: str
    contributor: str
    generation_id: str = ""


class ComparisonFinished(Event, frozen=True, gc=False):
    """Every slot of a comparison has a saying or has failed.

    `replayed` when it is an older one, for want of budget; `abandoned` when the client went away before its end.
    """

    answered: int
    failed: int
    total_ms: float
    replayed: bool = False
    abandoned: bool = False


class BallotTaken(Event, frozen=True, gc=False):
    """A vote on a comparison was stored, changed or found unchanged; `outcome` is `winner`, `tie` or `none`."""

    outcome: str
    status: str


class RoundStarted(Event, frozen=True, gc=False):
    """A round begins: these models are asked at once."""

    models: tuple[str, ...]


class ModelReport(Event, frozen=True, gc=False):
    """What one model brought to a round: the sayings stored, and the time from key to store."""

    model: str
    sayings: int
    total_ms: float
    error_type: str = ""
    error_message: str = ""


class RoundFinished(Event, frozen=True, gc=False):
    """All models of a round have answered or failed."""

    models: tuple[ModelReport, ...]
    total_ms: float
    fencing_token: int


class Unexpected(Event, frozen=True):
    """A defect: an unplanned exception, with its stack."""

    operation: str
    error: BaseException


class Listener(Protocol):
    """Told of every event as it happens; must not block and must not raise."""

    def emit(self, event: Event) -> None: ...


class Listeners:
    """Several listeners as one."""

    def __init__(self, *listeners: Listener) -> None:
        self._emits = tuple(listener.emit for listener in listeners)

    def emit(self, event: Event) -> None:
        for emit in self._emits:
            emit(event)


class Silence:
    """Listens to nothing."""

    def emit(self, event: Event) -> None:
        """Discard the event."""


SILENCE = Silence()
