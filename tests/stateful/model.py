"""The store as a few dictionaries: what is kept by whom, and all that is counted by counting it again."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from service.domain import (
    Ballot,
    Call,
    CallShape,
    Comparison,
    FeedbackType,
    Outcome,
    Saying,
    Vote,
    VoteResult,
    VoteStatus,
    hour_of,
)
from service.store.base import (
    Aggregates,
    CallTally,
    OutcomeTally,
    Store,
    StoredVote,
    Tally,
)
from service.store.latency_buckets import bucket_of
from service.store.retention import SETTLED_ASIDE
from tests.store.counting import without

K = TypeVar("K")
Key = tuple[str, str]  # the id of a saying or a comparison, and a voter


@dataclass
class Model:
    """All that is kept. Serves are by hour and contributor. No stream leads to the comparisons in `without_ballots`."""

    sayings: dict[str, Saying] = field(default_factory=dict)
    votes: dict[Key, StoredVote] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    ballots: dict[Key, Ballot] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    serves: Counter[Key] = field(default_factory=Counter)
    without_ballots: dict[str, Comparison] = field(default_factory=dict, compare=False)

    def put_sayings(self, sayings: Iterable[Saying]) -> frozenset[str]:
        new = {saying.saying_id: saying for saying in sayings if saying.saying_id not in self.sayings}
        self.sayings |= new
        return frozenset(new)

    def vote(self, vote: Vote) -> VoteResult | None:
        saying, before = self.sayings.get(vote.saying_id), self.votes.get((vote.saying_id, vote.voter))
        if saying is None:
            return None
        if before is None:
            after, status = StoredVote(vote, saying.contributor, vote.cast_at), VoteStatus.RECORDED
        elif before.vote.feedback_type is vote.feedback_type:
            after, status = before, VoteStatus.UNCHANGED
        else:
            after, status = replace(before, vote=replace(vote, burst=before.vote.burst)), VoteStatus.CHANGED
        self.votes[vote.saying_id, vote.voter] = after
        return VoteResult(status, *self.counters(vote.saying_id))

    def withdraw(self, saying_id: str, voter: str) -> VoteResult | None:
        if saying_id not in self.sayings:
            return None
        taken = self.votes.pop((saying_id, voter), None)
        return VoteResult(VoteStatus.WITHDRAWN if taken else VoteStatus.UNCHANGED, *self.counters(saying_id))

    def show(self, comparison: Comparison, ballot: Ballot) -> None:
        self.comparisons[comparison.comparison_id] = comparison
        self.without_ballots.pop(comparison.comparison_id, None)
        self.ballots.setdefault((comparison.comparison_id, ballot.voter), ballot)

    def cast(self, ballot: Ballot) -> VoteStatus | None:
        before = self.ballots.get((ballot.comparison_id, ballot.voter))
        if before is None:
            return None
        if before.winner == ballot.winner:
            return VoteStatus.UNCHANGED
        first = before if before.winner is not None else ballot
        after = replace(ballot, shown_at=before.shown_at, burst=first.burst)
        self.ballots[ballot.comparison_id, ballot.voter] = after
        return VoteStatus.RECORDED if before.winner is None else VoteStatus.CHANGED

    def forget(self, voter: str) -> None:
        self.votes = {key: vote for key, vote in self.votes.items() if key[1] != voter}
        self._keep_ballots({key: ballot for key, ballot in self.ballots.items() if key[1] != voter})

    def forget_addresses(self, burst_limit: int) -> None:
        """Replace every burst by the side that it is on, and remove what was never voted on."""
        is_aside = self._aside(burst_limit)

        def settled(burst: str) -> str:
            return SETTLED_ASIDE if is_aside(burst) else ""

        self.votes = {
            key: replace(one, vote=replace(one.vote, burst=settled(one.vote.burst))) for key, one in self.votes.items()
        }
        cast = {key: ballot for key, ballot in self.ballots.items() if ballot.winner is not None}
        self._keep_ballots({key: replace(ballot, burst=settled(ballot.burst)) for key, ballot in cast.items()})

    def _keep_ballots(self, ballots: dict[Key, Ballot]) -> None:
        self.ballots, everything = ballots, self.comparisons | self.without_ballots
        voted_on = {comparison_id for comparison_id, _ in ballots}
        self.comparisons = {name: everything[name] for name in everything if name in voted_on}
        self.without_ballots = {name: everything[name] for name in everything if name not in voted_on}

    def unseen(self, voter: str) -> list[Comparison]:
        """The comparisons that may be replayed to the voter in place of a new one."""
        return [
            each
            for each in (self.comparisons | self.without_ballots).values()
            if (each.comparison_id, voter) not in self.ballots
            and sum(entry.saying is not None for entry in each.entries) >= 2
        ]

    def counters(self, saying_id: str) -> tuple[int, int]:
        """Upvotes and downvotes."""
        opinions = Counter(one.vote.feedback_type for (saying, _), one in self.votes.items() if saying == saying_id)
        return opinions[FeedbackType.POSITIVE], opinions[FeedbackType.NEGATIVE]

    def counted(self, burst_limit: int) -> Aggregates:
        is_aside = self._aside(burst_limit)
        contributors, services, hours = defaultdict[str, Counter[str]](Counter), _by_key(), _by_key()
        for one in self.votes.values():
            opinion = "upvotes" if one.vote.feedback_type is FeedbackType.POSITIVE else "downvotes"
            hours[hour_of(one.first_cast_at), one.contributor][opinion] += 1
            contributors[one.contributor] += Counter({opinion: 1, f"aside_{opinion}": int(is_aside(one.vote.burst))})
            for service in set(self.sayings[one.vote.saying_id].services):
                services[service, one.contributor][opinion] += 1
        for (hour, contributor), count in self.serves.items():
            contributors[contributor]["serves"] += count
            hours[hour, contributor]["serves"] += count
        return Aggregates(
            _tallies(contributors), _tallies(services), _tallies(hours), _calls(self.calls.values()),
            self._outcomes(is_aside),
        )  # fmt: skip

    def _aside(self, burst_limit: int) -> Callable[[str], bool]:
        cast = [ballot.burst for ballot in self.ballots.values() if ballot.winner is not None]
        sizes = Counter(cast + [one.vote.burst for one in self.votes.values()])
        return lambda burst: burst == SETTLED_ASIDE or (burst != "" and sizes[burst] > burst_limit)

    def _outcomes(self, is_aside: Callable[[str], bool]) -> dict[Outcome, OutcomeTally]:
        votes, aside = Counter[Outcome](), Counter[Outcome]()
        for ballot in self.ballots.values():
            if ballot.winner is not None:
                outcome = self.comparisons[ballot.comparison_id].outcome(ballot.winner)
                votes[outcome] += 1
                aside[outcome] += is_aside(ballot.burst)
        return {outcome: OutcomeTally(votes[outcome], aside[outcome]) for outcome in votes}


@dataclass(frozen=True, slots=True)
class Kept:
    """All that a store returns: what it keeps, each saying's counters, and its aggregates."""

    model: Model
    counters: dict[str, tuple[int, int]]
    counted: Aggregates

    def assert_counted_right(self, burst_limit: int) -> None:
        """Check that all counters equal a recount."""
        assert self.counters == {saying: self.model.counters(saying) for saying in self.model.sayings}
        assert self.counted == self.model.counted(burst_limit)


