"""Anthropic's Messages protocol."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

import msgspec

from service.simulator.faults import FaultKind
from service.simulator.json_schema import Schema, SchemaError, check_for_anthropic
from service.simulator.profiles import Profile, Profiles
from service.simulator.protocol import (
    Answer,
    Ask,
    Ending,
    Problem,
    RefusedError,
    check_max_tokens,
    convert,
    is_json,
    json_object,
)

EPOCH = date(1970, 1, 1)
# How long before its end a model is called deprecated.
NOTICE = timedelta(days=60)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")

# Fields that the vendor allows and that make no difference here.
_IGNORED = """
    cache_control container diagnostics inference_geo metadata speed stop_sequences tool_choice tools
"""
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_STOP_REASONS = {Ending.LENGTH: "max_tokens", Ending.REFUSAL: "refusal", Ending.CONTENT_FILTER: "refusal"}


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: Annotated[str, msgspec.Meta(min_length=1)] | Annotated[list[_Block], msgspec.Meta(min_length=1)]


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["json_schema"]
    schema: Schema


class _Thinking(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["adaptive", "between_tools", "disabled", "enabled"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class _OutputConfig(msgspec.Struct, forbid_unknown_fields=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _Format | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    system: str | list[_Block] = ""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    service_tier: Literal["auto", "standard_only"] = "auto"
    thinking: _Thinking | None = None
    output_config: _OutputConfig = msgspec.field(default_factory=_OutputConfig)
    stream: bool = False


class Messages:
    path = "/v1/messages"
    models_path = "/v1/models"
    serial_header = "request-id"
    problems: Mapping[FaultKind, Problem] = {
        FaultKind.BAD_REQUEST: Problem(400, "messages: the request could not be processed"),
        FaultKind.UNAUTHORIZED: Problem(401, "invalid x-api-key"),
        FaultKind.FORBIDDEN: Problem(403, "Your API key does not have permission to use the specified resource."),
        FaultKind.NOT_FOUND: Problem(404, "The requested resource could not be found."),
        FaultKind.RATE_LIMITED: Problem(429, "This request would exceed your organization's rate limit."),
        FaultKind.SPEND_LIMIT: Problem(
            429,
            "You have reached your specified API usage limits.",
            code="enforced_spend_limit_reached",
        ),
        FaultKind.SERVER_ERROR: Problem(500, "Internal server error"),
        FaultKind.UNAVAILABLE: Problem(503, "Service temporarily unavailable"),
        FaultKind.OVERLOADED: Problem(529, "Overloaded"),
    }

    def __init__(self, vendor: str, profiles: Profiles) -> None:
        self.vendor = vendor
        self._profiles = profiles

    def key(self, headers: Mapping[str, str]) -> str:
        # The SDK (2.11) sends an API key as a bearer token; plain HTTP clients send x-api-key.
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        key = headers.get("X-Api-Key") or (token.strip() if scheme.lower() == "bearer" else "")
        if not key:
            raise RefusedError(Problem(401, "x-api-key header is required"))
        return key

    def wrong_key(self, _key: str) -> Problem:
        return self.problems[FaultKind.UNAUTHORIZED]

    def read(self, headers: Mapping[str, str], body: bytes) -> Ask:
        _check_headers(headers)
        asked = convert(json_object(body), _Body, _IGNORED)
        model = self._model(asked.model)
        _check_support(asked)
        effort = _effort(asked, model)
        schema = asked.output_config.format.schema if asked.output_config.format else None
        return Ask(
            model=model,
            prompt=next((_text(message.content) for message in reversed(asked.messages) if message.role == "user"), ""),
            characters=_characters(asked) + (len(msgspec.json.encode(schema)) if schema else 0),
            max_tokens=check_max_tokens(asked.max_tokens, model, "max_tokens"),
            schema=schema,
            effort=effort,
        )

    def answer(self, ask: Ask, answer: Answer) -> object:
        refused = answer.ending in (Ending.REFUSAL, Ending.CONTENT_FILTER)
        return {
            "id": f"msg_01{answer.serial}",
            "type": "message",
            "role": "assistant",
            "model": ask.model.snapshot,
            "content": _content(answer),
            "stop_reason": _STOP_REASONS.get(answer.ending, "end_turn"),
            "stop_sequence": None,
            "stop_details": {"type": "refusal", "category": None, "explanation": None} if refused else None,
            "usage": {
                "input_tokens": answer.input_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": answer.output_tokens,
                "output_tokens_details": {"thinking_tokens": answer.thinking_tokens},
                "service_tier": "standard",
            },
        }

    def describe(self, name: str) -> object:
        profile, day = self._profiles.find(name), self._profiles.day
        if profile is None or not (profile.is_served(day) or profile.is_retired(day)):
            raise RefusedError(Problem(404, name, param="model"))
        arrives, retires = profile.model.arrives, profile.model.retires
        return {
            "type": "model",
            "id": name,
            "display_name": profile.model.display_name,
            "created_at": f"{arrives or EPOCH}T00:00:00Z",
            "lifecycle": "retired" if profile.is_retired(day) else "deprecated" if retires else "active",
            "deprecated_at": f"{retires - NOTICE}T00:00:00Z" if retires else None,
            "retires_at": f"{retires}T00:00:00Z" if retires else None,
            "max_tokens": profile.max_output,
        }

    def problem(self, problem: Problem, serial: str) -> object:
        place = _dotted(problem.param)
        return {
            "type": "error",
            "error": {
                "type": problem.type or _TYPES.get(problem.status, "api_error"),
                "message": f"{place}: {problem.message}" if place else problem.message,
                "details": {"error_code": problem.code} if problem.code else None,
            },
            "request_id": serial,
        }

    def _model(self, name: str) -> Profile:
        model = self._profiles.served(name, self.vendor)
        if model is None:
            raise RefusedError(Problem(404, name, param="model"))
        return model


def _check_headers(headers: Mapping[str, str]) -> None:
    if not is_json(headers):
        raise RefusedError(Problem(400, "Content-Type: application/json is required"))
    version = headers.get("anthropic-version")
    if version is None:
        raise RefusedError(Problem(400, "header is required", param="anthropic-version"))
    if not _VERSION.fullmatch(version):
        raise RefusedError(Problem(400, f'"{version}" is not a valid version', param="anthropic-version"))


def _check_support(asked: _Body) -> None:
    """Refuse what the vendor refuses although the request is well formed."""
    if asked.stream:
        raise RefusedError(Problem(400, "streaming is not supported", param="stream"))
    if asked.temperature is not None and asked.top_p is not None:
        raise RefusedError(Problem(400, "`temperature` and `top_p` cannot both be specified for this model."))
    if asked.output_config.format:
        try:
            check_for_anthropic(asked.output_config.format.schema)
        except SchemaError as error:
            raise RefusedError(Problem(400, str(error), param="output_config.format.schema")) from error


def _effort(asked: _Body, model: Profile) -> str | None:
    """The effort with which the model will think, None if it will not. Refuses what the model does not do."""
    manners, wanted = model.thinking, asked.output_config.effort
    if manners is None:
        return None
    if manners.usual and any(value is not None for value in (asked.temperature, asked.top_p, asked.top_k)):
        raise RefusedError(Problem(400, "Sampling parameters are not supported for this model."))
    if manners.usual and asked.messages[-1].role == "assistant":
        raise RefusedError(Problem(400, "This model does not support assistant message prefill.", param="messages"))
    if wanted and wanted not in manners.efforts:
        raise RefusedError(Problem(400, "This model does not support the effort parameter.", param="output_config"))
    kind = asked.thinking.type if asked.thinking else None
    if kind and kind not in manners.types:
        raise RefusedError(Problem(400, f'"{kind}" is not supported for this model.', param="thinking.type"))
    if kind == manners.off and wanted in ("xhigh", "max"):
        raise RefusedError(Problem(400, f'"{kind}" needs an effort of at most "high".', param="thinking.type"))
    if kind == manners.off:
        return None
    return "medium" if kind == "enabled" else manners.usual and (wanted or manners.usual)


def _text(content: str | list[_Block]) -> str:
    return content if isinstance(content, str) else "\n".join(block.text for block in content)


def _characters(asked: _Body) -> int:
    return len(_text(asked.system)) + sum(len(_text(message.content)) for message in asked.messages)


def _content(answer: Answer) -> list[object]:
    if answer.ending is Ending.UNKNOWN_BLOCK:
        return [{"type": "hologram", "projection": answer.text}]
    if answer.ending in (Ending.REFUSAL, Ending.CONTENT_FILTER):
        return []
    hidden = [{"type": "thinking", "thinking": "", "signature": "EqQBCkYIBxgC"}] if answer.thinking_tokens else []
    said = [{"type": "text", "text": answer.text, "citations": None}] if answer.text else []
    return [*hidden, *said]


def _dotted(place: str | None) -> str:
    """A place such as `messages[0].role` in this vendor's notation, `messages.0.role`."""
    return (place or "").replace("[", ".").replace("]", "")
