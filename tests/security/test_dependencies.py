"""An audit of what is shipped, without a network: pinned by hash, free to use, wanted, and known by name.

A new dependency has to be added here too, so that its author has looked at it.
"""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_architecture import PACKAGES, imports, sources

ROOT = Path(__file__).parent.parent.parent

# What we import ourselves, then what that brings with it.
DIRECT = {
    "aioboto3", "aiohttp", "anthropic", "cachetools", "msgspec", "openai", "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk", "pillow", "rich",
}  # fmt: skip
INDIRECT = {
    "aiobotocore", "aiofiles", "aiohappyeyeballs", "aioitertools", "aiosignal", "annotated-types", "anyio", "attrs",
    "boto3", "botocore", "certifi", "charset-normalizer", "docstring-parser", "frozenlist", "googleapis-common-protos",
    "grpcio", "h11", "httpcore2", "httpx2", "httpx2-jsfetch", "idna", "jiter", "jmespath", "markdown-it-py", "mdurl",
    "multidict", "opentelemetry-api", "opentelemetry-exporter-http-transport", "opentelemetry-exporter-otlp-common",
    "opentelemetry-exporter-otlp-proto-common", "opentelemetry-proto", "opentelemetry-semantic-conventions",
    "propcache", "protobuf", "pydantic", "pydantic-core", "pygments", "python-dateutil", "requests", "s3transfer",
    "six", "sniffio", "truststore", "typing-extensions", "typing-inspection", "urllib3", "wrapt", "yarl",
}  # fmt: skip
# Parts of the interfaces of what brings them.
IMPORTED_ALL_THE_SAME = {
    "aiobotocore": "aioboto3",
    "anyio": "httpx2",
    "botocore": "aiobotocore",
    "grpcio": "opentelemetry-exporter-otlp-proto-grpc",
    "httpx2": "openai",
    "multidict": "aiohttp",
    "opentelemetry-api": "opentelemetry-sdk",
    "opentelemetry-proto": "opentelemetry-exporter-otlp-proto-http",
    "protobuf": "opentelemetry-proto",
    "requests": "opentelemetry-exporter-otlp-proto-http",
}

# What the extra `analyse` brings for one command. It is not shipped.
OPTIONAL = {"numpy", "statsmodels"}

# MPL-2.0 has conditions only for changes to its files, which we do not make; OFL-1.1 is the font's.
LICENCES = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "ISC", "MIT", "MIT-CMU",
    "MPL-2.0", "OFL-1.1", "PSF-2.0", "Python-2.0", "Unlicense",
}  # fmt: skip
# As packages say it that do not say it in SPDX's words.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


@cache
def lock(name: str) -> Mapping[str, tuple[Requirement, list[str]]]:
    """The requirements of a lock by their names, each with its hashes."""
    text = re.sub(r"#.*", "", (ROOT / "requirements" / name).read_text()).replace("\\\n", " ")
    lines = [line.split(" --hash=") for line in text.splitlines() if line.strip()]
    requirements = ((Requirement(first), [part.strip() for part in rest]) for first, *rest in lines)
    return {canonicalize_name(found.name): (found, hashes) for found, hashes in requirements}


