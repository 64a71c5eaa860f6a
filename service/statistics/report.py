"""Computes the body of GET /stats from the counts in the store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from math import comb

import msgspec

from service.catalogue.line_up import LineUp
from service.catalogue.models import NANOS_PER_DOLLAR, Model
from service.domain import COLLECTION, NONE, TIE, CallKind, day_of, hour_of, model_contributor
from service.limits import DAY_SECONDS
from service.statistics.choices import MIN_BALLOTS, Outcomes, outcomes_since, pair, picked, share_of
from service.statistics.figures import figures, votes_of
from service.statistics.history import History, histories
from service.statistics.intervals import CONFIDENCE, MIN_VOTES, share_interval
from service.statistics.marks import marks
from service.statistics.samples import counts_of, total
from service.statistics.schemas import (
    Analysis,
    CollectionStats,
    ComparisonCounts,
    ComparisonStats,
    DayStats,
    Figures,
    Headline,
    HourStats,
    Interval,
    ModelStats,
    PairRecord,
    ServiceModelStats,
    ServiceStats,
    StatsAnswer,
    Totals,
    VoteCounts,
)
from service.statistics.verdicts import Ranking, Record, can_be_compared, pair_verdict, ranking
from service.store.base import Aggregates, Counts
from service.store.latency_buckets import RELATIVE_ERROR

# The period that the verdicts rest on, and its end, in which a model that leads must not have fallen behind.
RECENT_DAYS = 30
LAST_DAYS = 7
_HOURS = 24


@dataclass(frozen=True, slots=True)
class _Row:
    """A model, its counts, and the models that it competes with in comparisons."""

    model: Model
    contributor: str
    left_on: date | None
    serves: int
    history: History
    rivals: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Period:
    """The days from `first` on, the ballots cast in them, and how often each model was picked by these.

    `paid_wins` are the models' wins on the days whose calls for comparisons are in the report.
    """

    first: str
    outcomes: Outcomes
    paid_wins: Counter[str]
    aside: int
    picked: Mapping[str, Interval]
    picked_of_asked: Mapping[str, Interval]


def report(
    aggregates: Aggregates, line_up: LineUp, *, simulated: bool, now: float, analysis: str | None = None
) -> StatsAnswer:
    """The report on the models of the line-up and on those of the catalogue that have any counts.

    It covers either the real or the simulated models, and never mixes them. `now` is in seconds since the epoch, and
    `analysis` is what the store keeps of the last analysis.
    """
    aggregates = _without_open_comparisons(aggregates, now)
    known = histories(aggregates)
    rows = _rows(aggregates, known, line_up, simulated=simulated)
    recent = _period(aggregates, rows, _day(now, RECENT_DAYS), now)
    all_time = _period(aggregates, rows, "", now)
    ranked = ranking({row.contributor: _record(row, now) for row in rows if row.left_on is None})
    matrix = _matrix(recent.outcomes, [row.contributor for row in rows])
    collection = known.get(COLLECTION, History())
    models = [_model(row, recent, all_time, ranked, line_up) for row in rows]
    return StatsAnswer(
        generated_at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}",
        stale=False,
        simulated=simulated,
        confidence=CONFIDENCE,
        relative_error=RELATIVE_ERROR,
        recent_days=RECENT_DAYS,
        headline=_headline(ranked, recent, matrix, {row.contributor: row.model.id for row in rows}),
        models=sorted(models, key=_by_lower_end),
        comparisons=ComparisonStats(_comparisons(recent, rows), _comparisons(all_time, rows)),
        totals=_totals(aggregates, rows, collection),
        hours=_hours(aggregates, {*(row.contributor for row in rows), COLLECTION}, now),
        services=_services(aggregates, rows),
        collection=_collection(aggregates, collection),
        analysis=_analysis(analysis, simulated=simulated),
    )


def _without_open_comparisons(aggregates: Aggregates, now: float) -> Aggregates:
    """The counts without the calls for comparisons on the days of which some are open.

    A comparison can be voted on for a day, and meanwhile the tokens, the cost and the failure that each of its models
    adds here would tell which of them wrote what.
    """
    calls = {
        (strand, kind, shape): tally
        for (strand, kind, shape), tally in aggregates.calls.items()
        if kind is not CallKind.COMPARE or strand.day < _first_open(now)
    }
    return replace(aggregates, calls=calls)


def _first_open(now: float) -> str:
    """The first day of which a comparison may still be open: yesterday."""
    return _day(now, 2)


def first_hour(now: float) -> str:
    """The earliest hour of the report, such as `2026-11-20T13` (UTC). `now` is in seconds since the epoch."""
    return hour_of(now - (_HOURS - 1) * 3600)


def _day(now: float, days: int) -> str:
    """The first of so many days, the last of which is today."""
    return day_of(now - (days - 1) * DAY_SECONDS)


def _rows(aggregates: Aggregates, known: Mapping[str, History], line_up: LineUp, *, simulated: bool) -> list[_Row]:
    holders = {model.id: model_contributor(model.id, simulated=simulated) for model in line_up}
    compared = (name for _, outcome in aggregates.outcomes for name in outcome.contributors + outcome.failed)
    counted = {*holders.values(), *known, *aggregates.serves, *compared}
    return [
        _Row(
            model,
            name,
            line_up.left_on(model),
            aggregates.serves.get(name, 0),
            known.get(name, History()),
            [rival for holder, rival in holders.items() if holder not in _in_the_seat_of(model, line_up)],
        )
        for model in line_up.catalogue
        if (name := model_contributor(model.id, simulated=simulated)) in counted
    ]


def _in_the_seat_of(model: Model, line_up: LineUp) -> set[str]:
    """The ids of the model itself and, unless it is in the line-up, of the others that may hold its seat.

    A model that has left is compared with those that it would compete with today.
    """
    if model in line_up.models:
        return {model.id}
    return {other.id for seat in line_up.seats if model in seat.chain for other in seat.chain}


def _period(aggregates: Aggregates, rows: Sequence[_Row], first: str, now: float) -> _Period:
    rivals = {row.contributor: row.rivals for row in rows}
    outcomes, aside = outcomes_since(aggregates.outcomes, first, set(rivals))
    closed = {key: tally for key, tally in aggregates.outcomes.items() if key[0] < _first_open(now)}
    paid_wins: Counter[str] = Counter()
    for outcome, given in outcomes_since(closed, first, set(rivals))[0].items():
        paid_wins[outcome.result] += given.count
    return _Period(
        first,
        outcomes,
        paid_wins,
        aside,
        picked(outcomes, rivals, failures_lose=False),
        picked(outcomes, rivals, failures_lose=True),
    )


def _record(row: _Row, now: float) -> Record:
    first, last = _day(now, RECENT_DAYS), _day(now, LAST_DAYS)
    recent = row.history.between(first)
    days = recent.blind_by_day()
    age = (date.fromisoformat(day_of(now)) - date.fromisoformat(min(days))).days + 1 if days else RECENT_DAYS
    return Record(
        recent=recent.blind,
        lately=recent.between(last).blind,
        before=recent.between(first, last).blind,
        voters=row.history.voters,
        sayings=row.history.sayings,
        room=RECENT_DAYS / age,
    )


def _model(row: _Row, recent: _Period, all_time: _Period, ranked: Ranking, line_up: LineUp) -> ModelStats:
    standing = ranked.standings.get(row.contributor)
    by_day = row.history.between(recent.first).blind_by_day()
    return ModelStats(
        model=row.model.id,
        source=row.model.display_name,
        vendor=row.model.vendor,
        left_on=None if row.left_on is None else row.left_on.isoformat(),
        successor=row.model.successor,
        serves=row.serves,
        voters=row.history.voters,
        sayings=row.history.sayings,
        verdict=standing.verdict if standing else None,
        votes_needed=standing.votes_needed if standing else None,
        recent=_figures(row, recent),
        all_time=_figures(row, all_time),
        days=[DayStats(day, sample.votes, sample.upvotes) for day, sample in by_day.items()],
        marks=marks(row.model, row.history, line_up, first=recent.first),
    )


def _figures(row: _Row, period: _Period) -> Figures:
    history = row.history.between(period.first)
    return figures(
        row.contributor,
        history,
        period.outcomes,
        named=can_be_compared(history.blind.votes, row.history.voters, row.history.sayings),
        picked=period.picked,
        picked_of_asked=period.picked_of_asked,
        paid_wins=period.paid_wins[row.contributor],
    )


def _by_lower_end(model: ModelStats) -> tuple[bool, float]:
    return model.left_on is not None, -(model.recent.approval.low or 0.0)


def _headline(
    ranked: Ranking, recent: _Period, matrix: Mapping[str, Mapping[str, PairRecord]], models: Mapping[str, str]
) -> Headline:
    competing = [name for name in ranked.standings if name in recent.picked]
    preferred = (
        name
        for name in competing
        if all(matrix[name][rival].verdict == "ahead" for rival in competing if rival != name)
    )
    picked_leader = next(preferred, None) if len(competing) > 1 else None
    return Headline(
        leader=models[ranked.leader] if ranked.leader else None,
        decisive_votes=ranked.decisive_votes,
        picked_leader=models[picked_leader] if picked_leader else None,
        disagree=any(matrix[worse][better].verdict == "ahead" for better, worse in ranked.settled),
        fallen=models[ranked.fallen] if ranked.fallen else None,
    )


def _comparisons(period: _Period, rows: Sequence[_Row]) -> ComparisonCounts:
    models = {row.contributor: row.model.id for row in rows}
    matrix = _matrix(period.outcomes, list(models))
    tied = share_of(period.outcomes, lambda outcome: outcome.result == TIE)
    none = share_of(period.outcomes, lambda outcome: outcome.result == NONE)
    return ComparisonCounts(
        ballots=tied.votes,
        set_aside=period.aside,
        tied=share_interval(tied, named=tied.votes >= MIN_BALLOTS),
        none=share_interval(none, named=none.votes >= MIN_BALLOTS),
        matrix={models[name]: {models[rival]: record for rival, record in row.items()} for name, row in matrix.items()},
    )


def _matrix(outcomes: Outcomes, names: Sequence[str]) -> dict[str, dict[str, PairRecord]]:
    pairs = comb(len(names), 2)
    return {
        name: {rival: _pair_record(outcomes, name, rival, pairs) for rival in names if rival != name} for name in names
    }


def _pair_record(outcomes: Outcomes, name: str, rival: str, pairs: int) -> PairRecord:
    sample = pair(outcomes, name, rival)
    ties = share_of(outcomes, lambda outcome: outcome.result == TIE and {name, rival}.issubset(outcome.contributors))
    return PairRecord(
        wins=sample.upvotes,
        losses=sample.votes - sample.upvotes,
        ties=ties.upvotes,
        share=share_interval(sample, named=sample.votes >= MIN_BALLOTS),
        verdict=pair_verdict(sample, pairs),
    )


def _totals(aggregates: Aggregates, rows: Sequence[_Row], collection: History) -> Totals:
    every = [*(row.history for row in rows), collection]
    calls = [row.history.called() for row in rows]
    opened = counts_of(history.opened for history in every)
    return Totals(
        serves=sum(row.serves for row in rows) + aggregates.serves.get(COLLECTION, 0),
        votes=votes_of(total(history.blind for history in every)),
        named=votes_of(total(history.named for history in every)),
        open=VoteCounts(opened.votes, opened.upvotes),
        unverified=sum(history.unverified.votes for history in every),
        set_aside=sum(history.aside.votes for history in every),
        calls=sum(tally.calls for tally in calls),
        sayings=sum(tally.sayings for tally in calls),
        cost=sum(tally.cost_nanos for tally in calls) / NANOS_PER_DOLLAR,
        unpriced_calls=sum(tally.unpriced for tally in calls),
    )


def _hours(aggregates: Aggregates, names: set[str], now: float) -> list[HourStats]:
    hours = {hour_of(now - ago * 3600): (0, 0) for ago in reversed(range(_HOURS))}
    for (hour, name), tally in aggregates.hours.items():
        if name in names and hour in hours:
            serves, votes = hours[hour]
            hours[hour] = (serves + tally.serves, votes + tally.votes)
    return [HourStats(f"{hour}:00:00Z", serves, max(0, votes)) for hour, (serves, votes) in hours.items()]


def _services(aggregates: Aggregates, rows: Sequence[_Row]) -> list[ServiceStats]:
    models = {row.contributor: row.model.id for row in rows}
    found: dict[str, dict[str, Counts]] = {}
    for (service, name), counts in aggregates.services.items():
        if name in models and counts.votes:
            found.setdefault(service, {})[models[name]] = counts
    stats = [_service(service, by_model) for service, by_model in found.items()]
    return sorted(stats, key=lambda one: (-one.votes, one.service))


def _service(service: str, by_model: Mapping[str, Counts]) -> ServiceStats:
    models = [ServiceModelStats(model, counts.votes, _share(counts)) for model, counts in sorted(by_model.items())]
    whole = counts_of(by_model.values())
    return ServiceStats(service, whole.votes, _share(whole), models)


def _share(counts: Counts) -> float | None:
    return counts.upvotes / counts.votes if counts.votes >= MIN_VOTES else None


def _collection(aggregates: Aggregates, history: History) -> CollectionStats:
    sample = total([history.blind, history.named])
    return CollectionStats(
        aggregates.serves.get(COLLECTION, 0),
        votes_of(sample),
        share_interval(sample, named=sample.votes >= MIN_VOTES),
    )


def _analysis(stored: str | None, *, simulated: bool) -> Analysis | None:
    """The stored analysis, unless it is of other models or was written by a version with other fields."""
    try:
        analysis = None if stored is None else msgspec.json.decode(stored, type=Analysis)
    except msgspec.DecodeError:
        return None
    return analysis if analysis and analysis.simulated is simulated else None
