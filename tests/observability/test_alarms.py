"""Every alarm rings in the situation that it names and is silent in normal traffic; every widget shows something.

`pytest -rP` prints the table.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and a live call has only eight
import openai  # noqa: F401
import pytest

from service.keys.key_store import KeyStore
from service.llm.gateway import Gateway
from service.simulator import Simulator
from tests.deploy.runbook import blocks, sections
from tests.deploy.stack import edge
from tests.logging_capture import captured_log
from tests.observability.alarms import MINUTE, Alarm
from tests.observability.dashboard import rows, shown
from tests.observability.fleet import FLEETS, STARTED_AT, settings_for, stack_of
from tests.observability.recording import Recording
from tests.observability.situations import (
    EVERYTHING,
    NORMAL,
    SITUATIONS,
    WITHOUT_DATA,
    Situation,
    Stage,
    WithoutData,
    a_model_fails_in_rounds,
)
from tests.support import Clock, timeless_entries
from tests.telemetry.insights import matching

pytestmark = pytest.mark.slow

ALARMS = {platform: stack_of(platform).of_type("AWS::CloudWatch::Alarm") for platform in FLEETS}
ALARMS["Lambda"] |= edge().of_type("AWS::CloudWatch::Alarm")
ON_ROUNDS = ("ModelFailing", "NoFreshSayings", "WorkerErrors")


@dataclass
class Played:
    """What was recorded of a situation, and the lines of the logs, those of the metrics among them."""

    recording: Recording
    seconds: float
    log: list[str]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of metrics and leases, and of keys and breakers."""
    clock = Clock(STARTED_AT)
    for user in (KeyStore, Gateway):
        defaults = user.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "clock", clock)
    monkeypatch.setitem(Gateway.__init__.__kwdefaults__ or {}, "jitter", lambda: 0.0)
    return clock


@dataclass(frozen=True)
class Theatre:
    """Plays situations on a platform."""

    platform: str
    directory: Path
    simulator: Simulator
    url: str
    clock: Clock
    patch: pytest.MonkeyPatch

    async def play(self, situation: Situation) -> Played:
        situation.prepare(self.patch)
        catalogue = self.directory / "catalogue.json"
        catalogue.write_text(json.dumps({"models": timeless_entries()}))
        settings = settings_for(self.directory, self.url, SAYINGS_CATALOGUE=str(catalogue)) | dict(situation.settings)
        open_fleet = FLEETS[self.platform]
        async with open_fleet(settings, self.clock, situation.timeouts, situation.round_minutes) as fleet:
            with captured_log() as log:
                await situation.play(Stage(fleet, self.simulator, self.patch))
                await fleet.minutes(situation.minutes)
        return Played(fleet.recording, self.clock() - STARTED_AT, log.lines + fleet.emf)


@pytest.fixture(params=FLEETS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def theatre(
    platform: str,
    tmp_path: Path,
    simulator: Simulator,
    simulator_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Theatre:
    return Theatre(platform, tmp_path, simulator, simulator_url, clock, monkeypatch)


def say(text: str) -> None:
    """Write a line of the table."""
    sys.stdout.write(f"{text}\n")


def firing(properties: Any, played: Played) -> list[float]:
    """The minutes at which an alarm is on."""
    on = Alarm(properties).firing(played.recording, STARTED_AT, STARTED_AT + played.seconds)
    return [(at - STARTED_AT) / 60 for at in on]


async def test_normal_traffic_rings_no_alarm(theatre: Theatre) -> None:
    played = await theatre.play(NORMAL)

    alarms = ALARMS[theatre.platform]
    ringing = {name: at for name, alarm in alarms.items() if (at := firing(alarm, played))}
    say(f"{theatre.platform:7}of {len(alarms)} alarms {len(ringing)} ring in {NORMAL.minutes} normal minutes")
    assert ringing == {}


@pytest.mark.parametrize(
    ("platform", "situation"),
    [(platform, situation) for situation in SITUATIONS for platform in situation.platforms],
    ids=str,
    indirect=["platform"],
)
async def test_an_alarm_rings_in_its_situation(situation: Situation, theatre: Theatre) -> None:
    played = await theatre.play(situation)

    at = firing(ALARMS[theatre.platform][situation.alarm], played)
    say(f"{theatre.platform:7}{situation.alarm:18} {situation.what:42} rings after {at[0] if at else None} minutes")
    assert at
    goes_on = is_on_without_data(ALARMS[theatre.platform][situation.alarm], played.recording, played.seconds)
    assert goes_on is (WITHOUT_DATA.get(situation.alarm, WithoutData.ENDS) is not WithoutData.ENDS)
    if situation.lines:
        queries = runbook_queries(situation.alarm)
        assert [line for query in queries for line in matching(query, played.log)]


@pytest.mark.parametrize("platform", FLEETS)
def test_where_nothing_is_recorded_only_the_alarms_ring_that_miss_it(platform: str) -> None:
    ringing = {name for name, alarm in ALARMS[platform].items() if is_on_without_data(alarm, Recording(), 0.0)}

    missing = {name for name, then in WITHOUT_DATA.items() if then is WithoutData.RINGS}
    assert ringing == missing & ALARMS[platform].keys()


def is_on_without_data(properties: Any, recording: Recording, seconds: float) -> bool:
    """Whether an alarm is on when nothing more has been recorded for twice its window."""
    alarm = Alarm(properties)
    end = STARTED_AT + seconds + 2 * alarm.window_seconds
    return alarm.firing(recording, STARTED_AT, end)[-1:] == [last_minute(end)]


def last_minute(end: float) -> float:
    return STARTED_AT + (end - STARTED_AT) // MINUTE * MINUTE


def test_every_alarm_has_a_situation() -> None:
    for platform, alarms in ALARMS.items():
        assert {each.alarm for each in SITUATIONS if platform in each.platforms} == set(alarms)


@pytest.mark.parametrize("minutes", [1, 10, 60])
async def test_alarms_on_rounds_follow_their_interval(theatre: Theatre, minutes: int) -> None:
    """A model that fails makes the worker rest; the others' sayings come nevertheless, so that only one alarm rings."""
    alarms = stack_of(theatre.platform, minutes).of_type("AWS::CloudWatch::Alarm")

    played = await theatre.play(a_model_fails_in_rounds(minutes))

    ringing = {name for name in ON_ROUNDS if firing(alarms[name], played)}
    assert ringing == {"ModelFailing"}


async def test_every_widget_of_ours_shows_a_series(theatre: Theatre) -> None:
    played = await theatre.play(EVERYTHING)

    body = json.loads(stack_of(theatre.platform).properties("Dashboard")["DashboardBody"])
    found = {
        (widget["properties"]["title"], row): shown(row, played.recording)
        for widget in body["widgets"]
        if widget["type"] == "metric"
        for row in rows(widget)
        if "CloudSayings" in str(row)
    }
    for title in dict.fromkeys(title for title, _ in found):
        series = [len(each) for (of, _), each in found.items() if of == title]
        say(f"{theatre.platform:7}{title:35} shows {sum(series)} series")
    assert {title for (title, _), each in found.items() if not each} == set()


def runbook_queries(alarm: str) -> list[str]:
    (section,) = [section for section in sections() if section.title == alarm]
    return blocks("insights", section.text)
