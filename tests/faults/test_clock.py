"""The row of the clock: it jumps, or a fleet's clocks differ; what is monotonic stays, expiries bear five minutes."""

import time
from pathlib import Path
from typing import Any

import pytest

from service.simulator import Simulator
from service.store.base import Lease, Store
from service.store.sqlite import SqliteStore
from telemetry.events import ModelReport, RoundFinished
from tests.faults.conftest import OnlyModels
from tests.faults.places import Tables
from tests.support import Clock, RecordingListener, clocked
from tests.test_processes import ROOT, Machine, new_visitor
from workers.fleet import REST_SECONDS, FleetRounds
from workers.round import Round

FIVE_MINUTES = 300.0
DAY = 86_400.0
MODEL = "gpt-4.1"  # the one whose SDK is imported faster
HALF_AN_HOUR = 1_800

# Python runs a module of this name before anything else: the process's wall clock is off by what the file says.
SITECUSTOMIZE = """
import pathlib, time
file, real = pathlib.Path({path!r}), time.time
time.time = lambda: real() + float(file.read_text())
"""


class WallClock:
    """The wall clock of processes that are started with `environ`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "offset"
        self.is_off_by(0)
        (directory / "sitecustomize.py").write_text(SITECUSTOMIZE.format(path=str(self._file)))
        self.environ = {"PYTHONPATH": f"{directory}:{ROOT}"}

    def is_off_by(self, seconds: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)  # at once: the clock is being read


@pytest.mark.slow
async def test_clock_jump_disturbs_neither_sayings_nor_votes(
    machine: Machine, only_models: OnlyModels, tmp_path: Path
) -> None:
    clock = WallClock(tmp_path)
    server = await machine.serve(SAYINGS_CATALOGUE=only_models(MODEL), **clock.environ)
    await server.logs("round finished")
    async with new_visitor() as visitor:
        for _ in range(4):
            await server.get("/sayings", visitor)
        answers: dict[float, dict[str, Any]] = {}
        votes = []
        for jump in (0.0, FIVE_MINUTES, -FIVE_MINUTES, -DAY, DAY):
            clock.is_off_by(jump)
            answers[jump] = await server.get("/sayings", visitor)
            votes += [(await server.vote(answers[0.0], "POSITIVE", visitor))["status"]]

    assert [answers[jump]["origin"] for jump in answers] == ["cache"] * 4 + ["database"]  # sayings live for hours
    assert votes == ["recorded"] + ["unchanged"] * 4
    assert await server.stop() == 0


@pytest.mark.slow
async def test_clock_off_by_five_minutes_starts_no_round_of_its_own(
    machine: Machine, simulator: Simulator, only_models: OnlyModels, tmp_path: Path
) -> None:
    catalogue = only_models(MODEL)
    first = await machine.serve(SAYINGS_CATALOGUE=catalogue)
    await first.logs("round finished")

    for calls, skew in enumerate((FIVE_MINUTES, -FIVE_MINUTES), start=1):
        clock = WallClock(tmp_path)
        clock.is_off_by(skew)
        other = await machine.serve(SAYINGS_CATALOGUE=catalogue, **clock.environ)
        async with new_visitor() as visitor:
            answers = [await other.get("/sayings", visitor) for _ in range(5)]

        assert (answers[4]["origin"], answers[4]["degraded"]) == ("cache", None)
        assert len(simulator.calls) == 1 + calls  # the first one's round, and fourth requests
        await other.stop()


class PlainRound(Round):
    """A round that goes well, and is remembered by when it was."""

    def __init__(self, clock: Clock, rounds: list[float]) -> None:
        self._clock = clock
        self._rounds = rounds

    async def run(self, lease: Lease) -> RoundFinished:
        self._rounds.append(self._clock())
        return RoundFinished((ModelReport("gpt-4.1", 3, 1.0),), 1.0, lease.token)


@pytest.fixture(params=["sqlite", "dynamodb"])
def any_store(request: pytest.FixtureRequest, store: SqliteStore) -> Store:
    if request.param == "sqlite":
        return store
    aws: Tables = request.getfixturevalue("aws")
    return aws.store


@pytest.mark.parametrize("skew", [FIVE_MINUTES, -FIVE_MINUTES], ids=["ahead", "behind"])
async def test_clocks_five_minutes_apart_cost_a_fleet_one_round_at_most(
    any_store: Store, events: RecordingListener, skew: float
) -> None:
    true = Clock(time.time())
    rounds: list[float] = []
    fleet = [
        FleetRounds(PlainRound(true, rounds), clocked(any_store, clock), events)
        for clock in (true, lambda: true() + skew, true)
    ]

    for _ in range(int(HALF_AN_HOUR / REST_SECONDS)):
        for instance in fleet:
            await instance.run()
        true.forward(REST_SECONDS)

    assert len(rounds) <= HALF_AN_HOUR / REST_SECONDS + 1
    assert len(rounds) >= (HALF_AN_HOUR - 2 * FIVE_MINUTES) / REST_SECONDS
