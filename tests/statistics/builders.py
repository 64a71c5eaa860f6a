"""Votes and ballots in groups for tests, with as little to say as a test needs."""

import random
from collections.abc import Mapping

from service.domain import Outcome
from service.statistics.choices import Ballots
from service.statistics.samples import Groups, Sample
from service.store.base import Cell, Counts
from service.store.groups import ITEM_GROUPS, VOTER_GROUPS


def cells(upvotes: int, votes: int) -> dict[Cell, Counts]:
    """Votes of voters, and on items, that do not resemble each other."""
    chance = random.Random(votes)
    found: dict[Cell, Counts] = {}
    for up in chance.sample([True] * upvotes + [False] * (votes - upvotes), votes):
        cell = chance.randrange(VOTER_GROUPS), chance.randrange(ITEM_GROUPS)
        before = found.get(cell, Counts())
        found[cell] = Counts(before.votes + 1, before.upvotes + up)
    return found


def even(upvotes: int, votes: int) -> Sample:
    """Votes whose groups do not differ, except by one vote."""
    return Sample(_even(upvotes, votes, VOTER_GROUPS), _even(upvotes, votes, ITEM_GROUPS))


def _even(upvotes: int, votes: int, groups: int) -> Groups:
    return Groups(
        [(votes + group) // groups for group in range(groups)], [(upvotes + group) // groups for group in range(groups)]
    )


def drawn(chance: random.Random, votes: int, share: float = 0.6, spread: float = 0.15) -> Sample:
    """Votes of groups that differ, in their sizes and in their shares of upvotes."""
    shares = [[min(0.95, max(0.05, chance.gauss(share, spread))) for _ in range(16)] for _ in range(2)]
    every = [(chance.randrange(VOTER_GROUPS), chance.randrange(ITEM_GROUPS)) for _ in range(votes)]
    up = [chance.random() < (shares[0][voter] + shares[1][item]) / 2 for voter, item in every]
    return Sample(
        _groups([voter for voter, _ in every], up, VOTER_GROUPS), _groups([item for _, item in every], up, ITEM_GROUPS)
    )


def _groups(group: list[int], up: list[bool], groups: int) -> Groups:
    votes, upvotes = [0] * groups, [0] * groups
    for own, is_upvote in zip(group, up, strict=True):
        votes[own] += 1
        upvotes[own] += is_upvote
    return Groups(votes, upvotes)


def cast(counts: Mapping[Outcome, int]) -> dict[Outcome, Ballots]:
    """So many ballots with each outcome, spread over the groups."""
    return {
        outcome: Ballots(
            tuple((count + group) // VOTER_GROUPS for group in range(VOTER_GROUPS)),
            tuple((count + group) // ITEM_GROUPS for group in range(ITEM_GROUPS)),
        )
        for outcome, count in counts.items()
    }
