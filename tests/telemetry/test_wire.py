"""What goes over the wire for each story an SRE may want to read, through the process as it is really put together."""

import asyncio
import re
import uuid
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.http import SERVER_SOFTWARE

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.errors import StoreError
from service.limits import Timeouts
from service.llm.adapter import LazyClient
from service.llm.prompt import PROMPT_VERSION
from service.participants import SIMULATED_KEY
from service.simulator import Fault, FaultKind, Simulator
from service.store.dynamodb import DynamoStore, create_tables
from service.store.sqlite import SqliteStore
from telemetry import __version__, names
from tests.aws import REGION, answering, http_response, put_key
from tests.logging_capture import captured_log
from tests.support import PATIENT
from tests.telemetry.composition import SAMPLED, TRACE_ID, UNSAMPLED, Composition, Service
from tests.telemetry.receiver import RECEIVERS, Receiver, Span

pytestmark = pytest.mark.slow

MODELS = {
    "claude-haiku-4-5": "anthropic",
    "claude-sonnet-4-5": "anthropic",
    "gpt-4.1": "openai",
    "gpt-4.1-mini": "openai",
}
GET_SAYING = "GET /sayings"
SQLITE = {"db.system.name": "sqlite"}


def calls(receiver: Receiver, root: Span) -> list[str]:
    """The calls made, in no particular order because some run concurrently."""
    return sorted(line.strip() for line in receiver.tree(root)[1:])


def asked(service: Service, path: str = "/sayings") -> dict[str, Any]:
    """What a trace tells of a request that the tests send."""
    return {
        "url.scheme": "http",
        "url.path": path,
        "server.address": "localhost",
        "server.port": urlsplit(service.url).port,
        "client.address": "127.0.0.0",
        "user_agent.original": SERVER_SOFTWARE,
    }


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_a_saying_from_the_database(nowhere: Composition, protocol: str) -> None:
    async with RECEIVERS[protocol]() as receiver:
        nowhere.patient()
        nowhere.send_to(receiver.url, protocol)

        async with nowhere.running() as service:
            saying = await service.saying(headers=SAMPLED)

    root = receiver.root(GET_SAYING)
    call = receiver.child(root, "sqlite")
    assert receiver.tree(root) == ["SERVER GET /sayings", "  CLIENT sqlite random_saying"]
    assert (root.trace_id, root.parent_id) == (TRACE_ID, "53995c3f42cd8ad8")
    assert saying["traceId"] == "1-6a2b3c4d-0123456789abcdef01234567"
    assert root.attributes == asked(service) | {
        "http.request.method": "GET",
        "http.route": "/sayings",
        "http.response.status_code": 200,
        "operation": "getSaying",
        "saying.origin": "database",
        "saying.request_number": 1,
    }
    assert call.attributes == SQLITE | {"db.operation.name": "random_saying"}
    assert root.proto.start_time_unix_nano <= call.proto.start_time_unix_nano
    assert call.proto.end_time_unix_nano <= root.proto.end_time_unix_nano
    assert receiver.scopes == {("cloud-sayings", __version__, names.SCHEMA_URL)}
    assert [resource["service.name"] for resource in receiver.resources] == ["cloud-sayings"] * 2
    (point,) = receiver.points("TotalExecutionTime")
    attributes = {"operation": "getSaying", "saying.origin": "database"}
    assert (point.unit, point.attributes, point.value) == ("ms", attributes, 1)
    assert not receiver.points("APILatency")


