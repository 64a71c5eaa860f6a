"""Computes the body of GET /stats from the counts in the store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime

from service.catalogue.line_up import LineUp
from service.catalogue.models import NANOS_PER_DOLLAR, Model
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
    Refused,
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
class _ModelCounts:
    """A model and its counts."""

    model: Model
    contributor: str
    left_on: date | None
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
    def rejected(self) -> Counter[str]:
        return Counter(self.single.rejected) + Counter(self.round.rejected)

    @property
    def cost_nanos(self) -> int:
        """The cost, in nanodollars, of the calls that have a price."""
        return self.single.cost_nanos + self.round.cost_nanos

    @property
    def full_cost_nanos(self) -> int | None:
        """The cost of all calls in nanodollars, or None when there are no calls or some of them have no price.

        A ratio of the cost of only some calls would be wrong, not just too low.
        """
        return self.cost_nanos if self.calls and not self.unpriced else None


def report(
    aggregates: Aggregates,
    line_up: LineUp,
    *,
    simulated: bool,
    now: float,
    burst_limit: int,
) -> StatsAnswer:
    """The report on the models of the line-up and on those of the catalogue that have any counts.

    It covers either the real or the simulated models, and never mixes them. `now` is in seconds since the epoch.
    """
    counted = _counted(aggregates, line_up, simulated=simulated)
    collection = aggregates.contributors.get(COLLECTION, Tally())
    names = [row.contributor for row in counted]
    return StatsAnswer(
        generated_at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}",
        stale=False,
        simulated=simulated,
        confidence=CONFIDENCE,
        relative_error=RELATIVE_ERROR,
        totals=_totals(counted, collection, burst_limit),
        hours=_hours(aggregates, {*names, COLLECTION}, now),
        services=_services(aggregates, set(names)),
        comparisons=_comparisons(aggregates, {row.contributor: row.model.id for row in counted}),
        models=_models(aggregates, counted),
        collection=_collection(collection),
    )


def first_hour(now: float) -> str:
    """The earliest hour of the report, such as `2026-11-20T13` (UTC). `now` is in seconds since the epoch."""
    return hour_of(now - (_HOURS - 1) * 3600)


def _counted(aggregates: Aggregates, line_up: LineUp, *, simulated: bool) -> list[_ModelCounts]:
    taking_part = {model_contributor(model.id, simulated=simulated) for model in line_up}
    known = taking_part.union(
        aggregates.contributors,
        (name for name, _ in aggregates.calls),
        *(outcome.contributors for outcome in aggregates.outcomes),
    )
    names = ((model, model_contributor(model.id, simulated=simulated)) for model in line_up.catalogue)
    return [
        _ModelCounts(
            model,
            name,
            line_up.left_on(model),
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
    # The shards of a store are not read at the same moment, so a vote may be seen to leave but not to arrive.
    upvotes, downvotes = max(0, upvotes), max(0, downvotes)
    return VoteCounts(upvotes + downvotes, upvotes, downvotes)


def _sum(tallies: Iterable[Tally]) -> Tally:
    return Tally(*map(sum, zip(*map(astuple, tallies), strict=True)))


def _totals(counted: Sequence[_ModelCounts], collection: Tally, burst_limit: int) -> Totals:
    tally = _sum([*(row.tally for row in counted), collection])
    return Totals(
        serves=tally.serves,
        raw=_raw(tally),
        filtered=_filtered(tally),
        burst_votes=burst_limit,
        calls=sum(row.calls for row in counted),
        sayings=sum(row.sayings for row in counted),
        cost=sum(row.cost_nanos for row in counted) / NANOS_PER_DOLLAR,
        unpriced_calls=sum(row.unpriced for row in counted),
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
    return sorted((stats for stats in found if stats.votes), key=lambda stats: (-stats.votes, stats.service))


def _service(service: str, votes: VoteCounts) -> ServiceStats:
    return ServiceStats(service, votes.votes, approval(votes.upvotes, votes.downvotes))


def _by_key(tallies: Mapping[tuple[str, str], Tally], names: set[str]) -> dict[str, Tally]:
    """Sum tallies by key and contributor over these contributors, so that only the key remains."""
    found: dict[str, list[Tally]] = {}
    for (key, name), tally in tallies.items():
        if name in names:
            found.setdefault(key, []).append(tally)
    return {key: _sum(parts) for key, parts in found.items()}


def _comparisons(aggregates: Aggregates, models: Mapping[str, str]) -> ComparisonCounts:
    """The counts of comparisons. `models` maps contributors to the ids of their models."""
    votes = _outcomes(aggregates, set(models))
    wins, ties = pairwise(votes)
    return ComparisonCounts(
        count=sum(votes.values()),
        raw=sum(aggregates.outcomes[outcome].votes for outcome in votes),
        ties=sum(count for outcome, count in votes.items() if outcome.result == TIE),
        none=sum(count for outcome, count in votes.items() if outcome.result == NONE),
        matrix={
            models[name]: {
                models[rival]: PairRecord(wins[name, rival], wins[rival, name], ties[name, rival])
                for rival in models
                if rival != name
            }
            for name in models
        },
    )


def _outcomes(aggregates: Aggregates, names: set[str]) -> dict[Outcome, int]:
    """The votes on comparisons with any of these contributors, without those set aside because of bursts."""
    return {
        outcome: max(0, tally.votes - tally.aside)
        for outcome, tally in aggregates.outcomes.items()
        if not names.isdisjoint(outcome.contributors)
    }


def _models(aggregates: Aggregates, counted: Sequence[_ModelCounts]) -> list[ModelStats]:
    ranked = {row.contributor: _filtered(row.tally) for row in counted if row.left_on is None}
    verdicts = standings({name: Poll(counts.upvotes, counts.votes) for name, counts in ranked.items()})
    # Models that have left stay in the fit: without them the average, which the others are measured by, would shift.
    fitted = strengths(_outcomes(aggregates, {row.contributor for row in counted}))
    return [_model(row, fitted.get(row.contributor, _UNKNOWN), verdicts.get(row.contributor)) for row in counted]


def _model(row: _ModelCounts, strength: Interval, standing: Standing | None) -> ModelStats:
    votes = _filtered(row.tally)
    full_cost = row.full_cost_nanos
    per_net_upvote, interval = cost_per_net_upvote(full_cost, votes.upvotes, votes.downvotes)
    return ModelStats(
        model=row.model.id,
        source=row.model.display_name,
        vendor=row.model.vendor,
        left_on=None if row.left_on is None else row.left_on.isoformat(),
        successor=row.model.successor,
        serves=row.tally.serves,
        votes=votes.votes,
        upvotes=votes.upvotes,
        downvotes=votes.downvotes,
        raw=_raw(row.tally),
        approval=approval(votes.upvotes, votes.downvotes),
        latency=Latencies(single=_latency(row.single), round=_latency(row.round)),
        tokens=Tokens(
            row.single.input_tokens + row.round.input_tokens, row.single.output_tokens + row.round.output_tokens
        ),
        refused=_refused(row),
        cost=None if row.calls and row.unpriced == row.calls else row.cost_nanos / NANOS_PER_DOLLAR,
        cost_per1000=_per_1000(full_cost, row.sayings),
        cost_per_net_upvote=per_net_upvote,
        cost_per_net_upvote_interval=interval,
        strength=strength,
        verdict=standing.verdict if standing else None,
        votes_needed=standing.votes_needed if standing else None,
    )


def _refused(row: _ModelCounts) -> Refused:
    count = row.rejected.total()
    written = row.sayings + count
    return Refused(count, count / written if written else None, dict(sorted(row.rejected.items())))


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
