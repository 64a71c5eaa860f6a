"""SECURITY.md is true: the tests that it names are there, and each of them is named for a threat."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "SECURITY.md").read_text()
NAMED = set(re.findall(r"`(tests/[\w/]+\.py)`", DOCUMENT))


def test_every_file_that_it_names_exists() -> None:
    assert sorted(name for name in NAMED if not (ROOT / name).is_file()) == []


def test_every_test_of_security_is_named() -> None:
    tests = {f"tests/security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}

    assert tests - NAMED == {"tests/security/test_document.py"}


def test_every_letter_of_stride_is_there() -> None:
    threats = re.findall(r"^\| \*\*(\w)", DOCUMENT, re.MULTILINE)

    assert threats == list("STRIDE")
