"""The simulator, driven by the vendors' own SDKs over the wire."""

import asyncio
import gzip
import json
import re
import signal
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2
import msgspec
import openai
import pytest

from service.simulator import Fault, FaultKind, Simulator
from service.simulator.profiles import MODELS
from service.simulator.writer import Writer, combinations, compose, phrases

# The SDK warns of the coming end of this model at every call.
pytestmark = pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4-5:DeprecationWarning")

ROOT = Path(__file__).parent.parent
PROTOCOLS = ["messages", "chat", "responses"]
HOME = {"messages": "claude-haiku-4-5", "chat": "gpt-4.1", "responses": "gpt-4.1-mini"}
PATHS = {
    "messages": "/anthropic/v1/messages",
    "chat": "/openai/v1/chat/completions",
    "responses": "/openai/v1/responses",
}
SERVICES = ["Amazon S3", "AWS Lambda", "Amazon DynamoDB"]
PROMPT = "Write one saying about each of these services:\n- Amazon S3\n- AWS Lambda\n- Amazon DynamoDB\n"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "sayings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"service": {"type": "string"}, "saying": {"type": "string"}},
                "required": ["service", "saying"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["sayings"],
    "additionalProperties": False,
}


@dataclass
class World:
    simulator: Simulator
    root: str
    http: httpx2.AsyncClient
    claude: Any
    gpt: Any

    async def ask(self, protocol: str, prompt: str = PROMPT, *, limit: int = 1000, **more: Any) -> Any:
        wanted = {"model": HOME[protocol]} | more
        turn = [{"role": "user", "content": prompt}]
        match protocol:
            case "messages":
                return await self.claude.messages.create(**{"max_tokens": limit, "messages": turn} | wanted)
            case "chat":
                return await self.gpt.chat.completions.create(**{"max_tokens": limit, "messages": turn} | wanted)
            case _:
                return await self.gpt.responses.create(**{"max_output_tokens": limit, "input": prompt} | wanted)

    async def post(self, protocol: str, body: bytes, **headers: str) -> httpx2.Response:
        usual = {"authorization": "Bearer key", "anthropic-version": "2023-06-01", "content-type": "application/json"}
        sent = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            self.root + PATHS[protocol], content=body, headers={k: v for k, v in sent.items() if v}
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    simulator = Simulator(seed=7, speed=0)
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(simulator.serve())
        http = await stack.enter_async_context(
            httpx2.AsyncClient(follow_redirects=False, trust_env=False, verify=False, timeout=10)
        )
        claude = anthropic.AsyncAnthropic(
            api_key="claude-key", base_url=f"{root}/anthropic", max_retries=0, http_client=http
        )
        gpt = openai.AsyncOpenAI(
            api_key="sk-secret-gpt1", base_url=f"{root}/openai/v1", max_retries=0, http_client=http
        )
        yield World(simulator, root, http, claude, gpt)


def text_of(protocol: str, answer: Any) -> str:
    match protocol:
        case "messages":
            return str(answer.content[0].text)
        case "chat":
            return str(answer.choices[0].message.content)
        case _:
            return str(answer.output_text)


def sayings_of(protocol: str, answer: Any) -> list[tuple[str, str]]:
    return [(entry["service"], entry["saying"]) for entry in json.loads(text_of(protocol, answer))["sayings"]]


def body_of(protocol: str, **changes: Any) -> bytes:
    turn = [{"role": "user", "content": PROMPT}]
    bodies: dict[str, dict[str, Any]] = {
        "messages": {"max_tokens": 500, "messages": turn},
        "chat": {"messages": turn},
        "responses": {"input": PROMPT},
    }
    body = {"model": HOME[protocol]} | bodies[protocol] | changes
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def error_of(protocol: str, response: httpx2.Response) -> dict[str, Any]:
    """The vendor's error, its envelope checked on the way."""
    document = response.json()
    if protocol == "messages":
        assert document["type"] == "error"
        assert document["request_id"] == response.headers["request-id"]
    else:
        assert document["error"].keys() == {"message", "type", "param", "code"}
        assert response.headers["x-request-id"].startswith("req_")
    error: dict[str, Any] = document["error"]
    return error


