"""The functions' package: what is in it, for whom, and that it is all they need when Lambda's own client runs it."""

import importlib.util
import marshal
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from deploy import package as packaging
from deploy.environments import DeploymentFailed
from deploy.package import ARCHIVE, ON_AWS, Target, package, this_machine
from service.catalogue.collection import collection
from service.config import Settings
from service.page.cards import FONT
from service.participants import SIMULATED_KEY
from service.simulator import Simulator
from tests.aws import put_key, ssm_client
from tests.aws_lambda.gateway import Asked, answer
from tests.aws_lambda.runtime_api import runtime
from tests.aws_lambda.tables import tables_with
from tests.deploy.stack import TEMPLATE, Stack

pytestmark = pytest.mark.slow

MOST_INVOCATIONS = 20
RAN_OUT_OF_TIME = ("live_timeout", "live_not_asked", "live_cut_short")

HERE = this_machine()
both = pytest.mark.parametrize("target", [ON_AWS, HERE], ids=["on AWS", "here"])

# The field of an ELF header that says which machine a library is for.
MACHINES = {"arm64": 183, "x86_64": 62}


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory, built_page: Path) -> dict[Target, Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {ON_AWS: package(ON_AWS, folder / "aws.zip"), HERE: package(HERE, folder / "here.zip")}


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as zipped:
        return zipped.namelist()


@pytest.fixture
def unpacked(archives: dict[Target, Path], tmp_path: Path) -> Path:
    with zipfile.ZipFile(archives[HERE]) as zipped:
        zipped.extractall(tmp_path / "task")
    return tmp_path / "task"


@pytest.fixture
def bare_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions run by a Python that has Lambda's runtime client, what that needs, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    (packages,) = (tmp_path / "bare/lib").glob("python*/site-packages")
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in metadata.files(name) or ():
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), packages / file)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))


