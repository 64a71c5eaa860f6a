"""The body of GET /stats. Money is in US dollars, durations are in milliseconds, times are ISO 8601 in UTC."""

from typing import Literal

import msgspec


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all parts of the body."""


Verdict = Literal["too few votes", "too close to call", "leads", "trails"]


class Interval(Message, frozen=True):
    """An estimate with its 95 % interval. `value` is null if there are too few data for an estimate."""

    value: float | None
    low: float | None
    high: float | None


class Range(Message, frozen=True):
    """A 95 % interval without an estimate. An end that is null has no bound; if both are null, nothing is known."""

    low: float | None
    high: float | None


class VoteCounts(Message, frozen=True):
    votes: int
    upvotes: int
    downvotes: int


class Totals(Message, frozen=True):
    """Sums over all models and the collection. Calls, sayings and cost are those of the models only.

    `raw` counts every vote. `filtered` leaves out bursts, which are more than `burstVotes` votes from one address in an
    hour.
    """

    serves: int
    raw: VoteCounts
    filtered: VoteCounts
    burst_votes: int
    calls: int
    sayings: int
    cost: float
    unpriced_calls: int


class HourStats(Message, frozen=True):
    """The sayings served and the votes first cast in an hour, which is given by its start."""

    hour: str
    serves: int
    votes: int


class ServiceStats(Message, frozen=True):
    """The votes on the models' sayings about one AWS service, including bursts."""

    service: str
    votes: int
    approval: Interval


class Latency(Message, frozen=True):
    """The latency of successful calls in milliseconds. Percentiles are exact to within `relativeError`."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    histogram: list["LatencyBucket"]


class LatencyBucket(Message, frozen=True):
    """Calls that took longer than `low` and at most `high`."""

    low: float
    high: float
    count: int


class Latencies(Message, frozen=True):
    """The latency of calls for one saying and of calls for several, kept apart because the latter take longer."""

    single: Latency
    round: Latency


class Tokens(Message, frozen=True):
    input: int
    output: int


class Refused(Message, frozen=True):
    """What a model wrote and the service did not show, by reason. An answer that could not be read counts once.

    `share` is of all that was written, and null when nothing was.
    """

    count: int
    share: float | None
    reasons: dict[str, int]


class PairRecord(Message, frozen=True):
    """How often one model was preferred to another, in comparisons in which both had a saying."""

    wins: int
    losses: int
    ties: int


class ComparisonCounts(Message, frozen=True):
    """The votes on blind comparisons. Only `raw` includes bursts. The matrix has a row for each model."""

    count: int
    raw: int
    ties: int
    none: int
    matrix: dict[str, dict[str, PairRecord]]


class ModelStats(Message, frozen=True):
    """One model, or the collection without what only models have.

    `votes` and what follows from them leave bursts out, `raw` does not. `cost` is of every call that was billed,
    `costPer1000` per thousand sayings fit to be shown, `costPerNetUpvote` per upvote more than downvotes. `strength`
    is Bradley-Terry's, 1 being the average. `votesNeeded` is how many more votes, on this model and on the one it is
    measured against, would settle what the verdict leaves open: 0 when it leaves nothing open, null when none would.

    A model that has retired, or that its vendor no longer has, keeps its row: `leftOn` is the day on which it left, and
    `successor` the model that followed. No verdict ranks it, so that `verdict` is null.
    """

    model: str
    source: str
    vendor: str
    left_on: str | None
    successor: str | None
    serves: int
    votes: int
    upvotes: int
    downvotes: int
    raw: VoteCounts
    approval: Interval
    latency: Latencies
    tokens: Tokens
    refused: Refused
    cost: float | None
    cost_per1000: float | None
    cost_per_net_upvote: float | None
    cost_per_net_upvote_interval: Range
    strength: Interval
    verdict: Verdict | None
    votes_needed: int | None


class CollectionStats(Message, frozen=True):
    """The hand-written sayings. They are shown for reference and take no part in the comparison."""

    serves: int
    votes: int
    upvotes: int
    downvotes: int
    approval: Interval


class StatsAnswer(Message, frozen=True):
    """The comparison of the models. `stale` is true if the store could not be read and these are earlier figures."""

    generated_at: str
    stale: bool
    simulated: bool
    confidence: float
    relative_error: float
    totals: Totals
    hours: list[HourStats]
    services: list[ServiceStats]
    comparisons: ComparisonCounts
    models: list[ModelStats]
    collection: CollectionStats