# --- good answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "model"),
    [
        ("messages", "claude-haiku-4-5"),
        ("messages", "claude-sonnet-4-5"),
        ("messages", "claude-haiku-4-5-20251001"),
        ("chat", "gpt-4.1"),
        ("chat", "gpt-4.1-mini"),
        ("chat", "gpt-4.1-2025-04-14"),
        ("responses", "gpt-4.1"),
        ("responses", "gpt-4.1-mini"),
    ],
)
async def test_answers_with_one_saying_per_service(world: World, protocol: str, model: str) -> None:
    answer = await world.ask(protocol, model=model)

    sayings = sayings_of(protocol, answer)
    assert [service for service, _ in sayings] == SERVICES
    assert all(service in saying and 20 <= len(saying) <= 280 for service, saying in sayings)

    call = world.simulator.calls[-1]
    assert (call.status, call.fault, call.cancelled) == (200, None, False)
    assert answer.model == MODELS[call.model].snapshot


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_answers_one_sentence_when_no_service_is_listed(world: World, protocol: str) -> None:
    text = text_of(protocol, await world.ask(protocol, "Say something nice."))

    assert "Amazon S3" in text
    assert not text.startswith("{")


async def test_reports_usage_in_each_protocols_terms(world: World) -> None:
    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert claude.usage.input_tokens == chat.usage.prompt_tokens == response.usage.input_tokens == -(-len(PROMPT) // 4)
    assert claude.usage.output_tokens == -(-len(text_of("messages", claude)) // 4)
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens

    recorded = [(call.input_tokens, call.output_tokens, call.max_tokens) for call in world.simulator.calls]
    assert recorded[1] == (chat.usage.prompt_tokens, chat.usage.completion_tokens, 1000)


async def test_ids_and_endings_are_the_vendors(world: World) -> None:
    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert (claude.id[:4], claude.type, claude.role, claude.stop_reason) == ("msg_", "message", "assistant", "end_turn")
    assert (chat.id[:9], chat.object, chat.choices[0].finish_reason) == ("chatcmpl-", "chat.completion", "stop")
    assert (response.id[:5], response.object, response.status) == ("resp_", "response", "completed")
    assert all(answer._request_id.startswith("req_") for answer in (claude, chat, response))


async def test_longer_than_the_limit_is_cut_there(world: World) -> None:
    claude, chat, response = [await world.ask(protocol, limit=20) for protocol in PROTOCOLS]

    assert (claude.stop_reason, claude.usage.output_tokens) == ("max_tokens", 20)
    assert (chat.choices[0].finish_reason, chat.usage.completion_tokens) == ("length", 20)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert [
        len(text_of(protocol, answer)) for protocol, answer in zip(PROTOCOLS, (claude, chat, response), strict=True)
    ] == [80] * 3


# --- structured output ------------------------------------------------------------------------------------------------


def structured(protocol: str, schema: object, name: object = "sayings", strict: bool = True) -> dict[str, Any]:
    match protocol:
        case "messages":
            return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
        case "chat":
            inner = {"name": name, "strict": strict, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": inner}}
        case _:
            return {"text": {"format": {"type": "json_schema", "name": name, "strict": strict, "schema": schema}}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_structured_output_conforms(world: World, protocol: str) -> None:
    answer = await world.ask(protocol, **structured(protocol, SCHEMA))

    assert [service for service, _ in sayings_of(protocol, answer)] == SERVICES


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_structured_output_follows_any_schema(world: World, protocol: str) -> None:
    properties: dict[str, Any] = {
        "text": {"type": "string"},
        "service": {"enum": ["Amazon SQS", "Amazon S3"], "type": "string"},
        "score": {"type": "integer"},
        "funny": {"type": ["boolean", "null"]},
        "related": {"anyOf": [{"$ref": "#/$defs/names"}, {"type": "null"}]},
        "kind": {"const": "saying", "type": "string"},
    }
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": {"names": {"type": "array", "items": {"type": "string"}}},
    }

    document = json.loads(text_of(protocol, await world.ask(protocol, "- Amazon S3", **structured(protocol, schema))))

    assert list(document) == list(properties)
    assert "Amazon S3" in document["text"]
    assert (document["service"], document["score"], document["funny"]) == ("Amazon S3", 1, True)
    assert len(document["related"]) == 1
    assert document["kind"] == "saying"


OPEN = SCHEMA | {"additionalProperties": True}
INNER_OPEN = SCHEMA | {"properties": {"sayings": {"type": "object", "properties": {}}}}
OPTIONAL = SCHEMA | {"required": []}
LONG = SCHEMA | {"properties": {"sayings": {"type": "string", "maxLength": 280}}}
THREE = SCHEMA | {"properties": {"sayings": {"type": "array", "items": {"type": "string"}, "minItems": 3}}}
ENDLESS = SCHEMA | {"properties": {"sayings": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
CROOKED = SCHEMA | {"properties": {"sayings": "text"}}
NO_SCHEMAS: list[object] = [[], "{}", CROOKED]


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        *[(protocol, structured(protocol, schema)) for protocol in PROTOCOLS for schema in (OPEN, INNER_OPEN, ENDLESS)],
        *[(protocol, structured(protocol, schema)) for protocol in PROTOCOLS for schema in NO_SCHEMAS],
        *[("messages", structured("messages", schema)) for schema in (LONG, THREE)],
        ("messages", {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA, "name": "sayings"}}}),
        *[(protocol, structured(protocol, OPTIONAL)) for protocol in ("chat", "responses")],
        *[(protocol, structured(protocol, {"type": "array"}, strict=False)) for protocol in ("chat", "responses")],
        *[
            (protocol, structured(protocol, SCHEMA, name))
            for protocol in ("chat", "responses")
            for name in (None, "", "two words", "n" * 65)
        ],
        ("chat", {"response_format": {"type": "json_schema"}}),
        ("chat", {"response_format": {"type": "json_object"}}),
    ],
)
async def test_structured_output_is_checked_as_the_vendor_does(
    world: World, protocol: str, changes: dict[str, Any]
) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"


async def test_what_one_vendor_refuses_the_other_may_take(world: World) -> None:
    at_anthropic = await world.post("messages", body_of("messages", **structured("messages", OPTIONAL)))
    at_openai = await world.post("chat", body_of("chat", **structured("chat", THREE)))
    not_strict = await world.post("chat", body_of("chat", **structured("chat", OPEN, strict=False)))

    assert [at_anthropic.status_code, at_openai.status_code, not_strict.status_code] == [200, 200, 200]


# --- requests that are turned down ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_key_is_needed(world: World, protocol: str) -> None:
    missing = await world.post(protocol, body_of(protocol), authorization="")
    empty = await world.post(protocol, body_of(protocol), authorization="Bearer")
    basic = await world.post(protocol, body_of(protocol), authorization="Basic a2V5")

    assert [missing.status_code, empty.status_code, basic.status_code] == [401] * 3
    assert error_of(protocol, missing)["type"] in ("authentication_error", "invalid_request_error")
    assert world.simulator.calls[-1].model == HOME[protocol]


async def test_anthropic_takes_the_key_in_either_header(world: World) -> None:
    plain = await world.post("messages", body_of("messages"), authorization="", x_api_key="key")
    bearer = await world.post("messages", body_of("messages"))

    assert [plain.status_code, bearer.status_code] == [200, 200]


async def test_a_revoked_key_works_again_once_restored(world: World) -> None:
    for key in ("claude-key", "sk-secret-gpt1"):
        world.simulator.revoke(key)
    with pytest.raises(anthropic.AuthenticationError):
        await world.ask("messages")
    with pytest.raises(openai.AuthenticationError) as refused:
        await world.ask("chat")
    for key in ("claude-key", "sk-secret-gpt1"):
        world.simulator.restore(key)

    assert "sk-secret-gpt1" not in str(refused.value)
    assert "gpt1" in str(refused.value)  # as at the vendor, parts of the key come back
    assert [(await world.ask(protocol)).model for protocol in PROTOCOLS]


@pytest.mark.parametrize(
    ("protocol", "model"),
    [("messages", "claude-1"), ("messages", "gpt-4.1"), ("chat", "gpt-9"), ("responses", "claude-haiku-4-5")],
)
async def test_an_unknown_model_is_not_found(world: World, protocol: str, model: str) -> None:
    with pytest.raises((anthropic.NotFoundError, openai.NotFoundError)):
        await world.ask(protocol, model=model)

    assert world.simulator.calls[-1].status == 404


BLOCKS = [{"type": "text", "text": "- Amazon S3"}]


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        *[(protocol, {"temperature": 2.5}) for protocol in PROTOCOLS],
        *[(protocol, {"temperature": "hot"}) for protocol in PROTOCOLS],
        *[(protocol, {"stream": True}) for protocol in PROTOCOLS],
        *[(protocol, {"colour": "blue"}) for protocol in PROTOCOLS],
        *[(protocol, {"model": None}) for protocol in PROTOCOLS],
        *[(protocol, {"messages": []}) for protocol in ("messages", "chat")],
        *[(protocol, {"messages": None}) for protocol in ("messages", "chat")],
        *[(protocol, {"messages": [{"role": "robot", "content": "hi"}]}) for protocol in ("messages", "chat")],
        ("messages", {"messages": [{"role": "system", "content": "hi"}]}),
        ("messages", {"messages": [{"role": "user", "content": ""}]}),
        ("messages", {"max_tokens": None}),
        ("messages", {"max_tokens": 0}),
        ("messages", {"max_tokens": 64_001}),
        ("messages", {"temperature": 1.1}),
        ("messages", {"temperature": 0.5, "top_p": 0.5}),
        ("messages", {"response_format": {"type": "text"}}),
        ("chat", {"max_completion_tokens": 32_769}),
        ("chat", {"max_completion_tokens": 10, "max_tokens": 10}),
        ("chat", {"n": 2}),
        ("responses", {"input": []}),
        ("responses", {"input": ""}),
        ("responses", {"input": [{"role": "robot", "content": "hi"}]}),
        ("responses", {"max_output_tokens": 15}),
    ],
)
async def test_a_wrong_field_is_a_bad_request(world: World, protocol: str, changes: dict[str, Any]) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"
    assert world.simulator.calls[-1].status == 400


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        ("messages", {"system": BLOCKS, "temperature": 1, "metadata": {"user_id": "u"}}),
        ("messages", {"messages": [{"role": "user", "content": BLOCKS}, {"role": "assistant", "content": "Hm."}]}),
        ("chat", {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": BLOCKS}]}),
        ("chat", {"temperature": 2, "seed": 3, "store": False, "max_completion_tokens": 99}),
        ("responses", {"input": [{"role": "user", "content": BLOCKS}], "instructions": "Be brief.", "store": False}),
    ],
)
async def test_other_legal_requests_are_taken(world: World, protocol: str, changes: dict[str, Any]) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 200
    assert "Amazon S3 " in response.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b'{"model": NaN}', b'{"a":' * 100_000, b"\xff\xfe", b'{"model": "\\ud800"}'],
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(world: World, protocol: str, body: bytes) -> None:
    response = await world.post(protocol, body)

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_headers_are_checked(world: World, protocol: str) -> None:
    form = await world.post(protocol, body_of(protocol), content_type="text/plain")
    charset = await world.post(protocol, body_of(protocol), content_type="application/json; charset=utf-8")
    no_version = await world.post(protocol, body_of(protocol), anthropic_version="")
    odd_version = await world.post(protocol, body_of(protocol), anthropic_version="latest")

    assert [form.status_code, charset.status_code] == [400, 200]
    assert [no_version.status_code, odd_version.status_code] == [400 if protocol == "messages" else 200] * 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_compressed_body_is_read_and_a_broken_one_is_a_bad_request(world: World, protocol: str) -> None:
    whole = await world.post(protocol, gzip.compress(body_of(protocol)), content_encoding="gzip")
    broken = await world.post(protocol, b"no gzip", content_encoding="gzip")

    assert [whole.status_code, broken.status_code] == [200, 400]


