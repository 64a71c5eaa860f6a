"""Metrics count the right events, give reliable percentiles, and make only the intended series."""

import math
import random
import re
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from statistics import quantiles

import msgspec
import pytest
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, MetricsData

from service.api.dispatcher import Dispatcher
from service.api.http import Request, Response
from service.config import Settings
from service.resources import Resources, open_resources
from service.simulator import Fault, FaultKind, Simulator
from telemetry.emf import emf_unit
from telemetry.events import (
    BallotTaken,
    ComparisonFinished,
    Event,
    Listeners,
    ModelCalled,
    ModelConcerning,
    ModelLifeMeasured,
    ModelMeasured,
    PoolMeasured,
    RequestServed,
    RoundFailed,
    SayingServed,
    SayingsRejected,
    SayingTakenDown,
    SpendMeasured,
    Unexpected,
    VoteTaken,
)
from telemetry.metrics import DIMENSIONS, SCALE, UNITS, Batch, Histogram, Metrics, Series
from telemetry.metrics_data import MetricsConverter
from telemetry.spans import resource_of
from tests.support import RecordingListener
from tests.telemetry.emf import UNITS as CLOUDWATCH_UNITS
from tests.telemetry.stories import EVERYTHING
from workers.fleet import fleet_rounds

CALLED = ModelCalled("gpt-4.1", "openai", "live", 1, 1200.0, input_tokens=200, output_tokens=50, cost_nanos=800_000)
FAILED = msgspec.structs.replace(
    CALLED, error_type="ModelTimeout", input_tokens=None, output_tokens=None, cost_nanos=None
)
REFUSED = msgspec.structs.replace(CALLED, error_type="ModelRefused")
SIZES = {"gen_ai.client.inference.operation.input_tokens", "gen_ai.client.inference.operation.output_tokens"}
USAGE = {"gen_ai.client.inference.usage.input_tokens", "gen_ai.client.inference.usage.output_tokens"}
GEN_AI = {"gen_ai.client.inference.duration", *SIZES, *USAGE}
FREE = msgspec.structs.replace(CALLED, cost_nanos=None)


def counted(*events: Event) -> Batch:
    metrics = Metrics()
    for event in events:
        metrics.emit(event)
    return metrics.take()


def series(batch: Batch) -> set[Series]:
    return {*batch.histograms, *batch.sums, *batch.gauges}


def called(batch: Batch) -> set[str]:
    """The names of what was counted."""
    return {name for name, _ in series(batch)}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (RequestServed("getSaying", 200, 0.4), {"TotalExecutionTime"}),
        (RequestServed("none", 404, 0.4, "route_not_found"), {"TotalExecutionTime", "Errors"}),
        (CALLED, {"APILatency", "TokensUsed", "Cost", *GEN_AI}),
        (FREE, {"APILatency", "TokensUsed", *GEN_AI}),
        (FAILED, {"APILatency", "Errors", *GEN_AI} - SIZES),
        (REFUSED, {"APILatency", "Errors", *GEN_AI}),
        (SayingServed("database", 1, None), set()),
        (SayingServed("database", 5, "pool_empty"), {"Fallbacks"}),
        (VoteTaken("", "recorded", "gpt-4.1"), {"Feedback"}),
        (BallotTaken("tie", "recorded"), {"Feedback"}),
        (ComparisonFinished(3, 1, 2150.0), set()),
        (SayingsRejected("gpt-4.1", ("link", "refusal")), {"SayingsRefused"}),
        (Unexpected("gauges", ValueError()), {"Errors"}),
        (PoolMeasured("gpt-4.1", 12), {"PoolSize"}),
        (ModelMeasured("gpt-4.1", failing=True), {"ModelsFailing"}),
        (RoundFailed("StoreError", "The store failed."), {"Errors"}),
        (SpendMeasured(0.25), {"SpendReserved"}),
        (ModelLifeMeasured("gpt-4.1", 47), {"ModelDaysLeft"}),
        (ModelConcerning("openai mid", "The seat is empty."), {"Errors"}),
        (SayingTakenDown("2b63", "visitors"), {"Errors"}),
        (SayingTakenDown("2b63", "operator"), set()),
    ],
)
def test_what_is_counted(event: Event, expected: set[str]) -> None:
    assert called(counted(event)) == expected


