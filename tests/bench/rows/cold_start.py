"""Cold starts of the functions' package through Lambda's own runtime client, and a warm invocation of it.

The package is unpacked as Lambda unpacks it: no other packages of this Python are seen, and no bytecode is written.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from unittest.mock import patch

from deploy.package import package, this_machine
from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.config import Settings
from service.participants import SIMULATED_KEY
from service.simulator import Simulator
from service.store.dynamodb import DynamoStore, create_tables
from tests.aws import put_key
from tests.aws_lambda.runtime_api import Function, runtime
from tests.bench.measurement import Bar, Measurement, Size, Tell, alternating, median_ratio
from tests.bench.servers import SAMPLE, SAYINGS_PER_MODEL
from tests.moto_server import serving_moto
from tests.support import NAMES, PATIENT, model_saying

REGION = "eu-west-1"
PREFIX = "cold-start-"
EVENT = {
    "version": "2.0",
    "rawPath": "/sayings",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/sayings"}},
    "isBase64Encoded": False,
}
HANDLER = "service.aws_lambda.handler.handler"
EAGER = "import anthropic\nimport openai\n\nfrom service.aws_lambda.handler import handler\n"
EARLY, COMPILING = "SDKs imported at the top", "no bytecode in the package"
# Of one to the first saying, against each of these.
EARLY_BAR, COMPILING_BAR = Bar(0.35), Bar(0.55)
EMPTY = "a handler that does nothing"
# Answers with as many bytes.
NOTHING = f"ANSWER = {{'statusCode': 200, 'body': {SAMPLE!r}}}\n\ndef handler(event, context):\n    return ANSWER\n"
# This request of an environment is the first that is answered by a model.
FIRST_LIVE = 4
FIRST_INVOCATIONS = 10
INVOCATIONS = 100

Start = Callable[[], Awaitable[float]]


def measure(size: Size, tell: Tell) -> list[Measurement]:
    with _aws() as environ, tempfile.TemporaryDirectory() as folder:
        tell("packaging")
        task, compiling = Path(folder, "task"), Path(folder, "compiling")
        _unpack(Path(folder, "lambda.zip"), task)
        shutil.copytree(task, compiling, ignore=shutil.ignore_patterns("__pycache__"))
        tell("cold starts")
        cold = asyncio.run(_cold(task, compiling, environ, size.starts))
        tell("warm invocations")
        return [*cold, asyncio.run(_warm(task, environ, size.rounds))]


def _unpack(archive: Path, task: Path) -> None:
    with zipfile.ZipFile(package(this_machine(), archive)) as zipped:
        zipped.extractall(task)
    (task / "eager.py").write_text(EAGER)
    (task / "nothing.py").write_text(NOTHING)


async def _cold(task: Path, compiling: Path, environ: Mapping[str, str], starts: int) -> list[Measurement]:
    async with Simulator(seed=1, speed=0).serve() as url:
        ours = {**environ, "SAYINGS_SIMULATOR": url}
        contestants = {
            "ours": _first(task, HANDLER, ours),
            EARLY: _first(task, "eager.handler", ours),
            COMPILING: _first(compiling, HANDLER, ours),
            "ours, untold": _first(task, HANDLER, {**ours, "OTEL_SDK_DISABLED": "true"}),
            "ours, live": _first(task, HANDLER, ours, origin="live"),
            f"{COMPILING}, live": _first(compiling, HANDLER, ours, origin="live"),
        }
        for each in (EARLY, f"{COMPILING}, live"):
            await contestants[each]()  # warms the disk
        seconds = await alternating(contestants, starts)

    def milliseconds(name: str) -> float:
        return statistics.median(seconds[name]) * 1000

    def against(name: str, ours: str, baseline: str, theirs: str, bar: Bar | None = None) -> Measurement:
        ratio = median_ratio(seconds[ours], seconds[theirs])
        return Measurement(name, milliseconds(ours), "ms", baseline, ratio, bar, {baseline: milliseconds(theirs)})

    return [
        against("Cold start to the first saying", "ours", COMPILING, COMPILING, COMPILING_BAR),
        against("Cold start to the first saying, SDKs when needed", "ours", EARLY, EARLY, EARLY_BAR),
        against("Cold start to the first saying, without telemetry", "ours, untold", "with it", "ours"),
        against("Cold start to the first live saying", "ours, live", COMPILING, f"{COMPILING}, live"),
    ]


def _first(task: Path, handler: str, environ: Mapping[str, str], *, origin: str = "database") -> Start:
    """Measures the seconds from the start of the process to its first answer of this origin.

    Before the first live one there are three others, as always. The model answers at once.
    """

    async def start() -> float:
        started = time.perf_counter()
        async with _function(task, handler, environ) as function:
            for _ in range(FIRST_LIVE if origin == "live" else 1):
                answer = await function.invoke(EVENT)
            seconds = time.perf_counter() - started
        if answer["statusCode"] != 200 or f'"origin":"{origin}"' not in answer["body"]:
            raise RuntimeError(f"That was no saying of origin {origin}: {answer} {function.log}")
        return seconds

    return start


@asynccontextmanager
async def _function(task: Path, handler: str, environ: Mapping[str, str]) -> AsyncIterator[Function]:
    read_only = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    async with runtime(handler, root=task, environ=read_only, alone=True) as function:
        yield function


async def _warm(task: Path, environ: Mapping[str, str], rounds: int) -> Measurement:
    await _fill(environ)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(_environment(task, HANDLER, environ))
        nothing = await stack.enter_async_context(_environment(task, "nothing.handler", environ))
        seconds = await alternating({"ours": lambda: _invoked(ours), EMPTY: lambda: _invoked(nothing)}, rounds)
    return Measurement(
        "Warm invocation of GET /sayings",
        statistics.median(seconds["ours"]) * 1000,
        "ms",
        EMPTY,
        median_ratio(seconds["ours"], seconds[EMPTY]),
        details={EMPTY: statistics.median(seconds[EMPTY]) * 1000},
    )


@asynccontextmanager
async def _environment(task: Path, handler: str, environ: Mapping[str, str]) -> AsyncIterator[Function]:
    """A function past its first invocations."""
    async with _function(task, handler, environ) as function:
        for _ in range(FIRST_INVOCATIONS):
            await function.invoke(EVENT)
        yield function


async def _invoked(function: Function) -> float:
    """The median of a hundred invocations in seconds, runtime client and its way here and back included."""
    seconds = []
    for _ in range(INVOCATIONS):
        started = time.perf_counter()
        await function.invoke(EVENT)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


async def _fill(environ: Mapping[str, str]) -> None:
    """What a pool is filled from."""
    async with AsyncExitStack() as stack:
        with patch.dict(os.environ, environ):
            store = DynamoStore(await AwsClients(REGION, stack, timeouts=PATIENT).dynamodb(), PREFIX)
        for model in NAMES:
            texts = [f"{SAMPLE[60:170]} {model} {number}" for number in range(SAYINGS_PER_MODEL)]
            await store.put_sayings([model_saying(text, model=model, created_at=time.time()) for text in texts])


@contextmanager
def _aws() -> Iterator[dict[str, str]]:
    """moto with tables and the collection in them; yields the function's environment."""
    with serving_moto() as url:
        environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "SAYINGS_STORE": f"dynamodb://{PREFIX}",
            "SAYINGS_KEYS": "ssm",
            "SAYINGS_ROUNDS": "lambda:worker",
        }
        with patch.dict(os.environ, environ):
            asyncio.run(_make_tables_and_keys())
        yield environ


async def _make_tables_and_keys() -> None:
    async with AsyncExitStack() as stack:
        clients = AwsClients(REGION, stack, timeouts=PATIENT)
        for name in Settings().key_parameters.values():
            await put_key(await clients.ssm(), name, SIMULATED_KEY)
        client = await clients.dynamodb()
        await create_tables(client, PREFIX)
        await DynamoStore(client, PREFIX).put_sayings(collection())
