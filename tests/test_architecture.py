"""The shape of the code: which module may import and build what, and what the repository must not contain."""

import ast
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("service", "workers", "telemetry")
PACKAGES = (*SHIPPED, "deploy")
# The layers from low to high. A package imports from the layers below its own, never from one above or beside it.
LAYERS = (
    ("telemetry",),
    ("service.domain", "service.errors", "service.limits", "service.urls"),
    ("service.resilience", "service.catalogue", "service.keys", "service.aws"),
    ("service.store",),
    ("service.llm", "service.statistics"),
    ("service.sayings", "service.config", "service.simulator"),
    ("service.voting", "service.process", "service.participants"),
    ("service.api",),
    ("service.page",),
    ("service.resources",),
    ("service.server", "service.aws_lambda"),
    ("service.cli",),
    ("service.__main__", "workers"),
    ("deploy",),
)
DEPTH = {package: depth for depth, layer in enumerate(LAYERS) for package in layer}
TOPS = {"telemetry", "workers", "deploy"}
MODEL_SDKS = {"anthropic", "openai", "httpx2"}
AWS_SDKS = {"aioboto3", "aiobotocore", "boto3", "botocore"}
# What a cold start must not pay for: imported inside functions only.
LATE = MODEL_SDKS | AWS_SDKS | {"PIL"}


@dataclass(frozen=True)
class Import:
    """One name imported somewhere: `service.store.base.Store` for `from service.store.base import Store`."""

    name: str
    at_start: bool  # when the module is imported, not later in a function
    for_types: bool  # under `if TYPE_CHECKING`

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


@cache
def sources(*packages: str) -> dict[str, Path]:
    """The modules of these packages, or of the shipped ones, by their dotted names."""
    paths = [path for package in packages or SHIPPED for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(sources(*PACKAGES)[module].read_text())


@cache
def imports(module: str) -> tuple[Import, ...]:
    return tuple(_imports(tree(module), at_start=True, for_types=False))


def _imports(node: ast.AST, *, at_start: bool, for_types: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, at_start, for_types) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (Import(f"{node.module}.{alias.name}", at_start, for_types) for alias in node.names)
    at_start = at_start and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for_types = for_types or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, at_start=at_start, for_types=for_types)


def importers(*tops: str) -> set[str]:
    """Which of our modules import these packages, wherever in them and be it for types."""
    return {module for module in sources() for found in imports(module) if found.top in tops}


def package_of(name: str) -> str:
    """The package of a dotted name, as the layers call it: `service.store` for `service.store.base.Store`."""
    top, _, rest = name.partition(".")
    inner = rest.partition(".")[0]
    return top if top in TOPS else f"{top}.{inner}"


def may_import(importer: str, imported: str) -> bool:
    own, other = package_of(importer), package_of(imported)
    return own == other or DEPTH[other] < DEPTH[own]


def needs(module: str) -> set[str]:
    """Which of our modules are run when this one is imported."""
    found, known = set[str](), sources(*PACKAGES)
    for imported in imports(module):
        if imported.at_start and not imported.for_types:
            parts = imported.name.split(".")
            # Importing a.b.c runs a and a.b before it; a module of a package has had its package run already.
            names = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
            found |= {name for name in names if name in known and not f"{module}.".startswith(f"{name}.")}
    return found


