"""Which votes and ballots count in the comparison: rules without I/O that both stores apply in the same way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.domain import COLLECTION, Attribution, Standing
from service.limits import Quotas
from service.store.base import Counts

# The chance of a pattern of votes that is too small to be one. Honest votes are not dealt at random: people have their
# tastes, and an honest address is taken for a dishonest one more often than this, in one of some 30,000 days.
IMPLAUSIBLE = 1e-6
# Votes are judged one after the other up to this number, which is more than may count of one address. Of those who
# honestly vote more than that in a day, some have tastes so strong that their opinions seem to go by the author.
_MOST_JUDGED = 40


@dataclass(frozen=True, slots=True)
class NetworkTally:
    """What has come from one network on one day.

    `given` has all verified blind votes on each model, `counted` those of them and of the others that count, by
    attribution and contributor. `ballots` is the number of counted ballots. `is_aside` is set once the votes of the
    network cannot be honest; `share` is that of the NetworkDay.
    """

    share: int = 1
    given: Mapping[str, Counts] = field(default_factory=dict)
    counted: Mapping[tuple[Attribution, str], int] = field(default_factory=dict)
    ballots: int = 0
    is_aside: bool = False


def vote_standing(
    attribution: Attribution | None,
    contributor: str,
    networks: Sequence[NetworkTally],
    voter_votes: int,
    quotas: Quotas,
) -> Standing:
    """The standing of a first vote. `voter_votes` are the voter's counted blind votes on the same model so far.

    The collection takes no part in the comparison, so that votes on it have no limits.
    """
    if attribution is None:
        return Standing.UNVERIFIED
    if contributor == COLLECTION:
        return Standing.COUNTED
    if any(network.is_aside for network in networks):
        return Standing.SET_ASIDE
    if attribution is Attribution.BLIND and voter_votes >= quotas.voter_model_votes:
        return Standing.SET_ASIDE
    for network in networks:
        alike = network.counted.get((attribution, contributor), 0)
        if alike >= quotas.address_model_votes * network.share:
            return Standing.SET_ASIDE
        if sum(network.counted.values()) >= quotas.address_votes * network.share:
            return Standing.SET_ASIDE
    return Standing.COUNTED


def ballot_standing(networks: Sequence[NetworkTally], ballots: int, quotas: Quotas) -> Standing:
    """The standing of a first ballot on a comparison that has so many ballots already."""
    if ballots >= quotas.comparison_ballots or any(network.is_aside for network in networks):
        return Standing.SET_ASIDE
    if any(network.ballots >= quotas.address_votes * network.share for network in networks):
        return Standing.SET_ASIDE
    return Standing.COUNTED


def is_implausible(given: Mapping[str, Counts], models: int) -> bool:
    """Whether nobody who votes honestly gives such blind votes, of which `given` has those on each of the models.

    There are two signs of somebody who knows the authors. One is votes on a single model, although every model is
    served equally often. The other is an opinion that goes by the author: upvotes for one model and downvotes for the
    others, or the reverse. The chance of each is that of a table whose votes were dealt at random (Fisher 1922).
    """
    votes, models = sum(counts.votes for counts in given.values()), max(models, len(given))
    return votes <= _MOST_JUDGED and any(
        _chance_of_so_many(counts.votes, votes, models) * models < IMPLAUSIBLE
        or _chance_of_such_opinions(counts, given) * models < IMPLAUSIBLE
        for counts in given.values()
    )


def _chance_of_so_many(on_one: int, votes: int, models: int) -> float:
    """The chance that at least so many of the votes are on one model, if each is equally likely."""
    if models < 2:
        return 1.0
    share = 1 / models
    return math.fsum(math.comb(votes, k) * share**k * (1 - share) ** (votes - k) for k in range(on_one, votes + 1))


def _chance_of_such_opinions(one: Counts, given: Mapping[str, Counts]) -> float:
    """The chance that the upvotes are dealt between one model and the others as unevenly as this, or more so."""
    votes = sum(counts.votes for counts in given.values())
    upvotes = sum(counts.upvotes for counts in given.values())
    downvotes = votes - upvotes

    def ways(numbers: range) -> int:
        return sum(math.comb(upvotes, k) * math.comb(downvotes, one.votes - k) for k in numbers)

    above = ways(range(one.upvotes, min(one.votes, upvotes) + 1))
    below = ways(range(max(0, one.votes - downvotes), one.upvotes + 1))
    return min(above, below) / math.comb(votes, one.votes)
