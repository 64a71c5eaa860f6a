"""The types of the domain: sayings, generations, votes, comparisons and the origins of a response."""

import hashlib
import re
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
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


class SayingOrder(StrEnum):
    """The order of a list of sayings: the best by their votes first, or the newest first."""

    TOP = "top"
    NEW = "new"


class CallKind(StrEnum):
    """The purpose of a model call."""

    LIVE = "live"
    ROUND = "round"
    COMPARE = "compare"


class CallShape(StrEnum):
    """How much a call was asked to write: one saying or several.

    The latencies of the two shapes are never mixed, because three sayings take longer than one.
    """

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


class BallotStatus(StrEnum):
    """What became of a ballot: the voter's first choice, the same choice again, or one that came after the reveal."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"
    AFTER_REVEAL = "after_reveal"


class Attribution(StrEnum):
    """What a voter was told about the author with a saying.

    A lot decides between BLIND and NAMED, so that these two may be compared. OPEN is for sayings whose author was shown
    without a lot.
    """

    BLIND = "blind"
    NAMED = "named"
    OPEN = "open"


class Standing(StrEnum):
    """Whether a vote or a ballot counts in the comparison of the models, which is decided when it is first cast.

    UNVERIFIED is a vote that came without a token, and what an earlier version has stored. SET_ASIDE is what is more
    than one address or one voter may give, and all that comes from an address whose votes cannot be honest.
    """

    COUNTED = "counted"
    UNVERIFIED = "unverified"
    SET_ASIDE = "set_aside"


class ReportReason(StrEnum):
    """Why a visitor reports a saying."""

    OFFENSIVE = "offensive"
    WRONG = "wrong"
    PERSONAL = "personal"
    OTHER = "other"


class ReportStatus(StrEnum):
    RECORDED = "recorded"
    UNCHANGED = "unchanged"


class WithdrawnBy(StrEnum):
    """Who took a saying down: an operator, or enough visitors by their reports, until an operator looks at it."""

    OPERATOR = "operator"
    VISITORS = "visitors"


class Rejection(StrEnum):
    """Why a saying that a model has written is not shown. `NOT_JSON` stands for a whole answer.

    Those from `REFUSAL` on are the reasons of the content filter, of which `HARM` is a call to violence or self-harm.
    """

    NOT_JSON = "not_json"
    SERVICE_NOT_ASKED = "service_not_asked"
    SERVICE_NOT_NAMED = "service_not_named"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    MARKUP = "markup"
    PROMPT_ECHO = "prompt_echo"
    DUPLICATE = "duplicate"
    REFUSAL = "refusal"
    SELF_IDENTIFICATION = "self_identification"
    SLUR = "slur"
    INSULT = "insult"
    HARM = "harm"
    SEXUAL = "sexual"
    PROFANITY = "profanity"
    LIBEL = "libel"
    MIXED_SCRIPT = "mixed_script"
    COMBINING_MARKS = "combining_marks"
    LINK = "link"
    ADDRESS = "address"
    NUMBER = "number"
    KEY = "key"


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

    `latency_ms` is the duration of the successful attempt in milliseconds. `cost_nanos` is in billionths of a US
    dollar, or None when the model has no price. `created_at` is in seconds since the epoch. `snapshot` is the name
    under which the vendor answered, often a dated one, or "" where that is unknown.
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
    """One model call, answered or not.

    `asked` is the number of sayings requested and `sayings` the number that may be shown. `error_type` is set when the
    call has failed, and its duration is not counted as a latency then. A response that was a refusal or was cut off
    costs money all the same; a call without an answer has neither tokens nor cost, and its generation stands for the
    attempt. `rejected` maps the reasons (see `Rejection`) to the numbers of sayings that may not be shown.
    """

    generation: Generation
    asked: int
    sayings: int
    error_type: str = ""
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> CallShape:
        return CallShape.SINGLE if self.asked == 1 else CallShape.ROUND

    @property
    def contributor(self) -> str:
        return model_contributor(self.generation.model, simulated=self.generation.simulated)


@dataclass(frozen=True, slots=True)
class Saying:
    """A saying and the generation it came from, which is None for a hand-written saying of the collection."""

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
        """The contributor that serves and votes count for: the model, kept apart when simulated, or the collection."""
        if self.generation is None:
            return COLLECTION
        return model_contributor(self.generation.model, simulated=self.generation.simulated)


@dataclass(frozen=True, slots=True)
class NetworkDay:
    """A network that a client is in, on one UTC day.

    `name` is the day and a keyed hash of the network (see voting/networks.py), and `share` is how many times one
    address's allowance the network has.
    """

    name: str
    share: int = 1


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's opinion of one saying, as it is cast.

    `cast_at` is in seconds since the epoch. `attribution` is what the vote's token proves, and None without a token.
    `networks` are those that the client is in, the smallest first, and empty when its address is unknown. `models` is
    how many models have sayings to be served at the moment, by which a pattern of votes is judged. The `claimed_`
    fields repeat what the client claims about the response; they are stored but never trusted.
    """

    saying_id: str
    voter: str
    feedback_type: FeedbackType
    cast_at: float
    attribution: Attribution | None = None
    networks: tuple[NetworkDay, ...] = ()
    models: int = 0
    claimed_execution_ms: float | None = None
    claimed_cached: bool | None = None


