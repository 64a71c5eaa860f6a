"""From what has been counted to the body of GET /stats."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from service.catalogue.models import NANOS_PER_DOLLAR, Catalogue, Model
from service.domain import COLLECTION, NONE, TIE, CallShape, Outcome, hour_of, model_contributor
from service.statistics.intervals import CONFIDENCE, approval, cost_per_net_upvote
from service.statistics.schemas import (
    CollectionStats,
    ComparisonCounts,
    HourStats,
    Interval,
    Latencies,
    Latency,
    LatencyBucket,
    ModelStats,
    PairRecord,
    ServiceStats,
    StatsAnswer,
    Tokens,
    Totals,
    VoteCounts,
)
from service.statistics.strength import pairwise, strengths
from service.statistics.verdicts import Poll, Standing, standings
from service.store.base import Aggregates, CallTally, Tally
from service.store.latency_buckets import RELATIVE_ERROR, bounds, percentile

_HOURS = 24
_UNKNOWN = Interval(None, None, None)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A model and what has been counted for it."""

    model: Model
    contributor: str
    tally: Tally
    single: CallTally
    round: CallTally

    @property
    def calls(self) -> int:
        return self.single.billed + self.round.billed

    @property
    def unpriced(self) -> int:
        return self.single.unpriced + self.round.unpriced

    @property
    def sayings(self) -> int:
        return self.single.sayings + self.round.sayings

    @property
    def cost_nanos(self) -> int:
        """Of the calls that have a price."""
        return self.single.cost_nanos + self.round.cost_nanos

    @property
    def full_cost_nanos(self) -> int | None:
        """None when there are no calls, or some have no price: a ratio of too little would be wrong, not just low."""
        return self.cost_nanos if self.calls and not self.unpriced else None


def report(
    aggregates: Aggregates,
    catalogue: Catalogue,
    participants: Iterable[Model],
    *,
    simulated: bool,
    now: float,
    burst_limit: int,
) -> StatsAnswer:
    """The comparison of the participating models and of those of the catalogue for which anything is counted. Pure.

    Real and simulated models are never mixed: it is about either. `now` is seconds since the epoch.
    """
    counted = _counted(aggregates, catalogue, participants, simulated=simulated)
    collection = aggregates.contributors.get(COLLECTION, Tally())
    names = [one.contributor for one in counted]
    return StatsAnswer(
        generated_at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}",
        stale=False,
        simulated=simulated,
        confidence=CONFIDENCE,
        relative_error=RELATIVE_ERROR,
        totals=_totals(counted, collection, burst_limit),
        hours=_hours(aggregates, {*names, COLLECTION}, now),
        services=_services(aggregates, set(names)),
        comparisons=_comparisons(aggregates, {one.contributor: one.model.id for one in counted}),
        models=_models(aggregates, counted),
        collection=_collection(collection),
    )


def first_hour(now: float) -> str:
    """The earliest hour of the report."""
    return hour_of(now - (_HOURS - 1) * 3600)


def _counted(
    aggregates: Aggregates, catalogue: Catalogue, participants: Iterable[Model], *, simulated: bool
) -> list[_Counted]:
    taking_part = {model_contributor(model.id, simulated=simulated) for model in participants}
    known = taking_part.union(
        aggregates.contributors,
        (name for name, _ in aggregates.calls),
        *(outcome.contributors for outcome in aggregates.outcomes),
    )
    names = ((model, model_contributor(model.id, simulated=simulated)) for model in catalogue)
    return [
        _Counted(
            model,
            name,
            aggregates.contributors.get(name, Tally()),
            aggregates.calls.get((name, CallShape.SINGLE), CallTally()),
            aggregates.calls.get((name, CallShape.ROUND), CallTally()),
        )
        for model, name in names
        if name in known
    ]


def _raw(tally: Tally) -> VoteCounts:
    return _votes(tally.upvotes, tally.downvotes)


def _filtered(tally: Tally) -> VoteCounts:
    return _votes(tally.upvotes - tally.aside_upvotes, tally.downvotes - tally.aside_downvotes)


def _votes(upvotes: int, downvotes: int) -> VoteCounts:
    # A store of many shards is not read at one moment: a vote may be seen to go that was not seen to come.
    upvotes, downvotes = max(0, upvotes), max(0, downvotes)
    return VoteCounts(upvotes + downvotes, upvotes, downvotes)


def _sum(tallies: Iterable[Tally]) -> Tally:
    return Tally(*map(sum, zip(*map(astuple, tallies), strict=True)))


def _totals(counted: Sequence[_Counted], collection: Tally, burst_limit: int) -> Totals:
    tally = _sum([*(one.tally for one in counted), collection])
    return Totals(
        serves=tally.serves,
        raw=_raw(tally),
        filtered=_filtered(tally),
        burst_votes=burst_limit,
        calls=sum(one.calls for one in counted),
        sayings=sum(one.sayings for one in counted),
        cost=sum(one.cost_nanos for one in counted) / NANOS_PER_DOLLAR,
        unpriced_calls=sum(one.unpriced for one in counted),
    )


