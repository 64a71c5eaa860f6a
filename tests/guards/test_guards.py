"""The table is true to the code, and what runs it tells a guard that nobody misses from one that somebody does."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from tests.guards.run import ROOT, run, without
from tests.guards.table import REMOVALS, Kind, Removal

PROBE = Removal(Kind.LIMIT, "a guard", "service/guard.py", "n > 3", "False", "tests/test_guard.py -k guarded")


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: f"{removal.kind}: {removal.guard}")
def test_every_guard_of_the_table_can_be_taken_out(removal: Removal) -> None:
    source = without(removal, ROOT)

    compile(source, removal.file, "exec")
    assert source != (ROOT / removal.file).read_text()


def test_there_are_guards_of_every_kind() -> None:
    assert {removal.kind for removal in REMOVALS} == set(Kind)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one guard, and a test that misses it and one that does not."""
    for folder in ("service", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "service" / "guard.py").write_text("def is_too_much(n):\n    return n > 3\n")
    (tmp_path / "tests" / "test_guard.py").write_text(
        "from service.guard import is_too_much\n\n"
        "def test_guarded():\n    assert is_too_much(4)\n\n"
        "def test_careless():\n    is_too_much(4)\n\n"
        "def test_broken():\n    assert False\n"
    )
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "proven", "told"),
    [
        ("-k guarded", True, "1 of 1 guards are proven."),
        ("-k careless", False, "-    return n > 3\n+    return False"),
        ("-k broken", False, "The tests fail with all guards in their places."),
        ("-k nothing", False, "The tests fail with all guards in their places."),
    ],
)
def test_a_guard_is_proven_by_a_test_that_fails_without_it(project: Path, tests: str, proven: bool, told: str) -> None:
    out = StringIO()

    result = run([replace(PROBE, tests=f"tests/test_guard.py {tests}")], out, project)

    assert result is proven
    assert told in out.getvalue()


def test_a_guard_that_is_not_there_any_more_is_an_error(project: Path) -> None:
    with pytest.raises(ValueError, match="0 times"):
        without(replace(PROBE, text="n > 4"), project)
