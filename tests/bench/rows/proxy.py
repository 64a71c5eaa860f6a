"""The same saying through LiteLLM's proxy with a mocked model: per second, p99, memory, start-up."""

import asyncio
import json
import os
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.environments import environment
from tests.bench import servers
from tests.bench.measurement import Measurement, Size, Tell, alternating, median_ratio
from tests.bench.processes import Server, free_port, load, serving

PATH = "/chat/completions"
SAYING = json.loads(servers.SAMPLE)["saying"]
BODY = json.dumps({"model": "mocked", "messages": [{"role": "user", "content": "A saying about Amazon S3, please."}]})
# YAML takes JSON as it is.
CONFIG = {
    "model_list": [
        {
            "model_name": "mocked",
            "litellm_params": {"model": "openai/gpt-4.1-mini", "api_key": "none", "mock_response": SAYING},
        }
    ],
    "litellm_settings": {"telemetry": False},
}
# Production settings by its own documentation; prices from the package instead of the network; ours asks for no key
# either.
ENVIRON = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
CONNECTIONS = 32
LITELLM = "LiteLLM's proxy"


def measure(size: Size, tell: Tell) -> list[Measurement]:
    return asyncio.run(_measure(size, tell))


async def _measure(size: Size, tell: Tell) -> list[Measurement]:
    with TemporaryDirectory() as name:
        tell("starting LiteLLM's proxy")
        async with _litellm(Path(name)) as theirs, servers.ours(Path(name)) as own:
            await servers.warm_up(own)
            await load(theirs, 4, 30.0, requests=servers.WARM_UP_REQUESTS, path=PATH, body=BODY)
            tell("ours against LiteLLM's proxy")
            bursts = await alternating(
                {
                    "ours": partial(load, own, CONNECTIONS, size.seconds),
                    LITELLM: partial(load, theirs, CONNECTIONS, size.seconds, path=PATH, body=BODY),
                },
                size.rounds,
            )
            memory = {"ours": own.memory, LITELLM: theirs.memory}
        starts = {"ours": own.start_seconds, LITELLM: theirs.start_seconds}
    per_second = {who: [burst.per_second for burst in each] for who, each in bursts.items()}
    p99 = {who: [burst.p99_ms for burst in each] for who, each in bursts.items()}
    return [
        _line("A saying, per second", per_second, "per second"),
        _line("A saying, p99", p99, "ms"),
        _line("Memory of the server", {who: [value] for who, value in memory.items()}, "MB"),
        _line("Start to the first answer", {who: [value] for who, value in starts.items()}, "s"),
    ]


def _line(name: str, values: dict[str, list[float]], unit: str) -> Measurement:
    theirs = statistics.median(values[LITELLM])
    ratio = median_ratio(values["ours"], values[LITELLM])
    return Measurement(name, statistics.median(values["ours"]), unit, LITELLM, ratio, details={LITELLM: theirs})


@asynccontextmanager
async def _litellm(folder: Path) -> AsyncIterator[Server]:
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(json.dumps(CONFIG))
    programs = environment("litellm")
    command = [programs / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    environ = ENVIRON | {"PYTHONPATH": "", "PATH": f"{programs}:{os.environ['PATH']}"}
    async with serving(command, port, folder=folder, environ=environ, path=PATH, body=BODY) as server:
        yield server
