"""Which model leads, and how many more votes would decide it where that is open."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from service.statistics.intervals import MIN_VOTES, wilson
from service.statistics.schemas import Verdict

_TOO_MANY_VOTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Poll:
    """The votes on one model."""

    upvotes: int
    votes: int

    @property
    def share(self) -> float:
        return self.upvotes / self.votes

    def after(self, more: int) -> tuple[float, float]:
        """The interval after `more` further votes, if the share of upvotes stays the same."""
        return wilson(self.share, self.votes + more)


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict and the number of votes that would settle it: 0 when it is settled, None when no number would do."""

    verdict: Verdict
    votes_needed: int | None


def standings(polls: Mapping[str, Poll]) -> dict[str, Standing]:
    """The standing of each model against the leader, which has the highest share of upvotes.

    The leader is measured against the model it is hardest to tell from: it leads where all others trail. A model that
    alone has enough votes has no other model to be measured against, and needs votes on the others.
    """
    missing = {name: MIN_VOTES - poll.votes for name, poll in polls.items() if poll.votes < MIN_VOTES}
    measured = {name: poll for name, poll in polls.items() if name not in missing}
    if len(measured) > 1:
        return _unmeasured(missing) | _measured(measured)
    return _unmeasured(missing | dict.fromkeys(measured, min(missing.values(), default=None)))


def votes_needed(leader: Poll, rival: Poll) -> int | None:
    """The number of further votes on each of the two after which their intervals no longer overlap.

    The shares of upvotes are taken to stay as they are. 0 when the intervals are apart already, None when it would take
    a million votes or more. Bisection finds the number, because intervals only shrink with more votes.
    """

    def are_apart(more: int) -> bool:
        return leader.after(more)[0] > rival.after(more)[1]

    votes = bisect_left(range(_TOO_MANY_VOTES), True, key=are_apart)
    return votes if votes < _TOO_MANY_VOTES else None


def _unmeasured(missing: Mapping[str, int | None]) -> dict[str, Standing]:
    return {name: Standing("too few votes", votes) for name, votes in missing.items()}


def _measured(polls: Mapping[str, Poll]) -> dict[str, Standing]:
    leader = max(polls, key=lambda name: polls[name].share)
    needed = {name: votes_needed(polls[leader], poll) for name, poll in polls.items() if name != leader}
    hardest = max(needed.values(), key=lambda votes: _TOO_MANY_VOTES if votes is None else votes)
    trailing = {name: _standing("trails", votes) for name, votes in needed.items()}
    return trailing | {leader: _standing("leads", hardest)}


def _standing(settled: Verdict, votes: int | None) -> Standing:
    return Standing(settled if votes == 0 else "too close to call", votes)
