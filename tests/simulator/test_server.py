"""The simulator as a server: seed, speed, calls in flight, and the command line."""

import asyncio
import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import httpx2
import msgspec
import pytest

from service.simulator import Fault, FaultKind, Simulator
from tests.simulator.world import HOME, PATHS, PROTOCOLS, TURN, World, body_of

ROOT = Path(__file__).parents[2]
COMMAND = ["-W", "error", "-m", "service.simulator", "--port", "0", "--seed", "1", "--speed", "0"]


async def transcript(seed: int) -> list[str]:
    simulator = Simulator(seed=seed, speed=0)
    simulator.inject("*", Fault(FaultKind.SERVER_ERROR, rate=0.4))
    headers = {"authorization": "Bearer key", "content-type": "application/json"}
    async with simulator.serve() as root, httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as http:
        answers = [await http.post(root + PATHS["chat"], content=body_of("chat")) for _ in range(10)]
    return [re.sub(r'"created":\d+', "", answer.text) + str(answer.status_code) for answer in answers]


async def test_a_seed_makes_texts_ids_and_faults_repeatable() -> None:
    first, again, other = [await transcript(seed) for seed in (1, 1, 2)]

    assert first == again
    assert first != other


async def test_speed_multiplies_the_latency(world: World) -> None:
    world.simulator.speed = 0.01
    slow = await world.ask("messages") and world.simulator.calls[-1]
    twin = Simulator(seed=7, speed=0.02)
    async with twin.serve() as root:
        claude = world.claude.with_options(base_url=f"{root}/anthropic")
        await claude.messages.create(model=HOME["messages"], max_tokens=1000, messages=TURN)

    assert twin.calls[-1].latency / slow.latency == pytest.approx(2)
    assert slow.finished - slow.started >= slow.latency * 0.99  # it really waits


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_speed_must_make_sense(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Simulator(speed=speed)


async def test_it_says_that_it_is_healthy(world: World) -> None:
    assert (await world.http.get(world.root + "/health")).json() == {"status": "ok"}


async def test_counts_the_calls_in_flight(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.HANG, count=2))
    calls = [asyncio.create_task(world.ask(protocol)) for protocol in PROTOCOLS]
    await world.simulator.until(lambda: world.simulator.in_flight == 2)

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await world.simulator.until(lambda: world.simulator.in_flight == 0)

    assert world.simulator.max_in_flight == 2
    assert [call.cancelled for call in world.simulator.calls] == [True] * 2


async def test_a_request_that_has_not_arrived_whole_is_no_call(world: World) -> None:
    address = urlsplit(world.root)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"POST /anthropic/v1/messages HTTP/1.1\r\nHost: it\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()

    await world.ask("messages")
    writer.close()

    assert (world.simulator.max_in_flight, len(world.simulator.calls)) == (1, 1)


async def test_shuts_down_while_a_call_hangs(world: World) -> None:
    simulator = Simulator(speed=0)
    simulator.inject("*", Fault(FaultKind.HANG))
    async with simulator.serve() as root:
        claude = world.claude.with_options(base_url=f"{root}/anthropic")
        call = asyncio.create_task(claude.messages.create(model=HOME["messages"], max_tokens=9, messages=TURN))
        await simulator.until(lambda: simulator.in_flight == 1)

    with pytest.raises(anthropic.APIConnectionError):
        await call

    assert (simulator.in_flight, simulator.calls[-1].cancelled) == (0, False)


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *COMMAND, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await process.stdout.readline()).decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_alone_until_told_to_stop(number: signal.Signals) -> None:
    process = await start()
    line = await first_line(process)

    process.send_signal(number)
    rest, complaints = await process.communicate()

    assert re.fullmatch(r"base URLs: (http://127\.0\.0\.1:\d+)/anthropic \1/openai/v1\n", line)
    assert (process.returncode, rest, complaints) == (0, b"", b"")


async def test_serves_the_models_of_a_catalogue_file(tmp_path: Path, world: World) -> None:
    model = {"id": "llama-4", "vendor": "openai", "display_name": "Llama 4", "max_tokens": 600, "timeout_seconds": 30}
    (tmp_path / "catalogue.json").write_bytes(msgspec.json.encode({"models": [model]}))
    process = await start("--catalogue", str(tmp_path / "catalogue.json"))
    gpt = world.gpt.with_options(base_url=(await first_line(process)).split()[-1])

    answer = await gpt.chat.completions.create(model="llama-4", messages=TURN)
    process.terminate()
    await process.communicate()

    assert answer.model == "llama-4"


async def test_a_catalogue_that_is_not_there_ends_the_start() -> None:
    process = await start("--catalogue", "nowhere.json")

    _, complaint = await process.communicate()

    assert process.returncode == 1
    assert complaint.startswith(b"simulator: ")
    assert b"cannot be read" in complaint
