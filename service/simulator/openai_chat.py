"""OpenAI's Chat Completions protocol."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from service.simulator.faults import FaultKind
from service.simulator.json_schema import Schema, SchemaError, check_for_openai
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

REFUSAL = "I'm sorry, but I can't help with that."

# Fields that the vendor allows and that make no difference here.
_IGNORED = """
    audio frequency_penalty function_call functions logit_bias logprobs metadata modalities moderation
    parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
    safety_identifier seed stop store stream_options tool_choice tools top_logprobs user
    verbosity web_search_options
"""
_SCHEMA_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SCHEMA_PLACE = "response_format.json_schema"
_TYPES = {429: "requests", 500: "server_error", 503: "server_error"}
_FINISH_REASONS = {Ending.LENGTH: "length", Ending.CONTENT_FILTER: "content_filter"}


class _Part(msgspec.Struct):
    type: str
    text: str = ""


_Content = str | list[_Part]


class _Message(msgspec.Struct):
    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: _Content | None = None


class _NamedSchema(msgspec.Struct, forbid_unknown_fields=True):
    schema: Schema | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class _ResponseFormat(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _NamedSchema | None = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    n: Literal[1] | None = None  # the vendor takes more; the simulator gives one answer only
    response_format: _ResponseFormat | None = None
    stream: bool | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None


class ChatCompletions:
    path = "/chat/completions"
    models_path = "/models"
    serial_header = "x-request-id"
    problems: Mapping[FaultKind, Problem] = {
        FaultKind.BAD_REQUEST: Problem(400, "The request could not be processed."),
        FaultKind.UNAUTHORIZED: Problem(401, "Incorrect API key provided.", code="invalid_api_key"),
        FaultKind.FORBIDDEN: Problem(
            403,
            "Country, region, or territory not supported",
            type="request_forbidden",
            code="unsupported_country_region_territory",
        ),
        FaultKind.NOT_FOUND: Problem(404, "The requested resource could not be found."),
        FaultKind.RATE_LIMITED: Problem(429, "Rate limit reached for requests per minute.", code="rate_limit_exceeded"),
        FaultKind.SPEND_LIMIT: Problem(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        FaultKind.SERVER_ERROR: Problem(
            500, "The server had an error while processing your request. Sorry about that!"
        ),
        # The code is a number because the vendor's edge, which sends this answer, uses a number too.
        FaultKind.UNAVAILABLE: Problem(503, "Service Unavailable.", type="cf_service_unavailable", code=503),
        FaultKind.OVERLOADED: Problem(503, "The engine is currently overloaded, please try again later"),
    }

    def __init__(self, vendor: str, profiles: Profiles) -> None:
        self.vendor = vendor
        self._profiles = profiles

    def key(self, headers: Mapping[str, str]) -> str:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            hint = "You didn't provide an API key in an Authorization header using Bearer auth."
            raise RefusedError(Problem(401, hint))
        return token.strip()

    def wrong_key(self, key: str) -> Problem:
        # The vendor's message contains parts of the key too, which is why it must not be logged.
        masked = f"{key[:3]}{'*' * 8}{key[-4:]}"
        return Problem(401, f"Incorrect API key provided: {masked}.", code="invalid_api_key")

    def read(self, headers: Mapping[str, str], body: bytes) -> Ask:
        _check_content_type(headers)
        asked = convert(json_object(body), _Body, _IGNORED)
        if asked.stream:
            raise RefusedError(Problem(400, "Streaming is not supported.", param="stream", code="unsupported_value"))
        model = self._model(asked.model)
        effort, schema = _effort(asked, model), _schema(asked)
        return Ask(
            model=model,
            prompt=next((_text(message.content) for message in reversed(asked.messages) if message.role == "user"), ""),
            characters=_characters(asked) + (len(msgspec.json.encode(schema)) if schema else 0),
            max_tokens=check_max_tokens(_limit(asked), model, "max_completion_tokens"),
            schema=schema,
            effort=effort,
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

    def describe(self, name: str) -> object:
        profile = self._model(name)
        arrives, retires = profile.model.arrives, profile.model.retires
        created = int(datetime.combine(arrives, datetime.min.time(), UTC).timestamp()) if arrives else 0
        ends = retires.isoformat() if retires else None
        return {"id": name, "object": "model", "created": created, "owned_by": "system", "shutdown_date": ends}

    def problem(self, problem: Problem, _serial: str) -> object:
        return {
            "error": {
                "message": problem.message,
                "type": problem.type or _TYPES.get(problem.status, "invalid_request_error"),
                "param": problem.param,
                "code": problem.code,
            }
        }

    def _model(self, name: str) -> Profile:
        model = self._profiles.served(name, self.vendor)
        if model is None:
            complaint = f"The model `{name}` does not exist or you do not have access to it."
            raise RefusedError(Problem(404, complaint, code="model_not_found"))
        return model


def _check_content_type(headers: Mapping[str, str]) -> None:
    if not is_json(headers):
        seen = headers.get("Content-Type", "")
        complaint = f"Unsupported content type: '{seen}'. This API method only accepts 'application/json' requests."
        raise RefusedError(Problem(400, complaint, code="unsupported_content_type"))


def _effort(asked: _Body, model: Profile) -> str | None:
    """The effort with which the model will think, None if it will not. Refuses what the model does not do."""
    manners, wanted = model.thinking, asked.reasoning_effort
    if manners is None:
        return None
    if manners.usual and asked.max_tokens is not None:
        raise _unsupported("max_tokens", "Use 'max_completion_tokens' instead.")
    if wanted and wanted not in manners.efforts:
        raise _unsupported("reasoning_effort", "")
    effort = None if wanted == manners.off else wanted or manners.usual
    sampling = {"temperature": asked.temperature, "top_p": asked.top_p}
    if effort and (named := next((name for name, value in sampling.items() if value is not None), None)):
        raise _unsupported(named, "")
    return effort


def _unsupported(name: str, advice: str) -> RefusedError:
    complaint = f"Unsupported parameter: '{name}' is not supported with this model. {advice}".rstrip()
    return RefusedError(Problem(400, complaint, param=name, code="unsupported_parameter"))


def _limit(asked: _Body) -> int | None:
    if asked.max_tokens is not None and asked.max_completion_tokens is not None:
        complaint = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise RefusedError(Problem(400, complaint, param="max_tokens", code="invalid_parameter_combination"))
    return asked.max_completion_tokens or asked.max_tokens


def _schema(asked: _Body) -> Schema | None:
    wanted = asked.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_schema":
        return _checked_schema(wanted.json_schema or _NamedSchema())
    if not any("json" in _text(message.content).lower() for message in asked.messages):
        complaint = "'messages' must contain the word 'json' to use 'response_format' of type 'json_object'."
        raise RefusedError(Problem(400, complaint, param="messages"))
    return None


def _checked_schema(wanted: _NamedSchema) -> Schema:
    name, place = wanted.name, _SCHEMA_PLACE
    if name is None or not _SCHEMA_NAME.fullmatch(name):
        complaint = f"Invalid '{place}.name': a string that matches the pattern '^[a-zA-Z0-9_-]{{1,64}}$' is required."
        raise RefusedError(Problem(400, complaint, param=f"{place}.name", code="invalid_value"))
    if wanted.schema is None:
        complaint = f"Missing required parameter: '{place}.schema'."
        raise RefusedError(Problem(400, complaint, param=f"{place}.schema", code="missing_required_parameter"))
    try:
        check_for_openai(wanted.schema, strict=bool(wanted.strict))
    except SchemaError as error:
        complaint = f"Invalid schema for response_format '{name}': {error}"
        raise RefusedError(Problem(400, complaint, param=place, code="invalid_json_schema")) from error
    return wanted.schema


def _text(content: _Content | None) -> str:
    if isinstance(content, list):
        return "\n".join(part.text for part in content)
    return content or ""


def _characters(asked: _Body) -> int:
    return sum(len(_text(message.content)) for message in asked.messages)


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
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.thinking_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
