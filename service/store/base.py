"""The contract of the store: what every backend returns and raises. The same tests run on all backends.

Every method is atomic: it takes effect completely or not at all. A method that fails raises StoreError, and StorageFull
when a write does not fit on the disk. Times are in seconds since the epoch, money is in nanodollars.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Container,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from service.catalogue.lifecycle import Lifecycle
from service.domain import (
    Attribution,
    Ballot,
    BallotResult,
    Call,
    CallKind,
    CallShape,
    Comparison,
    FeedbackType,
    NetworkDay,
    Outcome,
    Report,
    ReportReason,
    ReportStatus,
    Saying,
    SayingOrder,
    Standing,
    Vote,
    VoteResult,
    Withdrawal,
)
from service.keys.secret import Secret
from service.limits import Retention
from service.store.retention import Pruned

# The leases by name: of a round, and of what a fleet does once a day and once an hour.
ROUND_LEASE = "round"
DAILY_LEASE = "daily"
HOURLY_LEASE = "hourly"
LONGEST_LEASE_SECONDS = 86_400.0
# How far the clocks of two processes may differ before a lease that one has just taken is void to the other.
CLOCK_LEEWAY_SECONDS = 600.0
# A list of sayings has at most this many.
LONGEST_LIST = 240


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to do something until it expires. `token` grows with every holder and serves as a fence.

    `voided_until` is set when this lease was taken in place of a void one, which would have lasted until then.
    """

    name: str
    holder: str
    token: int
    expires_at: float
    voided_until: float | None = None


@dataclass(frozen=True, slots=True)
class SpendWindow:
    """The day (`2026-11-20`) and the hour (`2026-11-20T13`), in UTC, to which the cost of a call is charged."""

    day: str
    hour: str


@dataclass(frozen=True, slots=True)
class Spend:
    """The nanodollars reserved or spent in the day and in the hour of a window."""

    day: int
    hour: int