async def test_a_body_beyond_the_limit_is_too_large(world: World) -> None:
    response = await world.post("messages", b"x" * (33 * 2**20))

    assert response.status_code == 413
    assert error_of("messages", response)["type"] == "request_too_large"


@pytest.mark.parametrize("path", ["/anthropic/v1/complete", "/openai/v1/images", "/anthropic/v1/messages/"])
async def test_another_path_is_the_vendors_404(world: World, path: str) -> None:
    response = await world.http.post(world.root + path, content=b"{}")

    assert response.status_code == 404
    assert "Invalid URL" in response.json()["error"]["message"]


# --- faults -----------------------------------------------------------------------------------------------------------

STATUSES: list[tuple[FaultKind, type[Exception], int, type[Exception], int]] = [
    (FaultKind.BAD_REQUEST, anthropic.BadRequestError, 400, openai.BadRequestError, 400),
    (FaultKind.UNAUTHORIZED, anthropic.AuthenticationError, 401, openai.AuthenticationError, 401),
    (FaultKind.FORBIDDEN, anthropic.PermissionDeniedError, 403, openai.PermissionDeniedError, 403),
    (FaultKind.NOT_FOUND, anthropic.NotFoundError, 404, openai.NotFoundError, 404),
    (FaultKind.RATE_LIMITED, anthropic.RateLimitError, 429, openai.RateLimitError, 429),
    (FaultKind.SPEND_LIMIT, anthropic.RateLimitError, 429, openai.RateLimitError, 429),
    (FaultKind.SERVER_ERROR, anthropic.InternalServerError, 500, openai.InternalServerError, 500),
    (FaultKind.UNAVAILABLE, anthropic.InternalServerError, 503, openai.InternalServerError, 503),
    (FaultKind.OVERLOADED, anthropic.InternalServerError, 529, openai.InternalServerError, 503),
    (FaultKind.REDIRECT, anthropic.APIStatusError, 307, openai.APIStatusError, 307),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("kind", "at_anthropic", "anthropics", "at_openai", "openais"), STATUSES)
