"""What OpenAI's two protocols share: keys, errors, the checks of structured output."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from service.simulator.faults import FaultKind
from service.simulator.models import Model, find_model
from service.simulator.schema import SchemaError, check_for_openai
from service.simulator.wire import Problem, RefusedError, is_json, json_object

REFUSAL = "I'm sorry, but I can't help with that."

Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPES = {429: "requests", 500: "server_error", 503: "server_error"}

PROBLEMS: Mapping[FaultKind, Problem] = {
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
    FaultKind.SERVER_ERROR: Problem(500, "The server had an error while processing your request. Sorry about that!"),
    # A number for a code: the vendor's edge really answers so.
    FaultKind.UNAVAILABLE: Problem(503, "Service Unavailable.", type="cf_service_unavailable", code=503),
    FaultKind.OVERLOADED: Problem(503, "The engine is currently overloaded, please try again later"),
}


class Part(msgspec.Struct):
    type: str
    text: str = ""


Content = str | list[Part]


class Format(msgspec.Struct, forbid_unknown_fields=True):
    """The schema of an answer; without a name or a schema when it is of another type."""

    schema: dict[str, object] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class OpenAI:
    serial_header = "x-request-id"
    problems = PROBLEMS

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor

    def key(self, headers: Mapping[str, str]) -> str:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            hint = "You didn't provide an API key in an Authorization header using Bearer auth."
            raise RefusedError(Problem(401, hint))
        return token.strip()

    def wrong_key(self, key: str) -> Problem:
        # As the vendor does: parts of the key come back in the message, a reason not to log it.
        masked = f"{key[:3]}{'*' * 8}{key[-4:]}"
        return Problem(401, f"Incorrect API key provided: {masked}.", code="invalid_api_key")

    def problem(self, problem: Problem, _serial: str) -> object:
        return {
            "error": {
                "message": problem.message,
                "type": problem.type or _TYPES.get(problem.status, "invalid_request_error"),
                "param": problem.param,
                "code": problem.code,
            }
        }


def checked_object(headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    if not is_json(headers):
        seen = headers.get("Content-Type", "")
        complaint = f"Unsupported content type: '{seen}'. This API method only accepts 'application/json' requests."
        raise RefusedError(Problem(400, complaint, code="unsupported_content_type"))
    return json_object(body)


def checked_model(name: str, vendor: str) -> Model:
    model = find_model(name)
    if model is None or model.vendor != vendor:
        complaint = f"The model `{name}` does not exist or you do not have access to it."
        raise RefusedError(Problem(404, complaint, code="model_not_found"))
    return model


def refuse_streaming(stream: bool | None) -> None:
    if stream:
        raise RefusedError(Problem(400, "Streaming is not supported.", param="stream", code="unsupported_value"))


def checked_schema(wanted: Format, place: str) -> dict[str, object]:
    if wanted.name is None or not _NAME.fullmatch(wanted.name):
        complaint = f"Invalid '{place}.name': a string that matches the pattern '^[a-zA-Z0-9_-]{{1,64}}$' is required."
        raise RefusedError(Problem(400, complaint, param=f"{place}.name", code="invalid_value"))
    if wanted.schema is None:
        complaint = f"Missing required parameter: '{place}.schema'."
        raise RefusedError(Problem(400, complaint, param=f"{place}.schema", code="missing_required_parameter"))
    try:
        check_for_openai(wanted.schema, strict=bool(wanted.strict))
    except SchemaError as error:
        complaint = f"Invalid schema for response_format '{wanted.name}': {error}"
        raise RefusedError(Problem(400, complaint, param=place, code="invalid_json_schema")) from error
    return wanted.schema


def text_of(content: Content | None) -> str:
    if isinstance(content, list):
        return "\n".join(part.text for part in content)
    return content or ""


def schema_length(schema: dict[str, object] | None) -> int:
    return len(msgspec.json.encode(schema)) if schema else 0
