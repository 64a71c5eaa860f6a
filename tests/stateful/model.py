"""The store as a few dictionaries: what is kept by whom, and all that is counted by counting it again."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from service.domain import (
    COLLECTION,
    Attribution,
    Ballot,
    BallotResult,
    BallotStatus,
    Call,
    Comparison,
    FeedbackType,
    NetworkDay,
    Outcome,
    Saying,
    Standing,
    Vote,
    VoteResult,
    VoteStatus,
    hour_of,
    vote_status,
)
from service.limits import Quotas
from service.store.base import Aggregates, Counts, Store, StoredVote, Strand
from service.store.groups import item_group, voter_group
from service.store.latency_buckets import bucket_of
from service.store.quotas import NetworkTally, ballot_standing, is_implausible, vote_standing

Key = tuple[str, str]  # the id of a saying or a comparison, and a voter
# The numbers that a store counts, by where they are in its aggregates. All days are taken together, because a pass may
# have folded them.
Lines = dict[tuple[object, ...], float]


@dataclass
class Network:
    """What has come from a network on a day: verified blind votes, what counts, and whether all is set aside."""

    given: list[tuple[str, FeedbackType]] = field(default_factory=list)
    counted: list[tuple[Attribution, str]] = field(default_factory=list)
    votes: set[Key] = field(default_factory=set)
    ballots: int = 0
    is_aside: bool = False

    def tally(self, share: int) -> NetworkTally:
        given = {
            name: Counts(
                sum(contributor == name for contributor, _ in self.given),
                sum(contributor == name for contributor, opinion in self.given if opinion is FeedbackType.POSITIVE),
            )
            for name in {contributor for contributor, _ in self.given}
        }
        return NetworkTally(share, given, Counter(self.counted), self.ballots, self.is_aside)


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
    networks: defaultdict[str, Network] = field(default_factory=lambda: defaultdict(Network), compare=False)

    def put_sayings(self, sayings: Iterable[Saying]) -> frozenset[str]:
        new = {saying.saying_id: saying for saying in sayings if saying.saying_id not in self.sayings}
        self.sayings |= new
        return frozenset(new)

    def vote(self, vote: Vote, quotas: Quotas) -> VoteResult | None:
        key = vote.saying_id, vote.voter
        saying, before = self.sayings.get(vote.saying_id), self.votes.get(key)
        if saying is None:
            return None
        if before is None:
            self.votes[key] = self._cast_first(vote, saying.contributor, quotas)
        elif before.opinion is not vote.feedback_type:
            self.votes[key] = replace(before, opinion=vote.feedback_type, cast_at=vote.cast_at)
        status = vote_status(before.opinion if before else None, vote.feedback_type)
        return VoteResult(status, *self.counters(vote.saying_id), self.votes[key].standing)

    def withdraw(self, saying_id: str, voter: str) -> VoteResult | None:
        if saying_id not in self.sayings:
            return None
        before = self.votes.get((saying_id, voter))
        if before is None:
            return VoteResult(VoteStatus.UNCHANGED, *self.counters(saying_id))
        self.votes[saying_id, voter] = replace(before, opinion=None)
        return VoteResult(vote_status(before.opinion, None), *self.counters(saying_id), before.standing)

    def show(self, comparison: Comparison, ballot: Ballot) -> None:
        self.comparisons[comparison.comparison_id] = comparison
        self.without_ballots.pop(comparison.comparison_id, None)
        self.ballots.setdefault((comparison.comparison_id, ballot.voter), ballot)

    def cast(
        self, comparison_id: str, voter: str, winner: str, at: float, near: Sequence[NetworkDay], quotas: Quotas
    ) -> BallotResult | None:
        before = self.ballots.get((comparison_id, voter))
        if before is None:
            return None
        if before.winner is None:
            tallies = [self.networks[network.name].tally(network.share) for network in near]
            standing = ballot_standing(tallies, self.ballots_on(comparison_id), quotas)
            name = near[0].name if near else ""
            after, status = replace(before, winner=winner, cast_at=at, standing=standing, network=name), "recorded"
            for network in near:
                self.networks[network.name].ballots += standing is Standing.COUNTED
        elif before.winner == winner:
            after, status = before, "unchanged"
        else:
            after, status = replace(before, later=winner), "after_reveal"
        self.ballots[comparison_id, voter] = after
        return BallotResult(BallotStatus(status), after, self.ballots_on(comparison_id))

    def forget(self, voter: str) -> None:
        self.votes = {key: vote for key, vote in self.votes.items() if key[1] != voter}
        for network in self.networks.values():
            network.votes = {key for key in network.votes if key[1] != voter}
        self._keep_ballots({key: ballot for key, ballot in self.ballots.items() if key[1] != voter})

    def forget_addresses(self) -> None:
        """Forget the networks, and remove what was never voted on."""
        self.votes = {key: replace(vote, network="") for key, vote in self.votes.items()}
        cast = {key: ballot for key, ballot in self.ballots.items() if ballot.winner is not None}
        self._keep_ballots({key: replace(ballot, network="") for key, ballot in cast.items()})

    def unseen(self, voter: str, quotas: Quotas) -> list[Comparison]:
        """The comparisons that may be replayed to the voter in place of a new one: those with the fewest ballots."""
        possible = [
            each
            for each in (self.comparisons | self.without_ballots).values()
            if (each.comparison_id, voter) not in self.ballots
            and sum(entry.saying is not None for entry in each.entries) >= 2
            and self.ballots_on(each.comparison_id) < quotas.comparison_ballots
        ]
        fewest = min((self.ballots_on(each.comparison_id) for each in possible), default=0)
        return [each for each in possible if self.ballots_on(each.comparison_id) == fewest]

    def ballots_on(self, comparison_id: str) -> int:
        return sum(key[0] == comparison_id and ballot.winner is not None for key, ballot in self.ballots.items())

    def counters(self, saying_id: str) -> tuple[int, int]:
        """Upvotes and downvotes."""
        opinions = Counter(vote.opinion for (saying, _), vote in self.votes.items() if saying == saying_id)
        return opinions[FeedbackType.POSITIVE], opinions[FeedbackType.NEGATIVE]

    def counted(self) -> Lines:
        lines: Counter[tuple[object, ...]] = Counter()
        for vote in self.votes.values():
            self._count_vote(vote, lines)
        for (hour, contributor), serves in self.serves.items():
            lines["serves", contributor] += serves
            lines["hours", (hour, contributor), "serves"] += serves
        for call in self.calls.values():
            _count_call(call, lines)
        for (comparison_id, voter), ballot in self.ballots.items():
            if ballot.winner is None:
                continue
            line = "outcomes", self.comparisons[comparison_id].outcome(ballot.winner)
            is_counted = ballot.standing is Standing.COUNTED
            lines[(*line, *(["counted", _cell(comparison_id, voter)] if is_counted else ["aside"]))] += 1
        return _rounded(lines)

    def _cast_first(self, vote: Vote, contributor: str, quotas: Quotas) -> StoredVote:
        standing = self._standing(vote, contributor, quotas)
        key, opinion = (vote.saying_id, vote.voter), (vote.feedback_type, vote.cast_at)
        if standing is Standing.COUNTED and contributor != COLLECTION:
            assert vote.attribution is not None
            for network in vote.networks:
                self.networks[network.name].counted.append((vote.attribution, contributor))
                self.networks[network.name].votes |= {key} if vote.attribution is Attribution.BLIND else set()
        name, claims = vote.networks[0].name if vote.networks else "", (vote.claimed_execution_ms, vote.claimed_cached)
        return StoredVote(*key, contributor, *opinion, *opinion, vote.attribution, standing, name, *claims)

    def _standing(self, vote: Vote, contributor: str, quotas: Quotas) -> Standing:
        if vote.attribution is Attribution.BLIND and contributor != COLLECTION:
            for network in vote.networks:
                self._judge(self.networks[network.name], contributor, vote)
        tallies = [self.networks[network.name].tally(network.share) for network in vote.networks]
        own = [
            each
            for each in self.votes.values()
            if each.voter == vote.voter and each.contributor == contributor and _counts_blind(each)
        ]
        return vote_standing(vote.attribution, contributor, tallies, len(own), quotas)

    def _judge(self, network: Network, contributor: str, vote: Vote) -> None:
        """Set a network aside when its votes cannot be honest, with this one among them."""
        network.given.append((contributor, vote.feedback_type))
        if is_implausible(network.tally(1).given, vote.models):
            network.is_aside = True
            for key in network.votes:
                self.votes[key] = replace(self.votes[key], standing=Standing.SET_ASIDE)

    def _keep_ballots(self, ballots: dict[Key, Ballot]) -> None:
        self.ballots, everything = ballots, self.comparisons | self.without_ballots
        voted_on = {comparison_id for comparison_id, _ in ballots}
        self.comparisons = {name: everything[name] for name in everything if name in voted_on}
        self.without_ballots = {name: everything[name] for name in everything if name not in voted_on}

    def _count_vote(self, vote: StoredVote, lines: Counter[tuple[object, ...]]) -> None:
        saying, upvotes = self.sayings[vote.saying_id], vote.first is FeedbackType.POSITIVE
        lines["hours", (hour_of(vote.first_cast_at), vote.contributor), "votes"] += 1
        line: list[tuple[object, ...]] = [("votes", _strand(saying), *_line_of(vote))]
        if _counts_blind(vote):
            line += [("services", (service, vote.contributor)) for service in set(saying.services)]
            blind = [each for each in self.votes.values() if _counts_blind(each)]
            voters = {each.voter for each in blind if each.contributor == vote.contributor}
            sayings = {each.saying_id for each in blind if each.contributor == vote.contributor}
            lines["votes", _strand(saying), "voters"] = len(voters)
            lines["votes", _strand(saying), "sayings"] = len(sayings)
        for each in line:
            lines[(*each, "votes")] += 1
            lines[(*each, "upvotes")] += upvotes


@dataclass(frozen=True, slots=True)
class Kept:
    """All that a store returns: what it keeps, each saying's counters, and what it has counted."""

    model: Model
    counters: dict[str, tuple[int, int]]
    counted: Lines

    def assert_counted_right(self, *, hours: bool) -> None:
        """Check that all counters equal a recount, and those of hours if the store still has to keep them."""
        assert self.counters == {saying: self.model.counters(saying) for saying in self.model.sayings}
        recounted = self.model.counted()
        assert [line for line in self.counted.items() ^ recounted.items() if hours or line[0][0] != "hours"] == []


