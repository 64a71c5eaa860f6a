"""What goes over the wire for each story an SRE may want to read, through the process as it is really put together."""

import re
import uuid
from contextlib import AsyncExitStack

import pytest

from service.aws.clients import AwsClients
from service.catalogue.collection import collection
from service.errors import StoreError
from service.limits import Timeouts
from service.participants import SIMULATED_KEY
from service.simulator import Fault, FaultKind, Simulator
from service.store.dynamodb import DynamoStore, create_tables
from service.store.sqlite import SqliteStore
from tests.aws import REGION, answering, http_response, put_key
from tests.logging_capture import captured_log
from tests.support import PATIENT
from tests.telemetry.composition import SAMPLED, TRACE_ID, UNSAMPLED, Composition
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
    return sorted(receiver.tree(root)[1:])


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_a_saying_from_the_database(nowhere: Composition, protocol: str) -> None:
    async with RECEIVERS[protocol]() as receiver:
        nowhere.patient()
        nowhere.send_to(receiver.url, protocol)

        async with nowhere.running() as service:
            saying = await service.saying(headers=SAMPLED)

    root = receiver.root(GET_SAYING)
    call = receiver.child(root, "sqlite")
    assert receiver.tree(root) == ["SERVER GET /sayings", "CLIENT sqlite random_saying"]
    assert (root.trace_id, root.parent_id) == (TRACE_ID, "53995c3f42cd8ad8")
    assert saying["traceId"] == "1-6a2b3c4d-0123456789abcdef01234567"
    assert root.attributes == {
        "http.request.method": "GET",
        "http.route": "/sayings",
        "url.path": "/sayings",
        "http.response.status_code": 200,
        "operation": "getSaying",
        "saying.origin": "database",
        "saying.request_number": 1,
    }
    assert call.attributes == SQLITE | {"db.operation.name": "random_saying"}
    assert root.proto.start_time_unix_nano <= call.proto.start_time_unix_nano
    assert call.proto.end_time_unix_nano <= root.proto.end_time_unix_nano
    assert [resource["service.name"] for resource in receiver.resources] == ["cloud-sayings"] * 2
    (point,) = receiver.points("TotalExecutionTime")
    attributes = {"operation": "getSaying", "saying.origin": "database"}
    assert (point.unit, point.attributes, point.value) == ("ms", attributes, 1)
    assert not receiver.points("APILatency")


async def test_a_live_saying(composition: Composition, receiver: Receiver) -> None:
    async with composition.running() as service:
        live = (await service.sayings(4))[-1]

    root = receiver.root(GET_SAYING)
    chat = receiver.child(root, "chat")
    model, vendor = live["model"], live["vendor"]
    tokens = live["metrics"]["tokensUsed"]
    assert len(receiver.roots()) == 1  # kept because of the model call; the other three were not sampled
    assert receiver.tree(root) == [
        "SERVER GET /sayings",
        "CLIENT sqlite reserve_spend",
        f"CLIENT chat {model}",
        "CLIENT sqlite adjust_spend",
        "CLIENT sqlite record_call",
        "CLIENT sqlite put_sayings",
    ]
    assert root.attributes["saying.origin"] == "live"
    response_id = chat.attributes.pop("gen_ai.response.id")
    assert response_id.startswith(("msg_", "chatcmpl-", "resp_"))
    assert chat.attributes | {"gen_ai.response.id": response_id} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": vendor,
        "gen_ai.request.model": model,
        "gen_ai.response.id": response_id,
        "gen_ai.usage.input_tokens": tokens["input"],
        "gen_ai.usage.output_tokens": tokens["output"],
        "http.response.status_code": 200,
        "peer.service": vendor,
        "saying.attempt": 1,
        "saying.call_kind": "live",
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


