"""The bills of materials: valid, complete, and with the licence of everything."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from deploy import sbom
from deploy.environments import DeploymentFailed
from telemetry import __version__
from tests.security.test_dependencies import HERE, lock

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The documents by their names, each of which was found to be valid."""
    return {document.stem: document for document in sbom.write(tmp_path_factory.mktemp("sbom"))}


def components(document: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document.read_text())["components"]
    return found


def test_the_packages_are_those_of_the_lock(written: dict[str, Path]) -> None:
    listed = {(canonicalize_name(each["name"]), f"=={each['version']}") for each in components(written["python"])}

    assert listed == {(name, str(lock("runtime.txt")[name][0].specifier)) for name in HERE}


def test_everything_in_the_page_is_listed(written: dict[str, Path], built_page: Path) -> None:
    bundled = set(re.findall(r"^## (\S+) - (\S+)", (built_page / "licences.txt").read_text(), re.MULTILINE))

    listed = {(each["name"], each["version"]) for each in components(written["page"])}

    assert bundled <= listed
    assert "@fontsource/alegreya" in {name for name, _ in listed}
    assert [each["name"] for each in components(written["page"]) if not each["licenses"]] == []


@pytest.mark.parametrize(("name", "subject"), [("python", "cloud-sayings"), ("page", "cloud-sayings-page")])
def test_each_says_what_it_is_about(name: str, subject: str, written: dict[str, Path]) -> None:
    about = json.loads(written[name].read_text())["metadata"]

    assert (about["component"]["name"], about["component"]["version"]) == (subject, __version__)
    assert about["timestamp"]


def test_a_document_that_is_not_valid_is_refused(written: dict[str, Path], tmp_path: Path) -> None:
    document = tmp_path / "invalid.json"
    document.write_text(written["page"].read_text().replace('"type": "library"', '"type": "book"'))

    with pytest.raises(DeploymentFailed, match=r"invalid\.json is not valid CycloneDX"):
        sbom.validate(document)
