"""What metrics cost on AWS: the number of series and the bytes of their lines are bounded.

`pytest -rP` prints the bill of a month. The prices are those of deploy/SCALE.md.
"""

import re
import sys
from itertools import product
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from service.config import Settings
from service.domain import Origin, Rejection
from service.errors import DependencyError, HttpError, ModelError
from service.resources import open_resources
from telemetry.emf import emf_lines
from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    ModelLifeMeasured,
    ModelMeasured,
    ModelReport,
    PoolMeasured,
    RequestServed,
    RoundFinished,
    SayingServed,
    SayingsRejected,
    Silence,
    SpendMeasured,
    VoteTaken,
)
from telemetry.metrics import Metrics
from telemetry.metrics_data import MetricsConverter
from telemetry.spans import resource_of
from tests.deploy.dockerfile import ROOT
from tests.deploy.ecs import EcsStack
from tests.deploy.stack import Stack, observability
from tests.deploy.test_error_types import subclasses
from tests.observability import awsemf
from tests.observability.recording import Recording, Series
from tests.support import NAMES
from tests.telemetry.receiver import points_of

STACKS = {"Lambda": observability(Stack()), "ECS": observability(EcsStack())}
SCALE = (ROOT / "deploy/SCALE.md").read_text()
REQUESTS_A_MONTH = 30 * 1_000_000
# Of SCALE.md: environments of the API at that traffic, each with an upkeep in ten seconds. Containers: two of the API.
ENVIRONMENTS, UPKEEPS_A_MONTH = 3, 30 * 86_400 // 10
CONTAINERS, EXPORTS_A_MONTH = 2, 30 * 86_400 // 60
SERVICES = ("sayings-api", "sayings-worker")
VENDORS = {model: "openai" if model.startswith("gpt") else "anthropic" for model in NAMES}

WARM: list[Event] = [
    SayingServed("cache", 5, None),
    RequestServed("getSaying", 200, 0.4127, "", "GET", "/sayings", "cache"),
]
GAUGES: list[Event] = [
    each for model in NAMES for each in (PoolMeasured(model, 60), ModelMeasured(model, failing=False))
]
CALLED = [
    ModelCalled(model, vendor, "round", 1, 1204.2, input_tokens=200, output_tokens=130, cost_nanos=800_000)
    for model, vendor in VENDORS.items()
]
ROUND: list[Event] = [
    *CALLED, *(ModelMeasured(model, failing=False) for model in NAMES), SpendMeasured(0.25),
    RoundFinished(tuple(ModelReport(model, 3, 1500.0) for model in NAMES), 1500.0, 7),
]  # fmt: skip
NORMAL: list[Event] = [
    *WARM, *GAUGES, *ROUND, VoteTaken("POSITIVE", "recorded", "gpt-4.1"),
    *(RequestServed("getSaying", 200, 1.0, origin=origin) for origin in (Origin.CACHE, Origin.DATABASE, Origin.LIVE)),
    *(ModelLifeMeasured(model, 47) for model in NAMES),
]  # fmt: skip
# Every model fails in every way, every dependency and every answer too, and every fallback is used.
EVERYTHING_FAILS: list[Event] = [
    *NORMAL,
    *(
        ModelCalled(model, vendor, "live", 1, 1.0, each.__name__)
        for (model, vendor), each in product(VENDORS.items(), subclasses(ModelError))
    ),
    *(DependencyFailed("store", "vote", each.__name__, "") for each in subclasses(DependencyError)),
    *(RequestServed("postFeedback", 503, 1.0, each.code) for each in subclasses(HttpError) if hasattr(each, "code")),
    *(SayingServed(origin, 4, "live_timeout") for origin in Origin),
    *(SayingsRejected(model, tuple(Rejection)) for model in NAMES),
]  # fmt: skip


def dollars(what: str) -> float:
    """The price of something of CloudWatch's."""
    (price,) = re.findall(rf"^\| CloudWatch, {re.escape(what)} \| ([\d.]+) \|", SCALE, re.MULTILINE)
    return float(price)


def lines(service: str, *events: Event) -> list[str]:
    metrics = Metrics()
    for event in events:
        metrics.emit(event)
    return list(emf_lines(metrics.take(), service))


def through_collector(events: list[Event]) -> list[str]:
    """The lines of one export of a container, as its collector writes them."""
    metrics, resource = Metrics(), resource_of("sayings-api")
    for event in events:
        metrics.emit(event)
    request = encode_metrics(MetricsConverter(resource).metrics_data(metrics.take()))
    scopes = (scope for each in request.resource_metrics for scope in each.scope_metrics)
    points = [point for scope in scopes for metric in scope.metrics for point in points_of(metric)]
    return list(awsemf.emf_lines(points, resource.attributes))


def size(events: list[Event], service: str = "sayings-api") -> int:
    return sum(len(line) + 1 for line in lines(service, *events))


def series(events: list[Event]) -> set[Series]:
    """What both services publish."""
    recording = Recording()
    for service in SERVICES:
        recording.add_emf(lines(service, *events))
    return recording.series


@pytest.fixture
async def every_operation(tmp_path: Path) -> list[Event]:
    """A request to every route."""
    settings = Settings(store=f"sqlite:///{tmp_path / 'sayings.db'}", simulator="off")
    async with open_resources(settings, {}, Silence()) as resources:
        return [RequestServed(route.operation, 200, 1.0) for route in resources.endpoints.routes]


def test_the_number_of_series_is_bounded(every_operation: list[Event]) -> None:
    usual, worst = len(series(NORMAL + every_operation)), len(series(EVERYTHING_FAILS + every_operation))

    sys.stdout.write(
        f"series: {usual} with both services doing everything, {worst} when everything fails in every way\n"
    )
    assert usual <= 120
    assert worst <= 380


def test_the_bytes_of_a_request_are_bounded() -> None:
    request, gauges, round_ = size(WARM), size(GAUGES), size(ROUND, "sayings-worker")

    sys.stdout.write(f"EMF on Lambda: {request} bytes a warm saying, {gauges} an upkeep, {round_} a round\n")
    assert request <= 360
    assert gauges <= 1_500
    assert round_ <= 4_000


@pytest.mark.parametrize("platform", STACKS)
def test_a_months_bill_is_bounded(platform: str, every_operation: list[Event]) -> None:
    alarms = STACKS[platform].of_type("AWS::CloudWatch::Alarm").values()
    queries = (query for alarm in alarms for query in alarm.get("Metrics", [{"MetricStat": alarm}]))
    watched = len([query for query in queries if "MetricStat" in query])
    if platform == "Lambda":
        log = REQUESTS_A_MONTH * size(WARM) + ENVIRONMENTS * UPKEEPS_A_MONTH * size(GAUGES)
    else:
        log = CONTAINERS * EXPORTS_A_MONTH * sum(map(len, through_collector(WARM + GAUGES + every_operation)))

    bill = {
        "series": len(series(NORMAL + every_operation)) * dollars("a series of metrics, a month"),
        "alarms": watched * dollars("a metric that an alarm watches, a month"),
        "dashboard": dollars("a dashboard, a month"),
        "lines": log / 1e9 * dollars("a gigabyte of logs"),
    }

    parts = ", ".join(f"{name} ${amount:.2f}" for name, amount in bill.items())
    sys.stdout.write(f"{platform} at a million requests a day: ${sum(bill.values()):.2f} a month ({parts})\n")
    assert sum(bill.values()) <= 60
