"""The bodies of the HTTP contract, in camelCase on the wire, as they are decoded, encoded and described in OpenAPI."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.catalogue.line_up import SeatState
from service.domain import (
    BallotStatus,
    BlindError,
    FeedbackType,
    Origin,
    ReplayReason,
    ReportReason,
    ReportStatus,
    SayingOrder,
    Standing,
    VoteStatus,
)

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
    """What this request took, in milliseconds. Tokens and cost are set if it called a model and the model answered."""

    total_execution_time: float
    api_latency: float | None = None
    tokens_used: TokensUsed | None = None
    cost: float | None = None


class SayingQuery(Message, frozen=True):
    """What a client may ask of the next saying."""

    attribution: Annotated[
        Literal["random"] | None,
        Meta(description="A lot decides whether the author is told. A client without a voter's cookie gets one."),
    ] = None
    service: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="The full name of an AWS service that the saying is to be about, if there is such a saying."),
    ] = None
    after: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{8,32}(,[0-9a-f]{8,32}){0,99})?$",
            max_length=3299,
            description="The ids of up to 100 sayings that the client has seen, or at least 8 digits of each, with "
            "commas between them. They come again only when there is nothing else.",
        ),
    ] = ""


class SayingAnswer(Message, frozen=True):
    """A saying and where it came from.

    When it is `blind`, everything that tells its author is null until the vote. `degraded` is the reason why it did not
    come from the origin that was intended, or null if it did. `voteToken` goes with a vote on it, and is null for a
    client without a voter's cookie. `vote` is this voter's earlier vote on it, if this process remembers one.
    """

    saying_id: str
    saying: str
    source: str | None
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
    blind: bool
    vote_token: str | None
    vote: FeedbackType | None
    trace_id: str


class BestQuery(Message, frozen=True):
    """Which list of sayings a client wants, and which page of it."""

    order: Annotated[
        SayingOrder,
        Meta(
            description="`top`: the best by the lower end of the 95 % interval of their votes, of those that have any. "
            "`new`: the newest that models have written."
        ),
    ] = SayingOrder.TOP
    service: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="The full name of an AWS service that the sayings are to be about."),
    ] = None
    model: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="The id of the model that has written the sayings."),
    ] = None
    after: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{8})*$",
            max_length=1920,
            description="The cursor `next` of the page before. Clients need not understand it.",
        ),
    ] = ""


class StoredSayingAnswer(Message, frozen=True):
    """A saying with its author and its counters, which are a few seconds old at most.

    `createdAt` is the time of writing, in ISO 8601 and UTC. Like everything that comes from a model, it is null for a
    saying of the collection.
    """

    saying_id: str
    saying: str
    source: str
    model: str | None
    vendor: str | None
    services: tuple[str, ...]
    original_llm_time: float | None
    created_at: str | None
    upvotes: int
    downvotes: int


class BestAnswer(Message, frozen=True):
    """A page of a list of sayings, and what the list was asked for.

    `next` is the cursor of the next page, and null on the last one. No saying comes again on a later page.
    """

    order: SayingOrder
    service: str | None
    model: str | None
    sayings: list[StoredSayingAnswer]
    next: str | None


class FeedbackRequest(Message, frozen=True):
    """A vote. Either `saying` or `sayingId` is required, and either `voteToken` or `source`.

    A vote with the token that came with the saying, from the voter to whom it was served, can count in the comparison
    of the models. Any other vote is unverified and counts for the saying only.
    """

    feedback_type: FeedbackType
    source: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    saying: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    saying_id: SayingId | None = None
    vote_token: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    execution_time: Milliseconds | None = None
    is_cached: bool | None = None
    original_llm_time: Milliseconds | None = None


class FeedbackAnswer(Message, frozen=True):
    """What became of the vote, the saying's counters, and who wrote it.

    `standing` says whether the voter's first vote on the saying counts in the comparison of the models. It is
    `unverified` for a vote without a token, or with one that is older than a day or came without the voter's cookie.
    After a vote was taken back, `feedbackType` and the author are null, and so is `standing` if there was no vote.
    """

    feedback_id: str
    saying_id: str
    feedback_type: FeedbackType | None
    upvotes: int
    downvotes: int
    status: VoteStatus
    standing: Standing | None
    source: str | None = None
    model: str | None = None
    vendor: str | None = None
    original_llm_time: float | None = None


class ReportRequest(Message, frozen=True):
    """Why the saying should be looked at."""

    reason: ReportReason = ReportReason.OTHER


class ReportAnswer(Message, frozen=True):
    """What became of the report.

    The status is `unchanged` when this voter, or somebody else in the same network, has reported the saying before.
    """

    saying_id: str
    status: ReportStatus


class WithdrawRequest(Message, frozen=True):
    """Why the saying is taken down; only operators read it."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class TakedownAnswer(Message, frozen=True):
    """Whether the saying is withdrawn now, and whether this request has changed that."""

    saying_id: str
    withdrawn: bool
    changed: bool


