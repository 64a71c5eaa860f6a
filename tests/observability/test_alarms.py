"""Every alarm rings in the situation that it names and is silent in normal traffic; every widget shows something.

`pytest -rP` prints the table.
"""

import json
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and a live call has only eight
import openai  # noqa: F401
import pytest

from service.keys.key_store import KeyStore
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.gateway import Gateway
from service.simulator import Simulator
from tests.deploy.runbook import blocks, sections
from tests.logging_capture import captured_log
from tests.observability.alarms import Alarm
from tests.observability.dashboard import rows, shown
from tests.observability.fleet import FLEETS, STACKS, STARTED_AT, Fleet, settings_for
from tests.observability.recording import Recording
from tests.observability.situations import EVERYTHING, SITUATIONS, Situation, Stage
from tests.support import Clock, timeless_entries
from tests.telemetry.insights import matching

pytestmark = pytest.mark.slow

ALARMS = {platform: stack.of_type("AWS::CloudWatch::Alarm") for platform, stack in STACKS.items()}
# Two hours, so that the longest window of the alarms on rounds has passed once.
NORMAL_MINUTES = 120


@dataclass
class Played:
    """What was recorded of a situation, and the lines of the log."""

    recording: Recording
    seconds: float
    log: list[str]
    requests: int
    emf: list[str]


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


class Theatre:
    """Plays situations on a platform."""

    def __init__(self, platform: str, directory: Path, simulator: Simulator, url: str, clock: Clock) -> None:
        self.platform = platform
        self._directory, self._simulator, self._url, self._clock = directory, simulator, url, clock

    async def normal(self, minutes: int = NORMAL_MINUTES) -> Played:
        return await self._play({}, DEFAULT_TIMEOUTS, minutes)

    async def play(self, situation: Situation, patch: pytest.MonkeyPatch) -> Played:
        situation.prepare(patch)
        return await self._play(situation.settings, situation.timeouts, situation.minutes, situation, patch)

    async def _play(
        self,
        settings: Any,
        timeouts: Timeouts,
        minutes: int,
        situation: Situation | None = None,
        patch: pytest.MonkeyPatch | None = None,
    ) -> Played:
        catalogue = self._directory / "catalogue.json"
        catalogue.write_text(json.dumps({"models": timeless_entries()}))
        chosen = settings_for(self._directory, self._url, SAYINGS_CATALOGUE=str(catalogue)) | dict(settings)
        async with AsyncExitStack() as stack:
            log = stack.enter_context(captured_log())
            fleet: Fleet = await stack.enter_async_context(FLEETS[self.platform](chosen, self._clock, timeouts))
            if situation and patch:
                await situation.play(Stage(fleet, self._simulator, patch))
            await fleet.minutes(minutes)
            return Played(fleet.recording, self._clock() - STARTED_AT, log.lines, fleet.requests, fleet.emf)


@pytest.fixture(params=FLEETS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def theatre(platform: str, tmp_path: Path, simulator: Simulator, simulator_url: str, clock: Clock) -> Theatre:
    return Theatre(platform, tmp_path, simulator, simulator_url, clock)


def say(text: str) -> None:
    """Write a line of the table."""
    sys.stdout.write(f"{text}\n")


def firing(alarm: str, platform: str, played: Played) -> list[float]:
    """The minutes at which an alarm is on."""
    on = Alarm(ALARMS[platform][alarm]).firing(played.recording, STARTED_AT, STARTED_AT + played.seconds)
    return [(at - STARTED_AT) / 60 for at in on]


async def test_normal_traffic_rings_no_alarm(theatre: Theatre) -> None:
    played = await theatre.normal()

    ringing = {alarm: at for alarm in ALARMS[theatre.platform] if (at := firing(alarm, theatre.platform, played))}

    say(f"{theatre.platform:7}of {len(ALARMS[theatre.platform])} alarms {len(ringing)} ring in two normal hours")
    assert ringing == {}


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
async def test_an_alarm_rings_in_its_situation(
    situation: Situation, theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    if theatre.platform not in situation.platforms:
        pytest.skip("There is no such thing there.")

    played = await theatre.play(situation, monkeypatch)

    at = firing(situation.alarm, theatre.platform, played)
    say(f"{theatre.platform:7}{situation.alarm:18} {situation.what:42} rings after {at[0] if at else None} minutes")
    assert at
    if situation.lines:
        found = [line for query in runbook_queries(situation.alarm) for line in matching(query, played.log)]
        assert found


async def test_every_widget_of_ours_shows_a_series(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    played = await theatre.play(EVERYTHING, monkeypatch)

    body = json.loads(STACKS[theatre.platform].properties("Dashboard")["DashboardBody"])
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