def test_what_was_taken_is_not_counted_again() -> None:
    metrics = Metrics(clock=iter(range(10)).__next__)
    metrics.emit(CALLED)
    metrics.emit(RequestServed("getSaying", 200, 0.4))

    first, second = metrics.take(), metrics.take()

    assert series(first)
    assert not series(second)
    assert (first.started_at, first.ended_at, second.started_at) == (0, 1, 1)


@pytest.mark.parametrize("value", [2.0**-10, 0.125, 1.0, 2.0, 1024.0])
def test_a_bucket_ends_with_its_upper_bound(value: float) -> None:
    histogram, beyond = Histogram(), Histogram()
    histogram.record(value)
    beyond.record(value * 1.001)

    (index,), (next_index,) = histogram.buckets, beyond.buckets

    assert 2 ** ((index + 1) / 2**SCALE) == value
    assert next_index == index + 1


def test_what_took_no_time_has_a_bucket_of_its_own() -> None:
    histogram = Histogram()
    histogram.record(0.0)
    histogram.record(1.0)

    assert (histogram.zeros, histogram.count, histogram.low, histogram.high) == (1, 2, 0.0, 1.0)
    assert sum(histogram.buckets.values()) == 1


def points(data: MetricsData, name: str) -> list[ExponentialHistogramDataPoint]:
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    (metric,) = [metric for metric in metrics if metric.name == name]  # one metric, however many series
    return [point for point in metric.data.data_points if isinstance(point, ExponentialHistogramDataPoint)]


def percentile(point: ExponentialHistogramDataPoint, share: float) -> float:
    """As CloudWatch and others read it from the buckets: the middle of the one in which it lies."""
    base, rank = 2 ** (2**-point.scale), share * point.count
    seen = point.zero_count
    for index, count in enumerate(point.positive.bucket_counts, point.positive.offset):
        seen += count
        if seen >= rank:
            return math.sqrt(base**index * base ** (index + 1))
    raise AssertionError("there are fewer values than were counted")


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.lognormvariate(7, 0.6),
        lambda rng: rng.uniform(0.001, 30_000),
        lambda rng: rng.choice([0.05, 900.0]) * rng.uniform(0.9, 1.1),
    ],
)
def test_a_percentile_read_from_the_buckets_is_within_five_percent(draw: Callable[[random.Random], float]) -> None:
    rng = random.Random(1)
    values = [draw(rng) for _ in range(5_000)]

    batch = counted(*(RequestServed("getSaying", 200, value) for value in values))
    (point,) = points(MetricsConverter(resource_of("test")).metrics_data(batch), "TotalExecutionTime")

    cuts = quantiles(values, n=1000)
    for share in (0.25, 0.90, 0.99):
        assert percentile(point, share) == pytest.approx(cuts[round(share * 1000) - 1], rel=0.05)
    assert (point.count, point.min, point.max) == (5_000, min(values), max(values))
    assert point.sum == pytest.approx(sum(values))


def test_a_metric_is_sent_once_with_all_its_series() -> None:
    batch = counted(RequestServed("getSaying", 200, 1.0), RequestServed("postFeedback", 200, 2.0))

    found = points(MetricsConverter(resource_of("test")).metrics_data(batch), "TotalExecutionTime")

    assert [point.attributes for point in found] == [{"operation": "getSaying"}, {"operation": "postFeedback"}]


MODELS = {
    "claude-haiku-4-5": "anthropic",
    "claude-sonnet-4-5": "anthropic",
    "gpt-4.1": "openai",
    "gpt-4.1-mini": "openai",
}
# For each of the models, in this order, one round each.
FAULTS = {
    FaultKind.SERVER_ERROR: "ModelOverloaded",
    FaultKind.BAD_JSON: "ModelBadResponse",
    FaultKind.REFUSAL: "ModelRefused",
    FaultKind.MAX_TOKENS: "ModelTruncated",
}
HOSTILE = ("\x1b[31m", "<script>", "gpt-9", "x" * 2_000, "'; DROP TABLE", "\u202e", "%00", "../..", "\n", "{}")