@dataclass(frozen=True, slots=True)
class VoteResult:
    """The effect of a vote, the saying's counters after it, and the standing of the voter's first opinion.

    The standing is None where there is no vote.
    """

    status: VoteStatus
    upvotes: int
    downvotes: int
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The decision that a saying is shown no more. `withdrawn_at` is in seconds since the epoch."""

    saying_id: str
    reason: str
    withdrawn_by: WithdrawnBy
    withdrawn_at: float


@dataclass(frozen=True, slots=True)
class Report:
    """A visitor's report of a saying.

    `reporter` and `network` are hashes of the voter and of the network that the client is in. Both are bound to the
    saying, so that nobody can see from two reports that they come from the same person. `reported_at` is in seconds
    since the epoch.
    """

    saying_id: str
    reporter: str
    network: str
    reason: ReportReason
    reported_at: float


class ReplayReason(StrEnum):
    """Why a stored comparison is shown and no new one made: no money, no free place, or the client asked for it."""

    BUDGET = "budget"
    BUSY = "busy"
    ASKED = "asked"


TIE = "tie"
NONE = "none"
SLOTS = "ABCD"
# The errors of a slot whose model has not answered in time, whose text can be looked up with its author, and whose text
# has been taken down after it was shown. The others are the reasons of the errors, such as `rate_limited`.
LATE_SLOT = "timeout"
DUPLICATE_SLOT = "duplicate"
WITHDRAWN_SLOT = "withdrawn"


class BlindError(StrEnum):
    """All that is said before the vote of why a slot is empty. More would narrow down whose slot it is.

    UNAVAILABLE is a model that could not be asked or did not answer, UNUSABLE one that wrote nothing to be compared.
    """

    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    UNUSABLE = "unusable"
    WITHDRAWN = "withdrawn"


_BLIND_ERRORS = {
    LATE_SLOT: BlindError.TIMEOUT,
    WITHDRAWN_SLOT: BlindError.WITHDRAWN,
    DUPLICATE_SLOT: BlindError.UNUSABLE,
    "bad_response": BlindError.UNUSABLE,
    "refused": BlindError.UNUSABLE,
    "truncated": BlindError.UNUSABLE,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One model's part in a comparison: a saying, or the reason (a single word) why the model has no saying to show.

    `latency_ms` is None when the model was not called; `generation` is set when the call succeeded.
    """

    slot: str
    model: str
    source: str
    saying: str | None
    error: str | None
    latency_ms: float | None
    generation: Generation | None

    @property
    def blind_error(self) -> BlindError | None:
        """The error in the words that are used before the vote."""
        return None if self.error is None else _BLIND_ERRORS.get(self.error, BlindError.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several models' sayings on one service, from the same prompt.

    The entries are in the order of their slots, which is drawn at random for each comparison. `created_at` is in
    seconds since the epoch.
    """

    comparison_id: str
    service: str
    simulated: bool
    created_at: float
    entries: tuple[Entry, ...]

    def outcome(self, winner: str) -> "Outcome":
        """The outcome of a vote for a slot, TIE or NONE, among the models that had a saying to show."""
        names = {entry.slot: self._contributor(entry) for entry in self.entries if entry.saying is not None}
        failed = (self._contributor(entry) for entry in self.entries if entry.saying is None)
        return Outcome(tuple(sorted(names.values())), names.get(winner, winner), tuple(sorted(failed)))

    def shows_any(self, withdrawn: Container[str]) -> bool:
        """Whether one of the sayings is withdrawn, by the ids of those that are."""
        return any(_is_any_of(entry, withdrawn) for entry in self.entries)

    def without(self, saying_ids: Container[str], error: str = WITHDRAWN_SLOT) -> "Comparison":
        """The comparison without the texts that have these ids; their slots have the error in place of them."""
        entries = (
            replace(entry, saying=None, error=error) if _is_any_of(entry, saying_ids) else entry
            for entry in self.entries
        )
        return replace(self, entries=tuple(entries))

    def _contributor(self, entry: Entry) -> str:
        return model_contributor(entry.model, simulated=self.simulated)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's part in one comparison.

    `winner` is the voter's first choice, a slot, TIE or NONE, and None until the voter votes; it is the only one that
    can count. `later` is what the voter chose after the reveal, if that differs. `shown_at` and `cast_at` are in
    seconds since the epoch. `network` is the name of the smallest NetworkDay, or "" when it is unknown or forgotten.
    """

    comparison_id: str
    voter: str
    shown_at: float
    winner: str | None = None
    cast_at: float | None = None
    standing: Standing | None = None
    network: str = ""
    later: str | None = None


@dataclass(frozen=True, slots=True)
class BallotResult:
    """The effect of a ballot, the ballot as it is kept now, and how many have been cast on the comparison.

    Ballots that are cast at the same moment may be given the same number, but one of them is given 1.
    """

    status: BallotStatus
    ballot: Ballot
    ballots: int


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """The result of a comparison.

    `contributors` are those that had a saying to show, and `failed` those that were asked and had none, both sorted.
    `result` is the best of the former, TIE or NONE.
    """

    contributors: tuple[str, ...]
    result: str
    failed: tuple[str, ...] = ()


def normalise(text: str) -> str:
    """The text in the form by which sayings are compared for equality.

    It is in NFKC and case-folded, its white space is collapsed and its outer quotes are removed.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WHITE_SPACE.sub(" ", folded).strip(_OUTER_QUOTES + " ")


def saying_id(text: str) -> str:
    """The first 32 hex digits of the SHA-256 of the normalised text. Lone surrogates are hashed, not rejected."""
    return hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def network_hash(network: str, saying: str) -> str:
    """The hash by which the reports of one saying from one network are recognised, and none of another saying."""
    return hashlib.sha256(f"{saying}/{network}".encode()).hexdigest()[:32]


def _is_any_of(entry: Entry, saying_ids: Container[str]) -> bool:
    return entry.saying is not None and saying_id(entry.saying) in saying_ids


def feedback_id(voter: str, saying: str) -> str:
    """The id of one voter's vote on one saying, or report of it. It does not reveal the voter."""
    return hashlib.sha256(f"{voter}\0{saying}".encode()).hexdigest()[:32]


def hour_of(moment: float) -> str:
    """The UTC hour of a moment in seconds since the epoch, such as `2026-11-20T13`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H}"


def day_of(moment: float) -> str:
    """The UTC day of a moment in seconds since the epoch, such as `2026-11-20`."""
    return hour_of(moment)[:10]


def model_contributor(model: str, *, simulated: bool) -> str:
    """The name under which a model is counted; a simulated model is never mixed with the real one."""
    return f"{model} (simulated)" if simulated else model


def model_source(display_name: str, *, simulated: bool) -> str:
    """The attribution that is shown with a saying."""
    return f"Generated by {display_name}{' (simulated)' if simulated else ''}"


def vote_status(before: FeedbackType | None, after: FeedbackType | None) -> VoteStatus:
    """The status of a vote that replaces the opinion `before` by the opinion `after`; None means no opinion."""
    if before == after:
        return VoteStatus.UNCHANGED
    if after is None:
        return VoteStatus.WITHDRAWN
    return VoteStatus.RECORDED if before is None else VoteStatus.CHANGED


def vote_delta(before: FeedbackType | None, after: FeedbackType | None) -> tuple[int, int]:
    """The changes of the upvotes and of the downvotes when one opinion replaces another."""
    return (
        (after == FeedbackType.POSITIVE) - (before == FeedbackType.POSITIVE),
        (after == FeedbackType.NEGATIVE) - (before == FeedbackType.NEGATIVE),
    )
