"""What both stores share about forgetting: the end dates, and the names that replace voters."""

import hmac
import secrets
from dataclasses import astuple, dataclass
from itertools import count

from service.domain import day_of, hour_of
from service.limits import DAY_SECONDS, Retention
from service.store.groups import voter_group

# A cookie cannot hold a colon, so no voter can have a name that begins like this.
FORGOTTEN = "forgotten:"


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What has reached its end when a pass starts, which is everything before these moments.

    `voters`, `unvoted` and `reports` are in seconds since the epoch, `hours` is an hour (`2026-11-20T13`), and the
    other fields are days (`2026-11-20`). Before `tallies`, counts are folded together. `secrets` is for the secrets of
    days and for what is known of networks on a day, and `client_spend` for what clients have spent.
    """

    addresses: str
    voters: float
    unvoted: float
    reports: float
    hours: str
    tallies: str
    secrets: str
    spend: str
    client_spend: str

    @classmethod
    def at(cls, now: float, keep: Retention) -> "Cutoffs":
        return cls(
            addresses=day_of(now - keep.address_days * DAY_SECONDS),
            voters=now - keep.voter_days * DAY_SECONDS,
            unvoted=now - keep.unvoted_days * DAY_SECONDS,
            reports=now - keep.report_days * DAY_SECONDS,
            hours=hour_of(now - keep.hour_days * DAY_SECONDS),
            tallies=day_of(now - keep.tally_days * DAY_SECONDS),
            secrets=day_of(now - keep.secret_days * DAY_SECONDS),
            spend=day_of(now - keep.spend_days * DAY_SECONDS),
            client_spend=day_of(now - keep.client_spend_days * DAY_SECONDS),
        )

    def ends_network(self, network: str) -> bool:
        """Whether the hash in the name of a NetworkDay has reached its end in a vote or ballot."""
        return "" < network < self.addresses

    def ends_voter(self, voter: str, moment: float) -> bool:
        """Whether a vote that was first cast, or a ballot that was shown, at this moment must lose its voter."""
        return moment < self.voters and not voter.startswith(FORGOTTEN)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much a part of a pass has forgotten.

    `addresses` and `voters` are the votes and ballots that lost the hash of their address or their voter, `unvoted` the
    ballots that were removed because they were never cast, and `taken_back` the votes and ballots of voters who asked
    to be forgotten.
    """

    addresses: int = 0
    voters: int = 0
    unvoted: int = 0
    taken_back: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class Pseudonyms:
    """Names that replace voters, drawn for one pass of one process.

    A voter's votes of one day reach their end in the same pass and get the same name, so that statistics can still take
    them together. The names come from a random key that is never stored, so nobody can lead them back to a voter, or
    connect what different passes have renamed. A name is in the same group as the voter (see groups.py), so that the
    counts by group can still be computed from the votes.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, voter: str) -> str:
        names = (self._name(voter, number) for number in count())
        return next(name for name in names if voter_group(name) == voter_group(voter))

    def _name(self, voter: str, number: int) -> str:
        return FORGOTTEN + hmac.digest(self._key, f"{number}/{voter}".encode(), "sha256").hex()[:32]
