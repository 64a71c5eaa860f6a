"""The runbook matches template, code and spans: every alarm is in it, and its commands and queries work."""

import re

import pytest

from service.aws.instrumentation import _NODES
from service.catalogue.models import load_catalogue
from service.llm.vendors import VENDORS
from telemetry.metrics import DIMENSIONS
from telemetry.xray_udp import ANNOTATIONS
from tests.deploy.runbook import TEXT, anchors, blocks, links, metrics, sections
from tests.deploy.stack import Stack, edge, observability

STACK = Stack()
QUESTIONS = [section for section in sections() if section.chapter == "Questions"]
XRAY = blocks("xray")
# X-Ray's own words in a filter expression.
KEYWORDS = {"OR", "AND", "service", "edge", "annotation", "fault", "error", "throttle", "responsetime", "http.method"}


def test_every_alarm_has_a_section_and_no_other_is_described() -> None:
    described = [section.title for section in sections() if section.chapter == "Alarms"]

    alarms = [name for stack in (observability(STACK), edge()) for name in stack.of_type("AWS::CloudWatch::Alarm")]
    assert sorted(described) == sorted(alarms)


@pytest.mark.parametrize(
    "question",
    ["Which model is failing?", "Are we serving builtin?", "What did today cost?", "Why was this request slow?",
     "Are we at the cap?", "Did a deploy do this?", "Is a key revoked?", "Is the pool empty?", "Are votes being lost?",
     "Is the collector dropping?"],
)  # fmt: skip
def test_a_question_is_answered_with_a_query(question: str) -> None:
    (section,) = [section for section in QUESTIONS if section.title == question]

    assert blocks("insights", section.text)


def test_no_link_leads_nowhere() -> None:
    assert links() <= anchors()


def test_the_metrics_it_names_exist_under_those_dimensions() -> None:
    published = {
        (name, frozenset(("service.name", *dimensions))) for name, sets in DIMENSIONS.items() for dimensions in sets
    }

    named = metrics()

    assert named <= published
    assert {name for name, _ in named} == DIMENSIONS.keys()


@pytest.mark.parametrize("expression", XRAY)
def test_a_filter_expression_asks_for_what_is_emitted_and_indexed(expression: str) -> None:
    functions = {STACK.environment(name)["OTEL_SERVICE_NAME"] for name in STACK.of_type("AWS::Serverless::Function")}
    nodes = {*functions, *_NODES.values(), *(model.vendor for model in load_catalogue(VENDORS))}
    called = re.findall(r"(?:service|edge)\(([^)]*)\)", expression)

    assert {name for call in called for name in re.findall(r'"([^"]+)"', call)} <= nodes
    assert set(re.findall(r"annotation\[([^]]+)\]", expression)) <= set(ANNOTATIONS)
    words = re.findall(r"[A-Za-z][\w.]*", re.sub(r'"[^"]*"|\[[^]]*\]', "", expression))
    assert set(words) <= KEYWORDS


def test_every_annotation_is_used_in_the_runbook() -> None:
    used = {name for expression in XRAY for name in re.findall(r"annotation\[([^]]+)\]", expression)}

    assert used >= set(ANNOTATIONS) - {"gen_ai.provider.name"}  # whose nodes one can ask for by name


def test_the_parameters_it_says_to_change_are_the_templates() -> None:
    named = set(re.findall(r"`?\b(\w+(?:Usd|Minutes|Concurrency|Acl|Every|ParameterName))\b", TEXT))

    assert named
    assert named <= STACK.template["Parameters"].keys()
