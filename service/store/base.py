"""The store's contract: what every backend returns and raises. The same tests run on all of them.

Every method is atomic: it has happened whole or not at all. Failures are StoreError; a write that would not fit on the
disk is StorageFull. Times are seconds since the epoch, money is in nanodollars.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.domain import Ballot, Call, CallShape, Comparison, Outcome, Saying, Vote, VoteResult, VoteStatus

ROUND_LEASE = "round"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do something alone, until it expires. `token` grows with every holder (fencing)."""

    name: str
    holder: str
    token: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class SpendWindow:
    """The day (`2026-11-20`) and the hour (`2026-11-20T13`) in UTC that a call's cost counts for."""

    day: str
    hour: str


@dataclass(frozen=True, slots=True)
class Spend:
    """Nanodollars reserved or spent in a window."""

    day: int
    hour: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What has been counted for a contributor. `aside_*` is the part of the votes that came in bursts."""

    serves: int = 0
    upvotes: int = 0
    downvotes: int = 0
    aside_upvotes: int = 0
    aside_downvotes: int = 0


@dataclass(frozen=True, slots=True)
class CallTally:
    """What has been counted for the calls of one contributor and shape.

    `latencies` counts the calls that succeeded by their bucket (see histogram.py), `latency_ms` is their sum; tokens,
    `cost_nanos` and `sayings` are of every call that was billed, `unpriced` how many of these have no known price.
    """

    latencies: Mapping[int, int] = field(default_factory=dict)
    latency_ms: float = 0.0
    billed: int = 0
    unpriced: int = 0
    sayings: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """How often comparisons ended so, by the votes on them; `aside` is the part that came in bursts."""

    votes: int = 0
    aside: int = 0


@dataclass(frozen=True, slots=True)
class Aggregates:
    """All that the statistics are made of; its size does not depend on the number of votes.

    Services and hours (`2026-11-20T13`) are by contributor too, and count every vote: bursts are not set aside there.
    Hours count votes by when they were first cast.
    """

    contributors: Mapping[str, Tally] = field(default_factory=dict)
    services: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    hours: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    calls: Mapping[tuple[str, CallShape], CallTally] = field(default_factory=dict)
    outcomes: Mapping[Outcome, OutcomeTally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredVote:
    """A vote as it was last cast, with the burst of its first casting, and whom it counts for."""

    vote: Vote
    contributor: str
    first_cast_at: float


@dataclass(frozen=True, slots=True)
class StoredSaying:
    """A saying and its counters."""

    saying: Saying
    upvotes: int
    downvotes: int


@dataclass(frozen=True, slots=True)
class StoredBallot:
    """A ballot, cast or not, and the comparison it belongs to."""

    ballot: Ballot
    comparison: Comparison


class Store(Protocol):
    """Sayings, votes, comparisons, calls, leases, spend and what is counted of them.

    A vote is counted by its contributor, each service its saying names and the hour it was first cast in, a ballot by
    its outcome, all in the transaction that stores it. The votes and ballots of one burst (`Vote.burst`, that of the
    first casting) are together set aside as soon and as long as there are more of them than the store's `burst_limit`.
    """

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        """Store sayings; the ids that were new. One that is known keeps its attribution and its votes.

        With a fence, nothing is written and LeaseLost is raised once another process has taken that lease.
        """

    async def get_saying(self, saying_id: str) -> Saying | None:
        """Look a saying up by its id: one key read."""

    async def random_saying(self) -> Saying | None:
        """Any saying, each as likely as the next, in O(1) reads whatever the size. None when there are none."""

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        """The newest sayings of a model created at or after `since`, newest first."""

    async def vote(self, vote: Vote) -> VoteResult | None:
        """Store a vote, replacing the voter's earlier one, with the counters. None when the saying is unknown."""

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        """Take a vote back; `unchanged` when there was none. None when the saying is unknown."""

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        """Add to the serves of each contributor, in all and in that hour."""

    async def record_call(self, call: Call) -> None:
        """Keep a call that was billed and count it. Recording one again changes nothing."""

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        """Store a comparison and that it has been shown to its first voter."""

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        """A comparison and this voter's ballot, if it has been shown to them. None when it is unknown."""

    async def unseen_comparison(self, voter: str, *, service: str | None, simulated: bool) -> Comparison | None:
        """A stored comparison with two sayings or more that has not been shown to this voter.

        Drawn from the newest ones, of that service if one is given. None when there is none.
        """

    async def show_comparison(self, ballot: Ballot) -> None:
        """Keep that a comparison has been shown to a voter; nothing changes when that is known."""

    async def cast_ballot(self, comparison: Comparison, ballot: Ballot) -> VoteStatus | None:
        """Store a ballot with a winner, replacing the voter's earlier choice; None when it was never shown to them."""

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        """All that has been counted, the hours from that one on: O(models) reads."""

    async def review_bursts(self) -> int:
        """Set bursts aside, or count them again, by the store's present limit; how many have changed sides."""

    def all_votes(self) -> AsyncIterator[StoredVote]:
        """Every vote, streamed page by page; what is written meanwhile may or may not be in it. So for all of these."""

    def all_sayings(self) -> AsyncIterator[StoredSaying]:
        """Every saying."""

    def all_ballots(self) -> AsyncIterator[StoredBallot]:
        """Every ballot, including those that have not been cast."""

    def all_calls(self) -> AsyncIterator[Call]:
        """Every call."""

    async def sizes(self) -> dict[str, int]:
        """About how many `votes`, `sayings`, `comparisons` (ballots, that is) and `calls` are stored."""

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        """Take the lease if it is free or has expired; None when another process holds it."""

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        """Move the expiry of a lease one still holds; False when another process has taken it."""

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        """Add an amount to both windows if both stay within their caps: what they hold then; None otherwise."""

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        """Correct a reservation by the difference to what the call cost (usually negative)."""

    async def spend(self, window: SpendWindow) -> Spend:
        """What is reserved or spent in the window."""

    async def mark_gone(self, model: str, *, since: float) -> None:
        """Tell the fleet that a vendor did not know a model at that moment, in seconds since the epoch."""

    async def gone_models(self) -> Mapping[str, float]:
        """The models that vendors did not know, and when they last said so: one read."""

    async def ping(self) -> None:
        """Answer if the store can be read."""

    async def close(self) -> None:
        """Let go of files and connections."""