async def test_a_fault_with_a_status_raises_the_sdks_class(
    world: World,
    protocol: str,
    kind: FaultKind,
    at_anthropic: type[Exception],
    anthropics: int,
    at_openai: type[Exception],
    openais: int,
) -> None:
    expected, status = (at_anthropic, anthropics) if protocol == "messages" else (at_openai, openais)
    world.simulator.inject("*", Fault(kind))

    with pytest.raises(expected) as raised:
        await world.ask(protocol)

    error: Any = raised.value
    assert (error.status_code, world.simulator.calls[-1].status) == (status, status)
    assert error.request_id.startswith("req_")
    assert "retry-after" not in error.response.headers
    assert world.simulator.calls[-1].fault is kind


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", ["2", "1e12", "inf", "Fri, 31 Dec 99999 23:59:59 GMT"])
async def test_retry_after_is_sent_as_ordered(world: World, protocol: str, value: str) -> None:
    world.simulator.inject(HOME[protocol], Fault(FaultKind.RATE_LIMITED, retry_after=value))

    with pytest.raises((anthropic.RateLimitError, openai.RateLimitError)) as raised:
        await world.ask(protocol)

    error: Any = raised.value
    assert error.response.headers["retry-after"] == value


async def test_a_spend_limit_is_told_from_a_rate_limit_by_its_code(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.SPEND_LIMIT, count=2))

    with pytest.raises(anthropic.RateLimitError) as at_anthropic:
        await world.ask("messages")
    with pytest.raises(openai.RateLimitError) as at_openai:
        await world.ask("chat")

    assert at_anthropic.value.error_code == "enforced_spend_limit_reached"
    assert (at_openai.value.code, at_openai.value.type) == ("insufficient_quota", "insufficient_quota")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TRUNCATED_BODY])
