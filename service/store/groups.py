"""The groups of voters, of sayings and of comparisons that the statistics take their intervals from.

Votes of one voter, and votes on one saying, resemble each other, so that an interval that takes them for independent is
too short. The spread between groups that were formed at random shows how much they resemble each other (Wolter 2007,
Introduction to Variance Estimation, chapter 2: the random group method). Sums over groups add up over days and
processes, so that a vote moves one number and nothing has to be read for it.
"""

import hashlib

VOTER_GROUPS = 16
# Of sayings, and in the same way of comparisons.
ITEM_GROUPS = 16


def voter_group(voter: str) -> int:
    """The group of a voter, from 0 to VOTER_GROUPS - 1."""
    return hashlib.sha256(voter.encode()).digest()[0] % VOTER_GROUPS


def item_group(item_id: str) -> int:
    """The group of a saying or a comparison, from 0 to ITEM_GROUPS - 1. Both have ids of random hex digits."""
    return int(item_id[-2:], 16) % ITEM_GROUPS