@pytest.fixture
def tables(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    return tables_with(collection()[:20], moto_url, monkeypatch)


@pytest.fixture
async def environ(
    tables: dict[str, str], moto_url: str, simulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment variables of a function, as the template sets them; the keys are in SSM."""
    async with ssm_client(moto_url, monkeypatch) as ssm:
        for name in Settings().key_parameters.values():
            await put_key(ssm, name, SIMULATED_KEY)
    return tables | {"SAYINGS_KEYS": "ssm", "SAYINGS_SIMULATOR": simulator_url, "SAYINGS_ROUNDS": "off"}


@pytest.mark.usefixtures("bare_python")
async def test_the_api_needs_nothing_beyond_its_package(unpacked: Path, environ: dict[str, str]) -> None:
    environ |= {"SAYINGS_LIVE_EVERY": "1"}
    async with runtime("service.aws_lambda.handler.handler", root=unpacked, environ=environ) as function:
        sayings = [answer(await function.invoke(Asked("GET", "/sayings").v1())).json for _ in range(4)]
        # On a busy machine the first live call may run out of time while the SDK is being imported.
        while sayings[-1]["degraded"] in RAN_OUT_OF_TIME and len(sayings) < MOST_INVOCATIONS:
            sayings.append(answer(await function.invoke(Asked("GET", "/sayings").v1())).json)

    assert [(saying["origin"], saying["degraded"]) for saying in sayings[:3]] == [("database", None)] * 3
    assert (sayings[-1]["origin"], sayings[-1]["degraded"]) == ("live", None)


@pytest.mark.usefixtures("bare_python")
async def test_the_worker_needs_nothing_beyond_its_package(
    unpacked: Path, environ: dict[str, str], simulator: Simulator
) -> None:
    async with runtime("workers.lambda_handler.handler", root=unpacked, environ=environ) as function:
        report = await function.invoke({"source": "aws.scheduler"}, seconds=120)

    assert [(model["sayings"], model["error_type"]) for model in report["round"]["models"]] == [(3, "")] * 4
    assert {call.vendor for call in simulator.calls} == {"anthropic", "openai"}


@both
@pytest.mark.parametrize(
    "useless",
    [
        r"(^|/)tests?/", r"\.pyi$", r"^(pip|setuptools|moto|uv|rich)/", r"^bin/",
        r"(^|/)RECORD$", r"libavif|libwebp",
    ],
)  # fmt: skip
def test_the_package_holds_nothing_useless(target: Target, useless: str, archives: dict[Target, Path]) -> None:
    assert [name for name in names(archives[target]) if re.search(useless, name)] == []


@both
def test_of_the_page_it_has_the_document_and_the_font_alone(target: Target, archives: dict[Target, Path]) -> None:
    page = [name.removeprefix("web/dist/") for name in names(archives[target]) if name.startswith("web/")]

    assert [fnmatchcase(name, pattern) for name, pattern in zip(page, (FONT, "index.html"), strict=True)] == [True] * 2


@pytest.mark.usefixtures("bare_python")
async def test_a_card_is_drawn_with_what_is_in_the_package(unpacked: Path, environ: dict[str, str]) -> None:
    saying = collection()[0]
    async with runtime("service.aws_lambda.handler.handler", root=unpacked, environ=environ) as function:
        page = answer(await function.invoke(Asked("GET", f"/s/{saying.saying_id}").v1()))
        card = answer(await function.invoke(Asked("GET", f"/s/{saying.saying_id}.png").v1()))

    assert (page.status, card.status) == (200, 200)
    assert saying.services[0].encode() in page.body
    assert card.body.startswith(b"\x89PNG")


def test_every_module_has_bytecode_that_is_never_checked(archives: dict[Target, Path]) -> None:
    with zipfile.ZipFile(archives[HERE]) as zipped:
        files = set(zipped.namelist())
        modules = {name for name in files if name.endswith(".py")}
        compiled = {name: zipped.read(name) for name in files if name.endswith(".pyc")}

    assert {importlib.util.cache_from_source(name) for name in modules} == compiled.keys()
    # A flag of one says that the source's hash follows and is not compared.
    assert {code[:8] for code in compiled.values()} == {importlib.util.MAGIC_NUMBER + struct.pack("<I", 1)}
    (handler,) = [code for name, code in compiled.items() if name.startswith("workers/__pycache__/lambda_handler.")]
    assert marshal.loads(handler[16:]).co_filename == "/var/task/workers/lambda_handler.py"


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch, built_page: Path) -> None:
    monkeypatch.setattr(packaging, "_install", lambda _, folder: folder.mkdir())


@pytest.mark.usefixtures("without_packages")
def test_where_no_python_can_write_bytecode_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packaging, "_compiler", lambda _: None)

    archive = package(Target("3.14", "arm64"), tmp_path / "lambda.zip")

    assert "workers/lambda_handler.py" in names(archive)
    assert [name for name in names(archive) if name.endswith(".pyc")] == []
    assert "It has no bytecode" in capsys.readouterr().err


@pytest.mark.usefixtures("without_packages")
def test_bytecode_is_added_once_a_python_can_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "lambda.zip"
    with monkeypatch.context() as patch:
        patch.setattr(packaging, "_compiler", lambda _: None)
        package(HERE, archive)

    package(HERE, archive)

    assert importlib.util.cache_from_source("workers/lambda_handler.py") in names(archive)


def test_a_python_that_does_not_run_writes_no_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placeholder = tmp_path / "python3.99"
    placeholder.write_text("#!/bin/sh\nexit 127\n")
    placeholder.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(packaging, "run_uv", downloads_nothing)

    assert packaging._compiler("3.99") is None


def downloads_nothing(*_: object) -> None:
    raise DeploymentFailed("Packages could not be installed.")


def test_a_linux_that_is_too_old_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed, match=r"Python 3\.11"):
        package(Target("3.11", "arm64"), tmp_path / "lambda.zip")


@both
def test_every_package_in_it_keeps_its_licence(target: Target, archives: dict[Target, Path]) -> None:
    files = names(archives[target])
    packages = {name.partition("/")[0] for name in files if name.endswith(".dist-info/METADATA")}

    licensed = {
        name.partition("/")[0]
        for name in files
        if re.search(r"\.dist-info/.*(LICEN[CS]E|COPYING)", name, re.IGNORECASE)
    }

    assert len(packages) > 30
    assert packages - licensed == set()


@both
def test_all_libraries_in_it_are_for_its_python_and_machine(target: Target, archives: dict[Target, Path]) -> None:
    tag = f".cpython-{target.python.replace('.', '')}-"
    with zipfile.ZipFile(archives[target]) as zipped:
        libraries = {name: zipped.read(name)[:20] for name in zipped.namelist() if name.endswith(".so")}

    assert libraries
    for name, header in libraries.items():
        assert tag in name or ".abi3." in name, name
        if header.startswith(b"\x7fELF"):
            assert struct.unpack_from("<H", header, 18) == (MACHINES[target.architecture],), name


def test_what_is_tried_here_is_what_runs_on_aws(archives: dict[Target, Path]) -> None:
    # The libraries beside a module have their digest and version in their names. Bytecode there is where a Python of
    # that version is.
    tag, version = re.compile(r"\.cpython-.*\.so$"), re.compile(r"-[0-9a-f]{8}\.so[.\d]*$")
    modules = [
        {version.sub(".so", tag.sub(".so", name)) for name in names(each) if not name.endswith(".pyc")}
        for each in archives.values()
    ]

    assert modules[0] == modules[1]


def test_equal_inputs_make_equal_bytes(archives: dict[Target, Path], tmp_path: Path) -> None:
    again = package(HERE, tmp_path / "lambda.zip")

    assert again.read_bytes() == archives[HERE].read_bytes()


def test_what_is_up_to_date_is_not_made_again(
    archives: dict[Target, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Path(shutil.copyfile(archives[HERE], tmp_path / "lambda.zip"))
    made: list[Target] = []
    monkeypatch.setattr(packaging, "_make", lambda target, *_: made.append(target))

    package(HERE, archive)
    package(ON_AWS, archive)

    assert made == [ON_AWS]


def test_a_broken_archive_is_made_again(archives: dict[Target, Path], tmp_path: Path) -> None:
    archive = tmp_path / "lambda.zip"
    archive.write_bytes(archives[HERE].read_bytes()[:1000])

    package(HERE, archive)

    assert archive.read_bytes() == archives[HERE].read_bytes()


def test_more_than_lambda_takes_is_refused(archives: dict[Target, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "MAX_BYTES", 2**20)

    with pytest.raises(DeploymentFailed, match=r"larger than Lambda's 1\.0 MB"):
        package(HERE, archives[HERE])


def test_more_than_lambda_takes_at_once_is_refused(
    archives: dict[Target, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "MAX_ARCHIVE_BYTES", 2**20)

    with pytest.raises(DeploymentFailed, match=r"1\.0 MB that Lambda takes at once"):
        package(HERE, archives[HERE])


def test_the_template_asks_for_what_is_packaged() -> None:
    template: dict[str, Any] = dict(Stack().template)
    defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}

    assert (defaults["PythonRuntime"], defaults["Architecture"]) == (f"python{ON_AWS.python}", ON_AWS.architecture)
    assert (TEMPLATE.parent / template["Globals"]["Function"]["CodeUri"]).resolve() == ARCHIVE