async def kept_by(store: Store) -> Kept:
    """Read everything. Lines that have gone back to nothing are left out; serves are kept only as counted."""
    counted = await store.aggregates(since_hour="")
    ballots = [stored async for stored in store.all_ballots()]
    sayings = [stored async for stored in store.all_sayings()]
    model = Model(
        {stored.saying.saying_id: stored.saying for stored in sayings},
        {(stored.saying_id, stored.voter): stored async for stored in store.all_votes()},
        {stored.comparison.comparison_id: stored.comparison for stored in ballots},
        {(stored.ballot.comparison_id, stored.ballot.voter): stored.ballot for stored in ballots},
        {call.generation.generation_id: call async for call in store.all_calls()},
        Counter({line: tally.serves for line, tally in counted.hours.items() if tally.serves}),
    )
    counters = {stored.saying.saying_id: (stored.upvotes, stored.downvotes) for stored in sayings}
    return Kept(model, counters, _lines(counted))


def _lines(counted: Aggregates) -> Lines:
    lines: Counter[tuple[object, ...]] = Counter()
    for path, number in _numbers(counted):
        lines[tuple(map(_without_day, path))] += number
    return _rounded(lines)


def _numbers(value: Any, *path: object) -> Iterator[tuple[tuple[object, ...], Any]]:
    """All numbers in aggregates, with the names and keys that lead to them."""
    if isinstance(value, (int, float)):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, *path, key)
    else:
        for part in fields(value):
            yield from _numbers(getattr(value, part.name), *path, part.name)