class TestImports:
    def test_there_are_no_cycles(self) -> None:
        graph = {module: needs(module) for module in sources(*PACKAGES)}

        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            pytest.fail(" ← ".join(error.args[1]))

        assert set(order) == set(graph)

    def test_each_module_imports_from_lower_layers_only(self) -> None:
        wrong = {
            f"{module} → {imported.name}"
            for module in sources(*PACKAGES)
            for imported in imports(module)
            if imported.top in PACKAGES and not may_import(module, imported.name)
        }

        assert wrong == set()

    def test_nothing_but_tests_imports_tests(self) -> None:
        importing = {module for module in sources(*PACKAGES) for found in imports(module) if found.top == "tests"}

        assert importing == set()

    def test_every_package_has_its_layer(self) -> None:
        assert {package_of(module) for module in sources(*PACKAGES) if "." in module or module in TOPS} <= set(DEPTH)

    def test_at_most_ten_files_lie_directly_in_service(self) -> None:
        assert len(list((ROOT / "service").glob("*.py"))) <= 10

    def test_each_vendors_sdk_is_known_to_its_adapter_alone(self) -> None:
        assert importers("anthropic") == {"service.llm.anthropic"}
        assert importers("openai") == {"service.llm.openai"}
        assert importers("httpx2") <= {"service.llm.anthropic", "service.llm.bounded_http", "service.llm.openai"}

    def test_the_aws_sdk_is_known_only_where_aws_is_spoken_to(self) -> None:
        allowed = re.compile(r"service\.(aws\..+|keys\.sources|store\.dynamodb(\..+)?)")

        assert not {module for module in importers(*AWS_SDKS) if not allowed.fullmatch(module)}

    def test_sdks_are_imported_when_first_needed(self) -> None:
        early = {
            (module, imported.top)
            for module in sources()
            for imported in imports(module)
            if imported.top in LATE and imported.at_start and not imported.for_types
        }

        # These modules are themselves imported when their library is first needed.
        assert early == {
            ("service.aws.sessions", "aiobotocore"),
            ("service.aws.sessions", "botocore"),
            ("service.llm.bounded_http", "httpx2"),
            ("service.page.drawing", "PIL"),
        }
        late = ("service.aws.sessions", "service.llm.bounded_http", "service.page.drawing")
        assert not [m for m in sources() for found in imports(m) if found.at_start and found.name.startswith(late)]

    def test_aiohttp_is_known_to_the_servers_alone(self) -> None:
        allowed = re.compile(r"service\.(server\..+|simulator\..+)")

        assert not {module for module in importers("aiohttp") if not allowed.fullmatch(module)}

    def test_what_is_not_shipped_is_known_to_the_analysis_alone(self) -> None:
        needing = "service.statistics.analysis"

        assert importers("numpy", "scipy", "statsmodels") == {needing}
        assert {module for module in sources() if needing in needs(module)} == set()

    def test_only_telemetry_knows_opentelemetry(self) -> None:
        assert not {module for module in importers("opentelemetry") if not module.startswith("telemetry")}


# The modules that may build each of these. Anything that is not on the list is built where it is needed.
RESOURCES = {"service.resources"}
BUILDERS = {
    "AnthropicAdapter": set(),  # by the registry, which holds the classes in a table
    "OpenAiAdapter": set(),
    "SqliteStore": set(),  # by its own `open`
    "SqliteStore.open": {"service.store.address"},
    "DynamoStore": {"service.store.address"},
    "SsmKeySource": {"service.participants"},
    "EnvironmentKeySource": {"service.participants"},
    "FixedKeySource": {"service.participants"},
    "PrefixedKeySource": {"service.participants"},
    "open_participants": RESOURCES,
    "open_store": RESOURCES | {"service.cli.stores"},
    "AwsClients": RESOURCES | {"service.cli.stores"},
    "Adapters": RESOURCES,
    "KeyStore": RESOURCES,
    "Gateway": RESOURCES,
    "Budget": RESOURCES,
    "Pool": RESOURCES,
    "PoolFiller": RESOURCES,
    "ServeCounter": RESOURCES,
    "Flow": RESOURCES,
    "SayingVotes": RESOURCES,
    "CallRecorder": RESOURCES,
    "Comparisons": RESOURCES,
    "ComparisonVotes": RESOURCES,
    "Statistics": RESOURCES,
    "Endpoints": RESOURCES,
}


class TestBuilding:
    @pytest.mark.parametrize("what", BUILDERS)
    def test_resources_of_the_process_are_built_in_one_place(self, what: str) -> None:
        builders = {
            module
            for module in sources()
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == what
        }

        assert builders == BUILDERS[what]

    def test_only_the_registry_names_the_adapters(self) -> None:
        namers = {
            module
            for module in sources()
            for imported in imports(module)
            if imported.name.endswith(("AnthropicAdapter", "OpenAiAdapter"))
        }

        assert namers == {"service.llm.vendors"}

    def test_nothing_prints(self) -> None:
        printing = {
            module
            for module in sources()
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        }

        assert printing <= {"service.simulator.__main__"}  # a tool of its own: its URL is its output


class TestSpending:
    """Every way to a model leads through a reservation."""

    def test_only_the_gateway_asks_an_adapter_and_in_one_place(self) -> None:
        asking = [
            (module, function.name)
            for module in sources()
            for function in ast.walk(tree(module))
            if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef) and _attributes(function, "complete")
        ]

        assert asking == [("service.llm.gateway", "_attempt")]

    def test_there_a_reservation_comes_first(self) -> None:
        gateway = ast.walk(tree("service.llm.gateway"))
        functions = {node.name: node for node in gateway if isinstance(node, ast.AsyncFunctionDef)}
        attempt, prepare = functions["_attempt"], functions["_prepare"]

        [preparing], [asking] = _attributes(attempt, "_prepare"), _attributes(attempt, "complete")

        assert _attributes(prepare, "_reservation")
        assert preparing.lineno < asking.lineno

    def test_adapters_are_handed_to_the_gateway_alone(self) -> None:
        using = {module for module in sources() for found in imports(module) if found.name.endswith(".Adapters")}

        assert using == {"service.llm.gateway", "service.resources"}


