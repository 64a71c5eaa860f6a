"""A round: every model at once, three services each, and no model's failure is another one's."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from service.catalogue.models import Catalogue, Model
from service.domain import Saying
from service.errors import KeyAccessDenied, ModelCutShort, ModelError, ModelNotAsked, StoreError
from service.keys.secret import Secret
from service.limits import Timeouts
from service.llm.adapter import ModelAdapter
from service.llm.vendors import VENDORS, Adapters
from service.simulator import Fault, FaultKind, Simulator
from service.store.base import Lease, Spend
from service.store.sqlite import SqliteStore
from telemetry.events import ModelMeasured, ModelReport, RoundFinished, RoundStarted, Unexpected
from tests.support import RecordingListener
from tests.workers.conftest import NewInstance
from tests.workers.instance import MODELS, Instance, brought, by_model, failures

HAIKU, SONNET, GPT, MINI = MODELS
EVERYONE_BROUGHT_THREE = dict.fromkeys(MODELS, 3)


async def _sayings(instance: Instance, model: str) -> list[Saying]:
    return await instance.store.recent_sayings(model, since=0.0, limit=100, simulated=True)


class TestAllGoesWell:
    async def test_every_model_is_asked_at_once(self, instance: Instance, simulator: Simulator) -> None:
        simulator.inject("*", Fault(FaultKind.HANG, count=None))

        running = asyncio.create_task(instance.round.run(await instance.lease()))
        async with asyncio.timeout(30):
            await simulator.until(lambda: simulator.in_flight == len(MODELS))

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def test_each_brings_three_sayings_on_three_services_with_one_call(
        self, instance: Instance, simulator: Simulator
    ) -> None:
        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE
        assert sorted(call.model for call in simulator.calls) == sorted(MODELS)
        for model in MODELS:
            sayings = await _sayings(instance, model)
            assert len({saying.services for saying in sayings}) == 3
            assert {saying.generation and saying.generation.kind for saying in sayings} == {"round"}

    async def test_what_is_stored_is_pooled(self, instance: Instance) -> None:
        await instance.round.run(await instance.lease())

        stored = {saying.saying_id for model in MODELS for saying in await _sayings(instance, model)}
        assert len(stored) == 12
        assert instance.pool.ids == stored

    async def test_what_another_model_wrote_first_stays_that_models(
        self, instance: Instance, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def all_known(*_: object, **__: object) -> frozenset[str]:
            return frozenset()

        monkeypatch.setattr(store, "put_sayings", all_known)

        finished = await instance.round.run(await instance.lease())

        assert [report.sayings for report in finished.models] == [0, 0, 0, 0]
        assert len(instance.pool) == 0

    async def test_words_that_a_model_has_written_before_are_warmed_again(
        self, instance: Instance, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_sayings = store.put_sayings

        async def put_once_more(sayings: Sequence[Saying], *, fence: Lease) -> frozenset[str]:
            await put_sayings(sayings, fence=fence)
            return await put_sayings(sayings, fence=fence)

        monkeypatch.setattr(store, "put_sayings", put_once_more)

        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE
        assert len(instance.pool) == 12

    async def test_it_emits_its_start_each_models_report_and_its_end(
        self, instance: Instance, events: RecordingListener
    ) -> None:
        lease = await instance.lease()

        finished = await instance.round.run(lease)

        assert events.of(RoundStarted) == [RoundStarted(MODELS)]
        assert sorted(report.model for report in events.of(ModelReport)) == sorted(MODELS)
        assert events.of(RoundFinished) == [finished]
        assert finished.fencing_token == lease.token


class TestShortAnswers:
    async def test_only_the_missing_ones_are_asked_for_again(self, instance: Instance, simulator: Simulator) -> None:
        simulator.inject(GPT, Fault(FaultKind.TEXT_ONLY_ONE))

        finished = await instance.round.run(await instance.lease())

        sayings = await _sayings(instance, GPT)
        assert brought(finished) == EVERYONE_BROUGHT_THREE  # all three again would have made four
        assert len({saying.services for saying in sayings}) == 3
        assert [call.model for call in simulator.calls].count(GPT) == 2

    async def test_they_are_asked_for_once_more_and_not_twice(self, instance: Instance, simulator: Simulator) -> None:
        simulator.inject(GPT, Fault(FaultKind.TEXT_ONLY_ONE, count=None))

        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE | {GPT: 2}
        assert [call.model for call in simulator.calls].count(GPT) == 2

    async def test_the_first_answer_is_kept_when_asking_again_fails(
        self, instance: Instance, simulator: Simulator
    ) -> None:
        simulator.inject(GPT, Fault(FaultKind.TEXT_ONLY_ONE))
        simulator.inject(GPT, Fault(FaultKind.BAD_REQUEST))

        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE | {GPT: 1}
        assert failures(finished) == {}

    async def test_what_the_pool_has_already_does_not_count(
        self, instance: Instance, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.round.random.sample", lambda names, count: names[:count])
        simulator.inject(GPT, Fault(FaultKind.TEXT_DUPLICATES, count=None))
        lease = await instance.lease()

        await instance.round.run(lease)
        again = await instance.round.run(lease)

        assert failures(again) == {GPT: "ModelBadResponse"}


class TestOneModelFails:
    @pytest.mark.parametrize(
        ("kind", "error_type"),
        [
            (FaultKind.BAD_REQUEST, "ModelRequestRejected"),
            (FaultKind.SPEND_LIMIT, "ModelSpendLimitReached"),
            (FaultKind.BAD_JSON, "ModelBadResponse"),
            (FaultKind.REFUSAL, "ModelRefused"),
            (FaultKind.MAX_TOKENS, "ModelTruncated"),
            (FaultKind.TEXT_SCRIPT, "ModelBadResponse"),
        ],
    )
    async def test_the_others_bring_theirs_and_it_is_named(
        self, instance: Instance, simulator: Simulator, kind: FaultKind, error_type: str
    ) -> None:
        simulator.inject(MINI, Fault(kind, count=None))

        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE | {MINI: 0}
        assert failures(finished) == {MINI: error_type}
        assert await _sayings(instance, MINI) == []

    async def test_one_that_hangs_is_given_up_at_its_deadline(
        self, instance: Instance, new_instance: NewInstance, simulator: Simulator
    ) -> None:
        simulator.inject(SONNET, Fault(FaultKind.HANG))
        hurried = [
            msgspec.structs.replace(model, timeout_seconds=0.2) if model.id == SONNET else model
            for model in instance.catalogue
        ]
        await instance.adapters.of(hurried[1]).load()
        impatient = new_instance(adapters=instance.adapters, catalogue=Catalogue(hurried))

        finished = await impatient.round.run(await impatient.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE | {SONNET: 0}
        assert failures(finished) == {SONNET: "ModelTimeout"}

    async def test_a_key_that_is_denied_stops_only_its_vendor(
        self, new_instance: NewInstance, simulator: Simulator
    ) -> None:
        instance = new_instance(keys=OpenAiDenied())

        finished = await instance.round.run(await instance.lease())

        assert failures(finished) == {GPT: "KeyAccessDenied", MINI: "KeyAccessDenied"}
        assert {call.model for call in simulator.calls} == {HAIKU, SONNET}

    async def test_a_defect_in_one_model_is_contained_and_its_text_hidden(
        self, new_instance: NewInstance, simulator_url: str, events: RecordingListener
    ) -> None:
        instance = new_instance(adapters=Failing(simulator_url, ZeroDivisionError("sk-secret")))

        finished = await instance.round.run(await instance.lease())

        assert brought(finished) == EVERYONE_BROUGHT_THREE | {HAIKU: 0}
        assert by_model(finished)[HAIKU].error_type == "ZeroDivisionError"
        assert by_model(finished)[HAIKU].error_message == "unexpected"
        assert [type(event.error) for event in events.of(Unexpected)] == [ZeroDivisionError]


class OpenAiDenied:
    async def fetch(self, name: str) -> Secret:
        if "openai" in name:
            raise KeyAccessDenied("The key parameter may not be read.")
        return Secret("sk-simulated")


class Failing(Adapters):
    """Fails in one way for one model."""

    def __init__(self, simulator_url: str, error: Exception) -> None:
        super().__init__(VENDORS, simulator_url)
        self._error = error

    def of(self, model: Model) -> ModelAdapter:
        if model.id == HAIKU:
            raise self._error
        return super().of(model)


class TestGaugeOfFailingModels:
    async def test_a_model_is_failing_until_it_brings_something(
        self, instance: Instance, simulator: Simulator, events: RecordingListener
    ) -> None:
        simulator.inject(GPT, Fault(FaultKind.BAD_REQUEST))

        lease, measured = await instance.lease(), []
        for _ in range(2):
            await instance.round.run(lease)
            measured.append({each.model: each.failing for each in events.of(ModelMeasured)})

        assert measured == [dict.fromkeys(MODELS, False) | {GPT: True}, dict.fromkeys(MODELS, False)]

    async def test_no_model_is_to_blame_for_the_budget(
        self, new_instance: NewInstance, events: RecordingListener
    ) -> None:
        instance = new_instance(caps=Spend(day=1, hour=1))

        await instance.round.run(await instance.lease())

        assert events.of(ModelMeasured) == []

    @pytest.mark.parametrize("error", [ModelNotAsked("too late"), ModelCutShort("too late")])
    async def test_no_model_is_to_blame_for_our_own_slowness(
        self, new_instance: NewInstance, simulator_url: str, events: RecordingListener, error: ModelError
    ) -> None:
        instance = new_instance(adapters=Failing(simulator_url, error))

        await instance.round.run(await instance.lease())

        measured = {each.model: each.failing for each in events.of(ModelMeasured)}
        assert measured == dict.fromkeys((SONNET, GPT, MINI), False)


class TestNothingComesOfIt:
    async def test_all_models_fail(self, instance: Instance, simulator: Simulator) -> None:
        simulator.inject("*", Fault(FaultKind.BAD_REQUEST, count=None))

        finished = await instance.round.run(await instance.lease())

        assert failures(finished) == dict.fromkeys(MODELS, "ModelRequestRejected")
        assert len(instance.pool) == 0

    async def test_the_budget_is_spent(self, new_instance: NewInstance, simulator: Simulator) -> None:
        instance = new_instance(caps=Spend(day=1, hour=1))

        finished = await instance.round.run(await instance.lease())

        assert failures(finished) == dict.fromkeys(MODELS, "BudgetExhausted")
        assert not simulator.calls

    async def test_a_lost_lease_stores_nothing(self, instance: Instance) -> None:
        stale = await instance.lease()
        await instance.store.acquire_lease("round", "another instance", now=stale.expires_at, seconds=10.0)

        finished = await instance.round.run(stale)

        assert failures(finished) == dict.fromkeys(MODELS, "LeaseLost")
        assert [saying for model in MODELS for saying in await _sayings(instance, model)] == []
        assert len(instance.pool) == 0

    @pytest.mark.parametrize("hangs", [False, True])
    async def test_what_cannot_be_stored_is_not_pooled_either(
        self, new_instance: NewInstance, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, hangs: bool
    ) -> None:
        async def put_sayings(*_: object, **__: object) -> None:
            if hangs:
                await asyncio.Event().wait()
            raise StoreError("The database did not do it.")

        monkeypatch.setattr(store, "put_sayings", put_sayings)
        instance = new_instance(timeouts=Timeouts(round_write=0.05))

        finished = await instance.round.run(await instance.lease())

        assert failures(finished) == dict.fromkeys(MODELS, "StoreTimeout" if hangs else "StoreError")
        assert len(instance.pool) == 0