def _without_day(key: object) -> object:
    match key:
        case Strand():
            return replace(key, day="")
        case (Strand() as strand, kind, shape):
            return replace(strand, day=""), kind, shape
        case (str(), Outcome() as outcome):
            return outcome
    return key


def _rounded(lines: Counter[tuple[object, ...]]) -> Lines:
    return {line: round(number, 3) for line, number in lines.items() if number}


def _strand(saying: Saying) -> Strand:
    made = saying.generation
    return Strand(saying.contributor, "", made.prompt_version if made else "", made.snapshot if made else "")


def _line_of(vote: StoredVote) -> tuple[object, ...]:
    if vote.standing is not Standing.COUNTED:
        return ("unverified",) if vote.standing is Standing.UNVERIFIED else ("aside",)
    if vote.attribution is Attribution.OPEN:
        return ("opened",)
    return str(vote.attribution), _cell(vote.saying_id, vote.voter)


def _cell(item_id: str, voter: str) -> tuple[int, int]:
    return voter_group(voter), item_group(item_id)


def _counts_blind(vote: StoredVote) -> bool:
    return vote.standing is Standing.COUNTED and vote.attribution is Attribution.BLIND


def _count_call(call: Call, lines: Counter[tuple[object, ...]]) -> None:
    made = call.generation
    line = "calls", (Strand(call.contributor, "", made.prompt_version, made.snapshot), made.kind, call.shape)
    lines[(*line, "calls")] += 1
    if call.error_type:
        lines[(*line, "failed", call.error_type)] += 1
    else:
        lines[(*line, "latencies", bucket_of(made.latency_ms))] += 1
        lines[(*line, "latency_ms")] += made.latency_ms  # type: ignore[assignment]
    lines[(*line, "unpriced")] += made.cost_nanos is None
    lines[(*line, "sayings")] += call.sayings
    lines[(*line, "input_tokens")] += made.usage.input_tokens
    lines[(*line, "output_tokens")] += made.usage.output_tokens
    lines[(*line, "cost_nanos")] += made.cost_nanos or 0
    for reason, sayings in call.rejected.items():
        lines[(*line, "rejected", reason)] += sayings
