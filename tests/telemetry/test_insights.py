"""The saved queries over the log of a run with faults: what they count is what was injected."""

import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.aws.clients import AwsClients
from service.aws.worker_function import WorkerFunction
from service.config import Settings
from service.domain import Saying, WithdrawnBy, saying_id
from service.errors import KeyAccessDenied, StoreError
from service.keys.key_store import KeyStore
from service.keys.secret import Secret
from service.resources import Resources, open_resources
from service.sayings.round_trigger import RoundTrigger
from service.server.app import listening
from service.simulator import Fault, FaultKind, Simulator
from telemetry.lambda_setup import LambdaTelemetry
from telemetry.logs import LogListener
from tests.deploy.runbook import blocks
from tests.deploy.stack import Stack, edge, observability
from tests.logging_capture import Log, captured_log
from tests.support import model_saying
from tests.telemetry.insights import ITS_OWN, OF_METRICS, counted, fields_of, messages_of
from tests.telemetry.stories import LIMITED
from workers.fleet import fleet_rounds

QUERIES: dict[str, str] = {
    name: properties["QueryString"]
    for name, properties in observability(Stack()).of_type("AWS::Logs::QueryDefinition").items()
}
QUERIES |= {f"runbook: {query}": query for query in blocks("insights")}
# The fields of the access logs, as the templates ask AWS for them.
OF_ACCESS_LOGS = {
    *json.loads(Stack(ApiAccessLog="on").properties("Api")["AccessLogSetting"]["Format"]),
    *edge().properties("AccessLogDelivery")["RecordFields"],
}
ERRORS_BY_MODEL = QUERIES["ErrorsByModelQuery"]
# What our gateway makes of what the simulator does.
ERROR_OF = {
    FaultKind.SERVER_ERROR: "ModelOverloaded",
    FaultKind.RATE_LIMITED: "ModelRateLimited",
    FaultKind.BAD_JSON: "ModelBadResponse",
    FaultKind.TEXT_REFUSAL: "OutputRejected",
}
FAILING = "gpt-4.1"
KNOWN = model_saying("Amazon S3 is an attic that sends you the bill for its own dust.", simulated=True)
BROKEN = StoreError("It is broken.")


