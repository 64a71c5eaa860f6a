"""The vendors are asked about their models once a day, and what they say is measured and reported."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import cast

import pytest

from service.catalogue.lifecycle import Lifecycle, LifeStage
from service.catalogue.line_up import LineUp
from service.catalogue.models import Model
from service.errors import ModelError, ModelForbidden
from service.keys.secret import Secret
from service.llm.gateway import Gateway
from service.llm.model_watch import ASK_EVERY_SECONDS, ModelWatch
from service.llm.vendors import VENDORS, Adapters
from service.simulator import Simulator
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, ModelConcerning, ModelLifeMeasured
from tests.fakes import the_line_up
from tests.llm.vendor import CATALOGUE
from tests.support import Clock, RecordingListener

SONNET, GPT = "claude-sonnet-4-5", "gpt-4.1"


class Vendors:
    """Stands in for the gateway; `lives` is what it says of each model, and without one it refuses."""

    def __init__(self, lives: Mapping[str, tuple[LifeStage, date | None]], clock: Clock) -> None:
        self.asked: list[str] = []
        self._lives = lives
        self._clock = clock

    async def lifecycle(self, model: Model, *, timeout: float) -> Lifecycle:
        self.asked.append(model.id)
        if model.id not in self._lives:
            raise ModelForbidden("The key is good, but must not be used for this.")
        return Lifecycle(model.id, *self._lives[model.id], self._clock())


class Office:
    """A watch over two models, with vendors that say little."""

    def __init__(self, store: SqliteStore, events: RecordingListener, *, simulated: bool = False) -> None:
        self.clock = Clock(1_800_000_000.0)
        self.vendors = Vendors({SONNET: (LifeStage.DEPRECATED, date(2026, 12, 8))}, self.clock)
        self.line_up: LineUp = the_line_up(keyed=[SONNET, GPT])
        self.watch = ModelWatch(
            self.line_up, cast("Gateway", self.vendors), store, events, simulated=simulated, clock=self.clock
        )


async def test_a_vendor_is_asked_once_a_day_by_the_whole_fleet(store: SqliteStore, events: RecordingListener) -> None:
    first, second = Office(store, events), Office(store, events)

    said = [await first.watch.lifecycles(), await second.watch.lifecycles()]
    second.clock.forward(ASK_EVERY_SECONDS)
    await second.watch.lifecycles()

    assert said[0] == said[1]
    assert said[0].keys() == {SONNET}
    assert (first.vendors.asked, second.vendors.asked) == ([SONNET, GPT], [GPT, SONNET, GPT])


async def test_a_vendor_that_does_not_tell_is_reported_and_changes_nothing(
    store: SqliteStore, events: RecordingListener
) -> None:
    office = Office(store, events)

    await office.watch.report()

    assert [(failed.error_type, failed.model) for failed in events.of(DependencyFailed)] == [("ModelForbidden", GPT)]
    assert [model.id for model in office.line_up] == [SONNET, GPT]


async def test_what_is_left_is_measured_and_what_needs_a_person_reported(
    store: SqliteStore, events: RecordingListener
) -> None:
    office = Office(store, events)

    await office.watch.report()

    assert {(life.model, life.days_left) for life in events.of(ModelLifeMeasured)} == {(SONNET, 2), (GPT, 47)}
    concerning = {concern.model for concern in events.of(ModelConcerning)}
    assert concerning == {SONNET, "anthropic small", "openai small"}


async def test_a_simulator_is_not_asked(store: SqliteStore, events: RecordingListener) -> None:
    office = Office(store, events, simulated=True)

    assert await office.watch.lifecycles() == {}
    assert office.vendors.asked == []


async def test_a_store_that_fails_does_not_keep_the_vendors_from_being_asked(
    tmp_path: Path, events: RecordingListener
) -> None:
    broken = await SqliteStore.open(tmp_path / "closed.db")
    await broken.close()

    said = await Office(broken, events).watch.lifecycles()

    assert said.keys() == {SONNET}


@pytest.mark.parametrize(
    ("model", "life"),
    [
        ("claude-haiku-5-5", (LifeStage.ACTIVE, None)),
        (SONNET, (LifeStage.DEPRECATED, date(2026, 11, 30))),
        ("gpt-6-luna", (LifeStage.ACTIVE, None)),
        (GPT, (LifeStage.DEPRECATED, date(2027, 1, 14))),
    ],
)
async def test_the_adapters_read_what_the_vendors_say(
    simulator_url: str, model: str, life: tuple[LifeStage, date | None]
) -> None:
    adapters = Adapters(VENDORS, simulator_url)

    said = await adapters.of(CATALOGUE[model]).lifecycle(CATALOGUE[model], Secret("sk-test"))

    await adapters.close()
    assert said == life


@pytest.mark.parametrize("model", ["claude-haiku-4-5", GPT])
async def test_a_key_that_is_refused_is_an_error(simulator: Simulator, simulator_url: str, model: str) -> None:
    simulator.revoke("sk-test")
    adapters = Adapters(VENDORS, simulator_url)

    with pytest.raises(ModelError) as refused:
        await adapters.of(CATALOGUE[model]).lifecycle(CATALOGUE[model], Secret("sk-test"))

    await adapters.close()
    assert type(refused.value).__name__ == "ModelKeyRejected"
