"""Packages the functions: `python -m deploy.package` writes build/lambda.zip, which deploy/template.yaml deploys.

Packages are installed from the runtime's lock, as wheels for the Python and the architecture of the functions, even if
this machine has others. Packages that no function imports are left out. Equal inputs give equal bytes, and an archive
that is up to date is left as it is.

The archive contains bytecode, because a function cannot store any: without it, each cold start compiles every module
that it imports, which doubles its time. Only a Python of the functions' own version can write it. If there is none on
this machine, uv downloads one.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from deploy.environments import ROOT, DeploymentFailed, run, run_uv
from service.page.cards import FONT
from service.page.document import PAGE_FOLDER
from service.process import say

ARCHIVE = ROOT / "build/lambda.zip"
LOCK = ROOT / "requirements/runtime.txt"
# Pythons that only write bytecode.
PYTHONS = ROOT / "build/python"
# Where Lambda unpacks the archive. Tracebacks name the files by it.
TASK_ROOT = "/var/task"

# The Linux on which Lambda runs Python is newer than manylinux_2_28, except for the oldest Python that it runs.
WHEELS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
ON_OLDER_LINUX = "3.11"

# Lambda's limits on the unpacked size, and on an archive that is uploaded without a bucket of S3.
MAX_BYTES = 250 * 2**20
MAX_ARCHIVE_BYTES = 50 * 2**20

OURS = ("service", "workers", "telemetry")
OUR_SUFFIXES = {".py", ".json"}
# The simulator in the process is for machines without keys; a function calls the vendors or a simulator at a URL.
NOT_OURS = PurePosixPath("service/simulator")

# What the function needs of the page; the other files are in the bucket.
OF_THE_PAGE = ("index.html", FONT)

# Some of these only serve a terminal. The others belong to the OTLP exporters, and a function sends its spans by UDP.
UNUSED_PACKAGES = (
    "rich", "pygments", "markdown-it-py", "mdurl",
    "grpcio", "opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-exporter-http-transport", "requests", "charset-normalizer", "certifi",
)  # fmt: skip
# The services whose descriptions a function needs, of the four hundred in botocore: those that service/aws/clients.py
# opens.
AWS_SERVICES = {"dynamodb", "lambda", "ssm"}

# Pillow's formats, colour profiles and windows that no card needs, with their libraries.
UNUSED_OF_PILLOW = ("_avif", "_webp", "_imagingcms", "_imagingtk", "libavif", "libwebp", "libsharpyuv", "liblcms2")

BUILT_SUFFIXES = {".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h"}
INSTALLERS_NOTES = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "py.typed", ".lock"}


@dataclass(frozen=True, slots=True)
class Target:
    """The Python and the architecture that the functions run on, as the template's parameters give them.

    `here` is true when the functions run on this machine, which may not be a Linux one.
    """

    python: str
    architecture: str
    here: bool = False

    @property
    def uv_options(self) -> list[str]:
        """The options by which uv chooses the packages for this target."""
        machine = [] if self.here else ["--python-platform", WHEELS[self.architecture]]
        return ["--python-version", self.python, *machine]


ON_AWS = Target("3.13", "arm64")  # the template's defaults


def this_machine() -> Target:
    """The Python of this process, for an emulator that runs the functions on it."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return Target("{}.{}".format(*sys.version_info), "arm64" if arm else "x86_64", here=True)


def package(target: Target, archive: Path = ARCHIVE) -> Path:
    """Write the archive unless it is up to date, and print its size. Raises DeploymentFailed."""
    if target.python == ON_OLDER_LINUX and not target.here:
        raise DeploymentFailed(f"Lambda runs Python {ON_OLDER_LINUX} on a Linux too old for Pillow; choose a newer.")
    if not (PAGE_FOLDER / "index.html").is_file():
        raise DeploymentFailed("The page is not built: `make page` builds it.")
    compiler = _compiler(target.python)
    inputs = _digest(target, compiler)
    if _made_from(archive) != inputs:
        say(f"Packaging the functions for Python {target.python} on {target.architecture} …")
        _make(target, compiler, archive, inputs)
    _report(archive)
    if compiler is None:
        say(f"It has no bytecode: there is no Python {target.python} on this machine, and none could be downloaded.")
        say("The functions work, but each cold start takes twice as long. Install that Python and package again.")
    return archive


