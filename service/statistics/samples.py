"""Votes by groups of voters and of items, which is what the statistics are computed from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.store.base import Cell, Counts
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS


@dataclass(frozen=True, slots=True)
class Groups:
    """Votes and upvotes by group."""

    votes: Sequence[int]
    upvotes: Sequence[int]


@dataclass(frozen=True, slots=True)
class Sample:
    """The same votes twice: by voter group, and by the group of the saying or comparison that they are about."""

    by_voter: Groups
    by_item: Groups

    @property
    def votes(self) -> int:
        return sum(self.by_voter.votes)

    @property
    def upvotes(self) -> int:
        return sum(self.by_voter.upvotes)

    @property
    def share(self) -> float:
        """The share of upvotes, and 0 without votes."""
        return self.upvotes / self.votes if self.votes else 0.0


NOTHING = Sample(Groups((0,) * VOTER_GROUPS, (0,) * VOTER_GROUPS), Groups((0,) * ITEM_GROUPS, (0,) * ITEM_GROUPS))


def sample(cells: Mapping[Cell, Counts]) -> Sample:
    """The sums of the cells over one kind of group and over the other."""
    voters, voters_up = [0] * VOTER_GROUPS, [0] * VOTER_GROUPS
    items, items_up = [0] * ITEM_GROUPS, [0] * ITEM_GROUPS
    for (voter, item), counts in cells.items():
        voters[voter] += counts.votes
        voters_up[voter] += counts.upvotes
        items[item] += counts.votes
        items_up[item] += counts.upvotes
    return Sample(Groups(voters, voters_up), Groups(items, items_up))


def total(samples: Iterable[Sample]) -> Sample:
    """The samples taken together."""
    samples = [*samples, NOTHING]
    return Sample(_total([one.by_voter for one in samples]), _total([one.by_item for one in samples]))


def _total(parts: Sequence[Groups]) -> Groups:
    votes = [max(0, sum(group)) for group in zip(*(part.votes for part in parts), strict=True)]
    upvotes = [max(0, sum(group)) for group in zip(*(part.upvotes for part in parts), strict=True)]
    return Groups(votes, list(map(min, votes, upvotes)))


def counts_of(parts: Iterable[Counts]) -> Counts:
    """The counts taken together.

    The lines of a store are not read at the same moment, so that a vote may be seen to leave that was not seen to come.
    """
    parts = list(parts)
    votes, upvotes = max(0, sum(part.votes for part in parts)), max(0, sum(part.upvotes for part in parts))
    return Counts(votes, min(votes, upvotes))
