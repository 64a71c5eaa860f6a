"""Packages the functions: `python -m deploy.package` writes build/lambda.zip, which deploy/template.yaml deploys.

Packages come from the runtime's lock as wheels for the functions' Python and architecture, whatever this machine has.
What no function ever imports stays out. Equal inputs make equal bytes, and a package that is up to date stays as it is.
"""

import argparse
import hashlib
import os
import platform
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from deploy.environments import ROOT, DeploymentFailed, run_uv
from service.process import say

ARCHIVE = ROOT / "build/lambda.zip"
LOCK = ROOT / "requirements/runtime.txt"

# The oldest Linux that Lambda runs a supported Python on is newer than this.
WHEELS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

# Lambda's limit, unpacked.
MAX_BYTES = 250 * 2**20

OURS = ("service", "workers", "telemetry")
OUR_SUFFIXES = {".py", ".json"}
# Where nothing else answers; in Lambda the vendors do, or a simulator somewhere else.
NOT_OURS = PurePosixPath("service/simulator")

# Only terminals show these; and a function sends its spans by UDP, not through an OTLP exporter.
UNUSED_PACKAGES = (
    "rich", "pygments", "markdown-it-py", "mdurl",
    "grpcio", "opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-exporter-http-transport", "requests", "charset-normalizer", "certifi",
)  # fmt: skip
# Of the four hundred that botocore describes; all that service/aws/clients.py opens.
AWS_SERVICES = {"dynamodb", "lambda", "ssm"}

BUILT_SUFFIXES = {".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h"}
INSTALLERS_NOTES = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "py.typed", ".lock"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the functions run: the template's PythonRuntime and Architecture, or this machine, Linux or not."""

    python: str
    architecture: str
    here: bool = False

    @property
    def uv_options(self) -> list[str]:
        """What makes uv choose packages for it."""
        machine = [] if self.here else ["--python-platform", WHEELS[self.architecture]]
        return ["--python-version", self.python, *machine]


ON_AWS = Target("3.13", "arm64")  # the template's defaults


def this_machine() -> Target:
    """The Python that runs this, for an emulator that runs functions by it."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return Target("{}.{}".format(*sys.version_info), "arm64" if arm else "x86_64", here=True)


def package(target: Target, archive: Path = ARCHIVE) -> Path:
    """Write the archive unless it is up to date, and say how large it is. Raises DeploymentFailed."""
    inputs = _digest(target)
    if _made_from(archive) != inputs:
        say(f"Packaging the functions for Python {target.python} on {target.architecture} …")
        _make(target, archive, inputs)
    _report(archive)
    return archive


def _make(target: Target, archive: Path, inputs: str) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=archive.parent, prefix="packages-") as folder:
        packages = Path(folder, "packages")
        _install(target, packages)
        draft = Path(folder, "draft.zip")
        _zip(draft, sorted([*_their_files(packages), *_our_files()]), inputs)
        draft.replace(archive)


def _install(target: Target, into: Path) -> None:
    excludes = into.with_name("excluded.txt")
    excludes.write_text("\n".join(UNUSED_PACKAGES))
    # Wheels alone: nothing of a package runs here, and nothing is compiled for the wrong machine.
    run_uv(
        "pip", "install", "--target", into, *target.uv_options, "--only-binary", ":all:", "--no-deps",
        "--excludes", excludes, "--require-hashes", "-r", LOCK,
    )  # fmt: skip


def _our_files() -> Iterator[tuple[PurePosixPath, Path]]:
    """Name in the archive and file, for all that we wrote."""
    for package_ in OURS:
        for file in (ROOT / package_).rglob("*"):
            name = PurePosixPath(file.relative_to(ROOT))
            if file.suffix in OUR_SUFFIXES and NOT_OURS not in name.parents:
                yield name, file


def _their_files(packages: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    for file in packages.rglob("*"):
        name = PurePosixPath(file.relative_to(packages))
        if file.is_file() and _is_needed(name):
            yield name, file


def _is_needed(name: PurePosixPath) -> bool:
    if name.suffix in BUILT_SUFFIXES or name.name in INSTALLERS_NOTES:
        return False
    match name.parts:
        case ("bin", *_) | (_, "tests", *_):
            return False
        case ("botocore", "data", service, _, *_):
            return service in AWS_SERVICES
    return True


def _zip(archive: Path, files: list[tuple[PurePosixPath, Path]], inputs: str) -> None:
    """With the same time and rights for every file, so that equal contents are equal bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.comment = inputs.encode()
        for name, file in files:
            entry = zipfile.ZipInfo(str(name))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # everybody may read it
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, file.read_bytes())


def _digest(target: Target) -> str:
    """Of all that a package depends on: for whom, from which lock, of what code, by what rules."""
    digest = hashlib.sha256(repr(target).encode())
    rules = [(PurePosixPath(file.name), file) for file in (LOCK, Path(__file__))]
    for name, file in sorted([*rules, *_our_files()]):
        digest.update(f"\0{name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _made_from(archive: Path) -> str:
    """The digest that an archive was made from; nothing if there is none, or no whole one."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            return zipped.comment.decode(errors="replace")
    except (OSError, zipfile.BadZipFile):
        return ""


def _report(archive: Path) -> None:
    """Say what is how large. Raises DeploymentFailed for what Lambda would refuse."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            sizes[entry.filename.partition("/")[0]] += entry.file_size
    unpacked = sizes.total()
    say(f"{os.path.relpath(archive)}: {_mb(archive.stat().st_size)}, unpacked {_mb(unpacked)}; the largest in it:")
    for name, size in sizes.most_common(10):
        say(f"  {_mb(size):>8}  {name}")
    if unpacked > MAX_BYTES:
        raise DeploymentFailed(f"Unpacked the functions are larger than Lambda's {_mb(MAX_BYTES)}.")


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.package", description=__doc__)
    parser.add_argument("--python", default=ON_AWS.python, help="the functions' Python (%(default)s)")
    parser.add_argument("--architecture", default=ON_AWS.architecture, choices=WHEELS, help="(%(default)s)")
    options = parser.parse_args()
    package(Target(options.python, options.architecture))


if __name__ == "__main__":
    main()
