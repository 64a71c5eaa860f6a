"""Requests, responses and routes as plain values, the same for the aiohttp server and the Lambda handler."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from service.errors import BodyTooLarge, HttpError, InvalidRequest, UnsupportedMediaType

MAX_BODY_BYTES = 1024 * 1024
MAX_TARGET_BYTES = 8 * 1024
BODY_SECONDS = 5.0

JSON_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_JSON_TYPE = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)
_ENCODER = msgspec.json.Encoder()
# What a parser says may quote the client; enough to recognise it by.
_MAX_DETAIL_LENGTH = 200

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(slots=True)
class Request:
    """One request. `headers` is case-insensitive; `secure` says whether the client came by HTTPS.

    `new_cookie` is set with the answer, whatever that will be.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    parameters: Mapping[str, str] = field(default_factory=dict)
    secure: bool = False
    trace_id: str = ""
    started: float = 0.0
    new_cookie: str = ""


@dataclass(slots=True)
class Response:
    """One answer; `headers` has everything but the length."""

    status: int
    body: bytes
    headers: dict[str, str]


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: where it is, what it takes and gives, and the errors it documents."""

    method: str
    path: str
    operation: str
    summary: str
    handler: Handler
    answer: type
    body: type | None = None
    errors: tuple[type[HttpError], ...] = ()
    failure: tuple[int, type] | None = None


class Router:
    """Finds the route of a method and a path."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._fixed = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._patterns = [(_pattern(route.path), route) for route in routes if "{" in route.path]

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route and its path parameters; None when there is none for that method."""
        route = self._fixed.get((method, path))
        if route is not None:
            return route, {}
        for pattern, candidate in self._patterns:
            if candidate.method == method and (match := pattern.fullmatch(path)):
                return candidate, match.groupdict()
        return None

    def allowed(self, path: str) -> list[str]:
        """The methods that this path answers, sorted; empty when there is no such path."""
        found = {method for method, fixed in self._fixed if fixed == path}
        found |= {route.method for pattern, route in self._patterns if pattern.fullmatch(path)}
        return sorted(found | {"HEAD"} if "GET" in found else found)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def elapsed_ms(request: Request) -> float:
    return round((time.perf_counter() - request.started) * 1000, 3)


def json_response(message: msgspec.Struct, status: int = 200) -> Response:
    return Response(status, _ENCODER.encode(message), dict(JSON_HEADERS))


def decode_body(request: Request, type_: type[T]) -> T:
    """The JSON body as that type. Raises BodyTooLarge, UnsupportedMediaType or InvalidRequest."""
    if len(request.body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    if not _JSON_TYPE.fullmatch(request.headers.get("Content-Type", "")) or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType
    try:
        message = msgspec.json.decode(request.body, type=type_)
        json.loads(request.body, object_pairs_hook=_without_duplicates)
    except msgspec.ValidationError as error:
        detail = str(error)[:_MAX_DETAIL_LENGTH]
        raise InvalidRequest("The body does not have the documented form.", details=[detail]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.") from error
    return message


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """msgspec, like most parsers, takes the last of two equal names; who checks the first one is fooled."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found