class Crowd:
    """A mix of clients that call the dispatcher."""

    def __init__(self, resources: Resources, listener: Listeners) -> None:
        self._dispatcher = Dispatcher(resources.endpoints.routes, listener, allowed_origins=frozenset({"https://a.b"}))
        self._rng = random.Random(1)
        self.asked = 0

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Response:
        self.asked += 1
        request = Request(method, path, {"Content-Type": "application/json"} | headers)

        async def read_body(_: int) -> bytes:
            return msgspec.json.encode(body)

        self._dispatcher.begin(request)
        return await self._dispatcher.dispatch(request, len(path), read_body)

    async def hostile(self) -> Response:
        rng, text = self._rng, self._rng.choice(HOSTILE) + str(self._rng.random())
        match rng.randrange(7):
            case 0:
                return await self.ask("GET", f"/{text}")
            case 1:
                return await self.ask(text, "/sayings")
            case 2:
                return await self.ask("DELETE", f"/feedback/{text}")
            case 3:
                return await self.ask("POST", "/feedback", {"sayingId": text, "source": text, "feedbackType": text})
            case 4:
                vote = {"saying": text, "source": f"Generated by {text}", "feedbackType": "POSITIVE"}
                return await self.ask("POST", "/feedback", vote, Cookie=f"voter={text}")
            case 5:
                votes = [(f"/{text}/vote", {"winner": "A"}), (f"/{'0' * 32}/vote", {"winner": text})]
                path, body = rng.choice([("", {"service": text}), *votes])
                return await self.ask("POST", f"/compare{path}", body)
            case _:
                return await self.ask("OPTIONS", "/sayings", Origin=rng.choice([text, "https://a.b"]))


@pytest.mark.slow
async def test_ten_thousand_mixed_requests_make_no_unexpected_series(
    tmp_path: Path, simulator: Simulator, simulator_url: str, events: RecordingListener
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/sayings.db", simulator=simulator_url, live_every=500)
    metrics = Metrics()
    listener = Listeners(metrics, events)
    async with open_resources(settings, {}, listener) as resources:
        for kind in FAULTS:
            simulator.inject("*", Fault(kind, count=100))
            await fleet_rounds(resources, rest_seconds=0).run()
            simulator.clear_faults()
            resources.gateway._breakers.clear()
        await fleet_rounds(resources, rest_seconds=0).run()
        resources.gauge.measure()

        crowd = Crowd(resources, listener)
        while crowd.asked < 10_000:
            answer = await (crowd.ask("GET", "/sayings") if crowd.asked % 2 else crowd.hostile())
            assert answer.status < 500
        saying = msgspec.json.decode((await crowd.ask("GET", "/sayings")).body)
        for opinion in ("POSITIVE", "NEGATIVE"):
            vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion}
            await crowd.ask("POST", "/feedback", vote, Cookie="voter=" + "a" * 32)
        await crowd.ask("DELETE", f"/feedback/{saying['sayingId']}", Cookie="voter=" + "a" * 32)
        compared = await crowd.ask("POST", "/compare", {}, Accept="application/json")
        cookie = compared.headers["Set-Cookie"].partition(";")[0]
        path = f"/compare/{msgspec.json.decode(compared.body)['comparisonId']}/vote"
        for winner in ("A", "tie", "none"):
            await crowd.ask("POST", path, {"winner": winner}, Cookie=cookie)
        await crowd.ask("POST", path, {"winner": "A"}, Cookie="sayings_voter=" + "b" * 32)
        await crowd.ask("POST", path, {"winner": "A"})
        await crowd.ask("GET", "/stats")

    assert {(name, *(value for _, value in attributes)) for name, attributes in series(metrics.take())} == MEANT


