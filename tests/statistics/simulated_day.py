"""A day whose truth is known, played through the real store, and what GET /stats says of it beside the truth.

`python -m tests.statistics.simulated_day` plays 20,000 votes and 4,000 ballots and prints the two as a table.
"""

import asyncio
import math
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

from rich.console import Console
from rich.table import Table

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import (
    NONE,
    SLOTS,
    TIE,
    Ballot,
    Call,
    CallKind,
    Comparison,
    Entry,
    FeedbackType,
    Generation,
    Saying,
    Usage,
    Vote,
    burst_of,
    model_source,
    saying_id,
)
from service.statistics.report import first_hour, report
from service.statistics.schemas import Interval, Latency, ModelStats, StatsAnswer
from service.store.base import Store
from service.store.sqlite import SqliteStore
from tests.fakes import the_catalogue
from tests.statistics.truths import NONES, TIES, choices_with_failed_slots, luce, slots_that_failed, true_strengths

BURST_LIMIT = 100
SERVICES = ("Amazon S3", "AWS Lambda", "Amazon SQS", "Amazon DynamoDB", "Amazon EC2", "AWS Step Functions")
SAYINGS = 60
VOTES_PER_VOTER = 20  # on as many sayings
BALLOTS_PER_COMPARISON = 8
HOURS = 23.0


@dataclass(frozen=True, slots=True)
class Truth:
    """A model as it really is; its latencies are log-normal: median and standard deviation of the logarithm."""

    approval: float
    appeal: float
    median_ms: float
    spread: float

    def latency(self, share: float) -> float:
        """The percentile of calls that write one saying."""
        return self.median_ms * math.exp(self.spread * NormalDist().inv_cdf(share))


TRUTHS = {
    "claude-haiku-4-5": Truth(0.62, 1.2, 900.0, 0.35),
    "claude-sonnet-4-5": Truth(0.71, 1.6, 1_900.0, 0.30),
    "gpt-4.1": Truth(0.66, 0.9, 1_500.0, 0.50),
    "gpt-4.1-mini": Truth(0.55, 0.6, 700.0, 0.45),
}
STRENGTHS = true_strengths(choices_with_failed_slots({model: truth.appeal for model, truth in TRUTHS.items()}))