async def test_a_comparison_is_four_calls_at_once_of_which_one_fails(
    composition: Composition, receiver: Receiver, simulator: Simulator
) -> None:
    simulator.inject("gpt-4.1", Fault(FaultKind.SPEND_LIMIT))

    async with composition.running() as service:
        compared = await service.ask("POST", "/compare", json={"service": "Amazon S3"})

    root = receiver.root("POST /compare")
    spans = [span for span in receiver.children(root) if "gen_ai.request.model" in span.attributes]
    chats = {span.attributes["gen_ai.request.model"]: span for span in spans}
    assert (compared.status, receiver.tree(root)[0]) == (200, "SERVER POST /compare")
    assert calls(receiver, root) == sorted(
        ["CLIENT sqlite reserve_spend"]
        + [f"CLIENT chat {model}{' FAILED' * (model == 'gpt-4.1')}" for model in MODELS]
        + ["CLIENT sqlite adjust_spend"] * 4
        + ["CLIENT sqlite record_call"] * 4
        + ["CLIENT sqlite stored_ids", "CLIENT sqlite put_comparison"]
    )
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/compare",
        "url.path": "/compare",
        "http.response.status_code": 200,
        "operation": "postCompare",
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

    async with composition.running() as service:
        fallen_back = (await service.sayings(4))[-1]

    root = receiver.root(GET_SAYING)
    attempts = [span for span in receiver.children(root) if span.name.startswith("chat")]
    model, vendor = attempts[0].attributes["gen_ai.request.model"], attempts[0].attributes["gen_ai.provider.name"]
    assert fallen_back["origin"] == "database"
    assert not root.failed
    assert root.attributes["saying.degraded"] == "live_overloaded"
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
    chats = [span for span in receiver.children(root) if span.name.startswith("chat")]
    assert len(receiver.roots()) == 1
    assert (root.kind, root.failed) == ("INTERNAL", False)
    assert root.attributes == {
        "operation": "round",
        "aws.span.kind": "LOCAL_ROOT",
        "aws.local.service": "cloud-sayings",
        "saying.fencing_token": 1,
    }
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
    (event,) = [event for event in root.proto.events if event.name == "gen_ai.evaluation.result"]
    told = {pair.key: pair.value.string_value or pair.value.double_value for pair in event.attributes}
    assert vote.status == 200
    assert root.links == [chat.trace_id + chat.span_id]
    assert root.trace_id != chat.trace_id
    assert calls(receiver, root) == [f"CLIENT sqlite {name}" for name in ("day_secret", "get_saying", "vote")]
    assert told == {
        "gen_ai.evaluation.name": "user_feedback",
        "gen_ai.evaluation.score.label": "NEGATIVE",
        "gen_ai.evaluation.score.value": 0.0,
    }
    assert receiver.totals("Feedback") == {("NEGATIVE",): 1}


async def test_a_vote_that_could_not_be_stored_is_a_fault(
    composition: Composition, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: SqliteStore, vote: object) -> None:
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
    assert [root.attributes["error.type"] for root in receiver.roots()] == ["route_not_found", "method_not_allowed"]
    assert not re.search("evil|wp-admin|propfind", str(receiver.texts), re.IGNORECASE)


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
    assert set(receiver.tree(from_database)[1:]) == {"CLIENT DynamoDB.Query"}
    assert query.attributes == {
        "rpc.system": "aws-api",
        "rpc.service": "DynamoDB",
        "rpc.method": "Query",
        "aws.region": REGION,
        "aws.dynamodb.table_names": [f"{prefix}main_humor"],
        "http.response.status_code": 200,
    }
    assert receiver.tree(from_model)[:5] == [
        "SERVER GET /sayings",
        "CLIENT SSM.GetParameter",
        "CLIENT DynamoDB.UpdateItem",  # the client's share of the money
        "CLIENT DynamoDB.UpdateItem",  # the cap
        f"CLIENT chat {live['model']}",
    ]
    assert parameter.attributes == {
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
    assert receiver.tree(root) == [
        "SERVER GET /sayings",
        "CLIENT SSM.GetParameter FAILED",
        "CLIENT sqlite random_saying",
    ]
    assert (call.attributes["error.type"], call.attributes["http.response.status_code"]) == (code, status)
    assert [exception["exception.type"] for exception in root.exceptions] == [error]
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
