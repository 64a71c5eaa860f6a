"""A fleet makes one round at a time: one instance runs it, the others rest, and a lost holder or store is survived."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import AsyncMock

import aioboto3
import pytest

from service.errors import StoreError
from service.limits import DAY_SECONDS, HOUR_SECONDS, Timeouts
from service.simulator import Fault, FaultKind, Simulator
from service.store.base import ROUND_LEASE, Lease, Store
from service.store.dynamodb import DynamoStore, create_tables
from service.store.sqlite import SqliteStore
from telemetry.events import DependencyFailed, ModelReport, RoundFinished, Unexpected
from tests.support import PATIENT, Clock, RecordingListener, clocked
from tests.workers.conftest import NewInstance
from tests.workers.instance import MODELS, Instance, failures
from workers.fleet import HOURLY_AGAIN_SECONDS, LEASE_SECONDS, REST_SECONDS, FleetRounds
from workers.round import Round

FIFTY = 50


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.slow)])
async def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        store = await SqliteStore.open(tmp_path / "fleet.db")
        yield store
        await store.close()
        return
    url, prefix = request.getfixturevalue("moto_url"), f"fleet-{uuid.uuid4().hex[:8]}-"
    session = aioboto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
    async with session.client("dynamodb", endpoint_url=url) as client:
        await create_tables(client, prefix)
        yield DynamoStore(client, prefix)


def fleet_rounds(instance: Instance, clock: Clock, *, store: Store | None = None) -> FleetRounds:
    return FleetRounds(
        instance.round, clocked(store or instance.store, clock), instance.listener, timeouts=instance.timeouts
    )


class ScriptedRound(Round):
    """A round with scripted outcomes; `going_on` is set while one that hangs is under way."""

    def __init__(self, *outcomes: str) -> None:
        self._outcomes = list(outcomes)
        self.leases: list[Lease] = []
        self.going_on = asyncio.Event()

    async def run(self, lease: Lease) -> RoundFinished:
        self.leases.append(lease)
        outcome = self._outcomes.pop(0)
        if outcome == "hang":
            self.going_on.set()
            await asyncio.Event().wait()
        return RoundFinished(
            (ModelReport(MODELS[0], 3, 1.0), ModelReport(MODELS[1], 0, 1.0, outcome)), 1.0, lease.token
        )


class TestOneRound:
    async def test_fifty_instances_started_at_once_share_one_round(
        self, any_store: Store, new_instance: NewInstance, simulator: Simulator
    ) -> None:
        fleet = [new_instance(store=any_store, timeouts=PATIENT) for _ in range(FIFTY)]
        clock = Clock()

        rounds = await asyncio.gather(*(fleet_rounds(instance, clock).run() for instance in fleet))
        for instance in fleet:
            await instance.filler.fill()

        assert sum(finished is not None for finished in rounds) == 1
        assert sorted(call.model for call in simulator.calls) == sorted(MODELS)
        assert len({instance.pool.ids for instance in fleet}) == 1
        assert len(fleet[0].pool) == 12

    async def test_a_dead_holder_delays_the_others_until_its_lease_expires(
        self, instance: Instance, store: SqliteStore, simulator: Simulator
    ) -> None:
        clock = Clock()
        dead = await store.acquire_lease(ROUND_LEASE, "dead", now=clock(), seconds=LEASE_SECONDS)
        rounds = fleet_rounds(instance, clock)

        clock.forward(LEASE_SECONDS - 1)
        too_early = await rounds.run()
        clock.forward(1)
        finished = await rounds.run()

        assert dead is not None
        assert too_early is None
        assert finished is not None
        assert finished.fencing_token == dead.token + 1
        assert len(simulator.calls) == len(MODELS)


class TestOnceADay:
    async def test_one_process_of_the_fleet_looks_after_the_models(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock, done = Clock(), list[str]()
        fleet = [_daily(name, done, store, events, clock) for name in ("a", "b")]

        for _ in range(2):
            for rounds in fleet:
                await rounds.run()
                clock.forward(REST_SECONDS)
        clock.forward(DAY_SECONDS)
        await fleet[1].run()

        assert done == ["a", "b"]

    async def test_a_chore_that_fails_does_not_stop_the_others(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        done: list[str] = []

        async def fail() -> None:
            raise ValueError("a defect")

        async def prune() -> bool:
            done.append("pruned")
            return True

        await FleetRounds(ScriptedRound(""), store, events, once_a_day=[fail, prune]).run()

        assert done == ["pruned"]
        assert [event.operation for event in events.of(Unexpected)] == ["daily chore"]

    async def test_a_chore_that_is_not_finished_goes_on_after_the_next_round(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock, finished = Clock(), [False, True, True]
        chores = [AsyncMock(side_effect=finished)]
        rounds = FleetRounds(ScriptedRound("", "", ""), clocked(store, clock), events, once_a_day=chores)

        for _ in range(3):
            await rounds.run()
            clock.forward(REST_SECONDS)

        assert chores[0].await_count == 2


class TestOnceAnHour:
    async def test_one_process_of_the_fleet_does_it(self, store: SqliteStore, events: RecordingListener) -> None:
        clock, chore = Clock(), AsyncMock(return_value=True)
        fleet = [_hourly(chore, store, events, clock) for _ in range(2)]

        for rounds in fleet:
            await rounds.run()
            clock.forward(REST_SECONDS)
        in_the_first_hour = chore.await_count
        clock.forward(HOUR_SECONDS)
        await fleet[1].run()

        assert (in_the_first_hour, chore.await_count) == (1, 2)

    async def test_a_failure_is_tried_again_after_minutes(self, store: SqliteStore, events: RecordingListener) -> None:
        clock, chore = Clock(), AsyncMock(side_effect=[False, True])
        rounds, counts = _hourly(chore, store, events, clock), []

        for pause in (REST_SECONDS, HOURLY_AGAIN_SECONDS, HOURLY_AGAIN_SECONDS):
            await rounds.run()
            counts.append(chore.await_count)
            clock.forward(pause)
        await rounds.run()

        assert [*counts, chore.await_count] == [1, 1, 2, 2]


def _hourly(chore: AsyncMock, store: Store, events: RecordingListener, clock: Clock) -> FleetRounds:
    return FleetRounds(ScriptedRound("", "", "", ""), clocked(store, clock), events, once_an_hour=[chore])


def _daily(name: str, done: list[str], store: Store, events: RecordingListener, clock: Clock) -> FleetRounds:
    async def once_a_day() -> None:
        done.append(name)

    return FleetRounds(ScriptedRound("", "", ""), clocked(store, clock), events, once_a_day=[once_a_day])


class TestRest:
    async def test_a_model_that_is_gone_does_not_prolong_it(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock = Clock()
        rounds = FleetRounds(ScriptedRound("ModelGone", ""), clocked(store, clock), events)

        assert await _rest(rounds, clock) == REST_SECONDS

    async def test_after_a_round_there_is_no_other_for_a_minute(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock = Clock()
        mine, theirs = (FleetRounds(ScriptedRound("", ""), clocked(store, clock), events) for _ in range(2))
        await mine.run()

        clock.forward(59)
        too_early = [await mine.run(), await theirs.run()]
        clock.forward(1)

        assert too_early == [None, None]
        assert await theirs.run() is not None

    async def test_failures_double_it_up_to_15_minutes_until_a_success(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock = Clock()
        rounds = FleetRounds(ScriptedRound(*["ModelOverloaded"] * 6, "", ""), clocked(store, clock), events)

        rests = [await _rest(rounds, clock) for _ in range(7)]

        assert rests == [120, 240, 480, 900, 900, 900, 60]

    async def test_a_worker_rests_for_its_interval_whatever_the_fleets_size(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock = Clock()
        rounds = FleetRounds(ScriptedRound("", "", ""), clocked(store, clock), events, rest_seconds=3600)

        assert [await _rest(rounds, clock) for _ in range(2)] == [3600, 3600]

    async def test_failures_never_shorten_a_long_one(self, store: SqliteStore, events: RecordingListener) -> None:
        clock = Clock()
        rounds = FleetRounds(
            ScriptedRound("ModelOverloaded", "ModelOverloaded", ""),
            clocked(store, clock),
            events,
            rest_seconds=3600,
        )

        assert [await _rest(rounds, clock) for _ in range(2)] == [3600, 3600]

    async def test_a_round_that_is_cancelled_leaves_no_rest(
        self, store: SqliteStore, events: RecordingListener
    ) -> None:
        clock, hanging = Clock(), ScriptedRound("hang")
        cancelled = asyncio.create_task(FleetRounds(hanging, clocked(store, clock), events).run())
        await hanging.going_on.wait()

        cancelled.cancel()
        with suppress(asyncio.CancelledError):
            await cancelled

        assert await FleetRounds(ScriptedRound(""), clocked(store, clock), events).run() is not None

    @pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
    async def test_a_rest_that_cannot_be_stored_is_reported_without_failing(
        self, store: SqliteStore, events: RecordingListener, monkeypatch: pytest.MonkeyPatch, hangs: bool
    ) -> None:
        monkeypatch.setattr(store, "keep_lease", _hanging if hangs else _broken)

        finished = await FleetRounds(ScriptedRound(""), store, events, timeouts=Timeouts(lease_update=0.01)).run()

        assert finished is not None
        assert [event.operation for event in events.of(DependencyFailed)] == ["keep lease"]


async def _rest(rounds: FleetRounds, clock: Clock) -> int:
    """Make a round and return the seconds for which no other can follow; leaves the clock at their end."""
    assert await rounds.run() is not None
    lease = Lease(ROUND_LEASE, "", 0, 0)
    store = rounds._store
    for seconds in range(1, 4000):
        clock.forward(1)
        if taken := await store.acquire_lease(lease.name, "probe", now=clock(), seconds=0):
            assert taken.token > lease.token
            return seconds
    raise AssertionError("the rest never ends")


async def _hanging(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def _broken(*_: object, **__: object) -> None:
    raise StoreError("The database did not do it.")


class TestStoreDown:
    async def test_without_a_lease_there_is_no_round(
        self, instance: Instance, simulator: Simulator, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "acquire_lease", _broken)

        with pytest.raises(StoreError):
            await fleet_rounds(instance, Clock()).run()

        assert not simulator.calls

    async def test_a_worker_reports_it_and_goes_on(self, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        stop, listener = asyncio.Event(), RecordingListener()
        acquire, outages = store.acquire_lease, iter([True, True, False])

        async def flaky(name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
            if next(outages):
                await _broken()
            stop.set()
            return await acquire(name, holder, now=now, seconds=seconds)

        monkeypatch.setattr(store, "acquire_lease", flaky)
        scripted = ScriptedRound("")

        await FleetRounds(scripted, store, listener, rest_seconds=0.01).keep_going(stop)

        assert [event.operation for event in listener.of(DependencyFailed)] == ["acquire lease"] * 2
        assert len(scripted.leases) == 1


class TestKeepingWarm:
    OFTEN = Timeouts(round_check_every=0.01)

    async def test_a_round_is_made_only_for_what_the_store_does_not_have(
        self, new_instance: NewInstance, simulator: Simulator
    ) -> None:
        first, second = new_instance(timeouts=self.OFTEN), new_instance(timeouts=self.OFTEN)
        clock = Clock()

        await _warm(first, clock)
        clock.forward(3600)
        await _warm(second, clock)

        assert len(simulator.calls) == len(MODELS)
        assert first.pool.ids == second.pool.ids

    async def test_another_round_makes_up_for_a_model_that_failed(
        self, new_instance: NewInstance, simulator: Simulator, events: RecordingListener
    ) -> None:
        simulator.inject(MODELS[0], Fault(FaultKind.BAD_REQUEST))
        instance, clock = new_instance(timeouts=self.OFTEN), JumpingClock()

        await _warm(instance, clock)

        assert [failures(finished) for finished in events.of(RoundFinished)] == [
            {MODELS[0]: "ModelRequestRejected"},
            {},
        ]


class JumpingClock(Clock):
    """A clock by which an hour has passed at every look."""

    def __call__(self) -> float:
        self.forward(3600)
        return self.now


async def _warm(instance: Instance, clock: Clock) -> None:
    """Keep the instance's pool warm until there is nothing left to do."""
    keeping = asyncio.create_task(fleet_rounds(instance, clock).keep_warm(instance.filler))
    async with asyncio.timeout(30):
        await instance.filler.warm.wait()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