def _hours(aggregates: Aggregates, names: set[str], now: float) -> list[HourStats]:
    tallies = _by_key(aggregates.hours, names)
    hours = (hour_of(now - ago * 3600) for ago in reversed(range(_HOURS)))
    return [_hour(hour, tallies.get(hour, Tally())) for hour in hours]


def _hour(hour: str, tally: Tally) -> HourStats:
    return HourStats(f"{hour}:00:00Z", tally.serves, _raw(tally).votes)


def _services(aggregates: Aggregates, names: set[str]) -> list[ServiceStats]:
    tallies = _by_key(aggregates.services, names)
    found = [_service(service, _raw(tally)) for service, tally in tallies.items()]
    return sorted((one for one in found if one.votes), key=lambda one: (-one.votes, one.service))


def _service(service: str, votes: VoteCounts) -> ServiceStats:
    return ServiceStats(service, votes.votes, approval(votes.upvotes, votes.downvotes))


def _by_key(tallies: Mapping[tuple[str, str], Tally], names: set[str]) -> dict[str, Tally]:
    """What has been counted by something and contributor, by that alone, for these contributors."""
    found: dict[str, list[Tally]] = {}
    for (key, name), tally in tallies.items():
        if name in names:
            found.setdefault(key, []).append(tally)
    return {key: _sum(parts) for key, parts in found.items()}


def _comparisons(aggregates: Aggregates, models: Mapping[str, str]) -> ComparisonCounts:
    """`models` maps contributors to the ids of their models."""
    votes = _outcomes(aggregates, set(models))
    wins, ties = pairwise(votes)
    return ComparisonCounts(
        count=sum(votes.values()),
        raw=sum(aggregates.outcomes[outcome].votes for outcome in votes),
        ties=sum(count for outcome, count in votes.items() if outcome.result == TIE),
        none=sum(count for outcome, count in votes.items() if outcome.result == NONE),
        matrix={
            models[one]: {
                models[other]: PairRecord(wins[one, other], wins[other, one], ties[one, other])
                for other in models
                if other != one
            }
            for one in models
        },
    )


def _outcomes(aggregates: Aggregates, names: set[str]) -> dict[Outcome, int]:
    """The votes on comparisons with any of these contributors, without those that came in bursts."""
    return {
        outcome: max(0, tally.votes - tally.aside)
        for outcome, tally in aggregates.outcomes.items()
        if not names.isdisjoint(outcome.contributors)
    }


def _models(aggregates: Aggregates, counted: Sequence[_Counted]) -> list[ModelStats]:
    votes = {one.contributor: _filtered(one.tally) for one in counted}
    verdicts = standings({name: Poll(of.upvotes, of.votes) for name, of in votes.items()})
    fitted = strengths(_outcomes(aggregates, set(votes)))
    return [_model(one, fitted.get(one.contributor, _UNKNOWN), verdicts[one.contributor]) for one in counted]


def _model(one: _Counted, strength: Interval, standing: Standing) -> ModelStats:
    votes = _filtered(one.tally)
    full_cost = one.full_cost_nanos
    per_net_upvote, interval = cost_per_net_upvote(full_cost, votes.upvotes, votes.downvotes)
    return ModelStats(
        model=one.model.id,
        source=one.model.display_name,
        vendor=one.model.vendor,
        serves=one.tally.serves,
        votes=votes.votes,
        upvotes=votes.upvotes,
        downvotes=votes.downvotes,
        raw=_raw(one.tally),
        approval=approval(votes.upvotes, votes.downvotes),
        latency=Latencies(single=_latency(one.single), round=_latency(one.round)),
        tokens=Tokens(
            one.single.input_tokens + one.round.input_tokens, one.single.output_tokens + one.round.output_tokens
        ),
        cost=None if one.calls and one.unpriced == one.calls else one.cost_nanos / NANOS_PER_DOLLAR,
        cost_per1000=_per_1000(full_cost, one.sayings),
        cost_per_net_upvote=per_net_upvote,
        cost_per_net_upvote_interval=interval,
        strength=strength,
        verdict=standing.verdict,
        votes_needed=standing.votes_needed,
    )


def _per_1000(cost_nanos: int | None, sayings: int) -> float | None:
    return None if cost_nanos is None or not sayings else cost_nanos * 1000 / sayings / NANOS_PER_DOLLAR


def _latency(calls: CallTally) -> Latency:
    count = sum(calls.latencies.values())
    return Latency(
        count=count,
        mean=calls.latency_ms / count if count else None,
        p50=percentile(calls.latencies, 0.50),
        p90=percentile(calls.latencies, 0.90),
        p99=percentile(calls.latencies, 0.99),
        histogram=list(_buckets(calls.latencies)),
    )


def _buckets(latencies: Mapping[int, int]) -> Iterator[LatencyBucket]:
    for index, count in sorted(latencies.items()):
        yield LatencyBucket(*bounds(index), count)


def _collection(tally: Tally) -> CollectionStats:
    votes = _filtered(tally)
    return CollectionStats(
        tally.serves, votes.votes, votes.upvotes, votes.downvotes, approval(votes.upvotes, votes.downvotes)
    )
