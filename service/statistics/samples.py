"""Votes by groups of voters and of items, which is what the statistics are computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.store.base import Cell, Counts
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS


@dataclass(frozen=True, slots=True)
class Sample:
    """The same votes twice: by voter group, and by the group of the saying or comparison that they are about."""

    by_voter: tuple[Counts, ...] = (Counts(),) * VOTER_GROUPS
    by_item: tuple[Counts, ...] = (Counts(),) * ITEM_GROUPS

    @property
    def votes(self) -> int:
        return sum(counts.votes for counts in self.by_voter)

    @property
    def upvotes(self) -> int:
        return sum(counts.upvotes for counts in self.by_voter)

    @property
    def share(self) -> float:
        """The share of upvotes, and 0 without votes."""
        return self.upvotes / self.votes if self.votes else 0.0


def sample(cells: Mapping[Cell, Counts]) -> Sample:
    """The sums of the cells over one kind of group and over the other."""
    voters, items = [[0, 0] for _ in range(VOTER_GROUPS)], [[0, 0] for _ in range(ITEM_GROUPS)]
    for (voter, item), counts in cells.items():
        for sums in (voters[voter], items[item]):
            sums[0] += counts.votes
            sums[1] += counts.upvotes
    return Sample(tuple(Counts(*sums) for sums in voters), tuple(Counts(*sums) for sums in items))


def total(samples: Iterable[Sample]) -> Sample:
    """The samples taken together."""
    samples = list(samples) or [Sample()]
    return Sample(
        tuple(map(counts_of, zip(*(part.by_voter for part in samples), strict=True))),
        tuple(map(counts_of, zip(*(part.by_item for part in samples), strict=True))),
    )


def counts_of(parts: Iterable[Counts]) -> Counts:
    """The counts taken together.

    The lines of a store are not read at the same moment, so that a vote may be seen to leave that was not seen to come.
    """
    parts = list(parts)
    votes = max(0, sum(part.votes for part in parts))
    return Counts(votes, min(votes, max(0, sum(part.upvotes for part in parts))))
