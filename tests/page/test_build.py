"""The first visit loads little, and nothing of the plots."""

import gzip
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MOST_SCRIPT_BYTES = 30_000
MOST_STYLE_BYTES = 10_000
MOST_FONT_BYTES = 40_000
# Strings of Observable Plot that minifiers keep.
PLOT = re.compile(rb"plot-[0-9a-f]{6}|swatches|--plot")


def referred(page: Path, suffix: str) -> set[str]:
    """Return the paths of the files that index.html refers to, and of those that its scripts import statically."""
    found = set(re.findall(rf'(?:src|href)="/(\S+\.{suffix})"', (page / "index.html").read_text()))
    if suffix == "js":
        for name in list(found):
            code = (page / name).read_text()
            found |= {f"assets/{other}" for other in re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', code)}
    return found


def compressed(page: Path, files: set[str]) -> int:
    return sum(len(gzip.compress((page / name).read_bytes(), 9)) for name in files)


def test_the_first_load_is_small(built_page: Path) -> None:
    scripts = referred(built_page, "js")

    assert scripts
    assert compressed(built_page, scripts) <= MOST_SCRIPT_BYTES
    assert compressed(built_page, referred(built_page, "css")) <= MOST_STYLE_BYTES
    assert sum((built_page / name).stat().st_size for name in referred(built_page, "woff2")) <= MOST_FONT_BYTES


def test_plots_are_loaded_by_the_dashboard_alone(built_page: Path) -> None:
    with_plots = {f"assets/{file.name}" for file in built_page.glob("assets/*.js") if PLOT.search(file.read_bytes())}

    assert with_plots
    assert with_plots.isdisjoint(referred(built_page, "js"))


def test_nothing_is_inlined_that_the_policy_forbids(built_page: Path) -> None:
    html = (built_page / "index.html").read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert not [file for file in built_page.glob("assets/*.css") if "data:" in file.read_text()]


def test_the_licences_of_all_that_is_bundled_come_with_it(built_page: Path) -> None:
    scripts = (built_page / "licences.txt").read_text()
    font = (built_page / "licence-of-the-font.txt").read_text()

    texts = dict(re.findall(r"^## (\S+) - [^\n]+\n(.+?)(?=^## |\Z)", scripts, re.MULTILINE | re.DOTALL))
    assert texts.keys() >= {"preact", "@observablehq/plot", "d3-scale"}
    assert [name for name, text in texts.items() if "WARRANT" not in text.upper()] == []
    assert "SIL OPEN FONT LICENSE Version 1.1" in font
