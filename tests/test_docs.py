"""The documents are true: their links lead somewhere, and what they name exists."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from service.config import OPERATOR_KEY_VARIABLE, Settings, _fields
from service.limits import DEFAULT_RETENTION
from telemetry.outbound import PROXY_VARIABLE

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT, ROOT / "docs", ROOT / "deploy", ROOT / "deploy/containers")
DOCUMENTS = [path for folder in FOLDERS for path in sorted(folder.glob("*.md"))]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
# A file or folder of ours in backticks.
FILE = re.compile(r"`((?:service|workers|telemetry|deploy|tests|web|docs|requirements)/[\w./-]+)`")
# The variable and the default of a row of docs/SETTINGS.md.
ROW = re.compile(r"^\| `(\w+)` \|(?: `(.*?)`)? \| \S", re.MULTILINE)


@cache
def targets() -> set[str]:
    """The targets that `make help` lists."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^\s+make ([a-z-]+) ", listed, re.MULTILINE))


@each_document
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"(?:\]\(|src=\"|srcset=\")([^)#\"]+)", document.read_text())

    missing = {link for link in links if "://" not in link and not (document.parent / link).exists()}

    assert missing == set()


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    named = set(FILE.findall(document.read_text()))

    assert {name for name in named if not (ROOT / name).exists()} == set()


@each_document
def test_targets_of_make_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"(?:\$|`|^)\s*make ([a-z-]+)", document.read_text(), re.MULTILINE))

    assert named - targets() == set()


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()

    assert {"run", "test"} <= set(re.findall(r"^\$ make ([a-z-]+)", readme, re.MULTILINE))


def test_the_page_says_how_long_data_are_kept() -> None:
    text = (ROOT / "web/src/about/About.tsx").read_text()
    kept = DEFAULT_RETENTION

    said = re.findall(r"after (\d+) days", text)

    assert [int(days) for days in said] == [
        kept.unvoted_days,
        kept.address_days,
        kept.report_days,
        1 + kept.client_spend_days,
        30,  # X-Ray keeps traces for so long, and nobody can change that
    ]
    assert ("year" in text, kept.voter_days) == (True, 365)


def test_settings_are_documented_with_their_defaults() -> None:
    documented, usual = _documented(), Settings()

    defaults = {variable: _shown(getattr(usual, field.name)) for variable, field in _fields().items()}

    assert set(defaults) - set(documented) == set()
    # An empty default stands for one that depends on something else.
    assert {name: documented[name] for name, default in defaults.items() if default} == {
        name: default for name, default in defaults.items() if default
    }


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = {variable for variable in _documented() if variable.startswith("SAYINGS_")}

    assert documented <= {*_fields(), OPERATOR_KEY_VARIABLE, PROXY_VARIABLE}


def test_every_package_has_its_place_in_the_architecture() -> None:
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    packages = {path.parent.name for path in (ROOT / "service").glob("*/__init__.py")}

    assert {package for package in packages if f"`service/{package}`" not in page} == set()


def test_hooks_run_the_projects_own_commands() -> None:
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    commands = {hook["entry"] for repository in configured for hook in repository["hooks"]}

    assert {repository["repo"] for repository in configured} == {"local"}
    assert commands == {"make lint", "make check"}


def _documented() -> dict[str, str]:
    return dict(ROW.findall((ROOT / "docs/SETTINGS.md").read_text()))


def _shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)
