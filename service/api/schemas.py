"""The bodies of the HTTP contract, in camelCase on the wire, as they are decoded, encoded and described in OpenAPI."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.catalogue.line_up import SeatState
from service.domain import FeedbackType, Origin, VoteStatus

SAYING_ID_PATTERN = "^[0-9a-f]{32}$"

# The maximum length is needed as well, because `$` also matches before a line break at the end.
SayingId = Annotated[str, Meta(pattern=SAYING_ID_PATTERN, max_length=32, description="32 hex digits")]
Slot = Annotated[str, Meta(pattern="^[A-D]$")]
Winner = Literal["A", "B", "C", "D", "tie", "none"]
Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all bodies."""


class TokensUsed(Message, frozen=True):
    """Tokens of the model call, by the vendor's count."""

    input: int
    output: int


class Metrics(Message, frozen=True):
    """What this request took: milliseconds and, if it called a model that answered, tokens and US dollars."""

    total_execution_time: float
    api_latency: float | None = None
    tokens_used: TokensUsed | None = None
    cost: float | None = None


class SayingAnswer(Message, frozen=True):
    """A saying and where it came from; `degraded` says why it is not from where the flow wanted it."""

    saying_id: str
    saying: str
    source: str
    origin: Origin
    model: str | None
    vendor: str | None
    services: tuple[str, ...]
    request_number: int
    is_cached: bool
    execution_time: float
    original_llm_time: float | None
    degraded: str | None
    metrics: Metrics
    trace_id: str


class FeedbackRequest(Message, frozen=True):
    """A vote. `saying` or `sayingId` is needed."""

    source: Annotated[str, Meta(min_length=1, max_length=200)]
    feedback_type: FeedbackType
    saying: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    saying_id: SayingId | None = None
    execution_time: Milliseconds | None = None
    is_cached: bool | None = None
    original_llm_time: Milliseconds | None = None


class FeedbackAnswer(Message, frozen=True):
    """What the vote did, and the saying's counters; `feedbackType` is null once the vote is taken back."""

    feedback_id: str
    saying_id: str
    feedback_type: FeedbackType | None
    upvotes: int
    downvotes: int
    status: VoteStatus


class CompareRequest(Message, frozen=True):
    """What to compare the models on: a service by its full name, or any."""

    service: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class SlotAnswer(Message, frozen=True):
    """What one model wrote, without its name, or the word for why it wrote nothing."""

    slot: Slot
    saying: str | None
    error: str | None


class CompareAnswer(Message, frozen=True):
    """A comparison; `replayed` when the spend cap left no room for a new one and this is an older one.

    `votable` when at least two slots have a saying, and it could be stored.
    """

    comparison_id: str
    service: str
    replayed: bool
    votable: bool
    slots: list[SlotAnswer]


class ComparisonStarted(Message, frozen=True):
    """The stream's first event, `comparison`: as CompareAnswer, the slots that will follow by their names."""

    comparison_id: str
    service: str
    replayed: bool
    slots: list[Slot]


class ComparisonDone(Message, frozen=True):
    """The stream's last event, `done`: `votable` when at least two slots have a saying, and it could be stored."""

    comparison_id: str
    votable: bool


class CompareVoteRequest(Message, frozen=True):
    """The best slot, `tie` when they are equally good, `none` when none is any good."""

    winner: Winner


class RevealedSlot(Message, frozen=True):
    """A slot with all that was hidden: milliseconds, tokens, US dollars."""

    slot: Slot
    model: str
    source: str
    saying: str | None
    api_latency: float | None
    tokens_used: TokensUsed | None
    cost: float | None
    error: str | None


class CompareVoteAnswer(Message, frozen=True):
    comparison_id: str
    winner: Winner
    status: VoteStatus
    slots: list[RevealedSlot]


class PriceEntry(Message, frozen=True):
    """US dollars per million tokens since a day, as they stood in the vendor's price list of the day `asOf`."""

    input: float
    cached_input: float | None
    cache_write: float | None
    output: float
    since: str
    as_of: str


class ModelEntry(Message, frozen=True):
    """A model of the catalogue. `participates` while it holds a seat, which is its `state` then.

    It is `waiting` while another model holds its seat, `retired` from the day `retires` on, which its vendor has
    announced, `gone` when the vendor no longer knows it, and `left out` when there is no key for it or the operator
    has chosen others. `leftOn` is the day on which it retired or was found to be gone. `successor` has its seat then.
    """

    model: str
    vendor: str
    name: str
    source: str
    participates: bool
    simulated: bool
    seat: str | None
    state: SeatState
    arrives: str | None
    retires: str | None
    left_on: str | None
    successor: str | None
    price: PriceEntry | None


class SeatEntry(Message, frozen=True):
    """A place in the line-up and the model that holds it today. `model` is null while the seat is empty."""

    seat: str
    model: str | None


class ModelsAnswer(Message, frozen=True):
    """The seats of the line-up, and every model of the catalogue with its price of today."""

    seats: list[SeatEntry]
    models: list[ModelEntry]


class LiveAnswer(Message, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyAnswer(Message, frozen=True):
    """Whether traffic is welcome; `dependencies` says how each is: `ok` or what is wrong with it."""

    status: Literal["ready", "not_ready"]
    dependencies: dict[str, str]


class ErrorBody(Message, frozen=True):
    """A documented code, one clear sentence, and what in particular."""

    code: str
    message: str
    details: tuple[str, ...] = ()


class ErrorAnswer(Message, frozen=True):
    """Every answer that is not a success."""

    error: ErrorBody
    request_id: str