def _make(target: Target, compiler: Path | None, archive: Path, inputs: str) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=archive.parent, prefix="packages-") as folder:
        packages, task, draft = Path(folder, "packages"), Path(folder, "task"), Path(folder, "draft.zip")
        _install(target, packages)
        for name, file in [*_their_files(packages), *_our_files()]:
            (task / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, task / name)
        if compiler is not None:
            _compile(compiler, task)
        _zip(draft, task, inputs)
        draft.replace(archive)


@cache
def _compiler(python: str) -> Path | None:
    """A Python of this version, which is downloaded if need be. None when that is not possible."""
    if python == "{}.{}".format(*sys.version_info):
        return Path(sys.executable)
    found = shutil.which(f"python{python}")
    if found is not None and _version(Path(found)):
        return Path(found)
    try:
        run_uv("python", "install", "--no-bin", "--install-dir", PYTHONS, python)
    except DeploymentFailed:
        return None
    return next(PYTHONS.glob(f"cpython-{python}.*/bin/python{python}"), None)


def _version(python: Path | None) -> str:
    """The version of a Python; "" for none, and for one that does not run, such as a version manager's placeholder."""
    if python is None:
        return ""
    return subprocess.run([python, "-V"], capture_output=True, text=True, check=False).stdout  # noqa: S603


def _compile(compiler: Path, folder: Path) -> None:
    """Write the bytecode of all modules. It is used without a look at the source, whose time and contents never change.

    One process with a fixed hash seed compiles them in order, because equal modules would not give equal bytes
    otherwise.
    """
    run(
        [compiler, "-S", "-m", "compileall", "-q", "-o", "0", "--invalidation-mode", "unchecked-hash",
         "-s", folder, "-p", TASK_ROOT, folder],
        "The bytecode could not be written",
        {"PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": ""},
    )  # fmt: skip


def _install(target: Target, into: Path) -> None:
    excludes = into.with_name("excluded.txt")
    excludes.write_text("\n".join(UNUSED_PACKAGES))
    # Only wheels are installed, so that no package runs its own code here and none is compiled for the wrong machine.
    run_uv(
        "pip", "install", "--target", into, *target.uv_options, "--only-binary", ":all:", "--no-deps",
        "--excludes", excludes, "--require-hashes", "-r", LOCK,
    )  # fmt: skip


def _our_files() -> Iterator[tuple[PurePosixPath, Path]]:
    """The files of this project, each with its name in the archive."""
    for package_ in OURS:
        for file in (ROOT / package_).rglob("*"):
            name = PurePosixPath(file.relative_to(ROOT))
            if file.suffix in OUR_SUFFIXES and NOT_OURS not in name.parents:
                yield name, file
    for pattern in OF_THE_PAGE:
        for file in PAGE_FOLDER.glob(pattern):
            yield PurePosixPath(file.relative_to(ROOT)), file


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
        case ("PIL" | "pillow.libs", file, *_):
            return not file.startswith(UNUSED_OF_PILLOW)
    return True


def _zip(archive: Path, folder: Path, inputs: str) -> None:
    """Write the archive. Every file has the same time and permissions, so that equal contents give equal bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.comment = inputs.encode()
        for file in sorted(filter(Path.is_file, folder.rglob("*"))):
            entry = zipfile.ZipInfo(str(PurePosixPath(file.relative_to(folder))))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # readable by every user
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, file.read_bytes())


def _digest(target: Target, compiler: Path | None) -> str:
    """The digest of all that the archive depends on: target, compiler, lock, code and the rules of this module."""
    digest = hashlib.sha256(f"{target} {_version(compiler)}".encode())
    rules = [(PurePosixPath(file.name), file) for file in (LOCK, Path(__file__))]
    for name, file in sorted([*rules, *_our_files()]):
        digest.update(f"\0{name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _made_from(archive: Path) -> str:
    """The digest that is stored in the archive; "" when the archive is missing or incomplete."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            return zipped.comment.decode(errors="replace")
    except (OSError, zipfile.BadZipFile):
        return ""


def _report(archive: Path) -> None:
    """Print the sizes of the archive and its largest parts. Raises DeploymentFailed when it is too large for Lambda."""
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
    if archive.stat().st_size > MAX_ARCHIVE_BYTES:
        raise DeploymentFailed(f"The archive is larger than the {_mb(MAX_ARCHIVE_BYTES)} that Lambda takes at once.")


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
