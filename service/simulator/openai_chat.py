"""OpenAI's Chat Completions protocol."""

import time
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from service.simulator.openai import (
    REFUSAL,
    Content,
    Format,
    OpenAI,
    Share,
    Temperature,
    checked_model,
    checked_object,
    checked_schema,
    refuse_streaming,
    schema_length,
    text_of,
)
from service.simulator.wire import Answer, Ask, Ending, Problem, RefusedError, check_max_tokens, convert

# Legal fields that change nothing here.
_IGNORED = """
    audio frequency_penalty function_call functions logit_bias logprobs metadata modalities moderation
    parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning_effort safety_identifier seed service_tier stop store stream_options tool_choice tools top_logprobs user
    verbosity web_search_options
"""
_FINISH_REASONS = {Ending.LENGTH: "length", Ending.CONTENT_FILTER: "content_filter"}


class _Message(msgspec.Struct):
    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: Content | None = None


class _ResponseFormat(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Format | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    n: Literal[1] | None = None  # the vendor takes more; one answer is all that is simulated
    response_format: _ResponseFormat | None = None
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None


class ChatCompletions(OpenAI):
    path = "/chat/completions"

    def read(self, headers: Mapping[str, str], body: bytes) -> Ask:
        asked = convert(checked_object(headers, body), _Body, _IGNORED)
        refuse_streaming(asked.stream)
        model = checked_model(asked.model, self.vendor)
        schema = _schema(asked)
        return Ask(
            model=model,
            prompt=next((text_of(m.content) for m in reversed(asked.messages) if m.role == "user"), ""),
            characters=sum(len(text_of(message.content)) for message in asked.messages) + schema_length(schema),
            max_tokens=check_max_tokens(_limit(asked), model, "max_completion_tokens"),
            schema=schema,
        )

    def answer(self, ask: Ask, answer: Answer) -> object:
        return {
            "id": f"chatcmpl-{answer.serial}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": ask.model.snapshot,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", **_said(answer), "annotations": []},
                    "logprobs": None,
                    "finish_reason": _FINISH_REASONS.get(answer.ending, "stop"),
                }
            ],
            "usage": _usage(answer),
            "service_tier": "default",
            "system_fingerprint": "fp_00000000",
        }


def _limit(asked: _Body) -> int | None:
    if asked.max_tokens is not None and asked.max_completion_tokens is not None:
        complaint = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise RefusedError(Problem(400, complaint, param="max_tokens", code="invalid_parameter_combination"))
    return asked.max_completion_tokens or asked.max_tokens


def _schema(asked: _Body) -> dict[str, object] | None:
    wanted = asked.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_schema":
        return checked_schema(wanted.json_schema or Format(), "response_format.json_schema")
    if not any("json" in text_of(message.content).lower() for message in asked.messages):
        complaint = "'messages' must contain the word 'json' to use 'response_format' of type 'json_object'."
        raise RefusedError(Problem(400, complaint, param="messages"))
    return None


def _said(answer: Answer) -> dict[str, object]:
    if answer.ending is Ending.REFUSAL:
        return {"content": None, "refusal": REFUSAL}
    if answer.ending is Ending.CONTENT_FILTER:
        return {"content": "", "refusal": None}
    if answer.ending is Ending.UNKNOWN_BLOCK:
        return {"content": [{"type": "hologram", "projection": answer.text}], "refusal": None}
    return {"content": answer.text, "refusal": None}


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
