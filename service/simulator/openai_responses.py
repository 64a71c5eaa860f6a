"""OpenAI's Responses protocol."""

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
from service.simulator.wire import Answer, Ask, Ending, check_max_tokens, convert

# Legal fields that change nothing here.
_IGNORED = """
    access_programs background context_management conversation image include max_tool_calls metadata moderation
    parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning safety_identifier service_tier store stream_options tool_choice tools top_logprobs truncation
    user
"""
_REASONS = {Ending.LENGTH: "max_output_tokens", Ending.CONTENT_FILTER: "content_filter"}


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: Content


class _TextFormat(Format, forbid_unknown_fields=True, kw_only=True):
    type: Literal["text", "json_object", "json_schema"]


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    format: _TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    input: Annotated[str, msgspec.Meta(min_length=1)] | Annotated[list[_Message], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    # The vendor's least value is 16 here, unlike in Chat Completions.
    max_output_tokens: Annotated[int, msgspec.Meta(ge=16)] | None = None
    stream: bool | None = None
    temperature: Temperature | None = None
    text: _Text = msgspec.field(default_factory=_Text)
    top_p: Share | None = None

    def messages(self) -> list[_Message]:
        return self.input if isinstance(self.input, list) else [_Message("user", self.input)]


class Responses(OpenAI):
    path = "/responses"

    def read(self, headers: Mapping[str, str], body: bytes) -> Ask:
        asked = convert(checked_object(headers, body), _Body, _IGNORED)
        refuse_streaming(asked.stream)
        model = checked_model(asked.model, self.vendor)
        schema = _schema(asked)
        texts = [asked.instructions or "", *(text_of(message.content) for message in asked.messages())]
        return Ask(
            model=model,
            prompt=next((text_of(m.content) for m in reversed(asked.messages()) if m.role == "user"), ""),
            characters=sum(map(len, texts)) + schema_length(schema),
            max_tokens=check_max_tokens(asked.max_output_tokens, model, "max_output_tokens"),
            schema=schema,
        )

    def answer(self, ask: Ask, answer: Answer) -> object:
        now = int(time.time())
        reason = _REASONS.get(answer.ending)
        return {
            "id": f"resp_{answer.serial}",
            "object": "response",
            "created_at": now,
            "completed_at": None if reason else now,
            "status": "incomplete" if reason else "completed",
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": None,
            "max_output_tokens": ask.max_tokens,
            "model": ask.model.snapshot,
            "output": [_output(answer)],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": _usage(answer),
            "metadata": {},
        }


def _schema(asked: _Body) -> dict[str, object] | None:
    wanted = asked.text.format
    return checked_schema(wanted, "text.format") if wanted and wanted.type == "json_schema" else None


def _output(answer: Answer) -> dict[str, object]:
    if answer.ending is Ending.UNKNOWN_BLOCK:
        return {"type": "hologram", "id": f"holo_{answer.serial}", "projection": answer.text}
    return {
        "type": "message",
        "id": f"msg_{answer.serial}",
        "role": "assistant",
        "status": "incomplete" if answer.ending in _REASONS else "completed",
        "content": _content(answer),
    }


def _content(answer: Answer) -> list[object]:
    if answer.ending is Ending.REFUSAL:
        return [{"type": "refusal", "refusal": REFUSAL}]
    if answer.ending is Ending.CONTENT_FILTER:
        return []
    return [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]


def _usage(answer: Answer) -> dict[str, object]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
