"""The words of the project as types: sayings, generations, votes and where an answer came from."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MIN_SAYING_LENGTH = 20
MAX_SAYING_LENGTH = 280

COLLECTION_SOURCE = "From the collection"
COLLECTION = "collection"

_WHITE_SPACE = re.compile(r"\s+")
_OUTER_QUOTES = "\"'`“”‘’«»„‟‹›"


class Origin(StrEnum):
    """Where an answer came from."""

    DATABASE = "database"
    LIVE = "live"
    CACHE = "cache"
    BUILTIN = "builtin"


class CallKind(StrEnum):
    """What a model was called for."""

    LIVE = "live"
    ROUND = "round"
    COMPARE = "compare"


class CallShape(StrEnum):
    """How much a call was asked to write. Latencies of the two are never mixed: three sayings take longer than one."""

    SINGLE = "single"
    ROUND = "round"


class FeedbackType(StrEnum):
    POSITIVE = "POSITIVE"
    NEGATIVE = "NEGATIVE"


class VoteStatus(StrEnum):
    RECORDED = "recorded"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, by the vendor's own count.

    `input_tokens` includes the cached ones and those written to the cache, `output_tokens` includes the thinking.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One model call that succeeded.

    `latency_ms` is the time of the attempt that answered; `cost_nanos` is in billionths of a US dollar, None when the
    model has no price; `created_at` is seconds since the epoch. `snapshot` is the name under which the vendor answered,
    often a dated one, "" where that is unknown.
    """

    generation_id: str
    model: str
    vendor: str
    kind: CallKind
    simulated: bool
    prompt_version: str
    latency_ms: float
    usage: Usage
    cost_nanos: int | None
    created_at: float
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One model call that the vendor bills: what it was asked for and what of that may be shown.

    `asked` and `sayings` are counts. `error_type` is set when it was answered, but with a refusal or half an answer: it
    cost money all the same, and its time is no latency.
    """

    generation: Generation
    asked: int
    sayings: int
    error_type: str = ""

    @property
    def shape(self) -> CallShape:
        return CallShape.SINGLE if self.asked == 1 else CallShape.ROUND

    @property
    def contributor(self) -> str:
        return model_contributor(self.generation.model, simulated=self.generation.simulated)


@dataclass(frozen=True, slots=True)
class Saying:
    """A saying and, unless a person wrote it for the collection, the generation it came from."""

    saying_id: str
    text: str
    services: tuple[str, ...]
    source: str
    generation: Generation | None = None

    @property
    def model(self) -> str | None:
        return self.generation.model if self.generation else None

    @property
    def vendor(self) -> str | None:
        return self.generation.vendor if self.generation else None

    @property
    def llm_time_ms(self) -> float | None:
        return self.generation.latency_ms if self.generation else None

    @property
    def contributor(self) -> str:
        """Whom serves and votes count for: the model, kept apart when simulated, or the collection."""
        if self.generation is None:
            return COLLECTION
        return model_contributor(self.generation.model, simulated=self.generation.simulated)


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's opinion of one saying; what the client claims about the answer is kept but never trusted.

    `burst` names the address it came from within one hour (see `burst_of`), "" where that is unknown.
    """

    saying_id: str
    voter: str
    feedback_type: FeedbackType
    cast_at: float
    burst: str = ""
    claimed_execution_ms: float | None = None
    claimed_cached: bool | None = None


@dataclass(frozen=True, slots=True)
class VoteResult:
    """What a vote did, and the saying's counters after it."""

    status: VoteStatus
    upvotes: int
    downvotes: int


TIE = "tie"
NONE = "none"
SLOTS = "ABCD"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one model brought to a comparison: a saying, or the word for why there is none.

    `latency_ms` is None when the model was not called; `generation` is set when the call succeeded.
    """

    slot: str
    model: str
    source: str
    saying: str | None
    error: str | None
    latency_ms: float | None
    generation: Generation | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One service, one prompt, several models at once; the slots in the order drawn for it. Seconds since the epoch."""

    comparison_id: str
    service: str
    simulated: bool
    created_at: float
    entries: tuple[Entry, ...]

    def outcome(self, winner: str) -> "Outcome":
        """What a vote for a slot, TIE or NONE says about the models that had a saying to show."""
        names = {entry.slot: self._contributor(entry) for entry in self.entries if entry.saying is not None}
        return Outcome(tuple(sorted(names.values())), names.get(winner, winner))

    def _contributor(self, entry: Entry) -> str:
        return model_contributor(entry.model, simulated=self.simulated)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's answer to one comparison: a slot, TIE or NONE; None while it has only been shown.

    `burst` is that of a Vote.
    """

    comparison_id: str
    voter: str
    shown_at: float
    winner: str | None = None
    cast_at: float | None = None
    burst: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """How a comparison ended: the contributors that had something to show, sorted, and the best, TIE or NONE."""

    contributors: tuple[str, ...]
    result: str


def normalise(text: str) -> str:
    """The form in which two sayings are the same: NFKC, case-folded, white space collapsed, outer quotes removed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WHITE_SPACE.sub(" ", folded).strip(_OUTER_QUOTES + " ")


def saying_id(text: str) -> str:
    """The first 32 hex digits of the SHA-256 of the normalised text. Lone surrogates are hashed, not refused."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def feedback_id(voter: str, saying: str) -> str:
    """The id of one voter's vote on one saying; it does not give the voter away."""
    return hashlib.sha256(f"{voter}\0{saying}".encode()).hexdigest()[:32]


def burst_of(address: str, moment: float) -> str:
    """Which votes belong together as one address's within an hour (UTC): the hour and a hash.

    Addresses are not stored as such, and the hashes of two hours do not match. They hide an address from the eye, not
    from who tries all there are of IPv4: what holds them is personal data. "" for an unknown address.
    """
    if not address:
        return ""
    hour = hour_of(moment)
    return f"{hour}/{hashlib.sha256(f'{hour}/{address}'.encode()).hexdigest()[:16]}"


def hour_of(moment: float) -> str:
    """The UTC hour of a moment in seconds since the epoch: `2026-11-20T13`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H}"


def model_contributor(model: str, *, simulated: bool) -> str:
    """Under which name a model is counted; a simulated one is never mixed with the real one."""
    return f"{model} (simulated)" if simulated else model


def model_source(display_name: str, *, simulated: bool) -> str:
    """The attribution people read."""
    return f"Generated by {display_name}{' (simulated)' if simulated else ''}"


def vote_status(before: FeedbackType | None, after: FeedbackType | None) -> VoteStatus:
    """What replacing one opinion by another is called."""
    if before == after:
        return VoteStatus.UNCHANGED
    if after is None:
        return VoteStatus.WITHDRAWN
    return VoteStatus.RECORDED if before is None else VoteStatus.CHANGED


def vote_delta(before: FeedbackType | None, after: FeedbackType | None) -> tuple[int, int]:
    """By how much upvotes and downvotes move when one opinion replaces another."""
    return (
        (after == FeedbackType.POSITIVE) - (before == FeedbackType.POSITIVE),
        (after == FeedbackType.NEGATIVE) - (before == FeedbackType.NEGATIVE),
    )
