"""Writes the bills of materials: `python -m deploy.sbom` lists in build/sbom what is shipped, as CycloneDX JSON.

`python.json` has the packages of the runtime's lock that this machine would install, and `page.json` those that the
page may contain. Both have their versions and licences, and say which needs which.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.environments import ROOT, DeploymentFailed, environment, run
from service.process import say
from telemetry import __version__

FOLDER = ROOT / "build/sbom"
# Run by the Python that has CycloneDX's library, whose schemas include the lists of licences.
_VALIDATE = """
import json, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = pathlib.Path(sys.argv[1]).read_text()
version = SchemaVersion.from_version(json.loads(text)["specVersion"])
if problem := JsonStrictValidator(version).validate_str(text):
    sys.exit(str(problem))
"""


def write(folder: Path = FOLDER) -> list[Path]:
    """Write both documents and return their paths. Raises DeploymentFailed, also when one is not valid."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "python.json", folder / "page.json"]
    with TemporaryDirectory(dir=folder) as scratch:
        _write_python(written[0], Path(scratch))
        _write_page(written[1], Path(scratch))
    for document in written:
        validate(document)
    return written


def validate(document: Path) -> None:
    """Raises DeploymentFailed when the document does not follow CycloneDX's schema."""
    run([environment("sbom") / "python", "-c", _VALIDATE, document], f"{document.name} is not valid CycloneDX")


def _write_python(document: Path, scratch: Path) -> None:
    project = scratch / "pyproject.toml"
    versioned = (ROOT / project.name).read_text().replace('dynamic = ["version"]', f'version = "{__version__}"')
    project.write_text(versioned)
    run(
        [
            environment("sbom") / "cyclonedx-py", "environment", environment("runtime") / "python",
            "--pyproject", project, "--output-file", document,
        ],
        "The Python packages could not be listed",
    )  # fmt: skip


def _write_page(document: Path, scratch: Path) -> None:
    """List the packages of the page's lock, without those that build or test it. No package need be installed."""
    programs = Path(sys.prefix, "bin")
    package = json.loads((ROOT / "web/package.json").read_text()) | {"version": __version__}
    folder = scratch / package["name"]  # npm calls what it lists by the name of the folder
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(package))
    shutil.copy(ROOT / "web/package-lock.json", folder)
    run(
        [
            programs / "npm", "--prefix", folder, "--loglevel", "error",
            "sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--omit", "dev",
        ],
        "The page's packages could not be listed",
        environ={"PATH": f"{programs}:{os.environ['PATH']}"},
        document=document,
    )  # fmt: skip


def main() -> None:
    try:
        for document in write():
            say(f"{os.path.relpath(document)}: {len(json.loads(document.read_text())['components'])} packages")
    except DeploymentFailed as error:
        say(f"No bill of materials: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
