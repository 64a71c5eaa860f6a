"""The body of GET /stats. Money is in US dollars, durations are in milliseconds, times are ISO 8601 in UTC."""

from typing import Literal

import msgspec

from service.domain import CallKind


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all parts of the body."""


Verdict = Literal["too few votes", "too close to call", "within 3 points", "leads", "trails"]
PairVerdict = Literal["ahead", "behind"]


class Interval(Message, frozen=True):
    """An estimate with its 95 % interval.

    `value` is null if there are too few data for an estimate. An end that is null has no bound; if both are null,
    nothing is known.
    """

    value: float | None
    low: float | None
    high: float | None


class VoteCounts(Message, frozen=True):
    votes: int
    upvotes: int


class Answered(Message, frozen=True):
    """What came of the calls of a model: an answer, or a failure by its reason.

    `share` is the share of answers. Its interval allows for failures that come together, on the same days.
    """

    asked: int
    answered: int
    failed: dict[str, int]
    share: Interval


class Refused(Message, frozen=True):
    """What a model wrote and the service did not show, by reason. An answer that could not be read counts once.

    `share` is of all that was written, and null when nothing was.
    """

    count: int
    share: float | None
    reasons: dict[str, int]


class LatencyBucket(Message, frozen=True):
    """Calls that took longer than `low` and at most `high`."""

    low: float
    high: float
    count: int


class Latency(Message, frozen=True):
    """How long the calls took, failed calls counting as infinitely late.

    A percentile is null when it falls among the failed calls, or when there were no calls; otherwise it is exact to
    within `relativeError`. The histogram has the answered calls.
    """

    asked: int
    answered: int
    p50: float | None
    p90: float | None
    p99: float | None
    histogram: list[LatencyBucket]


class Latencies(Message, frozen=True):
    """The latency of calls for one saying and of calls for several, kept apart because the latter take longer."""

    single: Latency
    round: Latency


class Tokens(Message, frozen=True):
    input: int
    output: int


class Cost(Message, frozen=True):
    """The cost of a model's calls.

    `total` is of all calls. `per1000` is the cost of a thousand sayings fit to be shown, by rounds and live calls.
    `perNetUpvote` is the cost of a net upvote (an upvote more than downvotes) if every saying gets one vote; it has no
    upper bound where upvotes may not outnumber downvotes. `perBlindWin` is the cost of the calls for comparisons, for
    each comparison that the model has won.
    """

    total: float | None
    per1000: float | None
    per_net_upvote: Interval
    per_blind_win: float | None


class Figures(Message, frozen=True):
    """The figures of one model over a period.

    `votes` are those that count in the comparison: the first opinions of voters who did not see the author. `named` are
    those who did see it, because the lot decided so, and `open` those to whom it was shown without a lot. `unverified`
    and `setAside` are the numbers of votes that do not count.

    `approval` is the share of upvotes among `votes`. Its interval allows for tastes of voters and for differences
    between sayings, and `designEffect` is how much that adds to the variance of independent votes. `brandEffect` is
    the approval of `named` minus that of `votes`.

    `picked` is how often the model is picked as the best of a line-up, among the ballots that pick one, by Luce's
    choice model. `pickedOfAsked` is the same, where a model that was asked and had no saying to show has lost.
    `ballots` are those in which it was shown and one of the models was picked, and `wins` those that picked it.
    """

    votes: VoteCounts
    named: VoteCounts
    open: VoteCounts
    unverified: int
    set_aside: int
    approval: Interval
    design_effect: float | None
    brand_effect: Interval
    ballots: int
    wins: int
    picked: Interval
    picked_of_asked: Interval
    answered: Answered
    answered_by_kind: dict[CallKind, Answered]
    refused: Refused
    latency: Latencies
    tokens: Tokens
    cost: Cost


class DayStats(Message, frozen=True):
    """The votes of one day, of those that count in the comparison."""

    day: str
    votes: int
    upvotes: int


class Mark(Message, frozen=True):
    """A day on which something about a model changed: its prompt, its dated snapshot, or that it left the line-up.

    `value` is the new prompt version or snapshot, or the model that follows, if any.
    """

    day: str
    change: Literal["prompt", "snapshot", "left"]
    value: str | None


class ModelStats(Message, frozen=True):
    """One model. `recent` covers the last `recentDays` days, on which the verdict rests.

    `voters` and `sayings` are the numbers, of all time, of voters and of the model's sayings with a vote that counts. A
    model is compared from 30 of each on. `votesNeeded` is how many more votes, on this model and on the one it is
    measured against, would settle what the verdict leaves open: 0 when it leaves nothing open, null when none would, or
    when that cannot be said with some certainty. `days` and `marks` cover the last `recentDays` days.

    A model that has retired, or that its vendor no longer has, keeps its row: `leftOn` is the day on which it left, and
    `successor` the model that followed. No verdict ranks it, so that `verdict` is null.
    """

    model: str
    source: str
    vendor: str
    left_on: str | None
    successor: str | None
    serves: int
    voters: int
    sayings: int
    verdict: Verdict | None
    votes_needed: int | None
    recent: Figures
    all_time: Figures
    days: list[DayStats]
    marks: list[Mark]


class PairRecord(Message, frozen=True):
    """How one model did against another, in the comparisons that showed a saying of both.

    `wins` picked the model and `losses` the other; `ties` found all equally good. `share` is that of the wins among
    wins and losses. `verdict` says that the model is ahead or behind, allowing for the number of pairs, and is null
    where that is open.
    """

    wins: int
    losses: int
    ties: int
    share: Interval
    verdict: PairVerdict | None


class ComparisonCounts(Message, frozen=True):
    """The first ballots on blind comparisons over a period. `setAside` is the number of those that do not count.

    `tied` and `none` are the shares of ballots that found all equally good, or none good. The matrix has a row for each
    model.
    """

    ballots: int
    set_aside: int
    tied: Interval
    none: Interval
    matrix: dict[str, dict[str, PairRecord]]


class ComparisonStats(Message, frozen=True):
    """The blind comparisons: those of the last `recentDays` days, and all of them."""

    recent: ComparisonCounts
    all_time: ComparisonCounts


class Headline(Message, frozen=True):
    """What can be said of the last `recentDays` days.

    `leader` is the model that is approved of more than every other, and `decisiveVotes` the smallest number of its and
    another's votes that would put that other first, if their opinion were the opposite. `pickedLeader` is the model
    that ballots prefer to every other. `disagree` is true if votes prefer one of two models and ballots the other.
    `fallen` is the model that would lead if it were not behind another in the last seven days. Each is null where there
    is none.
    """

    leader: str | None
    decisive_votes: int | None
    picked_leader: str | None
    disagree: bool
    fallen: str | None


class Totals(Message, frozen=True):
    """Sums of all time over all models and the collection. Calls, sayings and cost are those of the models only."""

    serves: int
    votes: VoteCounts
    named: VoteCounts
    open: VoteCounts
    unverified: int
    set_aside: int
    calls: int
    sayings: int
    cost: float
    unpriced_calls: int


class HourStats(Message, frozen=True):
    """The sayings served and the votes first cast in an hour, which is given by its start."""

    hour: str
    serves: int
    votes: int


class ServiceModelStats(Message, frozen=True):
    """The votes on one model's sayings about one AWS service, of those that count in the comparison."""

    model: str
    votes: int
    approval: float | None


