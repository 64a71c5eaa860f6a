"""The benchmark's own parts: whether a bar is held, the load generator, and what it compares with."""

import asyncio
import re
from pathlib import Path

import pytest
from aiohttp import web

from tests.bench.load import Burst, request_bytes, run
from tests.bench.measurement import Bar, Measurement, alternating, median_ratio

REQUIREMENTS = Path(__file__).parents[2] / "requirements"


@pytest.mark.parametrize(
    ("bar", "value", "ratio", "held"),
    [
        (Bar(0.6, at_least=True), 9000.0, 0.61, True),
        (Bar(0.6, at_least=True), 9000.0, 0.59, False),
        (Bar(1.03), 2.0, 1.03, True),
        (Bar(1.0), 2.0, None, False),
        (None, 2.0, 1.0, None),
    ],
)
def test_a_bar_is_for_the_ratio_where_there_is_one(
    bar: Bar | None, value: float, ratio: float | None, held: bool | None
) -> None:
    assert Measurement("what", value, "unit", ratio=ratio, bar=bar).held is held


async def test_contestants_take_turns_and_are_compared_within_a_round() -> None:
    turns: list[str] = []

    async def turn(name: str, seconds: float) -> float:
        turns.append(name)
        return seconds * len(turns)  # the machine gets slower all the time

    found = await alternating({"ours": lambda: turn("ours", 2.0), "theirs": lambda: turn("theirs", 1.0)}, 3)

    assert turns == ["ours", "theirs"] * 3
    assert median_ratio(found["ours"], found["theirs"]) == pytest.approx(2 * 3 / 4)


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 503])
async def test_the_load_generator_waits_for_whole_answers_and_counts_what_is_no_200(status: int) -> None:
    posted: list[bytes] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        posted.append(await request.read())
        answer = web.StreamResponse(status=status, headers={"Content-Length": "4"})
        await answer.prepare(request)
        for half in (b"so", b"so"):
            await answer.write(half)
        return answer

    burst = await _burst_at(web.Server(handle), request_bytes("/", '{"asked": "ö"}'))

    assert 20 <= burst.requests <= len(posted)
    assert burst.failures == (0 if status == 200 else burst.requests)
    assert set(posted) == {'{"asked": "ö"}'.encode()}
    assert 0 < burst.p50_ms <= burst.p99_ms


async def _burst_at(server: web.Server, request: bytes) -> Burst:
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return await asyncio.to_thread(run, runner.addresses[0][1], request, 3, seconds=60.0, requests=20)
    finally:
        await runner.cleanup()


def test_what_it_compares_with_runs_on_the_same_aiohttp() -> None:
    versions = {name: _locked(name) for name in ("runtime", "bench")}

    assert versions["bench"] == versions["runtime"]


def _locked(name: str) -> str:
    versions: list[str] = re.findall(r"^aiohttp==(\S+)", (REQUIREMENTS / f"{name}.txt").read_text(), re.MULTILINE)
    (version,) = versions
    return version