async def test_a_broken_connection_is_a_connection_error(world: World, protocol: str, kind: FaultKind) -> None:
    world.simulator.inject("*", Fault(kind))

    with pytest.raises((anthropic.APIConnectionError, openai.APIConnectionError)):
        await world.ask(protocol)
    answer = await world.ask(protocol)

    assert answer.usage
    assert [call.status for call in world.simulator.calls] == [None if kind is FaultKind.RESET else 200, 200]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.SLOW_DRIP])
async def test_only_an_outer_deadline_ends_a_slow_call(world: World, protocol: str, kind: FaultKind) -> None:
    world.simulator.inject("*", Fault(kind))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await world.ask(protocol, timeout=10)
    await world.simulator.until(lambda: world.simulator.in_flight == 0)

    call = world.simulator.calls[-1]
    assert (call.fault, call.cancelled, call.status) == (kind, True, None if kind is FaultKind.HANG else 200)


async def test_a_drip_never_meets_the_sdks_own_timeout(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.SLOW_DRIP))

    with pytest.raises(TimeoutError):  # and not the SDK's APITimeoutError, though its time was up first
        async with asyncio.timeout(0.7):
            await world.ask("messages", timeout=0.5)
    await world.simulator.until(lambda: world.simulator.in_flight == 0)

    assert world.simulator.calls[-1].cancelled


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.BAD_JSON, json.JSONDecodeError),
        (FaultKind.EMPTY_BODY, json.JSONDecodeError),
        (FaultKind.BAD_UTF8, UnicodeDecodeError),
    ],
)
async def test_an_unreadable_body_raises_no_sdk_error(
    world: World, protocol: str, kind: FaultKind, error: type[Exception]
) -> None:
    world.simulator.inject("*", Fault(kind))

    with pytest.raises(error):
        await world.ask(protocol)

    assert world.simulator.calls[-1].status == 200


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_readable_body_of_another_shape_raises_nothing(world: World, protocol: str) -> None:
    for kind in (FaultKind.NULL_BODY, FaultKind.LIST_BODY, FaultKind.OBJECT_BODY, FaultKind.HTML):
        world.simulator.inject("*", Fault(kind))

    null, empty_list, empty_object, page = [await world.ask(protocol) for _ in range(4)]

    assert (null, empty_list) == (None, [])
    assert empty_object.id is None
    assert page.startswith("<!DOCTYPE html>")