class ServiceStats(Message, frozen=True):
    """The votes on the models' sayings about one AWS service, of those that count in the comparison.

    `approval` is null if there are too few. It has no interval, because it rests on few sayings. `models` has the same
    for each model with votes.
    """

    service: str
    votes: int
    approval: float | None
    models: list[ServiceModelStats]


class CollectionStats(Message, frozen=True):
    """The hand-written sayings. They are shown for reference and take no part in the comparison."""

    serves: int
    votes: VoteCounts
    approval: Interval


class AnalysedModel(Message, frozen=True):
    """How often a model is picked as the best, if all the models analysed are shown together.

    `picked` is what the ballots say as they are. `adjusted` is the same if all sayings had the same length, took
    equally long, and were in the same slot.
    """

    model: str
    picked: Interval
    adjusted: Interval


class Analysis(Message, frozen=True):
    """What makes people pick a saying, from the first ballots of all time, by a conditional logit.

    `ballots` picked one of the `models`; `voters` cast them, on so many `comparisons`. The other figures are factors
    of the odds of being picked: `length` is that of a saying longer by `lengthDeviation` characters, which is one
    standard deviation, `arrival` that of an answer later by one standard deviation of the logarithm of the latency,
    and `slots` those of the slots against the first one. All answers are shown at once, so that `arrival` should be 1.
    """

    generated_at: str
    simulated: bool
    ballots: int
    voters: int
    comparisons: int
    models: list[AnalysedModel]
    length: Interval
    length_deviation: float
    arrival: Interval
    slots: dict[str, Interval]


class StatsAnswer(Message, frozen=True):
    """The comparison of the models.

    `models` is in the order of the lower ends of their intervals of approval, so that few votes put none first; those
    that left come last. `stale` is true if the store could not be read and these are earlier figures. `analysis` is
    the last result of `python -m service analyse` on these models, or null if there is none.

    Calls for comparisons of today and yesterday are left out, because what they took would tell who wrote what in those
    that can still be voted on.
    """

    generated_at: str
    stale: bool
    simulated: bool
    confidence: float
    relative_error: float
    recent_days: int
    headline: Headline
    models: list[ModelStats]
    comparisons: ComparisonStats
    totals: Totals
    hours: list[HourStats]
    services: list[ServiceStats]
    collection: CollectionStats
    analysis: Analysis | None