async def test_a_live_saying(composition: Composition, receiver: Receiver) -> None:
    async with composition.running(timeouts=PATIENT) as service:  # the import of an SDK may take its time
        live = (await service.sayings(4))[-1]

    root = receiver.root(GET_SAYING)
    receiver.draw(root)
    chat = receiver.child(root, "chat")
    model, vendor = live["model"], live["vendor"]
    tokens = live["metrics"]["tokensUsed"]
    assert len(receiver.roots()) == 1  # kept because of the model call; the other three were not sampled
    assert receiver.tree(root) == [
        "SERVER GET /sayings",
        f"  INTERNAL prepare {model}",
        "    INTERNAL import SDK",
        "    CLIENT sqlite reserve_spend",
        f"  CLIENT chat {model}",
        "  CLIENT sqlite adjust_spend",
        "  CLIENT sqlite record_call",
        "  CLIENT sqlite put_sayings",
    ]
    assert (root.attributes["saying.origin"], root.attributes["simulated"]) == ("live", "true")
    attributes = chat.attributes
    assert attributes.pop("gen_ai.response.id").startswith(("msg_", "chatcmpl-", "resp_"))
    assert attributes.pop("gen_ai.response.model").startswith(f"{model}-20")  # its dated snapshot
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": vendor,
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": service.resources.catalogue[model].max_tokens,
        "gen_ai.output.type": "json",
        "gen_ai.prompt.name": "sayings",
        "gen_ai.prompt.version": PROMPT_VERSION,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": tokens["input"],
        "gen_ai.usage.output_tokens": tokens["output"],
        "server.address": "127.0.0.1",
        "server.port": urlsplit(composition.settings["simulator"]).port,
        "peer.service": vendor,
        "http.response.status_code": 200,
        "saying.attempt": 1,
        "saying.call_kind": "live",
        "saying.cost_usd": live["metrics"]["cost"],
        "saying.ids": [live["sayingId"]],
        "simulated": "true",
        # The names of the conventions alone would let Phoenix and MLflow price it as the vendor's own.
        "llm.model_name": live["source"].removeprefix("Generated by "),
    }
    assert receiver.totals("TotalExecutionTime") == {("getSaying", "database"): 3, ("getSaying", "live"): 1}
    assert receiver.totals("APILatency") == {(vendor, model, "true"): 1}
    assert receiver.totals("TokensUsed") == {(vendor, model, "true"): tokens["input"] + tokens["output"]}
    assert receiver.totals("Cost") == {(vendor, model, "true"): pytest.approx(live["metrics"]["cost"])}
    assert receiver.totals("gen_ai.client.inference.duration") == {("chat", vendor, model, "true"): 1}
    for kind, count in tokens.items():
        usage = receiver.totals(f"gen_ai.client.inference.usage.{kind}_tokens")
        assert usage == {("chat", vendor, model, "text", "true"): count}
        sizes = [point.proto.sum for point in receiver.points(f"gen_ai.client.inference.operation.{kind}_tokens")]
        assert sizes == [count]
    assert {point.name: point.unit for point in receiver.all_points if point.name in ("APILatency", "Cost")} == {
        "APILatency": "ms",
        "Cost": "USD",
    }
    gauges = ("PoolSize", "SpendReserved")
    assert {point.temporality for point in receiver.all_points if point.name not in gauges} == {"DELTA"}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_comparison_is_four_slots_at_once_of_which_one_fails(
    composition: Composition, receiver: Receiver, simulator: Simulator, accept: str
) -> None:
    simulator.inject("gpt-4.1", Fault(FaultKind.SPEND_LIMIT))

    async with composition.running() as service:
        compared = await service.ask("POST", "/compare", json={"service": "Amazon S3"}, headers={"Accept": accept})

    root = receiver.root("POST /compare")
    receiver.draw(root)
    prepare, *slots = [span for span in receiver.children(root) if span.kind == "INTERNAL"]
    chats = {span.attributes["gen_ai.request.model"]: span for span in receiver.all_below(root, "chat")}
    assert (compared.status, compared.headers["Content-Type"]) == (200, accept)
    assert (receiver.tree(root)[0], str(prepare)) == ("SERVER POST /compare", "INTERNAL prepare")
    assert receiver.all_below(prepare, "sqlite reserve_spend")
    assert {span.name[:6] for span in slots} == {"slot A", "slot B", "slot C", "slot D"}
    assert {span.name[7:]: span.failed for span in slots} == dict.fromkeys(MODELS, False) | {"gpt-4.1": True}
    for slot in slots:
        model = slot.attributes["gen_ai.request.model"]
        (_, *told), failed = receiver.tree(slot), " FAILED" if slot.failed else ""
        assert told[:2] == [f"  INTERNAL prepare {model}", f"  CLIENT chat {model}{failed}"]
        assert sorted(told[2:]) == ["  CLIENT sqlite adjust_spend", "  CLIENT sqlite record_call"]
    assert {str(span) for span in receiver.children(root)[5:]} >= {
        "CLIENT sqlite stored_ids", "CLIENT sqlite put_comparison",
    }  # fmt: skip
    assert root.attributes == asked(service, "/compare") | {
        "http.request.method": "POST",
        "http.route": "/compare",
        "http.response.status_code": 200,
        "operation": "postCompare",
        "simulated": "true",
    }
    assert {chat.attributes["saying.call_kind"] for chat in chats.values()} == {"compare"}
    assert {model: chat.attributes.get("error.type") for model, chat in chats.items()} == dict.fromkeys(MODELS) | {
        "gpt-4.1": "ModelSpendLimitReached"
    }
    assert root.proto.end_time_unix_nano >= max(chat.proto.end_time_unix_nano for chat in chats.values())
    assert receiver.totals("TotalExecutionTime") == {("postCompare",): 1}


