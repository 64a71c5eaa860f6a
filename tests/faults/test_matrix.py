"""The matrix cannot rot: every promise has tests, every test that is named exists, and every test here is named."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.faults.matrix import MATRIX

ROOT = Path(__file__).parent.parent.parent


def promises() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every promise with its place and its tests."""
    for fault, cells in MATRIX.items():
        for column, cell in cells.items():
            yield from ((f"{fault} / {column} / {promise}", tests) for promise, tests in cell.items())


@cache
def _tests_of(path: Path) -> frozenset[str]:
    """As pytest names them, without parameters."""
    tree = ast.parse(path.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    inside = {f"{name}::{test}" for name, node in classes.items() for test in _functions(node)}
    return frozenset(inside | _functions(tree))


def _functions(node: ast.Module | ast.ClassDef) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in node.body if isinstance(each, kinds) and each.name.startswith("test_")}


def test_every_promise_has_a_test() -> None:
    assert {promise for promise, tests in promises() if not tests} == set()


def test_every_test_that_is_named_exists() -> None:
    named = {test for _, tests in promises() for test in tests}

    missing = {test for test in named if test.partition("::")[2] not in _tests_of(ROOT / test.partition("::")[0])}

    assert missing == set()


def test_every_test_of_this_folder_is_named() -> None:
    here = Path(__file__).parent
    there = {
        f"tests/faults/{path.name}::{test}"
        for path in here.glob("test_*.py")
        if path != Path(__file__)
        for test in _tests_of(path)
    }

    assert there - {test for _, tests in promises() for test in tests} == set()
