"""How long a cold start takes through Lambda's own runtime client: from the start of the process to the first saying.

`python -m deploy.cold_start` runs, in turns, our handler and the same one with both model SDKs imported at the top, on
DynamoDB and SSM as moto plays them; with and without the bytecode that Python keeps beside the sources, which a
package may leave out and Lambda, where the package is read-only, never adds. What is measured is this machine's: the
ratios are what matters.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from moto.server import ThreadedMotoServer

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.limits import Timeouts
from service.store.dynamodb import DynamoStore, create_tables
from tests.lambdas.runtime_api import ROOT, runtime

REGION = "eu-west-1"
PREFIX = "cold-start-"
ROUNDS = 7
HEAVIEST = 25
OURS = ("service", "workers", "telemetry")
# What DESIGN section 13 asks for.
BAR = 0.35
EVENT = {
    "version": "2.0",
    "rawPath": "/sayings",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/sayings"}},
    "isBase64Encoded": False,
}
HANDLERS = {"lazy": "service.aws_lambda.handler.handler", "eager": "eager.handler"}
EAGER = "import anthropic\nimport openai\n\nfrom service.aws_lambda.handler import handler\n"


@dataclass(frozen=True, slots=True)
class Import:
    """A module and what it imports, in milliseconds of the start."""

    module: str
    own_ms: float
    total_ms: float
    depth: int


async def first_answer(handler: str, root: Path, environ: Mapping[str, str]) -> tuple[float, list[str]]:
    """Seconds from the start of the process to its first answer, and its log."""
    started = time.perf_counter()
    async with runtime(handler, root=root, environ=environ) as function:
        answer = await function.invoke(EVENT)
        seconds = time.perf_counter() - started
    if answer["statusCode"] != 200 or '"origin":"database"' not in answer["body"]:
        raise RuntimeError(f"That was no first saying: {answer} {function.log}")
    return seconds, function.log


async def medians(root: Path, environ: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median of each handler in seconds; they take turns, and the first turn, which warms the disk, counts not."""
    taken: dict[str, list[float]] = {name: [] for name in HANDLERS}
    for turn in range(rounds + 1):
        for name, handler in HANDLERS.items():
            seconds, _ = await first_answer(handler, root, environ)
            if turn:
                taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


async def imports(root: Path, environ: Mapping[str, str]) -> list[Import]:
    """What the lazy handler imports before its first answer, in Python's own measurement."""
    _, log = await first_answer(HANDLERS["lazy"], root, {**environ, "PYTHONPROFILEIMPORTTIME": "1"})
    return [found for line in log if (found := _import(line)) is not None]


def _import(line: str) -> Import | None:
    parts = line.removeprefix("import time:").split("|")
    if len(parts) != 3 or not parts[0].strip().isdigit():
        return None
    name = parts[2][1:]
    depth = (len(name) - len(name.lstrip())) // 2
    return Import(name.strip(), int(parts[0]) / 1000, int(parts[1]) / 1000, depth)


def link_without_bytecode(sources: Iterable[Path], folder: Path) -> None:
    """The same files once more as links, beside which Python finds no bytecode: the library's own keeps its."""
    for source in sources:
        for place, folders, files in os.walk(source):
            folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
            target = folder / Path(place).relative_to(source.parent if source.parent == ROOT else source)
            target.mkdir(parents=True, exist_ok=True)
            for name in files:
                (target / name).symlink_to(Path(place, name))


@contextmanager
def aws() -> Iterator[dict[str, str]]:
    """moto with tables and the collection in them; yields the function's environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "SAYINGS_STORE": f"dynamodb://{PREFIX}",
        "SAYINGS_KEYS": "ssm",
        "SAYINGS_ROUNDS": "lambda:worker",
    }
    try:
        with patch.dict(os.environ, environ):
            asyncio.run(_prepare())
        yield environ
    finally:
        server.stop()


async def _prepare() -> None:
    async with AsyncExitStack() as stack:
        client = await AwsClients(REGION, stack, timeouts=Timeouts(aws_read=30.0)).dynamodb()
        await create_tables(client, PREFIX)
        await DynamoStore(client, PREFIX).put_sayings(collection())


def _table(rows: Mapping[str, Mapping[str, float]]) -> str:
    lines = [f"{'to the first saying, median':<30} {'lazy':>8} {'eager':>8} {'ratio':>6}"]
    for name, row in rows.items():
        ratio = row["lazy"] / row["eager"]
        lines.append(f"{name:<30} {row['lazy'] * 1000:5.0f} ms {row['eager'] * 1000:5.0f} ms {ratio:6.2f}")
    return "\n".join(lines)


def _heaviest(found: list[Import]) -> str:
    by_time = sorted(found, key=lambda each: each.total_ms, reverse=True)[:HEAVIEST]
    lines = [f"{len(found)} modules; the heaviest, each with what it imports itself:"]
    lines += [f"{each.total_ms:8.1f} ms {each.own_ms:8.1f} ms of its own  {each.module}" for each in by_time]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is started")
    chosen = parser.parse_args(arguments)
    with aws() as environ, tempfile.TemporaryDirectory() as name:
        eager, bare = Path(name, "eager"), Path(name, "bare")
        eager.mkdir()
        (eager / "eager.py").write_text(EAGER)
        link_without_bytecode([Path(sysconfig.get_path("purelib")), *(ROOT / each for each in OURS)], bare)
        environ["PYTHONPATH"] = f"{ROOT}:{eager}"
        without = environ | {"PYTHONPATH": f"{bare}:{eager}", "PYTHONDONTWRITEBYTECODE": "1"}
        rows = {
            "with bytecode": asyncio.run(medians(ROOT, environ, chosen.rounds)),
            "without bytecode": asyncio.run(medians(bare, without, chosen.rounds)),
        }
        found = asyncio.run(imports(ROOT, environ))
    sys.stdout.write(f"{_table(rows)}\n(the bar is {BAR})\n\n{_heaviest(found)}\n")
    return 0 if all(row["lazy"] <= BAR * row["eager"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