class Day:
    """Plays votes, ballots and calls of the hours before `now`; the same seed gives the same day.

    With `fuss` people repeat votes, change their minds and take votes back, which leaves the same opinions in the end.
    """

    def __init__(self, store: Store, *, now: float, seed: int = 0, fuss: bool = True) -> None:
        self._store = store
        self._now = now
        self._chance = random.Random(seed)
        self._whims = random.Random(seed + 1)
        self._fuss = fuss
        self._catalogue = the_catalogue()
        self._sayings: dict[str, list[Saying]] = {}
        self.cost_nanos = dict.fromkeys(TRUTHS, 0)

    async def write(self, *, singles: int) -> None:
        """Every model writes its sayings in rounds of three, and so many more one by one, which nobody votes on."""
        for model in TRUTHS:
            rounds = [self._generation(model, CallKind.ROUND, f"round {number}") for number in range(SAYINGS // 3)]
            self._sayings[model] = [self._saying(made, number) for made in rounds for number in range(3)]
            await self._store.put_sayings(self._sayings[model])
            for made in rounds:
                await self._store.record_call(Call(made, asked=3, sayings=3))
            for number in range(singles):
                made = self._generation(model, CallKind.LIVE, f"single {number}")
                await self._store.record_call(Call(made, asked=1, sayings=1))

    async def vote(self, votes: int) -> None:
        """The models are voted on equally often, by voters with an address each."""
        for number in range(votes):
            model = list(TRUTHS)[number % len(TRUTHS)]
            saying = self._sayings[model][number // len(TRUTHS) % SAYINGS]
            voter = f"voter {number // VOTES_PER_VOTER}"
            positive = self._chance.random() < TRUTHS[model].approval
            moment = self._moment()
            feedback = FeedbackType.POSITIVE if positive else FeedbackType.NEGATIVE
            for vote in self._history(Vote(saying.saying_id, voter, feedback, moment, burst_of(voter, moment))):
                await self._store.vote(vote)
            if self._fuss and self._whims.random() < 0.05:
                await self._change_ones_mind(saying, f"fickle {number}", moment)

    async def burst(self, votes: int) -> None:
        """Many voters at one address like the worst model, all within an hour."""
        worst = min(TRUTHS, key=lambda model: TRUTHS[model].approval)
        moment = self._now - 7_200
        for number in range(votes):
            saying = self._sayings[worst][number % SAYINGS]
            vote = Vote(saying.saying_id, f"fan {number}", FeedbackType.POSITIVE, moment, burst_of("a club", moment))
            await self._store.vote(vote)

    async def compare(self, ballots: int) -> None:
        """Each comparison is shown to several voters, some of them without a model that failed."""
        shown = slots_that_failed(tuple(TRUTHS))
        for number in range(ballots // BALLOTS_PER_COMPARISON):
            (names,) = self._chance.choices(list(shown), list(shown.values()))
            comparison = self._comparison(f"comparison {number}", names)
            for judge in range(BALLOTS_PER_COMPARISON):
                ballot = Ballot(comparison.comparison_id, f"judge {number} {judge}", comparison.created_at)
                show = self._store.show_comparison(ballot) if judge else self._store.put_comparison(comparison, ballot)
                await show
                await self._judge(comparison, ballot)

    async def report(self) -> StatsAnswer:
        return report(
            await self._store.aggregates(since_hour=first_hour(self._now)),
            self._catalogue,
            self._catalogue,
            simulated=False,
            now=self._now,
            burst_limit=BURST_LIMIT,
        )

    def _moment(self) -> float:
        return self._now - self._chance.uniform(0, HOURS * 3_600)

    def _history(self, vote: Vote) -> Iterator[Vote]:
        """A vote, now and then after its opposite, or twice."""
        whim = self._whims.random() if self._fuss else 1.0
        if whim < 0.1:
            yield replace(vote, feedback_type=_opposite(vote.feedback_type))
        elif whim < 0.3:
            yield vote
        yield vote

    async def _change_ones_mind(self, saying: Saying, voter: str, moment: float) -> None:
        vote = Vote(saying.saying_id, voter, FeedbackType.POSITIVE, moment, burst_of(voter, moment))
        await self._store.vote(vote)
        await self._store.withdraw_vote(saying.saying_id, voter)

    async def _judge(self, comparison: Comparison, ballot: Ballot) -> None:
        slots = {entry.model: entry.slot for entry in comparison.entries if entry.saying is not None}
        appeal = {model: truth.appeal for model, truth in TRUTHS.items()}
        shares = luce(tuple(slots), appeal, ties=TIES, nones=NONES)
        (outcome,) = self._chance.choices(list(shares), list(shares.values()))
        cast = replace(ballot, winner=slots.get(outcome.result, outcome.result), cast_at=self._moment())
        if self._fuss and self._whims.random() < 0.1:
            await self._store.cast_ballot(comparison, replace(cast, winner=self._whims.choice([TIE, NONE])))
        await self._store.cast_ballot(comparison, cast)

    def _comparison(self, name: str, names: tuple[str, ...]) -> Comparison:
        order = self._chance.sample(list(TRUTHS), len(TRUTHS))
        entries = tuple(
            self._entry(name, slot, model, model in names) for slot, model in zip(SLOTS, order, strict=True)
        )
        return Comparison(name, self._chance.choice(SERVICES), False, self._now - HOURS * 3_600, entries)

    def _entry(self, comparison: str, slot: str, model: str, succeeded: bool) -> Entry:
        source = model_source(self._catalogue[model].display_name, simulated=False)
        if not succeeded:
            return Entry(slot, model, source, None, "timeout", None, None)
        return Entry(slot, model, source, f"{model} in {comparison}", None, 900.0, None)

    def _saying(self, made: Generation, number: int) -> Saying:
        text = f"What {made.model} says {number} in {made.generation_id}"
        source = model_source(self._catalogue[made.model].display_name, simulated=False)
        return Saying(saying_id(text), text, (self._chance.choice(SERVICES),), source, made)

    def _generation(self, model: str, kind: CallKind, name: str) -> Generation:
        entry, truth = self._catalogue[model], TRUTHS[model]
        slower = 2.0 if kind is CallKind.ROUND else 1.0
        usage = Usage(self._chance.randint(180, 240), self._chance.randint(40, 90))
        cost = entry.price.cost_nanos(usage) if entry.price else None
        self.cost_nanos[model] += cost or 0
        return Generation(
            generation_id=f"{name} of {model}",
            model=model,
            vendor=entry.vendor,
            kind=kind,
            simulated=False,
            prompt_version="test",
            latency_ms=slower * self._chance.lognormvariate(math.log(truth.median_ms), truth.spread),
            usage=usage,
            cost_nanos=cost,
            created_at=self._moment(),
        )


def _opposite(feedback: FeedbackType) -> FeedbackType:
    return FeedbackType.NEGATIVE if feedback is FeedbackType.POSITIVE else FeedbackType.POSITIVE


@dataclass(frozen=True, slots=True)
class Figure:
    """What is said of something, beside its truth."""

    model: str
    name: str
    truth: float
    said: Interval

    @property
    def is_covered(self) -> bool:
        return (self.said.low or 0.0) <= self.truth <= (math.inf if self.said.high is None else self.said.high)


def figures(day: Day, answer: StatsAnswer) -> Iterator[Figure]:
    """Approval, strength and cost per net upvote with their intervals."""
    for one in answer.models:
        truth = TRUTHS[one.model]
        net = one.votes * (2 * truth.approval - 1)
        per_net_upvote = day.cost_nanos[one.model] / net / NANOS_PER_DOLLAR
        interval = one.cost_per_net_upvote_interval
        yield Figure(one.model, "approval", truth.approval, one.approval)
        yield Figure(one.model, "strength", STRENGTHS[one.model], one.strength)
        yield Figure(
            one.model,
            "$ per net upvote",
            per_net_upvote,
            Interval(one.cost_per_net_upvote, interval.low, interval.high),
        )


def percentiles(one: ModelStats) -> Iterator[tuple[str, float, float]]:
    """Name, truth and what is said, of calls that wrote one saying: milliseconds."""
    said: Latency = one.latency.single
    for share, value in ((0.5, said.p50), (0.9, said.p90), (0.99, said.p99)):
        assert value is not None
        yield f"p{share * 100:.0f} ms", TRUTHS[one.model].latency(share), value


async def played(
    store: Store, *, votes: int, ballots: int, singles: int, burst: int, now: float, fuss: bool = True, seed: int = 0
) -> Day:
    """A whole day."""
    day = Day(store, now=now, seed=seed, fuss=fuss)
    await day.write(singles=singles)
    await day.vote(votes)
    await day.burst(burst)
    await day.compare(ballots)
    return day


def table(day: Day, answer: StatsAnswer) -> Table:
    rows = Table("model", "figure", "truth", "said", "95 % interval", "covered")
    for figure in figures(day, answer):
        low, high = figure.said.low, figure.said.high
        interval = f"{low or 0:.4g} to {'unbounded' if high is None else f'{high:.4g}'}"
        covered = "yes" if figure.is_covered else "no"
        rows.add_row(figure.model, figure.name, f"{figure.truth:.4g}", f"{figure.said.value:.4g}", interval, covered)
    for one in answer.models:
        for name, truth, said in percentiles(one):
            rows.add_row(one.model, name, f"{truth:.0f}", f"{said:.0f}")
        rows.add_row(one.model, "cost $", f"{day.cost_nanos[one.model] / NANOS_PER_DOLLAR:.9f}", f"{one.cost:.9f}")
        rows.add_row(one.model, "verdict", "", one.verdict, f"votes needed: {one.votes_needed}")
    return rows


async def main() -> None:
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "day.db", burst_limit=BURST_LIMIT)
        day = await played(store, votes=20_000, ballots=4_000, singles=500, burst=400, now=time.time())
        answer = await day.report()
        await store.close()
    console.print(table(day, answer))
    totals, comparisons = answer.totals, answer.comparisons
    console.print(f"votes: {totals.raw.votes} cast, {totals.filtered.votes} without bursts of over {BURST_LIMIT}")
    console.print(f"ballots: {comparisons.count}, {comparisons.ties} ties, {comparisons.none} for none")
    console.print("votes by hour:", *(hour.votes for hour in answer.hours))


if __name__ == "__main__":
    asyncio.run(main())