async def test_a_refusal_in_each_protocol(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.REFUSAL, count=3))

    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert (claude.stop_reason, claude.stop_details.type, claude.content) == ("refusal", "refusal", [])
    assert chat.choices[0].message.content is None
    assert "can't help" in chat.choices[0].message.refusal
    assert "can't help" in response.output[0].content[0].refusal


async def test_an_early_end_in_each_protocol(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.MAX_TOKENS, count=3))

    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert claude.stop_reason == "max_tokens"
    assert chat.choices[0].finish_reason == "length"
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    for protocol, answer in zip(PROTOCOLS, (claude, chat, response), strict=True):
        with pytest.raises(json.JSONDecodeError):
            sayings_of(protocol, answer)


async def test_a_content_filter_in_each_protocol(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.CONTENT_FILTER, count=3))

    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert claude.stop_reason == "refusal"
    assert chat.choices[0].finish_reason == "content_filter"
    assert response.incomplete_details.reason == "content_filter"


async def test_an_unknown_block_in_each_protocol(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.UNKNOWN_BLOCK, count=3))

    claude, chat, response = [await world.ask(protocol) for protocol in PROTOCOLS]

    # The SDK makes a TextBlock of it all the same: its type is what tells.
    assert (claude.content[0].type, claude.content[0].text) == ("hologram", None)
    assert chat.choices[0].message.content[0]["type"] == "hologram"
    assert (response.output[0].type, response.output_text) == ("hologram", "")


HOSTILE = {
    FaultKind.TEXT_EMPTY: r"",
    FaultKind.TEXT_BLANK: r"\s+",
    FaultKind.TEXT_HUGE: r"(?s:.{1048576,})",
    FaultKind.TEXT_SCRIPT: r".*<script>.*",
    FaultKind.TEXT_JAVASCRIPT_LINK: r".*\(javascript:.*",
    FaultKind.TEXT_ANSI: r".*\x1b\[31m.*",
    FaultKind.TEXT_CRLF: r".*\r\n\{.*",
    FaultKind.TEXT_BIDI: r".*\u202e.*\u2066.*",
    FaultKind.TEXT_ZERO_WIDTH: r".*\u200b.*\u200d.*",
    FaultKind.TEXT_NUL: r".*\x00.*",
    FaultKind.TEXT_REFUSAL: r"I'm sorry, but .*",
    FaultKind.TEXT_SELF_IDENTIFICATION: r"As Claude, .*",
    FaultKind.TEXT_MISLABELLED: r".*Amazon WorkMail.*",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("kind", "pattern"), HOSTILE.items())
