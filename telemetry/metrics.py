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
    ModelMeasured,
    PoolMeasured,
    RequestServed,
    RoundFailed,
    RoundFinished,
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
# The error type of a round that could not begin or was cut off, whatever the cause.
ROUND_FAILED = "RoundFailed"
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


_MODEL_CALL = (names.PROVIDER, names.REQUEST_MODEL, names.SIMULATED)
# The dimension sets that CloudWatch receives for a metric, beside the service's name. Each set makes a series, which is
# billed, so that each has a reader: an alarm, the dashboard or the runbook. Other metrics go to OpenTelemetry backends
# only. A test checks the collector's file against this table.
DIMENSIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    names.TOTAL_EXECUTION_TIME: ((), (names.OPERATION,), (names.ORIGIN,)),
    names.API_LATENCY: (_MODEL_CALL,),
    names.TOKENS_USED: (_MODEL_CALL,),
    names.COST: (_MODEL_CALL,),
    names.FEEDBACK: ((),),
    names.FALLBACKS: ((names.ORIGIN,),),
    names.ERRORS: ((names.ERROR_TYPE,), (names.REQUEST_MODEL, names.ERROR_TYPE, names.SIMULATED)),
    names.POOL_SIZE: ((),),
    names.MODELS_FAILING: ((), (names.REQUEST_MODEL,)),
    names.SAYINGS_REFUSED: ((),),
    names.ROUND_SAYINGS: ((),),
    names.SPEND_RESERVED: ((),),
    names.MODEL_DAYS_LEFT: ((),),
    names.TELEMETRY_DROPPED: ((),),
}

# By UCUM. What is counted stands in braces, because Prometheus makes `_ratio` of a gauge whose unit is 1.
UNITS = {
    names.TOTAL_EXECUTION_TIME: "ms",
    names.API_LATENCY: "ms",
    names.TOKENS_USED: "{token}",
    names.COST: "USD",
    names.FEEDBACK: "{vote}",
    names.FALLBACKS: "{saying}",
    names.ERRORS: "{error}",
    names.POOL_SIZE: "{saying}",
    names.MODELS_FAILING: "{model}",
    names.SAYINGS_REFUSED: "{saying}",
    names.ROUND_SAYINGS: "{saying}",
    names.SPEND_RESERVED: "USD",
    names.MODEL_DAYS_LEFT: "d",
    names.TELEMETRY_DROPPED: "{item}",
    names.GEN_AI_DURATION: "s",
    names.GEN_AI_INPUT_USAGE: "{token}",
    names.GEN_AI_OUTPUT_USAGE: "{token}",
    names.GEN_AI_INPUT_SIZE: "{token}",
    names.GEN_AI_OUTPUT_SIZE: "{token}",
}


class Metrics:
    """A listener that counts events as metrics."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._started_at = clock()
        self._histograms: dict[Series, Histogram] = {}
        self._sums: dict[Series, float] = {}
        self._gauges: dict[Series, float] = {}
        # By operation or, for those that have one, by origin: only getSaying has origins.
        self._requests: dict[str, tuple[Attributes, Histogram]] = {}
        self._times: defaultdict[str, list[float]] = defaultdict(list)

    def emit(self, event: Event) -> None:
        # A look-up is faster than matching case by case, and this runs for every request.
        count = _COUNT.get(type(event))
        if count is not None:
            count(self, event)

    def take(self) -> Batch:
        """Return the counts since the last call."""
        started_at, self._started_at = self._started_at, self._clock()
        for key in tuple(self._times):
            self._fold(key)
        histograms = self._histograms | {
            (names.TOTAL_EXECUTION_TIME, attributes): histogram for attributes, histogram in self._requests.values()
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
        key = event.origin or event.operation
        times = self._times[key]
        times.append(event.total_ms)
        if len(times) == 1 and key not in self._requests:
            origin = ((names.ORIGIN, event.origin),) if event.origin else ()
            self._requests[key] = (((names.OPERATION, event.operation), *origin), Histogram())
        elif len(times) == TIMES_AT_ONCE:
            self._fold(key)
        if event.error_code:
            self._add(names.ERRORS, ((names.OPERATION, event.operation), (names.ERROR_TYPE, event.error_code)))

    def _fold(self, key: str) -> None:
        """Add the collected times of an operation or an origin to its histogram."""
        _, histogram = self._requests[key]
        for time_ms in self._times.pop(key):
            histogram.record(time_ms)

    def _model_call(self, event: ModelCalled) -> None:
        simulated = ((names.SIMULATED, "true" if event.simulated else "false"),)
        model = ((names.PROVIDER, event.vendor), (names.REQUEST_MODEL, event.model), *simulated)
        failed = ((names.ERROR_TYPE, event.error_type),) if event.error_type else ()
        chat = ((names.GEN_AI_OPERATION, names.CHAT), *model)
        self._record(names.API_LATENCY, model, event.api_time_ms)
        self._record(names.GEN_AI_DURATION, (*chat, *failed), event.api_time_ms / 1000)
        # Vendors bill refusals too, so that they count here. TokensUsed and Cost cover useful calls only.
        self._tokens(names.GEN_AI_INPUT_USAGE, names.GEN_AI_INPUT_SIZE, chat, event.input_tokens)
        self._tokens(names.GEN_AI_OUTPUT_USAGE, names.GEN_AI_OUTPUT_SIZE, chat, event.output_tokens)
        if failed:
            self._add(names.ERRORS, (*model, *failed))
            return
        self._add(names.TOKENS_USED, model, (event.input_tokens or 0) + (event.output_tokens or 0))
        if event.cost_nanos is not None:
            self._add(names.COST, model, event.cost_nanos / 1e9)

    def _tokens(self, usage: str, size: str, chat: Attributes, count: int | None) -> None:
        """Count tokens by the conventions: a call whose tokens nobody knows counts 0 of an unknown modality."""
        modality = "unknown" if count is None else "text"
        self._add(usage, (*chat, (names.TOKEN_MODALITY, modality)), count or 0)
        if count is not None:
            self._record(size, chat, count)

    def _vote(self, event: VoteTaken) -> None:
        self._add(names.FEEDBACK, ((names.OPERATION, event.feedback_type or "WITHDRAWN"),))

    def _ballot(self, _: BallotTaken) -> None:
        self._add(names.FEEDBACK, ((names.OPERATION, "COMPARISON"),))

    def _round(self, event: RoundFinished) -> None:
        for report in event.models:
            self._add(names.ROUND_SAYINGS, ((names.REQUEST_MODEL, report.model),), report.sayings)

    def _round_failed(self, _: RoundFailed) -> None:
        self._add(names.ERRORS, ((names.OPERATION, "round"), (names.ERROR_TYPE, ROUND_FAILED)))

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

    def _model(self, event: ModelMeasured) -> None:
        self._gauges[names.MODELS_FAILING, ((names.REQUEST_MODEL, event.model),)] = int(event.failing)

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
    RoundFailed: Metrics._round_failed,
    SayingsRejected: Metrics._rejected,
    DependencyFailed: Metrics._failure,
    Unexpected: Metrics._defect,
    PoolMeasured: Metrics._pool,
    ModelMeasured: Metrics._model,
    SpendMeasured: Metrics._spend,
    ModelLifeMeasured: Metrics._life,
    ModelConcerning: Metrics._concern,
    SayingTakenDown: Metrics._takedown,
}
