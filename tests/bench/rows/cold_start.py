"""Cold starts through Lambda's own runtime client, SDKs late against early, telemetry on and off; a warm invocation."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from unittest.mock import patch

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.store.dynamodb import DynamoStore, create_tables
from tests.aws_lambda.runtime_api import ROOT, Function, runtime
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
HANDLERS = {"lazy": "service.aws_lambda.handler.handler", "eager": "eager.handler"}
EAGER = "import anthropic\nimport openai\n\nfrom service.aws_lambda.handler import handler\n"
EARLY = "SDKs imported at the top"
BAR = Bar(0.35)
TELEMETRY = {"on": {}, "off": {"OTEL_SDK_DISABLED": "true"}}
EMPTY = "a handler that does nothing"
# Answers with as many bytes.
NOTHING = f"ANSWER = {{'statusCode': 200, 'body': {SAMPLE!r}}}\n\ndef handler(event, context):\n    return ANSWER\n"
FIRST_INVOCATIONS = 10
INVOCATIONS = 100


def measure(size: Size, tell: Tell) -> list[Measurement]:
    with _aws() as environ, tempfile.TemporaryDirectory() as folder:
        Path(folder, "eager.py").write_text(EAGER)
        Path(folder, "nothing.py").write_text(NOTHING)
        environ["PYTHONPATH"] = f"{ROOT}:{folder}"
        tell("cold starts")
        cold = asyncio.run(_cold(environ, size.starts))
        tell("warm invocations")
        return [*cold, asyncio.run(_warm(environ, size.rounds))]


async def _cold(environ: Mapping[str, str], starts: int) -> list[Measurement]:
    contestants = {
        f"{handler} {telemetry}": _start(HANDLERS[handler], {**environ, **extra})
        for telemetry, extra in TELEMETRY.items()
        for handler in HANDLERS
    }
    await contestants["eager on"]()  # warms the disk
    seconds = await alternating(contestants, starts)
    return [
        Measurement(
            f"Cold start to the first saying, telemetry {telemetry}",
            statistics.median(seconds[f"lazy {telemetry}"]) * 1000,
            "ms",
            EARLY,
            median_ratio(seconds[f"lazy {telemetry}"], seconds[f"eager {telemetry}"]),
            BAR,
            {EARLY: statistics.median(seconds[f"eager {telemetry}"]) * 1000},
        )
        for telemetry in TELEMETRY
    ]


def _start(handler: str, environ: Mapping[str, str]) -> Callable[[], Awaitable[float]]:
    """Measures the seconds from the start of the process to its first answer."""

    async def start() -> float:
        started = time.perf_counter()
        async with runtime(handler, root=ROOT, environ=environ) as function:
            answer = await function.invoke(EVENT)
            seconds = time.perf_counter() - started
        if answer["statusCode"] != 200 or '"origin":"database"' not in answer["body"]:
            raise RuntimeError(f"That was no first saying: {answer} {function.log}")
        return seconds

    return start


async def _warm(environ: Mapping[str, str], rounds: int) -> Measurement:
    await _fill(environ)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(_environment("service.aws_lambda.handler.handler", environ))
        nothing = await stack.enter_async_context(_environment("nothing.handler", environ))
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
async def _environment(handler: str, environ: Mapping[str, str]) -> AsyncIterator[Function]:
    """A function past its first invocations."""
    async with runtime(handler, root=ROOT, environ=environ) as function:
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
            asyncio.run(_make_tables())
        yield environ


async def _make_tables() -> None:
    async with AsyncExitStack() as stack:
        client = await AwsClients(REGION, stack).dynamodb()
        await create_tables(client, PREFIX)
        await DynamoStore(client, PREFIX).put_sayings(collection())