async def test_a_live_saying_that_failed_and_fell_back(
    composition: Composition, receiver: Receiver, simulator: Simulator
) -> None:
    simulator.inject("*", Fault(FaultKind.SERVER_ERROR, count=2))

    async with composition.running(timeouts=PATIENT) as service:
        fallen_back = (await service.sayings(4))[-1]

    root = receiver.root(GET_SAYING)
    attempts = receiver.all_below(root, "chat")
    model, vendor = attempts[0].attributes["gen_ai.request.model"], attempts[0].attributes["gen_ai.provider.name"]
    assert fallen_back["origin"] == "database"
    assert not root.failed
    assert root.attributes["saying.degraded"] == "live_overloaded"
    told = [span.name for span in receiver.children(root) if span.name.endswith(model)]
    assert told == [f"prepare {model}", f"chat {model}"] * 2
    assert [span.attributes["saying.attempt"] for span in attempts] == [1, 2]
    assert all(span.failed for span in attempts)
    assert {span.attributes["http.response.status_code"] for span in attempts} == {500}
    assert {span.attributes["error.type"] for span in attempts} == {"ModelOverloaded"}
    assert attempts[0].exceptions == [{"exception.type": "ModelOverloaded", "exception.message": "The vendor failed."}]
    assert receiver.totals("APILatency") == {(vendor, model, "true"): 2}
    assert receiver.totals("Errors") == {("ModelOverloaded", vendor, model, "true"): 2}
    assert receiver.totals("Fallbacks") == {("live_overloaded", "database"): 1}
    assert not receiver.points("TokensUsed")
    assert not receiver.points("Cost")


