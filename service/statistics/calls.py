"""What the calls of a model say: how many were answered, how fast, at what cost, and what was refused."""

from collections.abc import Collection, Iterator, Mapping

from service.catalogue.models import NANOS_PER_DOLLAR
from service.domain import CallKind, CallShape
from service.statistics.history import History, answers
from service.statistics.intervals import interval_by_day
from service.statistics.schemas import (
    Answered,
    Cost,
    Interval,
    Latencies,
    Latency,
    LatencyBucket,
    Refused,
    Tokens,
)
from service.store.base import CallTally
from service.store.latency_buckets import bounds, percentile

# The kinds of calls that write the sayings people are served.
_SERVED = (CallKind.ROUND, CallKind.LIVE)


def answered(history: History, kinds: Collection[CallKind] = tuple(CallKind)) -> Answered:
    calls = history.called(kinds)
    return Answered(
        asked=calls.calls,
        answered=answers(calls),
        failed=dict(sorted(calls.failed.items())),
        share=interval_by_day(answers(calls), calls.calls, history.answered_by_day(kinds)),
    )


def refused(history: History) -> Refused:
    calls = history.called()
    count = sum(calls.rejected.values())
    written = calls.sayings + count
    return Refused(count, count / written if written else None, dict(sorted(calls.rejected.items())))


def latencies(history: History) -> Latencies:
    return Latencies(
        single=_latency(history.called(shapes=[CallShape.SINGLE])),
        round=_latency(history.called(shapes=[CallShape.ROUND])),
    )


def tokens(history: History) -> Tokens:
    calls = history.called()
    return Tokens(calls.input_tokens, calls.output_tokens)


def cost(history: History, approval: Interval, paid_wins: int) -> Cost:
    every, served, compared = history.called(), history.called(_SERVED), history.called([CallKind.COMPARE])
    price = _per(served, served.sayings)
    return Cost(
        total=None if every.unpriced and not every.cost_nanos else every.cost_nanos / NANOS_PER_DOLLAR,
        per1000=None if price is None else 1000 * price,
        per_net_upvote=_per_net_upvote(price, approval),
        per_blind_win=_per(compared, paid_wins),
    )


def _latency(calls: CallTally) -> Latency:
    failed = sum(calls.failed.values())
    p50, p90, p99 = (percentile(calls.latencies, share, later=failed) for share in (0.50, 0.90, 0.99))
    return Latency(calls.calls, answers(calls), p50, p90, p99, list(_buckets(calls.latencies)))


def _buckets(counts: Mapping[int, int]) -> Iterator[LatencyBucket]:
    for index, count in sorted(counts.items()):
        yield LatencyBucket(*bounds(index), count)


def _per(calls: CallTally, count: int) -> float | None:
    """The cost of the calls in US dollars for each of so many, or None without any, or if some calls have no price.

    A ratio of the cost of only some calls would be wrong, not just too low.
    """
    return calls.cost_nanos / count / NANOS_PER_DOLLAR if count and calls.calls and not calls.unpriced else None


def _per_net_upvote(price: float | None, approval: Interval) -> Interval:
    """The price of a saying for each upvote more than downvotes, if every saying gets one vote.

    The price is known exactly, so that the interval comes from that of the approval. The value is None when upvotes do
    not outnumber downvotes, and an end is None when they may not do so there. Nothing is known below MIN_VOTES.
    """
    ends = (approval.value, approval.high, approval.low)
    if price is None or approval.value is None:
        return Interval(None, None, None)
    return Interval(*(price / (2 * end - 1) if end is not None and end > 0.5 else None for end in ends))
