"""Every `error_type` that a log line or a metric can have is explained in the runbook, and nothing else is."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import service.sayings.flow
from service import errors
from service.api.dispatcher import BROKEN_OFF_CODE
from service.domain import Rejection
from telemetry import metrics
from tests.deploy.dockerfile import ROOT
from tests.deploy.runbook import sections

(SECTION,) = [section.text for section in sections() if section.title == "What error_type says"]
# The rows of its tables: what is explained, without the links and remarks beside it.
EXPLAINED = {
    word for row in re.findall(r"^\| (`.+?) \|", SECTION, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)
} - {"error_type"}


def subclasses(of: type[Any]) -> Iterator[Any]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def classes() -> set[str]:
    """Failures of dependencies, which are reported by their class, and invocations without a result."""
    return {each.__name__ for each in subclasses(errors.DependencyError)} | {errors.InvocationFailed.__name__}


def codes() -> set[str]:
    """The codes of answers."""
    return {each.code for each in subclasses(errors.HttpError) if hasattr(each, "code")} | {BROKEN_OFF_CODE}


def reasons() -> set[str]:
    """Why a saying is not from where it was wanted: the reasons of errors, and the words of the flow itself."""
    of_errors = {each.reason for each in subclasses(errors.DependencyError) if hasattr(each, "reason")}
    flow = ast.parse(Path(service.sayings.flow.__file__).read_text())
    texts = (node.value for node in ast.walk(flow) if isinstance(node, ast.Constant))
    return of_errors | {text for text in texts if isinstance(text, str) and re.fullmatch("[a-z]+_[a-z]+", text)}


def written_out() -> set[str]:
    """The types that stand as a text where they are reported."""
    files = (path for folder in ("service", "telemetry", "workers") for path in (ROOT / folder).rglob("*.py"))
    named = re.compile(r'error_type(?:"\s*:|=)\s*"(\w+)"|DependencyFailed\((?:[^()]|\([^()]*\))*?"([A-Z]\w+)"')
    found = {one or other for path in files for one, other in named.findall(path.read_text())}
    return found | {metrics.DEFECT, metrics.CONCERN, metrics.SET_ASIDE, metrics.ROUND_FAILED}


@pytest.mark.parametrize("kind", [classes, codes, reasons, written_out, lambda: set(Rejection)])
def test_what_can_be_reported_is_explained(kind: Callable[[], set[str]]) -> None:
    assert kind() - EXPLAINED == set()


def test_nothing_is_explained_that_is_not_reported() -> None:
    assert EXPLAINED - {*classes(), *codes(), *reasons(), *written_out(), *Rejection} == set()
