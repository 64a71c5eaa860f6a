"""Metrics, counted here and exported in batches: a point costs one dictionary look-up, against 20 µs in an SDK.

Histograms are OpenTelemetry's exponential ones at a fixed scale: their buckets grow by 2**(1/8), so that a percentile
read from them is off by 4.4 % at most. All metrics have delta temporality: each batch starts again from zero.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from telemetry import names
from telemetry.events import (
    BallotTaken,
    DependencyFailed,
    Event,
    ModelCalled,
    ModelConcerning,
    ModelLifeMeasured,
    PoolMeasured,
    RequestServed,
    RoundFinished,
    RoundsMeasured,
    SayingServed,
    SayingsRejected,
    SayingTakenDown,
    SpendMeasured,
    Unexpected,
    VoteTaken,
)

SCALE = 3
_LOG2 = math.log2
_PER_OCTAVE = 2**SCALE

# Times are added to a histogram in groups of this size; adding each one during its request takes three times as long.
TIMES_AT_ONCE = 256

# The error type of every unexpected exception: their classes are too many for a dimension.
DEFECT = "Unexpected"
# The error type of whatever needs a person about the models.
CONCERN = "ModelConcern"
# The error type of a saying that the reports of visitors have set aside, so that an operator has to look at it.
SET_ASIDE = "SayingSetAside"

Attributes = tuple[tuple[str, str], ...]
# The name of a metric and its attributes.
Series = tuple[str, Attributes]


@dataclass(slots=True)
class Histogram:
    """Counts by bucket: index i holds values in (2**(i/8), 2**((i+1)/8)]."""

    count: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = 0.0
    zeros: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def record(self, value: float) -> None:
        self.count += 1
        self.total += value
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        if value <= 0:
            self.zeros += 1
            return
        index = math.ceil(_LOG2(value) * _PER_OCTAVE) - 1
        self.buckets[index] = self.buckets.get(index, 0) + 1

    def add(self, other: "Histogram") -> None:
        """Add what another histogram has counted."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        self.zeros += other.zeros
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count

    def middle(self, index: int) -> float:
        """The geometric middle of a bucket, limited to the range measured, so that a single value stays exact."""
        middle: float = 2.0 ** ((index + 0.5) / _PER_OCTAVE)
        return min(max(middle, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Batch:
    """The counts between two times (nanoseconds since the epoch), by metric and attributes."""

    started_at: int
    ended_at: int
    histograms: Mapping[Series, Histogram]
    sums: Mapping[Series, float]
    gauges: Mapping[Series, float]


# The dimension sets that CloudWatch receives for a metric, beside the service's name. Each set makes a series, which is
# billed. Other metrics go to OpenTelemetry backends only. A test checks the collector's file against this table.
DIMENSIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    names.TOTAL_EXECUTION_TIME: ((), (names.OPERATION,)),
    names.API_LATENCY: ((names.PROVIDER, names.REQUEST_MODEL),),
    names.TOKENS_USED: ((names.PROVIDER, names.REQUEST_MODEL),),
    names.COST: ((names.PROVIDER, names.REQUEST_MODEL),),
    names.FEEDBACK: ((),),
    names.FALLBACKS: ((names.ORIGIN,),),
    names.ERRORS: ((names.ERROR_TYPE,), (names.REQUEST_MODEL, names.ERROR_TYPE)),
    names.POOL_SIZE: ((),),
    names.ROUNDS_OVERDUE: ((),),
    names.SAYINGS_REFUSED: ((),),
    names.ROUND_SAYINGS: ((),),
    names.SPEND_RESERVED: ((),),
    names.MODEL_DAYS_LEFT: ((),),
    names.TELEMETRY_DROPPED: ((),),
}

UNITS = {
    names.TOTAL_EXECUTION_TIME: "ms",
    names.API_LATENCY: "ms",
    names.GEN_AI_OPERATION_DURATION: "s",
    names.GEN_AI_TOKEN_USAGE: "{token}",
    names.COST: "USD",
    names.SPEND_RESERVED: "USD",
    names.MODEL_DAYS_LEFT: "d",
}


class Metrics:
    """A listener that counts events as metrics."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._started_at = clock()
        self._histograms: dict[Series, Histogram] = {}
        self._sums: dict[Series, float] = {}
        self._gauges: dict[Series, float] = {}
        self._requests: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._times: defaultdict[str, list[float]] = defaultdict(list)

    def emit(self, event: Event) -> None:
        # A look-up is faster than matching case by case, and this runs for every request.
        count = _COUNT.get(type(event))
        if count is not None:
            count(self, event)

    def take(self) -> Batch:
        """Return the counts since the last call."""
        started_at, self._started_at = self._started_at, self._clock()
        for operation in tuple(self._times):
            self._fold(operation)
        histograms = self._histograms | {
            (names.TOTAL_EXECUTION_TIME, ((names.OPERATION, operation),)): histogram
            for operation, histogram in self._requests.items()
        }
        batch = Batch(started_at, self._started_at, histograms, self._sums, self._gauges)
        self._histograms, self._sums, self._gauges = {}, {}, {}
        self._requests.clear()
        return batch

    def count_dropped(self, count: int) -> None:
        """Count traces that did not fit the queue or were not accepted."""
        self._add(names.TELEMETRY_DROPPED, ((names.SIGNAL, "traces"),), count)

    def _saying(self, event: SayingServed) -> None:
        if event.degraded is not None:
            self._add(names.FALLBACKS, ((names.ORIGIN, event.origin), (names.ERROR_TYPE, event.degraded)))

    def _request(self, event: RequestServed) -> None:
        times = self._times[event.operation]
        times.append(event.total_ms)
        if len(times) == TIMES_AT_ONCE:
            self._fold(event.operation)
        if event.error_code:
            self._add(names.ERRORS, ((names.OPERATION, event.operation), (names.ERROR_TYPE, event.error_code)))

    def _fold(self, operation: str) -> None:
        """Add the collected times of an operation to its histogram."""
        record = self._requests[operation].record
        for time_ms in self._times.pop(operation):
            record(time_ms)

    def _model_call(self, event: ModelCalled) -> None:
        model = ((names.PROVIDER, event.vendor), (names.REQUEST_MODEL, event.model))
        chat = ((names.GEN_AI_OPERATION, names.CHAT), *model)
        self._record(names.API_LATENCY, model, event.api_time_ms)
        # Vendors bill refusals too, so that they count here. TokensUsed and Cost cover useful calls only.
        for kind, count in (("input", event.input_tokens), ("output", event.output_tokens)):
            if count is not None:
                self._record(names.GEN_AI_TOKEN_USAGE, (*chat, (names.TOKEN_TYPE, kind)), count)
        if event.error_type:
            failed = ((names.ERROR_TYPE, event.error_type),)
            self._record(names.GEN_AI_OPERATION_DURATION, (*chat, *failed), event.api_time_ms / 1000)
            self._add(names.ERRORS, (*model, *failed))
            return
        self._record(names.GEN_AI_OPERATION_DURATION, chat, event.api_time_ms / 1000)
        self._add(names.TOKENS_USED, model, (event.input_tokens or 0) + (event.output_tokens or 0))
        if event.cost_nanos is not None:
            self._add(names.COST, model, event.cost_nanos / 1e9)

    def _vote(self, event: VoteTaken) -> None:
        self._add(names.FEEDBACK, ((names.OPERATION, event.feedback_type or "WITHDRAWN"),))

    def _ballot(self, _: BallotTaken) -> None:
        self._add(names.FEEDBACK, ((names.OPERATION, "COMPARISON"),))

    def _round(self, event: RoundFinished) -> None:
        for report in event.models:
            self._add(names.ROUND_SAYINGS, ((names.REQUEST_MODEL, report.model),), report.sayings)

    def _rejected(self, event: SayingsRejected) -> None:
        for problem in event.problems:
            self._add(names.SAYINGS_REFUSED, ((names.REQUEST_MODEL, event.model), (names.ERROR_TYPE, problem)))

    def _failure(self, event: DependencyFailed) -> None:
        self._add(names.ERRORS, ((names.OPERATION, event.dependency), (names.ERROR_TYPE, event.error_type)))

    def _defect(self, event: Unexpected) -> None:
        """Count a defect, also outside of any request."""
        self._add(names.ERRORS, ((names.OPERATION, event.operation), (names.ERROR_TYPE, DEFECT)))

    def _pool(self, event: PoolMeasured) -> None:
        self._gauges[names.POOL_SIZE, ((names.REQUEST_MODEL, event.model),)] = event.size

    def _rounds(self, event: RoundsMeasured) -> None:
        self._gauges[names.ROUNDS_OVERDUE, ()] = int(event.overdue)

    def _spend(self, event: SpendMeasured) -> None:
        self._gauges[names.SPEND_RESERVED, ()] = event.today_usd

    def _life(self, event: ModelLifeMeasured) -> None:
        self._gauges[names.MODEL_DAYS_LEFT, ((names.REQUEST_MODEL, event.model),)] = event.days_left

    def _concern(self, event: ModelConcerning) -> None:
        self._add(names.ERRORS, ((names.OPERATION, "models"), (names.ERROR_TYPE, CONCERN)))

    def _takedown(self, event: SayingTakenDown) -> None:
        if event.withdrawn_by == "visitors":
            self._add(names.ERRORS, ((names.OPERATION, "reports"), (names.ERROR_TYPE, SET_ASIDE)))

    def _record(self, name: str, attributes: Attributes, value: float) -> None:
        self._histograms.setdefault((name, attributes), Histogram()).record(value)

    def _add(self, name: str, attributes: Attributes, value: float = 1) -> None:
        key = (name, attributes)
        self._sums[key] = self._sums.get(key, 0) + value


# Events without an entry are not counted.
_COUNT: dict[type[Event], Callable[[Metrics, Any], None]] = {
    RequestServed: Metrics._request,
    SayingServed: Metrics._saying,
    ModelCalled: Metrics._model_call,
    VoteTaken: Metrics._vote,
    BallotTaken: Metrics._ballot,
    RoundFinished: Metrics._round,
    SayingsRejected: Metrics._rejected,
    DependencyFailed: Metrics._failure,
    Unexpected: Metrics._defect,
    PoolMeasured: Metrics._pool,
    RoundsMeasured: Metrics._rounds,
    SpendMeasured: Metrics._spend,
    ModelLifeMeasured: Metrics._life,
    ModelConcerning: Metrics._concern,
    SayingTakenDown: Metrics._takedown,
}