class ForgottenAnswer(Message, frozen=True):
    """`forgotten`: nothing is stored of the voter any more. `accepted`: nothing will be after `forgottenBefore`.

    The time is in ISO 8601 and UTC.
    """

    status: Literal["forgotten", "accepted"]
    forgotten_before: str


class CompareRequest(Message, frozen=True):
    """The AWS service to compare the models on, by its full name. Without one it is drawn at random.

    With `from`, an earlier comparison that this voter has not seen is shown and no model is asked.
    """

    service: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    from_: Literal["stored"] | None = msgspec.field(default=None, name="from")


class SlotAnswer(Message, frozen=True):
    """What one model wrote, without its name, or the reason why there is nothing from it."""

    slot: Slot
    saying: str | None
    error: BlindError | None


class CompareAnswer(Message, frozen=True):
    """A comparison.

    `replayed` is true for an older comparison, and `reason` says why it is shown: the spend cap leaves no room for a
    new one, all places for live calls are taken, or the client has asked for it. `votable` is true if at least two
    slots have a saying and the comparison could be stored.
    """

    comparison_id: str
    service: str
    replayed: bool
    reason: ReplayReason | None
    votable: bool
    slots: list[SlotAnswer]


class ComparisonStarted(Message, frozen=True):
    """The first event of the stream, `comparison`. `replayed` and `reason` mean the same as in CompareAnswer."""

    comparison_id: str
    service: str
    replayed: bool
    reason: ReplayReason | None


class ComparisonProgress(Message, frozen=True):
    """The event `progress`: how many models have answered or failed. It may come several times, or not at all."""

    landed: int
    of: int


class ComparisonSlots(Message, frozen=True):
    """The event `slots`: all slots, in their order, when every model has answered or its time is up."""

    slots: list[SlotAnswer]


class ComparisonDone(Message, frozen=True):
    """The last event of the stream, `done`. `votable` has the same meaning as in CompareAnswer."""

    comparison_id: str
    votable: bool


class CompareVoteRequest(Message, frozen=True):
    """The best slot, `tie` if several are equally good, or `none` if none is good."""

    winner: Winner


class RevealedSlot(Message, frozen=True):
    """A slot with what was hidden before the vote. Times are in milliseconds, costs in US dollars."""

    slot: Slot
    model: str
    source: str
    saying: str | None
    api_latency: float | None
    tokens_used: TokensUsed | None
    cost: float | None
    error: str | None


class CompareVoteAnswer(Message, frozen=True):
    """The voter's first choice, which is the one that can count, and what was hidden until then.

    The status is `after_reveal` when the vote differs from the first choice. It is kept and moves nothing. It is
    `unverified` when no voter's cookie came with the vote. `winner` is that vote then, it counts for nothing, and
    `slots` is empty, because a client that knew the authors could vote again with a cookie.
    """

    comparison_id: str
    winner: Winner
    status: BallotStatus
    slots: list[RevealedSlot]


class ComparisonView(Message, frozen=True):
    """A comparison as this voter knows it.

    `vote` is the voter's first choice, and `revealed` is there once there is one. `votable` is true while the voter can
    still make it.
    """

    comparison_id: str
    service: str
    votable: bool
    slots: list[SlotAnswer]
    vote: Winner | None
    revealed: list[RevealedSlot] | None


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
    """A place in the line-up, the model that holds it today, and the one that takes it when this one retires.

    `model` is null while the seat is empty, and `next` when no model can follow or the operator has chosen the models.
    """

    seat: str
    model: str | None
    next: str | None


class ModelsAnswer(Message, frozen=True):
    """The seats of the line-up, and every model of the catalogue with its price of today."""

    seats: list[SeatEntry]
    models: list[ModelEntry]


class LiveAnswer(Message, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyAnswer(Message, frozen=True, omit_defaults=True):
    """Whether the process should receive requests, and the state of each dependency.

    It is ready when votes can be stored. The store is `ok`, `timeout`, `unreachable`, `busy`, `full`, `replaced` (its
    file), `read_only` (its file or disk), `wrong_schema` (of another version, or a table is missing), `no_tables` (none
    is there, so that the region or the prefix may be wrong), `no_credentials`, `credentials_expired`,
    `credentials_rejected`, `access_denied`, `wrong_clock` or `unavailable`. `causes` has the database's own name for a
    failure, such as AWS's error code. `rounds` is there, as `overdue`, when fresh sayings have not come for long, and
    `credentials`, as `ending`, when those of AWS end soon and cannot be renewed; neither makes the process unready.
    `server` is there when it is `draining`.
    """

    status: Literal["ready", "not_ready"]
    dependencies: dict[str, str]
    causes: dict[str, str] = msgspec.field(default_factory=dict)


class ErrorBody(Message, frozen=True):
    """A stable code, a sentence for people, and details such as the fields that are wrong."""

    code: str
    message: str
    details: tuple[str, ...] = ()


class ErrorAnswer(Message, frozen=True):
    """The body of every response other than a success."""

    error: ErrorBody
    request_id: str
