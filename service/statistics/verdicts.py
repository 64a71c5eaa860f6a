"""Which model leads, as far as that can be said by somebody who looks every day, and how sure it is.

An interval is made for one look. Somebody who looks at intervals every day will see two equal models apart sooner or
later. A sequential boundary is wider, so that it is seldom crossed in any number of looks if there is no difference
(Robbins 1970, Statistical Methods Related to the Law of the Iterated Logarithm).
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from service.statistics.intervals import MIN_VOTES, Estimate, estimate, independent_variance, share_interval
from service.statistics.samples import Sample
from service.statistics.schemas import PairVerdict, Verdict

# The chance of ever naming a leader where the two best are equal.
ALPHA = 0.05
# The chance of ever telling two models apart where all are equal, shared by all pairs. The boundary is made for votes
# that only become more. With a period that moves on, it is crossed a little more often, so that this is below 5 %.
FAMILY_ALPHA = 0.03
# Models whose approval differs by no more than this are as good as each other.
CLOSE = 0.03
# A model is compared from so many voters and sayings on.
MIN_VOTERS = 30
MIN_SAYINGS = 30

# The variance at which the boundary is narrowest is that of some 2,000 votes on each of two models.
_TUNING = 4000 / (2 * math.log(1 / ALPHA) + math.log(1 + 2 * math.log(1 / ALPHA)))
# 99 % of a normal distribution lie within this many standard deviations.
_ALMOST_SURE = 2.5758293035489004


@dataclass(frozen=True, slots=True)
class Record:
    """The votes on one model: all of the period, those of its last days, and those of the days before these.

    `voters` and `sayings` are of all time. `room` is how many times as many votes the period can hold as it has now, if
    they go on to come as they did.
    """

    recent: Sample
    lately: Sample
    before: Sample
    voters: int
    sayings: int
    room: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict and the number of votes that would settle it: 0 when it is settled, None when that cannot be said."""

    verdict: Verdict
    votes_needed: int | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The standings of the models, and the one that leads, or that would if it had not fallen behind lately.

    `decisive_votes` is how many votes would have to be the opposite for another model to have the highest approval.
    `settled` are the pairs that can be told apart, the better one first.
    """

    standings: Mapping[str, Standing]
    leader: str | None = None
    fallen: str | None = None
    decisive_votes: int | None = None
    settled: frozenset[tuple[str, str]] = frozenset()


def can_be_compared(votes: int, voters: int, sayings: int) -> bool:
    """Whether there is enough to name a model's approval and to compare it with others."""
    return votes >= MIN_VOTES and voters >= MIN_VOTERS and sayings >= MIN_SAYINGS


def ranking(records: Mapping[str, Record]) -> Ranking:
    """The ranking of the models by approval.

    The first is the one whose interval has the highest lower end, so that a model with few votes cannot be first by
    luck. It leads if it is better than each of the others, and if that has not changed in the last days.
    """
    measured = {
        name: record
        for name, record in records.items()
        if can_be_compared(record.recent.votes, record.voters, record.sayings)
    }
    missing = {name: _missing(record) for name, record in records.items() if name not in measured}
    if len(measured) < 2:
        return Ranking(missing | dict.fromkeys(measured, Standing("too few votes", None)))
    first = max(measured, key=lambda name: share_interval(measured[name].recent, named=True).low or 0.0)
    duels = {name: _Duel.of(measured[first], record) for name, record in measured.items() if name != first}
    alpha = FAMILY_ALPHA / math.comb(len(measured), 2)
    settled = frozenset(_settled(measured, alpha))
    if not all(duel.is_won(ALPHA) for duel in duels.values()):
        return Ranking(missing | _undecided(first, duels, alpha), settled=settled)
    if any(duel.has_turned for duel in duels.values()):
        open_ = dict.fromkeys(measured, Standing("too close to call", None))
        return Ranking(missing | open_, fallen=first, settled=settled)
    standings = dict.fromkeys(duels, Standing("trails", 0)) | {first: Standing("leads", 0)}
    decisive = min(duel.decisive_votes for duel in duels.values())
    return Ranking(missing | standings, leader=first, decisive_votes=decisive, settled=settled)


def is_settled(found: Estimate, alpha: float) -> bool:
    """Whether the value differs from 0, also for somebody who looks as often as they like.

    `alpha` is the chance that it is ever taken to differ if it does not.
    """
    return abs(found.value) > _allowance(found, alpha)


