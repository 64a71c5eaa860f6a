"""The collector's file and the alarms against the names that the code emits: neither side drifts unseen."""

import re
from itertools import product
from typing import Any

import pytest
import yaml

from telemetry import names
from telemetry.emf import emf_unit
from telemetry.metrics import DIMENSIONS, Metrics
from telemetry.notes import NoteTaker
from telemetry.spans import SpanMaker, resource_of
from telemetry.traces import work
from telemetry.xray_udp import ANNOTATIONS
from tests.deploy.dockerfile import ROOT
from tests.deploy.ecs import EcsStack
from tests.deploy.stack import Stack, observability
from tests.observability import awsemf
from tests.observability.awsemf import COLLECTOR, EMF
from tests.telemetry.composition import sampler
from tests.telemetry.stories import EVERYTHING

STACKS = {"Lambda": observability(Stack()), "ECS": observability(EcsStack())}
ALARMS = sorted(STACKS["Lambda"].of_type("AWS::CloudWatch::Alarm"))


def laid_over(below: Any, above: Any) -> Any:
    """As the collector joins its files: maps of both, and of everything else what the upper one has."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: laid_over(below.get(key), value) for key, value in above.items()}
    return above


SENDING_OTLP = laid_over(COLLECTOR, yaml.safe_load((ROOT / "deploy/collector/ecs-otlp.yaml").read_text()))
COMPOSED = yaml.safe_load((ROOT / "deploy/collector/compose.yaml").read_text())
FILES = {"emf": COLLECTOR, "otlp": SENDING_OTLP, "compose": COMPOSED}


def declared(metric: str) -> set[frozenset[str]]:
    """The sets of dimensions under which the collector publishes a metric."""
    return set(map(frozenset, awsemf.declared(metric)))


def wanted(metric: str) -> set[frozenset[str]]:
    return {frozenset(("service.name", *dimensions)) for dimensions in DIMENSIONS[metric]}


def emitted_metrics() -> set[str]:
    """The names of all metrics of a run in which every event occurs."""
    metrics = Metrics()
    for event in EVERYTHING:
        metrics.emit(event)
    metrics.count_dropped(1)
    batch = metrics.take()
    return {name for name, _ in (*batch.histograms, *batch.sums, *batch.gauges)}


def emitted_attributes() -> set[str]:
    """The attributes of all spans of such a run."""
    maker = SpanMaker(resource_of("sayings-api"))
    found: set[str] = set()
    notes = NoteTaker(
        sampler(1), keep=lambda finished: found.update(*(span.attributes or {} for span in maker.spans(finished)))
    )
    for event in EVERYTHING:
        with work():
            for before in EVERYTHING[:4]:
                notes.emit(before)
            notes.emit(event)
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_component_that_is_used_is_configured(file: str) -> None:
    configuration = FILES[file]
    used = [("extensions", name) for name in configuration["service"].get("extensions", [])]
    for pipeline in configuration["service"]["pipelines"].values():
        used += [(kind, name) for kind, parts in pipeline.items() for name in parts]
    for exporter in configuration["exporters"].values():
        used += [("extensions", exporter["auth"]["authenticator"])] if "auth" in exporter else []

    assert [(kind, name) for kind, name in used if name not in configuration[kind]] == []


class TestOtlp:
    """AWS's own endpoints, when TelemetryPath is otlp."""

    def test_alarms_and_dashboard_have_their_metrics_all_the_same(self) -> None:
        assert SENDING_OTLP["service"]["pipelines"]["metrics"] == COLLECTOR["service"]["pipelines"]["metrics"]

    def test_no_trace_is_sent_in_two_ways(self) -> None:
        pipelines = SENDING_OTLP["service"]["pipelines"]

        assert [pipeline["exporters"] for name, pipeline in pipelines.items() if name.startswith("traces")] == [
            ["otlp_http/traces"]
        ]

    @pytest.mark.parametrize(("signal", "service"), [("traces", "xray"), ("metrics", "monitoring")])
    def test_a_signal_goes_to_its_service_and_is_signed_for_it(self, signal: str, service: str) -> None:
        exporter = SENDING_OTLP["exporters"][f"otlp_http/{signal}"]

        assert exporter[f"{signal}_endpoint"] == f"https://{service}.${{env:AWS_REGION}}.amazonaws.com/v1/{signal}"
        assert SENDING_OTLP["extensions"][exporter["auth"]["authenticator"]] == {
            "service": service, "region": "${env:AWS_REGION}",
        }  # fmt: skip


class TestMetrics:
    @pytest.mark.parametrize("metric", DIMENSIONS)
    def test_the_collector_declares_the_dimensions_of_the_code(self, metric: str) -> None:
        assert declared(metric) == wanted(metric)

    def test_what_is_for_other_backends_is_not_published(self) -> None:
        others = emitted_metrics() - DIMENSIONS.keys()

        assert others
        assert {name for name in others if declared(name) or awsemf.is_let_through(name)} == set()
        assert all(map(awsemf.is_let_through, DIMENSIONS))

    def test_every_metric_that_is_named_is_one_that_the_code_emits(self) -> None:
        patterns = [each for rule in EMF["metric_declarations"] for each in rule["metric_name_selectors"]]
        described = {each["metric_name"] for each in EMF["metric_descriptors"]}

        named = {re.sub(r"^\^|\$$", "", pattern) for pattern in patterns}

        assert named == DIMENSIONS.keys()
        assert named <= emitted_metrics()
        assert described <= named

    def test_units_are_those_of_lambda(self) -> None:
        units = {each["metric_name"]: each["unit"] for each in EMF["metric_descriptors"] if each["overwrite"]}

        assert units == {name: emf_unit(name) for name in DIMENSIONS}

    def test_they_land_in_the_namespace_of_the_alarms(self) -> None:
        assert EMF["namespace"] == names.NAMESPACE
        assert EMF["dimension_rollup_option"] == "NoDimensionRollup"


class TestTraces:
    def test_what_is_indexed_is_what_lambda_annotates(self) -> None:
        assert tuple(COLLECTOR["exporters"]["awsxray"]["indexed_attributes"]) == ANNOTATIONS

    def test_what_is_indexed_is_on_the_spans(self) -> None:
        assert set(ANNOTATIONS) <= emitted_attributes()


class TestAlarms:
    @pytest.mark.parametrize(("platform", "alarm"), list(product(STACKS, ALARMS)))
    def test_an_alarm_reads_dimensions_that_are_published(self, platform: str, alarm: str) -> None:
        for metric, dimensions in ours(STACKS[platform].of_type("AWS::CloudWatch::Alarm").get(alarm, {})):
            assert dimensions in wanted(metric), (alarm, metric)


def ours(alarm: dict[str, Any]) -> list[tuple[str, frozenset[str]]]:
    """Name and dimensions of every metric of our namespace that an alarm looks at."""
    stats = [alarm, *(query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query)]
    return [
        (stat["MetricName"], frozenset(dimension["Name"] for dimension in stat["Dimensions"]))
        for stat in stats
        if stat.get("Namespace") == names.NAMESPACE
    ]
