"""What both stores share about forgetting: end dates, the names that replace voters, and bursts settled for good."""

import hmac
import secrets
from dataclasses import astuple, dataclass

from service.domain import hour_of
from service.limits import DAY_SECONDS, Retention

# The burst of a vote or ballot that was set aside when the hash of its address was removed. It stays set aside. What
# was not set aside gets the empty burst then, and counts whatever the limit becomes.
SETTLED_ASIDE = "aside"
# A cookie cannot hold a colon, so no voter can have a name that begins like this.
FORGOTTEN = "forgotten:"


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What has reached its end when a pass starts.

    `addresses` and `hours` are hours as text (`2026-11-20T13`), `spend` and `client_spend` are days (`2026-11-20`), and
    the other fields are seconds since the epoch. What is before the cutoff has reached its end.
    """

    addresses: str
    voters: float
    unvoted: float
    reports: float
    hours: str
    spend: str
    client_spend: str

    @classmethod
    def at(cls, now: float, keep: Retention) -> "Cutoffs":
        return cls(
            addresses=hour_of(now - keep.address_days * DAY_SECONDS),
            voters=now - keep.voter_days * DAY_SECONDS,
            unvoted=now - keep.unvoted_days * DAY_SECONDS,
            reports=now - keep.report_days * DAY_SECONDS,
            hours=hour_of(now - keep.hour_days * DAY_SECONDS),
            spend=_day_of(now - keep.spend_days * DAY_SECONDS),
            client_spend=_day_of(now - keep.client_spend_days * DAY_SECONDS),
        )

    def ends_burst(self, burst: str) -> bool:
        """Whether the hash of the address in a burst's name has reached its end."""
        return "" < burst < self.addresses

    def ends_voter(self, voter: str, moment: float) -> bool:
        """Whether a vote that was first cast, or a ballot that was shown, at this moment must lose its voter."""
        return moment < self.voters and not voter.startswith(FORGOTTEN)


def _day_of(moment: float) -> str:
    return hour_of(moment).partition("T")[0]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much a part of a pass has forgotten.

    `addresses` and `voters` are the votes and ballots that lost the hash of their address or their voter, `unvoted` the
    ballots that were removed because they were never cast, `taken_back` the votes and ballots of voters who asked to be
    forgotten, and `bursts` the bursts that were removed.
    """

    addresses: int = 0
    voters: int = 0
    unvoted: int = 0
    taken_back: int = 0
    bursts: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class Pseudonyms:
    """Names that replace voters, drawn for one pass of one process.

    A voter's votes of one day reach their end in the same pass and get the same name, so that statistics can still take
    them together. The names come from a random key that is never stored, so nobody can lead them back to a voter, or
    connect what different passes have renamed.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, voter: str) -> str:
        return FORGOTTEN + hmac.digest(self._key, voter.encode(), "sha256").hex()[:32]