def meant() -> Iterable[tuple[str, ...]]:
    """Every series, as its metric and the values of its attributes."""
    posts = ["postFeedback", "postCompare", "postCompareVote"]
    others = ["none", "preflight", "deleteFeedback", "getStats"]
    yield from product(["TotalExecutionTime"], [*posts, *others])
    yield from product(["TotalExecutionTime"], ["getSaying"], ["cache", "database", "live"])
    yield from product(["Errors"], ["none"], ["route_not_found", "method_not_allowed"])
    yield from product(["Errors"], [*posts, "deleteFeedback"], ["invalid_request"])
    yield from product(["Feedback"], ["POSITIVE", "NEGATIVE", "WITHDRAWN", "COMPARISON"])
    yield from product(["RoundSayings", "PoolSize", "ModelsFailing"], MODELS)
    yield ("Errors", "postFeedback", "saying_not_found")
    yield ("Errors", "postCompareVote", "comparison_not_shown")
    yield ("SpendReserved",)
    yield from product(["ModelDaysLeft"], ["claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini"])
    for model, vendor in MODELS.items():
        called = (vendor, model, "true")
        yield from ((name, *called) for name in ("APILatency", "TokensUsed", "Cost"))
        yield from ((name, "chat", *called) for name in SIZES)
        yield from ((name, "chat", *called, modality) for name in USAGE for modality in ("text", "unknown"))
        yield ("gen_ai.client.inference.duration", "chat", *called)
        yield from (("gen_ai.client.inference.duration", "chat", *called, fault) for fault in FAULTS.values())
        yield from (("Errors", *called, fault) for fault in FAULTS.values())


MEANT = set(meant())


def test_cloudwatch_dimensions_are_attributes_of_their_metrics() -> None:
    batch = counted(
        RequestServed("getSaying", 503, 1.0, "store_unavailable"),
        RequestServed("getSaying", 200, 1.0, origin="cache"),
        ModelMeasured("gpt-4.1", failing=False),
        SayingServed("database", 5, "pool_empty"),
        CALLED,
        FAILED,
    )
    had = {(name, key) for name, attributes in series(batch) for key, _ in attributes}

    wanted = {(name, key) for name, sets in DIMENSIONS.items() for dimensions in sets for key in dimensions}

    assert wanted <= had


# Prometheus' rule for the name of an OpenTelemetry metric, as far as our units go.
PROMETHEUS_UNITS = {"ms": "milliseconds", "s": "seconds", "d": "days", "1": "ratio"}


def prometheus_name(name: str, unit: str, *, is_sum: bool, is_gauge: bool) -> str:
    """Letters and underscores, then the unit without what stands in braces, then `total` for a sum."""
    word = re.sub(r"\{[^}]*\}", "", unit)
    suffix = PROMETHEUS_UNITS.get(word, word) if word != "1" or is_gauge else ""
    parts = [re.sub(r"\W+", "_", name), suffix, "total" if is_sum else ""]
    return "_".join(part for part in parts if part)


def test_names_are_sensible_in_prometheus() -> None:
    metrics = Metrics()
    for event in EVERYTHING:
        metrics.emit(event)
    metrics.count_dropped(1)
    batch = metrics.take()
    found = {
        prometheus_name(
            name, UNITS[name], is_sum=(name, attributes) in batch.sums, is_gauge=(name, attributes) in batch.gauges
        )
        for name, attributes in series(batch)
    }

    assert found == {
        "TotalExecutionTime_milliseconds", "APILatency_milliseconds", "TokensUsed_total", "Cost_USD_total",
        "Feedback_total", "Fallbacks_total", "Errors_total", "PoolSize", "ModelsFailing", "SayingsRefused_total",
        "RoundSayings_total", "SpendReserved_USD", "ModelDaysLeft_days", "TelemetryDropped_total",
        "gen_ai_client_inference_duration_seconds", "gen_ai_client_inference_usage_input_tokens_total",
        "gen_ai_client_inference_usage_output_tokens_total", "gen_ai_client_inference_operation_input_tokens",
        "gen_ai_client_inference_operation_output_tokens",
    }  # fmt: skip


def test_every_metric_has_a_unit_that_cloudwatch_knows() -> None:
    assert UNITS.keys() >= DIMENSIONS.keys()
    assert {emf_unit(name) for name in DIMENSIONS} <= CLOUDWATCH_UNITS
