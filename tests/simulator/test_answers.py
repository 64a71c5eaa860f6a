"""Good answers, and structured output as each vendor checks it."""

import json
from typing import Any

import pytest

from service.llm.prompt import OUTPUT_SCHEMA
from tests.simulator.world import PROMPT, PROTOCOLS, SERVICES, World, body_of, error_of, sayings_of, text_of

# The SDK warns at every call that this model is retired soon.
pytestmark = pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4-5:DeprecationWarning")


@pytest.mark.parametrize(
    ("protocol", "model", "snapshot"),
    [
        ("messages", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("messages", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("messages", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("chat", "gpt-4.1", "gpt-4.1-2025-04-14"),
        ("chat", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
        ("chat", "gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14"),
    ],
)
async def test_answers_with_one_saying_per_service(world: World, protocol: str, model: str, snapshot: str) -> None:
    answer = await world.ask(protocol, model=model)

    assert [service for service, _ in sayings_of(protocol, answer)] == SERVICES
    assert answer.model == snapshot
    call = world.simulator.calls[-1]
    assert (call.status, call.fault, call.cancelled) == (200, None, False)
    assert snapshot.startswith(call.model)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_answers_one_sentence_when_no_service_is_listed(world: World, protocol: str) -> None:
    text = text_of(protocol, await world.ask(protocol, "Say something nice."))

    assert "S3" in text
    assert not text.startswith("{")


async def test_reports_usage_in_each_protocols_terms(world: World) -> None:
    claude, chat = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert claude.usage.input_tokens == chat.usage.prompt_tokens == -(-len(PROMPT) // 4)
    assert claude.usage.output_tokens == -(-len(text_of("messages", claude)) // 4)
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
    call = world.simulator.calls[-1]
    used = (chat.usage.prompt_tokens, chat.usage.completion_tokens)
    assert (call.input_tokens, call.output_tokens, call.max_tokens) == (*used, 1000)


async def test_ids_and_endings_are_the_vendors(world: World) -> None:
    claude, chat = [await world.ask(protocol) for protocol in PROTOCOLS]

    assert (claude.id[:4], claude.type, claude.role, claude.stop_reason) == ("msg_", "message", "assistant", "end_turn")
    assert (chat.id[:9], chat.object, chat.choices[0].finish_reason) == ("chatcmpl-", "chat.completion", "stop")
    assert all(answer._request_id.startswith("req_") for answer in (claude, chat))


async def test_an_answer_beyond_the_limit_is_cut_there(world: World) -> None:
    claude, chat = [await world.ask(protocol, limit=20) for protocol in PROTOCOLS]

    assert (claude.stop_reason, claude.usage.output_tokens) == ("max_tokens", 20)
    assert (chat.choices[0].finish_reason, chat.usage.completion_tokens) == ("length", 20)
    assert len(text_of("messages", claude)) == len(text_of("chat", chat)) == 80


# --- structured output ------------------------------------------------------------------------------------------------


def structured(protocol: str, schema: object, name: object = "sayings", strict: bool = True) -> dict[str, Any]:
    if protocol == "messages":
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    named = {"name": name, "strict": strict, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


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
    assert "S3" in document["text"]
    assert (document["service"], document["score"], document["funny"]) == ("Amazon S3", 1, True)
    assert len(document["related"]) == 1
    assert document["kind"] == "saying"


OPEN = OUTPUT_SCHEMA | {"additionalProperties": True}
INNER_OPEN = OUTPUT_SCHEMA | {"properties": {"sayings": {"type": "object", "properties": {}}}}
OPTIONAL = OUTPUT_SCHEMA | {"required": []}
LONG = OUTPUT_SCHEMA | {"properties": {"sayings": {"type": "string", "maxLength": 280}}}
THREE = OUTPUT_SCHEMA | {"properties": {"sayings": {"type": "array", "items": {"type": "string"}, "minItems": 3}}}
ENDLESS = OUTPUT_SCHEMA | {"properties": {"sayings": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
CROOKED = OUTPUT_SCHEMA | {"properties": {"sayings": "text"}}
REFUSED_BY_BOTH: list[object] = [OPEN, INNER_OPEN, ENDLESS, [], "{}", CROOKED]


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        *[(protocol, structured(protocol, schema)) for protocol in PROTOCOLS for schema in REFUSED_BY_BOTH],
        *[("messages", structured("messages", schema)) for schema in (LONG, THREE)],
        (
            "messages",
            {"output_config": {"format": {"type": "json_schema", "schema": OUTPUT_SCHEMA, "name": "sayings"}}},
        ),
        ("chat", structured("chat", OPTIONAL)),
        ("chat", structured("chat", {"type": "array"}, strict=False)),
        *[("chat", structured("chat", OUTPUT_SCHEMA, name)) for name in (None, "", "two words", "n" * 65)],
        ("chat", {"response_format": {"type": "json_schema"}}),
        ("chat", {"response_format": {"type": "json_object"}}),
    ],
)
async def test_a_schema_is_refused_as_the_vendor_does(world: World, protocol: str, changes: dict[str, Any]) -> None:
    response = await world.post(protocol, body_of(protocol, **changes))

    assert response.status_code == 400
    assert error_of(protocol, response)["type"] == "invalid_request_error"


async def test_a_schema_refused_by_one_vendor_may_suit_the_other(world: World) -> None:
    at_anthropic = await world.post("messages", body_of("messages", **structured("messages", OPTIONAL)))
    at_openai = await world.post("chat", body_of("chat", **structured("chat", THREE)))
    not_strict = await world.post("chat", body_of("chat", **structured("chat", OPEN, strict=False)))

    assert [at_anthropic.status_code, at_openai.status_code, not_strict.status_code] == [200, 200, 200]