def is_for_here(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves us a choice of what we may use."""
    choices = re.split(r"\s+OR\s+", expression.replace("(", " ").replace(")", " ").strip())
    return any(all(part.strip() in LICENCES for part in re.split(r"\s+AND\s+", choice)) for choice in choices)


def licences(package: str) -> list[str]:
    """What an installed package says of its licence: the newest of the three ways that it uses."""
    metadata = importlib.metadata.metadata(package)
    classifiers = metadata.get_all("Classifier", [])
    told = metadata.get_all("License-Expression", [])
    told = told or [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    told = told or metadata.get_all("License", ["none"])
    return [SPELLINGS.get(name, name) for name in told]


HERE = sorted(name for name, (requirement, _) in lock("runtime.txt").items() if is_for_here(requirement))


def test_everything_that_is_shipped_is_known_by_name() -> None:
    assert set(lock("runtime.txt")) == DIRECT | INDIRECT


def test_every_file_that_may_be_installed_is_pinned_by_its_hash() -> None:
    hashes = [each for name in ("runtime.txt", "dev.txt") for _, found in lock(name).values() for each in found or [""]]

    assert [each for each in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", each)] == []


def test_what_is_tested_is_what_is_shipped() -> None:
    shipped = {name: str(requirement.specifier) for name, (requirement, _) in lock("runtime.txt").items()}
    tested = {name: str(requirement.specifier) for name, (requirement, _) in lock("dev.txt").items()}
    installed = {name: f"=={importlib.metadata.version(name)}" for name in HERE}

    assert {name: tested.get(name) for name in shipped} == shipped
    assert installed == {name: shipped[name] for name in HERE}


def test_what_the_extra_installs_is_what_is_tested() -> None:
    optional = {name: str(requirement.specifier) for name, (requirement, _) in lock("analyse.txt").items()}
    tested = {name: str(requirement.specifier) for name, (requirement, _) in lock("dev.txt").items()}

    assert optional.keys() >= OPTIONAL
    assert optional.items() <= tested.items()


def test_every_licence_is_one_that_we_may_use() -> None:
    assert [(name, each) for name in HERE for each in licences(name) if not is_allowed(each)] == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("(MIT OR GPL-3.0-only)", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("SSPL-1.0", False),
        ("none", False),
        ("", False),
    ],
)
def test_a_licence_is_read_as_it_is_meant(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


@cache
def owners() -> dict[str, str]:
    """The package that each module belongs to, one of them where several share it."""
    files = ((name, file) for name in HERE for file in importlib.metadata.files(name) or [])
    return {module(file): name for name, file in files if file.suffix in (".py", ".so")}


def module(file: PurePath) -> str:
    return ".".join((*file.parent.parts, file.name.partition(".")[0])).removesuffix(".__init__")


def owner(name: str) -> str | None:
    """The package of `a.b.c`, which may be a name in a module."""
    while name and name not in owners():
        name = name.rpartition(".")[0]
    return owners().get(name)


@cache
def imported() -> set[str | None]:
    """The packages that our code imports; None stands for one that is not shipped."""
    ours = {*PACKAGES, *OPTIONAL, *sys.stdlib_module_names}
    found = (each for source in sources() for each in imports(source) if not each.for_types and each.top not in ours)
    return {owner(each.name) for each in found}


def test_the_projects_dependencies_are_the_direct_ones_listed_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert {canonicalize_name(Requirement(line).name) for line in project["dependencies"]} == DIRECT


def test_all_that_is_asked_for_is_imported_and_nothing_else() -> None:
    assert imported() == DIRECT | IMPORTED_ALL_THE_SAME.keys()


@pytest.mark.parametrize(("package", "brought_by"), IMPORTED_ALL_THE_SAME.items())
def test_what_is_imported_without_being_asked_for_comes_with_what_is(package: str, brought_by: str) -> None:
    required = map(Requirement, importlib.metadata.requires(brought_by) or [])

    assert package in {requirement.name for requirement in required if is_for_here(requirement)}


# The page's tools and libraries, once they are there.
NPM_LOCKS = [path for path in ROOT.glob("*/package-lock.json") if path.parent.name != "node_modules"]


def npm_problems(lock_file: bytes) -> list[str]:
    """What is wrong with an npm lock, package by package."""
    packages: dict[str, dict[str, Any]] = msgspec.json.decode(lock_file)["packages"]
    found = ((name, package) for name, package in packages.items() if name and not package.get("link"))
    return [f"{name}: {problem}" for name, package in found for problem in _npm_problems(package)]


def _npm_problems(package: Mapping[str, Any]) -> Iterator[str]:
    if not str(package.get("integrity", "")).startswith("sha512-"):
        yield "no hash"
    if "://" in str(package.get("resolved", "")):
        yield "an address"
    if not is_allowed(str(package.get("license", "none"))):
        yield f"licence {package.get('license')}"


def test_the_pages_packages_are_pinned_by_their_hash_and_free_to_use() -> None:
    assert [problem for path in NPM_LOCKS for problem in npm_problems(path.read_bytes())] == []


def test_a_page_with_packages_has_a_lock() -> None:
    assert {path.parent for path in ROOT.glob("web/package.json")} <= {path.parent for path in NPM_LOCKS}


@pytest.mark.parametrize(
    ("package", "problems"),
    [
        ({"integrity": "sha512-x", "license": "MIT"}, []),
        ({"link": True}, []),
        ({"license": "MIT"}, ["no hash"]),
        ({"integrity": "sha1-x", "license": "MIT"}, ["no hash"]),
        ({"integrity": "sha512-x", "license": "MIT", "resolved": "https://registry.example/a.tgz"}, ["an address"]),
        ({"integrity": "sha512-x", "license": "GPL-3.0"}, ["licence GPL-3.0"]),
        ({"integrity": "sha512-x"}, ["licence None"]),
    ],
    ids=str,
)
def test_what_would_be_wrong_with_one_is_seen(package: dict[str, Any], problems: list[str]) -> None:
    lock_file = msgspec.json.encode({"packages": {"": {"name": "page"}, "node_modules/a": package}})

    assert npm_problems(lock_file) == [f"node_modules/a: {problem}" for problem in problems]