def _attributes(function: ast.AST, name: str) -> list[ast.Attribute]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Attribute) and node.attr == name]


# A test constructs the times and limits that it needs. These constants are patched all the same, each for a reason.
PATCHED = {
    ("tests/store/conftest.py", "PAUSE_SECONDS"): "a policy that no caller chooses, for hundreds of retries",
    ("tests/faults/conftest.py", "PAUSE_SECONDS"): "a policy that no caller chooses, for hundreds of retries",
    ("tests/deploy/test_daemon.py", "STOP_SECONDS"): "how long a command waits, which only this test would choose",
    ("tests/deploy/test_package.py", "MAX_BYTES"): "Lambda's limit, which only a huge package exceeds",
    ("tests/deploy/test_package.py", "MAX_ARCHIVE_BYTES"): "Lambda's limit, which only a huge package exceeds",
}
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_PATCHES = re.compile(r".*\bsetattr|(mock\.)?patch(\.object)?")


class TestPatching:
    def test_constants_are_patched_only_where_a_reason_is_given(self) -> None:
        paths = sorted((ROOT / "tests").rglob("*.py"))

        found = [(str(path.relative_to(ROOT)), name) for path in paths for name in _patched_constants(path)]

        assert sorted(found) == sorted(PATCHED)
        assert len(found) < 10


def _patched_constants(path: Path) -> Iterator[str]:
    """The constants that a file patches: by `setattr(module, "NAME", …)`, `setattr("module.NAME", …)` or `patch`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _PATCHES.fullmatch(ast.unparse(node.func)):
            texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
            names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
            yield from (name for name in names if _CONSTANT.fullmatch(name))


class TestCommands:
    def test_help_lists_every_target(self) -> None:
        makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
        (phony,) = re.findall(r"^\.PHONY: (.+)", makefile, re.MULTILINE)
        explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)

        assert sorted(explained) == sorted(phony.split())


LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# Spelled so that this file is no find of its own.
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.", r"python" + "hosted", "npm" + "js", "npm" + "mirror", "index" + "-url="))
)
NOT_OURS = {".git", ".venv", ".hypothesis", "node_modules", "build", "dist", "generated", "__pycache__"}


class TestPackaging:
    def test_there_are_locks(self) -> None:
        assert {lock.name for lock in LOCKS} >= {"runtime.txt", "dev.txt", "node.txt"}

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
    def test_a_lock_has_a_hash_for_every_requirement_and_no_address(self, lock: Path) -> None:
        text = re.sub(r"#.*", "", lock.read_text()).replace("\\\n", " ")
        requirements = [line for line in text.splitlines() if line.strip()]

        assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
        assert "://" not in text

    def test_the_pages_lock_has_a_hash_for_every_package_and_no_address(self) -> None:
        lock = json.loads((ROOT / "web/package-lock.json").read_text())
        packages = {name: package for name, package in lock["packages"].items() if name}

        assert packages
        assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
        assert [name for name, package in packages.items() if "resolved" in package or package.get("link")] == []
        # npm writes down only its own machine's where it finds packages installed, and then refuses the lock elsewhere.
        named = {name for package in packages.values() for name in package.get("optionalDependencies", ())}
        assert named - {name.rpartition("node_modules/")[2] for name in packages} == set()

    def test_no_package_of_the_page_is_whatever_is_newest(self) -> None:
        lock = json.loads((ROOT / "web/package-lock.json").read_text())
        pinned = json.loads((ROOT / "web/package.json").read_text())["overrides"]

        wanted = {
            (name, wish)
            for package in lock["packages"].values()
            for kind in ("dependencies", "optionalDependencies")
            for name, wish in package.get(kind, {}).items()
        }

        # npm asks what a tag means today, and refuses the lock on the day that something newer is out.
        assert {name for name, wish in wanted if wish.isalpha()} == set(pinned)

    def test_no_file_names_a_package_registry(self) -> None:
        naming = {
            str(path.relative_to(ROOT))
            for path in _own_files()
            if REGISTRIES.search(path.read_bytes().decode(errors="replace"))
        }

        assert naming == set()


def _own_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        yield from (Path(folder, name) for name in files if ".db" not in name)