async def test_hostile_text_comes_in_a_good_envelope(
    world: World, protocol: str, kind: FaultKind, pattern: str
) -> None:
    world.simulator.inject("*", Fault(kind))

    answer = await world.ask(protocol, limit=100)

    sayings = sayings_of(protocol, answer)
    assert [service for service, _ in sayings] == SERVICES
    assert all(re.fullmatch(pattern, saying) for _, saying in sayings)
    assert world.simulator.calls[-1].output_tokens <= 100  # nobody is billed beyond the limit


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_wrong_sets_of_sayings(world: World, protocol: str) -> None:
    for kind in (FaultKind.TEXT_DUPLICATES, FaultKind.TEXT_ONLY_ONE, FaultKind.TEXT_WRONG_SERVICE):
        world.simulator.inject("*", Fault(kind))

    duplicates, only_one, wrong = [sayings_of(protocol, await world.ask(protocol)) for _ in range(3)]

    assert len({saying for _, saying in duplicates}) == 1
    assert [service for service, _ in only_one] == SERVICES[:1]
    assert {service for service, _ in wrong}.isdisjoint(SERVICES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_texts_that_are_not_the_json_asked_for(world: World, protocol: str) -> None:
    for kind in (FaultKind.TEXT_PROMPT_ECHO, FaultKind.TEXT_NOT_JSON, FaultKind.TEXT_CODE_FENCE):
        world.simulator.inject("*", Fault(kind))

    echo, prose, fenced = [text_of(protocol, await world.ask(protocol)) for _ in range(3)]

    assert echo == PROMPT
    assert "{" not in prose
    assert json.loads(fenced.removeprefix("```json\n").removesuffix("\n```"))["sayings"]


def test_every_fault_is_tried_above() -> None:
    elsewhere = {kind for kind in FaultKind if not kind.is_text} | set(HOSTILE)

    left = set(FaultKind) - elsewhere

    assert {kind.name for kind in left} == {
        "TEXT_DUPLICATES",
        "TEXT_ONLY_ONE",
        "TEXT_WRONG_SERVICE",
        "TEXT_PROMPT_ECHO",
        "TEXT_NOT_JSON",
        "TEXT_CODE_FENCE",
    }


# --- how long faults last ---------------------------------------------------------------------------------------------


async def statuses(world: World, protocol: str, number: int) -> list[int]:
    for _ in range(number):
        await world.post(protocol, body_of(protocol))
    return [call.status or 0 for call in list(world.simulator.calls)[-number:]]


async def test_faults_are_queued_and_counted(world: World) -> None:
    world.simulator.inject("gpt-4.1", Fault(FaultKind.SERVER_ERROR, count=2))
    world.simulator.inject("gpt-4.1", Fault(FaultKind.NOT_FOUND))
    world.simulator.inject("*", Fault(FaultKind.FORBIDDEN))

    assert await statuses(world, "chat", 5) == [500, 500, 404, 403, 200]
    assert await statuses(world, "messages", 1) == [200]


async def test_a_fault_without_a_count_lasts_until_cleared(world: World) -> None:
    world.simulator.inject("claude-haiku-4-5-20251001", Fault(FaultKind.OVERLOADED, count=None))

    assert await statuses(world, "messages", 4) == [529] * 4
    world.simulator.clear_faults()
    assert await statuses(world, "messages", 1) == [200]


async def test_a_rate_hits_about_that_share_of_calls(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.SERVER_ERROR, rate=0.3))

    failed = (await statuses(world, "chat", 100)).count(500)

    assert 15 <= failed <= 45


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"rate": 1.5}, {"rate": float("nan")}, {"retry_after": "1\r\nset-cookie: a=b"}]
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Fault(FaultKind.HANG, **wrong)


def test_a_fault_for_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown model 'gpt-9'"):
        Simulator().inject("gpt-9", Fault(FaultKind.HANG))


async def test_faults_are_steered_over_http(world: World) -> None:
    url = world.root + "/faults"
    ordered = await world.http.put(url, json={"gpt-4.1": [{"kind": "unavailable", "count": 2}], "*": []})
    refused = await world.http.put(url, json={"*": [{"kind": "meteor"}]})
    hit = await statuses(world, "chat", 1)
    left = await world.http.get(url)
    cleared = await world.http.delete(url)

    assert (ordered.status_code, refused.status_code, cleared.status_code, hit) == (200, 400, 204, [503])
    assert left.json() == {"gpt-4.1": [{"kind": "unavailable", "count": 1, "rate": None, "retry_after": None}]}
    assert (await world.http.get(url)).json() == {}
    assert (await world.http.get(world.root + "/health")).json() == {"status": "ok"}


# --- what is written --------------------------------------------------------------------------------------------------

LONGEST_NAME = "Amazon Managed Streaming for Apache Kafka (Amazon MSK) Connect"
TELLTALES = re.compile(r"\b(AI|LLM|model|assistant|Claude|GPT|Anthropic|OpenAI|chatbot|sorry|I|my)\b", re.IGNORECASE)


@pytest.mark.parametrize("model", MODELS)
def test_thousands_of_sayings_about_one_service_never_repeat(model: str) -> None:
    writer = Writer(1)

    written = [writer.write(model, "Amazon S3").saying for _ in range(5_000)]

    assert len(set(written)) == 5_000
    assert all("Amazon S3" in saying and 20 <= len(saying) <= 280 for saying in written)
    assert combinations(phrases().voices[model]) >= 20_000


@pytest.mark.parametrize("model", MODELS)
def test_no_phrase_is_too_long_or_gives_the_writer_away(model: str) -> None:
    voice, comparisons = phrases().voices[model], phrases().comparisons

    longest = sum(len(max(part, key=len)) for part in (voice.openings, comparisons, voice.twists))
    everything = " ".join([*voice.openings, *comparisons, *voice.twists])

    assert longest + len(LONGEST_NAME) <= 280
    assert len(compose(voice, "AWS X", 0)) >= 20
    assert TELLTALES.search(everything) is None
    assert all(opening.count("{service}") == 1 for opening in voice.openings)


def test_each_model_has_a_voice_of_its_own() -> None:
    openings = [set(voice.openings) for voice in phrases().voices.values()]

    assert phrases().voices.keys() == MODELS.keys()
    assert len(set.union(*openings)) == sum(map(len, openings))


