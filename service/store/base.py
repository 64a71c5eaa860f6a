"""The store's contract: what every backend returns and raises. The same tests run on all of them.

Every method is atomic: it has happened whole or not at all. Failures are StoreError; a write that would not fit on the
disk is StorageFull. Times are seconds since the epoch, money is in nanodollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain import Saying, Vote, VoteResult

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
    """What has been counted for one contributor (a model, a simulated model or the collection)."""

    serves: int = 0
    upvotes: int = 0
    downvotes: int = 0


class Store(Protocol):
    """Sayings, votes, leases, spend and tallies."""

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        """Store sayings; the ids that were new. One that is known keeps its attribution and its votes.

        With a fence nothing is written, and LeaseLost raised, once somebody else has taken that lease.
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

    async def add_serves(self, serves: Mapping[str, int]) -> None:
        """Add to the serves of each contributor."""

    async def tallies(self) -> dict[str, Tally]:
        """The counts by contributor."""

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        """Take the lease if it is free or has expired; None when somebody holds it."""

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        """Move the expiry of a lease one still holds; False when somebody else has taken it."""

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        """Add an amount to both windows if both stay within their caps: what they hold then; None otherwise."""

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        """Correct a reservation by the difference to what the call cost (usually negative)."""

    async def spend(self, window: SpendWindow) -> Spend:
        """What is reserved or spent in the window."""

    async def ping(self) -> None:
        """Answer if the store can be read."""

    async def close(self) -> None:
        """Let go of files and connections."""