def pair_verdict(sample: Sample, pairs: int) -> PairVerdict | None:
    """Whether one of two models is preferred to the other, by the ballots for either, or None where that is open.

    The upvotes of the sample are the ballots for the one. It is one of so many pairs.
    """
    lead = estimate((1, sample)).plus(-0.5)
    if not is_settled(lead, FAMILY_ALPHA / pairs):
        return None
    return "ahead" if lead.value > 0 else "behind"


@dataclass(frozen=True, slots=True)
class _Duel:
    """The first model against another, and by how much its approval is higher."""

    best: Record
    other: Record
    lead: Estimate

    @classmethod
    def of(cls, best: Record, other: Record) -> "_Duel":
        return cls(best, other, estimate((1, best.recent), (-1, other.recent)))

    def is_won(self, alpha: float) -> bool:
        return self.lead.value > 0 and is_settled(self.lead, alpha)

    @property
    def has_turned(self) -> bool:
        """Whether the first is behind in the last days, and that is almost surely a change."""
        now, before = (self.best.lately, self.other.lately), (self.best.before, self.other.before)
        change = estimate((1, now[0]), (-1, now[1]), (-1, before[0]), (1, before[1]))
        return now[0].share < now[1].share and change.value < -change.reach(_ALMOST_SURE)

    @property
    def decisive_votes(self) -> int:
        """The smallest number of votes, all on the one or all on the other, that would change which share is larger."""
        best, other = self.best.recent, self.other.recent
        lead = best.upvotes * other.votes - other.upvotes * best.votes
        return lead // max(best.votes, other.votes) + 1

    def standing(self, alpha: float) -> Standing:
        """The standing of the other."""
        if self.is_won(alpha):
            return Standing("trails", 0)
        if abs(self.lead.value) + _allowance(self.lead, alpha) <= CLOSE:
            return Standing("within 3 points", 0)
        return Standing("too close to call", self.votes_needed(alpha))

    def votes_needed(self, alpha: float) -> int | None:
        """The number of further votes on each of the two that would settle that the first is better.

        None where a number would often be wrong: unless the two differ almost surely already, or if so many votes do
        not come within the period. The difference is taken to be smaller than it appears to be, because where it
        appears large that is partly luck.
        """
        if self.lead.value < self.lead.reach(_ALMOST_SURE):
            return None
        cautious = self.lead.value - self.lead.reach(1.0)
        samples = (self.best.recent, self.other.recent)
        limit = min((record.room - 1) * record.recent.votes for record in (self.best, self.other))

        def settle(more: int) -> bool:
            later = sum(
                independent_variance(sample.upvotes, sample.votes) * sample.votes / (sample.votes + more)
                for sample in samples
            )
            return cautious > _allowance(self.lead.scaled(later / self.lead.independent), alpha)

        votes = bisect_left(range(int(limit) + 1), True, key=settle)
        return votes if votes <= limit else None


def _missing(record: Record) -> Standing:
    return Standing("too few votes", max(0, MIN_VOTES - record.recent.votes) or None)


def _undecided(first: str, duels: Mapping[str, _Duel], alpha: float) -> dict[str, Standing]:
    """The standings where no model leads."""
    found = {name: duel.standing(alpha) for name, duel in duels.items()}
    if all(standing.verdict != "too close to call" for standing in found.values()):
        return found | {first: Standing("within 3 points", 0)}
    needed = [0 if duel.is_won(ALPHA) else duel.votes_needed(ALPHA) for duel in duels.values()]
    known = [votes for votes in needed if votes is not None]
    return found | {first: Standing("too close to call", max(known) if len(known) == len(needed) else None)}


def _settled(records: Mapping[str, Record], alpha: float) -> Iterator[tuple[str, str]]:
    for one, other in combinations(records, 2):
        lead = estimate((1, records[one].recent), (-1, records[other].recent))
        if is_settled(lead, alpha):
            yield (one, other) if lead.value > 0 else (other, one)


def _allowance(found: Estimate, alpha: float) -> float:
    """How far the value has to be from 0 to be settled: a boundary for any number of looks at a mean.

    Howard, Ramdas, McAuliffe and Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences. Annals of
    Statistics 49 (2021), 1055-1080: the normal mixture.
    """
    if not math.isfinite(found.variance):
        return math.inf
    information = 1 / found.variance
    odds = math.log((information + _TUNING) / (_TUNING * alpha**2))
    return found.reach(math.sqrt((1 + _TUNING / information) * odds))
