"""The benchmark's own parts: whether a bar is held, the load generator, and what it compares with."""

import re
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def test_what_it_compares_with_runs_on_the_same_aiohttp() -> None:
    versions = {name: _locked(name) for name in ("runtime", "bench")}

    assert versions["bench"] == versions["runtime"]


def _locked(name: str) -> str:
    versions: list[str] = re.findall(r"^aiohttp==(\S+)", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE)
    (version,) = versions
    return version
