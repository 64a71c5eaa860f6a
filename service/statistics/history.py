"""What the store counted for one contributor, by day, so that the figures of any period can be taken from it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from service.domain import CallKind, CallShape
from service.statistics.samples import Groups, Sample, counts_of, sample, total
from service.store.base import Aggregates, CallTally, Counts, Strand, VoteTally

Key = TypeVar("Key")


@dataclass(frozen=True)
class VoteLine:
    """The votes of a strand."""

    strand: Strand
    tally: VoteTally

    @cached_property
    def blind(self) -> Sample:
        return sample(self.tally.blind)

    @cached_property
    def named(self) -> Sample:
        return sample(self.tally.named)


@dataclass(frozen=True, slots=True)
class CallLine:
    """The calls of a strand, of one kind and shape."""

    strand: Strand
    kind: CallKind
    shape: CallShape
    tally: CallTally


@dataclass(frozen=True, slots=True)
class History:
    """All the votes and calls of a contributor."""

    votes: Sequence[VoteLine] = ()
    calls: Sequence[CallLine] = ()

    def between(self, first: str, end: str = "~") -> "History":
        """What belongs to the days from `first` on that come before `end`."""
        return History(
            [line for line in self.votes if first <= line.strand.day < end],
            [line for line in self.calls if first <= line.strand.day < end],
        )

    @property
    def blind(self) -> Sample:
        return total(line.blind for line in self.votes)

    @property
    def named(self) -> Sample:
        return total(line.named for line in self.votes)

    @property
    def opened(self) -> Counts:
        return counts_of(line.tally.opened for line in self.votes)

    @property
    def aside(self) -> Counts:
        return counts_of(line.tally.aside for line in self.votes)

    @property
    def unverified(self) -> Counts:
        return counts_of(line.tally.unverified for line in self.votes)

    @property
    def voters(self) -> int:
        return max(0, sum(line.tally.voters for line in self.votes))

    @property
    def sayings(self) -> int:
        return max(0, sum(line.tally.sayings for line in self.votes))

    def blind_by_day(self) -> dict[str, Sample]:
        """The counted blind votes of each day that has any and is not folded, in order."""
        days = sorted({line.strand.day for line in self.votes if line.strand.day})
        found = {day: total(line.blind for line in self.votes if line.strand.day == day) for day in days}
        return {day: sample for day, sample in found.items() if sample.votes}

    def called(
        self, kinds: Collection[CallKind] = tuple(CallKind), shapes: Collection[CallShape] = tuple(CallShape)
    ) -> CallTally:
        """The calls of these kinds and shapes together."""
        return _merged([line.tally for line in self.calls if line.kind in kinds and line.shape in shapes])

    def answered_by_day(self, kinds: Collection[CallKind]) -> Groups:
        """The calls of these kinds on each day that is not folded, and the answers to them in the place of upvotes."""
        days: dict[str, list[int]] = {}
        for line in self.calls:
            if line.kind in kinds and line.strand.day:
                day = days.setdefault(line.strand.day, [0, 0])
                day[0] += line.tally.calls
                day[1] += answers(line.tally)
        return Groups([calls for calls, _ in days.values()], [answered for _, answered in days.values()])


def histories(aggregates: Aggregates) -> dict[str, History]:
    """The history of each contributor that has one."""
    votes: dict[str, list[VoteLine]] = {}
    calls: dict[str, list[CallLine]] = {}
    for strand, votes_of in aggregates.votes.items():
        votes.setdefault(strand.contributor, []).append(VoteLine(strand, votes_of))
    for (strand, kind, shape), calls_of in aggregates.calls.items():
        calls.setdefault(strand.contributor, []).append(CallLine(strand, kind, shape, calls_of))
    return {name: History(votes.get(name, ()), calls.get(name, ())) for name in votes | calls}


def answers(calls: CallTally) -> int:
    """How many of the calls did not fail."""
    return calls.calls - sum(calls.failed.values())


def _merged(tallies: Sequence[CallTally]) -> CallTally:
    return CallTally(
        calls=sum(tally.calls for tally in tallies),
        failed=_added(tally.failed for tally in tallies),
        latencies=_added(tally.latencies for tally in tallies),
        latency_ms=sum(tally.latency_ms for tally in tallies),
        unpriced=sum(tally.unpriced for tally in tallies),
        sayings=sum(tally.sayings for tally in tallies),
        input_tokens=sum(tally.input_tokens for tally in tallies),
        output_tokens=sum(tally.output_tokens for tally in tallies),
        cost_nanos=sum(tally.cost_nanos for tally in tallies),
        rejected=_added(tally.rejected for tally in tallies),
    )


def _added(counts: Iterable[Mapping[Key, int]]) -> Mapping[Key, int]:
    """The sums of the counts, without those that are 0."""
    found: Counter[Key] = Counter()
    for some in counts:
        found.update(some)
    return +found