async def kept_by(store: Store) -> Kept:
    """Read everything. Lines that have gone back to nothing are left out; serves are kept only as counted."""
    counted = await store.aggregates(since_hour="")
    ballots = [stored async for stored in store.all_ballots()]
    sayings = [stored async for stored in store.all_sayings()]
    model = Model(
        {stored.saying.saying_id: stored.saying for stored in sayings},
        {(stored.vote.saying_id, stored.vote.voter): stored async for stored in store.all_votes()},
        {stored.comparison.comparison_id: stored.comparison for stored in ballots},
        {(stored.ballot.comparison_id, stored.ballot.voter): stored.ballot for stored in ballots},
        {call.generation.generation_id: call async for call in store.all_calls()},
        Counter({line: tally.serves for line, tally in counted.hours.items() if tally.serves}),
    )
    counters = {stored.saying.saying_id: (stored.upvotes, stored.downvotes) for stored in sayings}
    return Kept(model, counters, _without_nothing(counted))


def _without_nothing(counted: Aggregates) -> Aggregates:
    return Aggregates(
        without(Tally(), counted.contributors),
        without(Tally(), counted.services),
        without(Tally(), counted.hours),
        {line: replace(tally, latency_ms=round(tally.latency_ms, 3)) for line, tally in counted.calls.items()},
        without(OutcomeTally(), counted.outcomes),
    )


def _by_key() -> defaultdict[Key, Counter[str]]:
    return defaultdict(Counter)


def _tallies(counts: Mapping[K, Counter[str]]) -> dict[K, Tally]:
    return {key: Tally(**counted) for key, counted in counts.items()}


def _calls(calls: Iterable[Call]) -> dict[tuple[str, CallShape], CallTally]:
    by_line: defaultdict[tuple[str, CallShape], list[Call]] = defaultdict(list)
    for call in calls:
        by_line[call.contributor, call.shape].append(call)
    return {line: _call_tally(made) for line, made in by_line.items()}


def _call_tally(calls: list[Call]) -> CallTally:
    latencies = [call.generation.latency_ms for call in calls if not call.error_type]
    costs = [call.generation.cost_nanos for call in calls]
    return CallTally(
        latencies=Counter(map(bucket_of, latencies)),
        latency_ms=round(sum(latencies), 3),
        billed=len(calls),
        unpriced=costs.count(None),
        sayings=sum(call.sayings for call in calls),
        input_tokens=sum(call.generation.usage.input_tokens for call in calls),
        output_tokens=sum(call.generation.usage.output_tokens for call in calls),
        cost_nanos=sum(cost or 0 for cost in costs),
        rejected=sum((Counter(call.rejected) for call in calls), Counter()),
    )
