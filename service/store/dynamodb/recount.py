"""Counts votes, ballots and calls again: what the lines and items that count them should hold. There is no I/O here.

What has no rows is not recounted: serves, what networks gave on a day, and calls that earlier versions have counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.domain import Call, FeedbackType, Standing, day_of
from service.store.base import StoredBallot, StoredVote, Strand
from service.store.dynamodb.counts import call_counts
from service.store.dynamodb.lines import (
    BALLOTS,
    CALLS,
    OF_HOUR,
    OLD_CALLS,
    SAYINGS,
    SERVICE,
    VOTERS,
    VOTES,
    WRITES,
    ballot_counts,
    ballots_line,
    calls_line,
    hour_count,
    service_line,
    vote_counts,
    votes_line,
)
from service.store.dynamodb.tallies import joined
from service.store.dynamodb.vote_counts import Recount
from service.store.groups import voter_group
from service.store.retention import FORGOTTEN

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.line_sums import Line

# A line and one of its shards, or 0 where only the sum over the shards matters.
Place = tuple[str, int]
Numbers = dict[str, float]

# What votes of earlier versions, which have no standing, are counted as in the lines of their contributors.
_OLD_VOTES = {FeedbackType.POSITIVE: "upvotes", FeedbackType.NEGATIVE: "downvotes"}
_CONTRIBUTOR = ""
# Where the shard matters, except for the numbers of voters and sayings.
_BY_SHARD = {VOTES, BALLOTS, _CONTRIBUTOR}
_FIRSTS = {VOTERS, SAYINGS}
# Latencies are fractions, whose sum depends on the order.
_DIGITS = 3


@dataclass
class Tally:
    """What has been counted so far. Lines of days before `tallies` are taken together, as in tallies.py.

    `sayings` has the counters of each saying, `voters` the counted blind votes of each voter by contributor,
    `last_cast` the time of the last of these, and `ballots` the number of ballots on each comparison.
    """

    tallies: str
    sayings: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    voters: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last_cast: dict[str, float] = field(default_factory=dict)
    ballots: Counter[str] = field(default_factory=Counter)
    _lines: defaultdict[Place, Numbers] = field(default_factory=lambda: defaultdict(dict))
    # The time of the first vote of a voter on a contributor, and of the first on a saying, and the line it is in.
    _firsts: dict[tuple[str, ...], tuple[float, str]] = field(default_factory=dict)
    # Lines with votes that have lost their voters, so that nobody can say how many voters they are from.
    _nameless: set[str] = field(default_factory=set)

    def add_vote(self, vote: StoredVote, saying: "Item") -> None:
        """Count a vote on a saying, whose item is given."""
        change = Recount(vote, saying, {}, None, vote.standing)
        part, group = joined(votes_line(change.strand), self.tallies), voter_group(vote.voter)
        _add(self._lines[part, group], vote_counts(vote, vote.standing, 1))
        _add(self._lines[part, group], hour_count(vote.first_cast_at, 1))
        up, down = change.opinions
        self.sayings[vote.saying_id].update(upvotes=up, downvotes=down, blind_votes=change.step)
        if change.step:
            upvotes = int(vote.first is FeedbackType.POSITIVE)
            for service in change.services:
                _add(self._lines[service_line(service, vote.contributor), 0], {"n": 1, "u": upvotes})
            self._add_voter(vote, part)

    def add_old_vote(self, vote: StoredVote, saying: "Item") -> None:
        """Count a vote that an earlier version has stored."""
        up, down = Recount(vote, saying, {}, None, vote.standing).opinions
        self.sayings[vote.saying_id].update(upvotes=up, downvotes=down)
        _add(self._lines[vote.contributor, voter_group(vote.voter)], {_OLD_VOTES[vote.first]: 1})

    def add_ballot(self, stored: StoredBallot) -> None:
        """Count a ballot that has been cast, unless an earlier version has stored it."""
        ballot = stored.ballot
        if ballot.winner is None or ballot.cast_at is None or ballot.standing in (None, Standing.UNVERIFIED):
            return
        outcome = stored.comparison.outcome(ballot.winner)
        part = joined(ballots_line(day_of(ballot.cast_at), outcome), self.tallies)
        counts = ballot_counts(outcome, ballot.standing, ballot.comparison_id, 1)
        _add(self._lines[part, voter_group(ballot.voter)], counts)
        self.ballots[ballot.comparison_id] += 1

    def add_call(self, call: Call) -> None:
        made = call.generation
        strand = Strand(call.contributor, day_of(made.created_at), made.prompt_version, made.snapshot)
        part = joined(calls_line(strand, made.kind, call.shape), self.tallies)
        _add(self._lines[part, 0], call_counts(call))

    def differences(self, stored: Iterable["Line"]) -> Iterator[tuple[Place, Numbers]]:
        """What must be added to the stored lines so that they hold what was counted."""
        stored = list(stored)
        kinds = {SERVICE, *_BY_SHARD}
        # Earlier versions did not keep all of the calls that they counted.
        if all(line.kind != OLD_CALLS for line in stored):
            kinds.add(CALLS)
        counted, kept = self._counted(), self._by_place(stored)
        for place in sorted(counted.keys() | kept.keys()):
            part, should, does = place[0], counted.get(place, {}), kept.get(place, {})
            steps = {name: should.get(name, 0) - does.get(name, 0) for name in sorted(should.keys() | does.keys())}
            wrong = {
                name: round(step, _DIGITS)
                for name, step in steps.items()
                if round(step, _DIGITS) and self._is_recounted(part, name)
            }
            if wrong and _kind(part) in kinds:
                yield place, wrong

    def _add_voter(self, vote: StoredVote, part: str) -> None:
        """Count a blind vote for its voter, and see whether it is the first of the voter, or on the saying."""
        firsts: list[tuple[str, ...]] = [(SAYINGS, vote.saying_id)]
        if vote.voter.startswith(FORGOTTEN):
            self._nameless.add(part)
        else:
            firsts.append((VOTERS, vote.voter, vote.contributor))
            self.voters[vote.voter][vote.contributor] += 1
            self.last_cast[vote.voter] = max(vote.first_cast_at, self.last_cast.get(vote.voter, 0.0))
        for first in firsts:
            cast = vote.first_cast_at, part
            self._firsts[first] = min(cast, self._firsts.get(first, cast))

    def _counted(self) -> dict[Place, Numbers]:
        """The lines, with the voters and sayings whose first vote is in them."""
        lines = defaultdict[Place, Numbers](dict, {place: dict(numbers) for place, numbers in self._lines.items()})
        for (name, *_), (_, part) in self._firsts.items():
            _add(lines[part, 0], {name: 1})
        return lines

    def _by_place(self, lines: Iterable["Line"]) -> dict[Place, Numbers]:
        kept: defaultdict[Place, Numbers] = defaultdict(dict)
        for line in lines:
            part, is_by_shard = joined(line.part, self.tallies), _kind(line.part) in _BY_SHARD
            for name, number in line.numbers.items():
                shard = line.shard if is_by_shard and name not in _FIRSTS else 0
                _add(kept[part, shard], {name: number})
        return kept

    def _is_recounted(self, part: str, name: str) -> bool:
        kind = _kind(part)
        if kind == _CONTRIBUTOR:
            return name in _OLD_VOTES.values()
        if kind == VOTES and name == VOTERS:
            return part not in self._nameless
        if kind == VOTES and name.startswith(OF_HOUR):
            return not part.startswith(f"{VOTES}##")  # nobody asks for the hours of old days
        return name != WRITES


def _kind(part: str) -> str:
    return part.partition("#")[0] if "#" in part else _CONTRIBUTOR


def _add(line: Numbers, numbers: Mapping[str, float]) -> None:
    for name, number in numbers.items():
        line[name] = line.get(name, 0) + number