async def test_an_import_that_takes_too_long_is_nobodys_failure_but_ours(
    composition: Composition, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def import_forever(self: LazyClient[Any]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(LazyClient, "load", import_forever)
    composition.settings["timeouts"] = Timeouts(live_model=0.1)

    with captured_log() as log:
        async with composition.running() as service:
            await service.sayings(3)
            fallen_back = await service.saying(headers=SAMPLED)
            breakers = list(service.resources.gateway._breakers.values())

    root = receiver.root(GET_SAYING)
    prepare = receiver.child(root, "prepare")
    assert fallen_back["degraded"] == root.attributes["saying.degraded"] == "live_not_asked"
    assert receiver.tree(root) == ["SERVER GET /sayings", f"  {prepare}", "  CLIENT sqlite random_saying"]
    assert (prepare.failed, prepare.attributes["error.type"]) == (True, "ModelNotAsked")
    assert [breaker._failures for breaker in breakers] == [0]
    assert not {"APILatency", "Errors"} & {point.name for point in receiver.all_points}
    assert [record["error_type"] for record in log.records if record["level"] != "INFO"] == ["live_not_asked"]


async def test_a_saying_from_the_pool_by_the_callers_wish(composition: Composition, receiver: Receiver) -> None:
    async with composition.running() as service:
        await service.sayings(3, headers=UNSAMPLED)
        await service.round()
        await service.sayings(1, headers=UNSAMPLED)
        wanted = await service.saying(headers=SAMPLED)
        unwanted = await service.saying(headers=UNSAMPLED)

    assert (wanted["origin"], unwanted["origin"]) == ("cache", "cache")
    cached = [root for root in receiver.roots() if root.attributes.get("saying.origin") == "cache"]
    assert [receiver.tree(root) for root in cached] == [["SERVER GET /sayings"]]
    assert cached[0].attributes["saying.request_number"] == wanted["requestNumber"]
    assert len(receiver.roots()) == 3  # with the live one, unsampled as it was, and the round
    by_origin = {("getSaying", "database"): 3, ("getSaying", "live"): 1, ("getSaying", "cache"): 2}
    assert receiver.totals("TotalExecutionTime") == by_origin


async def test_a_round_with_a_model_that_fails(
    composition: Composition, receiver: Receiver, simulator: Simulator
) -> None:
    simulator.speed = 0.2
    simulator.inject("gpt-4.1", Fault(FaultKind.UNAUTHORIZED, count=2))

    async with composition.running() as service:
        for model in service.resources.line_up:  # importing an SDK takes longer than these calls
            await service.resources.gateway._adapters.of(model).load()
        await service.round()
        assert simulator.max_in_flight == 4

    root = receiver.root("round")
    receiver.draw(root)
    chats = sorted(receiver.all_below(root, "chat"), key=lambda span: span.proto.start_time_unix_nano)
    parts = {span.attributes["gen_ai.request.model"]: span for span in receiver.children(root)}
    assert len(receiver.roots()) == 1
    assert (root.kind, root.failed) == ("INTERNAL", False)
    assert root.attributes == {
        "operation": "round",
        "aws.span.kind": "LOCAL_ROOT",
        "aws.local.service": "cloud-sayings",
        "saying.fencing_token": 1,
        "simulated": "true",
    }
    assert parts.keys() == MODELS.keys()
    assert receiver.tree(parts["gpt-4.1-mini"]) == [
        "INTERNAL write gpt-4.1-mini",
        "  INTERNAL prepare gpt-4.1-mini",
        "    CLIENT sqlite reserve_spend",
        "  CLIENT chat gpt-4.1-mini",
        "  CLIENT sqlite adjust_spend",
        "  CLIENT sqlite record_call",
        "  CLIENT sqlite put_sayings",
    ]
    assert (parts["gpt-4.1"].failed, parts["gpt-4.1"].attributes["error.type"]) == (True, "ModelKeyRejected")
    assert sorted(map(str, chats)) == [
        "CLIENT chat claude-haiku-4-5",
        "CLIENT chat claude-sonnet-4-5",
        "CLIENT chat gpt-4.1 FAILED",
        "CLIENT chat gpt-4.1 FAILED",  # its key is reloaded once
        "CLIENT chat gpt-4.1-mini",
    ]
    assert max(span.proto.start_time_unix_nano for span in chats[:4]) < min(
        span.proto.end_time_unix_nano for span in chats if not span.failed
    )
    assert [error["exception.type"] for error in root.exceptions] == ["ModelKeyRejected"]
    good = {(vendor, model, "true") for model, vendor in MODELS.items()} - {("openai", "gpt-4.1", "true")}
    assert receiver.totals("RoundSayings") == {(model,): 0 if model == "gpt-4.1" else 3 for model in MODELS}
    assert receiver.totals("Errors") == {("ModelKeyRejected", "openai", "gpt-4.1", "true"): 2}
    assert receiver.totals("ModelsFailing") == {(model,): model == "gpt-4.1" for model in MODELS}
    assert set(receiver.totals("TokensUsed")) == set(receiver.totals("Cost")) == good
    assert set(receiver.totals("APILatency")) == good | {("openai", "gpt-4.1", "true")}


async def test_a_vote_is_linked_to_the_call_that_wrote_the_saying(composition: Composition, receiver: Receiver) -> None:
    async with composition.running() as service:
        live = (await service.sayings(4))[-1]
        vote = await service.vote(live, "NEGATIVE", headers=SAMPLED)

    chat = receiver.child(receiver.root(GET_SAYING), "chat")
    root = receiver.root("POST /feedback")
    assert not receiver.records  # nobody has asked for log records
    (event,) = [event for event in root.proto.events if event.name == "gen_ai.evaluation.result"]
    told = {pair.key: pair.value.string_value or pair.value.double_value for pair in event.attributes}
    assert vote.status == 200
    assert root.links == [chat.trace_id + chat.span_id]
    assert root.trace_id != chat.trace_id
    assert calls(receiver, root) == [f"CLIENT sqlite {name}" for name in ("day_secret", "vote")]
    assert told == {
        "gen_ai.evaluation.name": "user_feedback",
        "gen_ai.evaluation.score.label": "NEGATIVE",
        "gen_ai.evaluation.score.value": 0.0,
    }
    assert receiver.totals("Feedback") == {("NEGATIVE",): 1}


async def test_votes_are_evaluation_events_of_the_call_for_whoever_takes_log_records(
    composition: Composition, receiver: Receiver
) -> None:
    composition.set(OTEL_LOGS_EXPORTER="otlp")
    voter = "voter-0123456789abcdef"

    async with composition.running(timeouts=PATIENT) as service:
        *_, builtin, live = await service.sayings(4)
        for saying, opinion in ((live, "POSITIVE"), (live, "POSITIVE"), (live, "NEGATIVE"), (builtin, "POSITIVE")):
            await service.vote(saying, opinion, headers=UNSAMPLED | {"Cookie": f"sayings_voter={voter}"})

    chat = receiver.child(receiver.root(GET_SAYING), "chat")
    assert {record.generation_id for record in receiver.records} == {chat.trace_id + chat.span_id}
    assert {record.proto.event_name for record in receiver.records} == {"gen_ai.evaluation.result"}
    assert [record.attributes for record in receiver.records] == [
        {
            "gen_ai.evaluation.name": "user_feedback",
            "gen_ai.evaluation.score.label": label,
            "gen_ai.evaluation.score.value": value,
        }
        for label, value in (("POSITIVE", 1.0), ("NEGATIVE", 0.0))
    ]
    assert voter not in str(receiver.texts)


async def test_a_vote_that_could_not_be_stored_is_a_fault(
    composition: Composition, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("The database is broken.")

    async with composition.running() as service:
        saying = await service.saying(headers=UNSAMPLED)
        monkeypatch.setattr(SqliteStore, "vote", fail)
        answer = await service.vote(saying, headers=UNSAMPLED)

    root = receiver.root("POST /feedback")
    assert answer.error == (503, "store_unavailable")
    assert root.failed
    assert root.attributes["http.response.status_code"] == 503
    assert root.attributes["error.type"] == "store_unavailable"
    assert root.exceptions == [{"exception.type": "StoreError", "exception.message": "The database is broken."}]
    assert receiver.totals("Errors") == {("StoreError", "store"): 1, ("store_unavailable", "postFeedback"): 1}


async def test_a_defect_has_its_stack_and_not_its_text(
    composition: Composition, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "-".join(["sk", "secret"])  # the stack shows the source

    async def trip(self: SqliteStore) -> None:
        raise ZeroDivisionError(secret)

    with captured_log():
        async with composition.running() as service:
            monkeypatch.setattr(SqliteStore, "random_saying", trip)
            answer = await service.ask("GET", "/sayings", headers=UNSAMPLED)

    root = receiver.root(GET_SAYING)
    (exception,) = root.exceptions
    assert answer.error == (500, "internal_error")
    assert (root.failed, root.attributes["http.response.status_code"]) == (True, 500)
    assert exception["exception.type"] == "ZeroDivisionError"
    assert "in trip" in exception["exception.stacktrace"]
    assert secret not in str(receiver.texts)
    assert receiver.totals("Errors") == {("Unexpected", "getSaying"): 1, ("internal_error", "getSaying"): 1}


async def test_what_no_route_answers_is_named_by_nothing_the_client_sent(
    composition: Composition, receiver: Receiver
) -> None:
    async with composition.running() as service:
        await service.ask("GET", "/wp-admin/setup.php?cmd=evil", headers=SAMPLED)
        await service.ask("PROPFIND", "/sayings", headers=SAMPLED)

    assert [str(root) for root in receiver.roots()] == ["SERVER GET", "SERVER _OTHER"]
    assert [root.attributes["saying.error_code"] for root in receiver.roots()] == [
        "route_not_found", "method_not_allowed",
    ]  # fmt: skip
    assert [root.attributes["url.path"] for root in receiver.roots()] == ["/wp-admin/setup.php", "/sayings"]
    assert not any("error.type" in root.attributes for root in receiver.roots())  # the client's error, not ours
    assert not re.search("evil|propfind", str(receiver.texts), re.IGNORECASE)


@pytest.fixture
async def on_aws(composition: Composition, moto_url: str) -> Composition:
    """Tables with one saying, and keys, on moto, which may take its time."""
    composition.set(AWS_ENDPOINT_URL=moto_url)
    prefix = f"wire-{uuid.uuid4().hex[:8]}-"
    async with AsyncExitStack() as stack:
        aws = AwsClients(REGION, stack, timeouts=PATIENT)
        await create_tables(await aws.dynamodb(), prefix)
        await DynamoStore(await aws.dynamodb(), prefix).put_sayings([collection()[0]])
        for vendor in ("anthropic", "openai"):
            await put_key(await aws.ssm(), f"/api-key/{vendor}", SIMULATED_KEY)
    composition.settings |= {
        "store": f"dynamodb://{prefix}",
        "keys": "ssm",
        "aws_region": REGION,
        "timeouts": PATIENT,
    }
    return composition


async def test_sayings_on_aws(on_aws: Composition, receiver: Receiver) -> None:
    async with on_aws.running() as service:
        await service.sayings(1, headers=SAMPLED)
        await service.sayings(2, headers=UNSAMPLED)
        live = await service.saying(headers=UNSAMPLED)

    from_database, from_model = receiver.root(GET_SAYING, 0), receiver.root(GET_SAYING, 1)
    prefix = on_aws.settings["store"].removeprefix("dynamodb://")
    query, parameter = receiver.children(from_database)[0], receiver.child(from_model, "SSM")
    assert set(receiver.tree(from_database)[1:]) == {"  CLIENT DynamoDB.Query"}
    assert all(span.attributes["aws.request_id"] for span in (query, parameter))
    assert query.attributes == {
        "aws.request_id": query.attributes["aws.request_id"],
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "Query",
        "rpc.system": "aws-api",
        "rpc.service": "DynamoDB",
        "rpc.method": "Query",
        "aws.region": REGION,
        "aws.dynamodb.table_names": [f"{prefix}main_humor"],
        "http.response.status_code": 200,
    }
    assert receiver.tree(from_model)[:7] == [
        "SERVER GET /sayings",
        f"  INTERNAL prepare {live['model']}",
        "    INTERNAL import SDK",
        "    CLIENT SSM.GetParameter",
        "    CLIENT DynamoDB.UpdateItem",  # the client's share of the money
        "    CLIENT DynamoDB.UpdateItem",  # the cap
        f"  CLIENT chat {live['model']}",
    ]
    assert parameter.attributes == {
        "aws.request_id": parameter.attributes["aws.request_id"],
        "rpc.system": "aws-api",
        "rpc.service": "SSM",
        "rpc.method": "GetParameter",
        "aws.region": REGION,
        "http.response.status_code": 200,
    }
    assert not any(span.failed for span in receiver.spans)


async def test_a_condition_that_does_not_hold_is_an_answer(on_aws: Composition, receiver: Receiver) -> None:
    async with on_aws.running() as service:
        saying = await service.saying(headers=UNSAMPLED)
        await service.vote(saying, headers={"Cookie": "voter=" + "a" * 32})
        again = await service.vote(saying, headers=SAMPLED | {"Cookie": "voter=" + "a" * 32})

    assert again.status == 200
    assert receiver.roots()
    assert not any(span.failed for span in receiver.spans)


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("AccessDeniedException", "KeyAccessDenied", 400),
        ("ThrottlingException", "KeyStoreThrottled", 429),  # what AWS answers 400 with, so that X-Ray draws a throttle
    ],
)
async def test_a_key_that_ssm_does_not_give_away(
    composition: Composition, receiver: Receiver, code: str, error: str, status: int
) -> None:
    refusal = http_response(
        b'{"__type": "%b", "message": "arn:aws:iam::123456789012:role/x"}' % code.encode(), status=400
    )
    async with answering(refusal) as url:
        composition.set(AWS_ENDPOINT_URL=url)

        async with composition.running(keys="ssm", aws_region=REGION) as service:
            fallen_back = (await service.sayings(4, headers=UNSAMPLED))[-1]

    root = receiver.root(GET_SAYING)
    call = receiver.child(root, "SSM")
    assert fallen_back["origin"] == "database"
    prepare = receiver.child(root, "prepare")
    assert receiver.tree(root) == [
        "SERVER GET /sayings",
        f"  {prepare}",
        "    INTERNAL import SDK",
        "    CLIENT SSM.GetParameter FAILED",
        "  CLIENT sqlite random_saying",
    ]
    assert (prepare.failed, prepare.attributes["error.type"]) == (True, error)
    assert (call.attributes["error.type"], call.attributes["http.response.status_code"]) == (code, status)
    assert [exception["exception.type"] for exception in prepare.exceptions] == [error]
    assert receiver.totals("Errors") == {(error, "key store"): 1}
    assert not receiver.points("APILatency")  # no model was called
    assert "123456789012" not in str(receiver.texts)


async def test_a_call_to_aws_that_hangs_is_in_the_trace(composition: Composition, receiver: Receiver) -> None:
    composition.settings["timeouts"] = Timeouts(key_fetch=0.1)
    async with answering(None) as url:
        composition.set(AWS_ENDPOINT_URL=url)

        async with composition.running(keys="ssm", aws_region=REGION) as service:
            await service.sayings(4, headers=UNSAMPLED)

    call = receiver.child(receiver.root(GET_SAYING), "SSM")
    assert (call.failed, call.attributes["error.type"]) == (True, "CancelledError")
    assert "http.response.status_code" not in call.attributes