# --- seed, speed, life cycle ------------------------------------------------------------------------------------------


async def transcript(seed: int) -> list[str]:
    simulator = Simulator(seed=seed, speed=0)
    simulator.inject("*", Fault(FaultKind.SERVER_ERROR, rate=0.4))
    headers = {"authorization": "Bearer key", "content-type": "application/json"}
    async with simulator.serve() as root, httpx2.AsyncClient(trust_env=False, verify=False, headers=headers) as http:
        answers = [await http.post(root + PATHS["chat"], content=body_of("chat")) for _ in range(10)]
    return [re.sub(r'"created":\d+', "", answer.text) + str(answer.status_code) for answer in answers]


async def test_a_seed_makes_texts_ids_and_dice_repeatable() -> None:
    first, again, other = [await transcript(seed) for seed in (1, 1, 2)]

    assert first == again
    assert first != other


@pytest.mark.parametrize("model", MODELS.values(), ids=str)
def test_latency_has_the_models_median_and_grows_with_the_answer(model: Any) -> None:
    rng, one = Random(1), model.tokens_of_one_saying

    short = statistics.median(model.seconds(one, rng) for _ in range(3_000))
    long = statistics.median(model.seconds(3 * one, rng) for _ in range(3_000))

    assert short == pytest.approx(model.median_seconds, rel=0.05)
    assert long / short == pytest.approx(1.5, rel=0.05)


async def test_speed_multiplies_the_latency(world: World) -> None:
    world.simulator.speed = 0.01
    slow = await world.ask("messages") and world.simulator.calls[-1]
    twin = Simulator(seed=7, speed=0.02)
    async with twin.serve() as root:
        await world.claude.with_options(base_url=f"{root}/anthropic").messages.create(
            model=HOME["messages"], max_tokens=1000, messages=[{"role": "user", "content": PROMPT}]
        )

    assert twin.calls[-1].latency / slow.latency == pytest.approx(2)
    assert slow.finished - slow.started >= slow.latency * 0.99  # it really waits


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_speed_must_make_sense(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Simulator(speed=speed)


async def test_counts_what_is_in_flight(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.HANG, count=3))
    calls = [asyncio.create_task(world.ask(protocol)) for protocol in PROTOCOLS]
    await world.simulator.until(lambda: world.simulator.in_flight == 3)

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await world.simulator.until(lambda: world.simulator.in_flight == 0)

    assert world.simulator.max_in_flight == 3
    assert [call.cancelled for call in world.simulator.calls] == [True] * 3


async def test_what_has_not_arrived_whole_is_no_call(world: World) -> None:
    address = urlsplit(world.root)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"POST /anthropic/v1/messages HTTP/1.1\r\nHost: it\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()

    await world.ask("messages")
    writer.close()

    assert (world.simulator.max_in_flight, len(world.simulator.calls)) == (1, 1)


async def test_shuts_down_while_a_call_hangs(world: World) -> None:
    simulator = Simulator(speed=0)
    simulator.inject("*", Fault(FaultKind.HANG))
    async with simulator.serve() as root:
        claude = world.claude.with_options(base_url=f"{root}/anthropic")
        turn = [{"role": "user", "content": PROMPT}]
        call = asyncio.create_task(claude.messages.create(model=HOME["messages"], max_tokens=9, messages=turn))
        await simulator.until(lambda: simulator.in_flight == 1)

    with pytest.raises(anthropic.APIConnectionError):
        await call

    assert (simulator.in_flight, simulator.calls[-1].cancelled) == (0, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_alone_until_told_to_stop(number: signal.Signals) -> None:
    arguments = ["-W", "error", "-m", "service.simulator", "--port", "0", "--seed", "1", "--speed", "0"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout
    line = (await process.stdout.readline()).decode()

    process.send_signal(number)
    rest, complaints = await process.communicate()

    assert re.fullmatch(r"base URLs: (http://127\.0\.0\.1:\d+)/anthropic \1/openai/v1\n", line)
    assert (process.returncode, rest, complaints) == (0, b"", b"")


async def test_importing_it_imports_no_sdk() -> None:
    check = "import sys, service.simulator; sys.exit(bool({'anthropic', 'openai', 'pydantic'} & sys.modules.keys()))"

    process = await asyncio.create_subprocess_exec(sys.executable, "-c", check, cwd=ROOT)

    assert await process.wait() == 0