NO_SHARES: Mapping[str, Spend] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Strand:
    """What counts are kept apart by: the contributor, the UTC day, and which prompt and snapshot wrote the saying.

    The day is that of the vote or call, such as `2026-11-20`, or "" for all the days that have been folded together.
    Prompt version and snapshot are "" for the collection and where they are unknown.
    """

    contributor: str
    day: str
    prompt_version: str = ""
    snapshot: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Votes, and how many of them are upvotes."""

    votes: int = 0
    upvotes: int = 0


# The group of a voter, and that of a saying or of a comparison (see groups.py).
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VoteTally:
    """The votes of one strand, by their first opinion.

    `blind` and `named` are the counted votes by what the lot decided, and `opened` the counted ones without a lot.
    `voters` and `sayings` are the numbers of those whose first counted blind vote for the contributor is among them.
    After votes were taken back, these two are exact only in their sums over all strands.
    """

    blind: Mapping[Cell, Counts] = field(default_factory=dict)
    named: Mapping[Cell, Counts] = field(default_factory=dict)
    opened: Counts = Counts()
    aside: Counts = Counts()
    unverified: Counts = Counts()
    voters: int = 0
    sayings: int = 0


@dataclass(frozen=True, slots=True)
class CallTally:
    """The calls of one strand, kind and shape.

    `failed` maps error types to the numbers of calls that ended so. `latencies` maps buckets (see latency_buckets.py)
    to the number of the other calls in them, and `latency_ms` is the sum of their latencies. `sayings`, the tokens and
    `cost_nanos` are sums over all calls, and `unpriced` is the number of calls without a known price. `rejected` maps
    reasons to the numbers of sayings refused for them.
    """

    calls: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[int, int] = field(default_factory=dict)
    latency_ms: float = 0.0
    unpriced: int = 0
    sayings: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """The first ballots that had one outcome: those that count by cell, and how many are set aside."""

    counted: Mapping[Cell, int] = field(default_factory=dict)
    aside: int = 0


@dataclass(frozen=True, slots=True)
class HourTally:
    """The serves in an hour, and the votes of any standing that were first cast in it."""

    serves: int = 0
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Aggregates:
    """All the counts that the statistics are computed from. Their size does not depend on the number of votes.

    `serves` is by contributor. The keys of `services` and `hours` are pairs of a service or an hour (`2026-11-20T13`)
    and a contributor. `services` has the counted blind votes. The keys of `outcomes` begin with a day, as in a strand.
    """

    serves: Mapping[str, int] = field(default_factory=dict)
    hours: Mapping[tuple[str, str], HourTally] = field(default_factory=dict)
    services: Mapping[tuple[str, str], Counts] = field(default_factory=dict)
    votes: Mapping[Strand, VoteTally] = field(default_factory=dict)
    calls: Mapping[tuple[Strand, CallKind, CallShape], CallTally] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, Outcome], OutcomeTally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredVote:
    """A vote as it is kept.

    `first` is the opinion that was cast first, at `first_cast_at`: the only one that can count in the comparison.
    `opinion` is the present one, which the saying's own counters go by, and None after it was withdrawn. `network` is
    the name of the smallest NetworkDay, or "" when it is unknown or forgotten.
    """

    saying_id: str
    voter: str
    contributor: str
    first: FeedbackType
    first_cast_at: float
    opinion: FeedbackType | None
    cast_at: float
    attribution: Attribution | None = None
    standing: Standing = Standing.UNVERIFIED
    network: str = ""
    claimed_execution_ms: float | None = None
    claimed_cached: bool | None = None


@dataclass(frozen=True, slots=True)
class StoredSaying:
    """A saying and its counters."""

    saying: Saying
    upvotes: int
    downvotes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of sayings: in an order, of a service or a model or both, and of simulated models or of real ones.

    The collection is in the lists of both. TOP has only sayings with votes, ordered by `worth` (see wilson.py), and NEW
    only those of models, because nobody knows when those of the collection were written.
    """

    order: SayingOrder
    simulated: bool
    service: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBallot:
    """A ballot, cast or only shown, and the comparison it belongs to."""

    ballot: Ballot
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """What is withdrawn, by the id of the saying. The revision grows with every change, so that it tells of one."""

    revision: int
    sayings: Mapping[str, Withdrawal]


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The effect of a report, and the number of networks whose reports of the saying count by now."""

    status: ReportStatus
    networks: int


@dataclass(frozen=True, slots=True)
class ReportedSaying:
    """The reports of one saying: how many for each reason, and how many count, since a restored saying begins anew."""

    saying_id: str
    reasons: Mapping[ReportReason, int]
    networks: int
    last_at: float


def refuse_nothing(*_: object) -> None:
    """The check of a vote or a ballot that lets everything through."""


class Store(Protocol):
    """Stores sayings, votes, comparisons, calls, leases and spend, and keeps counts of them.

    The transaction that stores a vote or a ballot also counts it. Only what was cast first is counted: a vote that is
    changed or withdrawn later moves the saying's own counters alone, because by then the voter knows the author.
    Whether it counts in the comparison is decided at the same moment by the store's quotas (see quotas.py).
    """

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        """Store sayings and return the ids of those that were new. Those that are withdrawn are not stored.

        With a fence, nothing is written and LeaseLost is raised once another process has taken that lease.
        """

    async def get_saying(self, saying_id: str) -> Saying | None:
        """Look a saying up by its id, with one read by key. A withdrawn one is found as well."""

    async def stored_ids(self, saying_ids: Collection[str]) -> frozenset[str]:
        """Those of the ids whose sayings are stored."""

    async def stored_sayings(self, saying_ids: Collection[str]) -> list[StoredSaying]:
        """Those of the sayings that are stored, in any order. Withdrawn ones are among them."""

    async def listed_ids(self, listing: Listing) -> list[str]:
        """The ids of the first LONGEST_LIST sayings of a list, in its order.

        A store may keep lists as they were when `rank_sayings` was last called, with sayings that are withdrawn since.
        Of both a service and a model, it may then know only those that are among the first ones of the service.
        """

    async def rank_sayings(self, *, simulated: bool) -> None:
        """Bring the lists of simulated or of real models up to date, in one read of all sayings.

        A store whose lists are always up to date does nothing.
        """

    async def random_saying(self) -> Saying | None:
        """A random saying, each equally likely, in O(1) reads however many there are. None when no saying is stored.

        Neither this nor `recent_sayings` returns a withdrawn saying.
        """

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        """The newest sayings of a model created at or after `since`, newest first."""

    async def vote(
        self, vote: Vote, check: Callable[[Saying], None] = refuse_nothing
    ) -> tuple[Saying, VoteResult] | None:
        """Store a vote, or change the voter's opinion, and update the counters. None when the saying is unknown.

        `check` is called with the saying, perhaps more than once, before anything is written, and what it raises passes
        unchanged. When this vote makes all those from its address and day implausible, they are set aside with it.
        """

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        """Withdraw a vote; `unchanged` when there was none. None when the saying is unknown.

        Its first opinion stays on record, so that nobody can vote again when they know the author.
        """

    async def forget(self, voter: str, *, asked_at: float) -> bool:
        """Begin to forget a voter: take back and delete their votes and ballots.

        True when nothing of the voter is left. False when the rest is left to `prune`: the request is stored then, and
        survives anything.
        """

    def prune(self, keep: Retention, *, now: float) -> AsyncGenerator[Pruned, None]:
        """Remove what has reached its end by `now`, and what is left of voters who asked to be forgotten.

        The work is done page by page, each of which is short. A pass that is interrupted goes on where it was, or is
        repeated, the next time. Votes and ballots lose the hash of their address, and later their voter, but count on.
        The counts of old days are folded together.
        """

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        """Add to the serves of each contributor, both to the total and to the given hour (`2026-11-20T13`)."""

    async def record_call(self, call: Call) -> None:
        """Store a call and count it. Recording the same call again changes nothing."""

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        """Store a comparison and the ballot of the voter it has been shown to first."""

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        """A comparison and this voter's ballot, or None in place of a ballot when it was not shown to this voter.

        None when the comparison is unknown.
        """

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        """A stored comparison with at least two sayings, none withdrawn, that has not been shown to this voter.

        It is one of those with the fewest ballots among some of the newest, of the given service if there is one. None
        when no comparison qualifies; one that has all the ballots it may get does not.
        """

    async def show_comparison(self, ballot: Ballot) -> None:
        """Record that a comparison has been shown to a voter. Recording it again changes nothing."""

    async def cast_ballot(
        self,
        comparison_id: str,
        voter: str,
        winner: str,
        *,
        at: float,
        networks: Sequence[NetworkDay] = (),
        check: Callable[[Comparison, Ballot | None], None] = refuse_nothing,
    ) -> tuple[Comparison, BallotResult] | None:
        """Store the voter's first choice and count it, or keep a later one apart, which counts for nothing.

        None when the comparison is unknown, or was never shown to this voter. `check` is called with the comparison and
        the voter's ballot as `get_comparison` returns them, in the same way as the check of `vote`.
        """

    async def withdraw_saying(self, withdrawal: Withdrawal) -> bool:
        """Take a saying down, also one that is not stored; returns whether it was up until now.

        An operator's withdrawal takes the place of an earlier one, one by visitors does not.
        """

    async def restore_saying(self, saying_id: str, *, at: float) -> bool:
        """Undo a withdrawal, and no longer count the reports so far. False when there is neither of them.

        A saying that was not stored when it was withdrawn may be stored again from now on.
        """

    async def withdrawal_revision(self) -> int:
        """The revision of the withdrawals: one small read, which every process makes every few seconds."""

    async def withdrawals(self) -> Withdrawals:
        """Everything that is withdrawn now."""

    async def report_saying(self, report: Report) -> ReportResult:
        """Store a report, the only one of its reporter and the only one of its network for that saying."""

    async def reported_sayings(self) -> list[ReportedSaying]:
        """The sayings that have been reported, the latest report first."""

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        """All counts, with the hours from `since_hour` (`2026-11-20T13`) on, in O(models) reads."""

    async def day_secret(self, day: str) -> Secret:
        """The fleet's secret of a UTC day (`2026-11-20`), made by whoever asks first and forgotten after some days."""

    async def put_analysis(self, analysis: str) -> None:
        """Keep the result of `python -m service analyse`, a JSON text, in place of the earlier one."""

    async def analysis(self) -> str | None:
        """The result of the last analysis, or None."""

    def all_votes(self) -> AsyncIterator[StoredVote]:
        """Stream every vote, page by page. Like the other `all_` methods, it may miss what is written meanwhile."""

    def all_sayings(self) -> AsyncIterator[StoredSaying]:
        """Stream every saying."""

    def all_ballots(self) -> AsyncIterator[StoredBallot]:
        """Every ballot, including those that have not been cast."""

    def all_calls(self) -> AsyncIterator[Call]:
        """Stream every call."""

    async def sizes(self) -> dict[str, int]:
        """The approximate numbers of `votes`, `sayings`, `comparisons` (that is, ballots) and `calls` in the store."""

    async def time(self) -> float:
        """The seconds since the epoch by the store's clock, which all processes share.

        Leases, spend and end dates go by it.
        """

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        """Take the lease if it is free or has expired; None when another process holds it.

        No lease lasts longer than LONGEST_LEASE_SECONDS. One that claims to, or that was taken in the future, was taken
        by a wrong clock: it is void and can be taken.
        """

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        """Move the expiry of a lease one still holds; False when another process has taken it."""

    async def reserve_spend(
        self, window: SpendWindow, amount: int, *, caps: Spend, shares: Mapping[str, Spend] = NO_SHARES
    ) -> Spend | None:
        """Add an amount to the day and the hour if both stay within their caps, and return the new spend.

        The amount is also added to each of the `shares`, which map a name to its own caps. A share in which nothing has
        been spent takes one amount beyond its caps. If any has no room, nothing is added and the result is None.
        """

    async def adjust_spend(self, window: SpendWindow, difference: int, *, shares: Iterable[str] = ()) -> None:
        """Correct a reservation by the difference to the actual cost of the call, which is usually negative."""

    async def spend(self, window: SpendWindow, share: str = "") -> Spend:
        """The amounts reserved or spent in the window, of all or of one share."""

    async def mark_gone(self, model: str, *, since: float) -> None:
        """Tell the fleet that a vendor did not know a model at that moment, in seconds since the epoch."""

    async def gone_models(self) -> Mapping[str, float]:
        """The models that vendors did not know, and when they last said so: one read."""

    async def put_lifecycles(self, lifecycles: Sequence[Lifecycle]) -> None:
        """Keep what vendors say of their models, at least one, each in place of what was said before."""

    async def lifecycles(self) -> Mapping[str, Lifecycle]:
        """What vendors last said of their models, by the id of the model: one read."""

    async def ping(self) -> None:
        """Check, with a small write, that votes can be stored, in the tables that this version needs.

        Raises StoreError, whose `state` names the cause.
        """

    async def close(self) -> None:
        """Close files and connections."""