@dataclass
class Run:
    """The whole service with its log, asked over HTTP; `answers` are what clients saw."""

    resources: Resources
    url: str
    client: aiohttp.ClientSession
    log: Log
    answers: list[dict[str, Any]] = field(default_factory=list)
    store_failures: int = 0

    async def saying(self) -> None:
        async with self.client.get(f"{self.url}/sayings") as response:
            self.answers.append(await response.json())

    async def vote(self) -> int:
        body = {"sayingId": KNOWN.saying_id, "source": KNOWN.source, "feedbackType": "POSITIVE"}
        async with self.client.post(f"{self.url}/feedback", json=body) as response:
            return response.status

    async def compare(self) -> None:
        """A comparison, and a vote on it."""
        async with self.client.post(f"{self.url}/compare", json={}, headers={"Accept": "application/json"}) as response:
            compared = await response.json()
        address = f"{self.url}/compare/{compared['comparisonId']}/vote"
        async with self.client.post(address, json={"winner": "none"}) as response:
            assert response.status == 200, await response.text()

    async def lose_lease(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.break_store("acquire_lease", monkeypatch)
        with pytest.raises(StoreError):
            await fleet_rounds(self.resources).run()

    async def moderate(self) -> None:
        """A report, a saying that visitors set aside, one that an operator takes down and one that is restored."""
        async with self.client.post(f"{self.url}/sayings/{KNOWN.saying_id}/report", json={}) as response:
            assert response.status == 200
        for by in WithdrawnBy:
            await self.resources.takedowns.withdraw(saying_id(f"by {by}"), reason="slander", by=by)
        await self.resources.takedowns.restore(KNOWN.saying_id)

    def break_store(self, operation: str, monkeypatch: pytest.MonkeyPatch, error: Exception = BROKEN) -> None:
        """Every such call fails until it is undone, and is counted here."""

        async def fail(*_: object, **__: object) -> Saying | None:
            self.store_failures += 1
            raise error

        monkeypatch.setattr(self.resources.store, operation, fail)

    async def deny_key(self) -> None:
        keys = KeyStore(DeniedKeys(), self.resources.listener)
        with pytest.raises(KeyAccessDenied):
            await keys.get("/api-key/openai")
        await keys.close()

    async def lose_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        async with AsyncExitStack() as stack:
            aws = AwsClients("eu-west-1", stack)
            invoke = WorkerFunction("worker", aws).invoke
            await RoundTrigger(invoke, self.resources.store, self.resources.listener).pull()


class DeniedKeys:
    async def fetch(self, name: str) -> Secret:
        raise KeyAccessDenied("The process may not read the key.")


@pytest.fixture
async def run(tmp_path: Path, simulator_url: str) -> AsyncIterator[Run]:
    settings = Settings(port=0, store=f"sqlite:///{tmp_path}/sayings.db", simulator=simulator_url, live_every=1)
    with captured_log() as log:
        async with (
            aiohttp.ClientSession() as client,
            open_resources(settings, {}, LogListener()) as resources,
            listening(resources) as url,
        ):
            await resources.store.put_sayings([KNOWN])
            yield Run(resources, url, client, log)


async def a_bad_night(run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model down, the others limited and talking nonsense now and then, the store failing twice."""
    with monkeypatch.context() as broken:
        run.break_store("random_saying", broken)
        for _ in range(2):
            await run.saying()
    await run.saying()
    simulator.inject(FAILING, Fault(FaultKind.SERVER_ERROR, count=None))
    report = await fleet_rounds(run.resources).run()
    assert report is not None
    assert [each.model for each in report.models if each.error_type] == [FAILING]
    simulator.inject("*", Fault(FaultKind.RATE_LIMITED, count=2, retry_after="30"))
    simulator.inject("*", Fault(FaultKind.BAD_JSON))
    simulator.inject("*", Fault(FaultKind.TEXT_REFUSAL))
    while not ERROR_OF.keys() <= {call.fault for call in simulator.calls}:  # whichever models the dice choose
        await run.saying()


class TestErrorsByModel:
    async def test_it_counts_what_was_injected(
        self, run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await a_bad_night(run, simulator, monkeypatch)

        found = counted(ERRORS_BY_MODEL, run.log.lines)

        injected = Counter((ERROR_OF[call.fault], call.model) for call in simulator.calls if call.fault)
        round_failed = Counter({("ModelOverloaded", FAILING): 1})
        fell_back = Counter((answer["degraded"], "") for answer in run.answers if answer["degraded"])
        store = Counter({("StoreError", ""): run.store_failures})
        assert found == injected + round_failed + fell_back + store
        assert set(injected) >= {("ModelOverloaded", FAILING)}
        assert {error for error, _ in injected} == set(ERROR_OF.values())
        assert run.store_failures == 2

    async def test_of_a_good_run_there_is_nothing_to_count(self, run: Run) -> None:
        for _ in range(3):
            await run.saying()
        assert await run.vote() == 200

        assert counted(ERRORS_BY_MODEL, run.log.lines) == Counter()
        assert "vote taken" in {record["message"] for record in run.log.records}

    def test_lines_of_metrics_and_of_lambda_itself_are_no_errors(self) -> None:
        telemetry = LambdaTelemetry({}, stdout := io.StringIO())
        with captured_log():
            telemetry.listener.emit(LIMITED)
        telemetry.flush()
        lines = ["START RequestId: 1 Version: $LATEST", *stdout.getvalue().splitlines(), "REPORT RequestId: 1"]

        assert "error.type" in stdout.getvalue()
        assert counted(ERRORS_BY_MODEL, lines) == Counter()


class TestSavedQueries:
    async def test_every_field_and_every_message_is_in_real_lines(
        self, run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await run.compare()
        await a_bad_night(run, simulator, monkeypatch)
        assert await run.vote() == 200
        await run.moderate()
        run.break_store("vote", monkeypatch)
        assert await run.vote() == 503
        run.break_store("vote", monkeypatch, ZeroDivisionError())
        assert await run.vote() == 500
        await run.deny_key()
        await run.lose_worker(monkeypatch)
        await run.lose_lease(monkeypatch)

        fields = {name for record in run.log.records for name in record} | ITS_OWN | OF_METRICS | OF_ACCESS_LOGS
        messages = {record["message"] for record in run.log.records}

        assert {(name, unknown) for name, query in QUERIES.items() for unknown in fields_of(query) - fields} == set()
        assert {text for query in QUERIES.values() for text in messages_of(query)} <= messages
