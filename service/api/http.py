"""Requests, responses and routes as plain values, the same for the aiohttp server and the Lambda handler."""

import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from service.errors import HttpError, InvalidRequest, UnsupportedMediaType
from service.limits import RateClass
from telemetry.traces import Facts

# A response opened in a browser loads nothing, cannot be framed or embedded, and its type is not sniffed.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
JSON_HEADERS = SECURITY_HEADERS | {"Content-Type": "application/json", "Cache-Control": "no-store"}
EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = JSON_HEADERS | {
    "Content-Type": EVENT_STREAM,
    "X-Accel-Buffering": "no",  # otherwise nginx and similar proxies buffer the events
}
_JSON_TYPE = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)
_ENCODER = msgspec.json.Encoder()
# Votes and comparisons are a few hundred bytes. The longest saying fits several times, with every character escaped.
BODY_BYTES = 16 * 1024
# A parser's message may quote the client's input; this much of it is enough to recognise the problem.
_MAX_DETAIL_LENGTH = 200

T = TypeVar("T", bound=msgspec.Struct)


class Caller:
    """The client that sent a request, as far as the transport knows it. This base class is an unknown client."""

    __slots__ = ()

    takes_streams = False

    @property
    def address(self) -> str:
        """The address that identifies one client (see client_address), or "" when it is unknown."""
        return ""

    def forwarded(self, header: str) -> str:
        """What the outermost trusted proxy says in an X-Forwarded-… header, or "" when none has said anything."""
        return ""

    @property
    def is_too_many(self) -> bool:
        """Whether the server is overloaded and serves only its health endpoints to this client."""
        return False

    @property
    def is_secure(self) -> bool:
        """Whether the client used HTTPS."""
        return False

    def staying(self) -> AbstractContextManager[None]:
        """Cancel the current task when the client disconnects, for work that is useful only while it is connected."""
        return nullcontext()


UNKNOWN_CALLER = Caller()


@dataclass(slots=True, weakref_slot=True)
class Request:
    """One request. `new_cookie` is set with the response, even if that is an error.

    `headers` is case-insensitive, and may hold secrets, so that no `repr` shows it. `query` is what follows the
    question mark, still encoded.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    trace_id: str = ""
    started: float = 0.0
    new_cookie: str = ""
    caller: Caller = UNKNOWN_CALLER

    def facts(self) -> Facts:
        """What the trace of the request tells of it."""
        return Facts(
            path=self.path,
            scheme="https" if self.caller.is_secure else "http",
            host=self.headers.get("Host", ""),
            client=self.caller.address,
            user_agent=self.headers.get("User-Agent", ""),
        )


@dataclass(slots=True)
class Response:
    """One response. `headers` has everything but the length. A `stream` of server-sent events replaces the body.

    `origin` is where the saying in it came from, for the metrics.

    Responses of one kind share their headers, which must not be mutated. The code that writes a stream also closes it,
    even when it stops before the end.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    stream: AsyncGenerator[bytes, None] | None = None
    origin: str = ""

    def add_header(self, name: str, value: str) -> None:
        self.headers = {**self.headers, name: value}


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: its method and path, its request and response bodies, and the errors it documents.

    `query` is the type of the parameters in the query. `events` are the types of the streamed events by name and in
    order, for clients that accept a stream instead of JSON. `failure` is the status and type of a failure whose body is
    not an ErrorAnswer. `limit` is the rate class that requests are counted in; a route without one is served even under
    overload. `for_operators` is whether it needs the operators' key, and `body_bytes` is how long a body may be.
    """

    method: str
    path: str
    operation: str
    summary: str
    handler: Handler
    answer: type
    body: type | None = None
    query: type | None = None
    body_bytes: int = BODY_BYTES
    errors: tuple[type[HttpError], ...] = ()
    failure: tuple[int, type] | None = None
    limit: RateClass | None = None
    events: Mapping[str, type] = field(default_factory=dict)
    for_operators: bool = False


class Router:
    """Finds the route of a method and a path."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._fixed = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._patterns = [(_pattern(route.path), route) for route in routes if "{" in route.path]

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route and its path parameters, or None when no route has that method and path."""
        route = self._fixed.get((method, path))
        if route is not None:
            return route, {}
        for pattern, candidate in self._patterns:
            if candidate.method == method and (match := pattern.fullmatch(path)):
                return candidate, match.groupdict()
        return None

    def allowed(self, path: str) -> list[str]:
        """The methods that this path allows, sorted; empty when there is no such path."""
        found = {method for method, fixed in self._fixed if fixed == path}
        found |= {route.method for pattern, route in self._patterns if pattern.fullmatch(path)}
        return sorted(found | {"HEAD"} if "GET" in found else found)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.replace(".", r"\.")))


def elapsed_ms(request: Request) -> float:
    return round((time.perf_counter() - request.started) * 1000, 3)


def json_response(message: msgspec.Struct, status: int = 200) -> Response:
    return Response(status, _ENCODER.encode(message), JSON_HEADERS)


def server_sent_event(name: str, message: msgspec.Struct) -> bytes:
    """One server-sent event. Encoded JSON has no line breaks, so no text in it can end the event or begin another."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _ENCODER.encode(message))


def wants_stream(request: Request) -> bool:
    """Whether to stream events: yes, unless the client asks for JSON or the transport cannot stream."""
    accepted = request.headers.get("Accept", "").lower()
    return request.caller.takes_streams and (EVENT_STREAM in accepted or "application/json" not in accepted)


def decode_body(request: Request, type_: type[T]) -> T:
    """Decode the JSON body as that type. Raises UnsupportedMediaType or InvalidRequest."""
    if not _JSON_TYPE.fullmatch(request.headers.get("Content-Type", "")) or _is_encoded(request):
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


def _is_encoded(request: Request) -> bool:
    """Whether the body has a coding such as gzip; `identity` is the name for none."""
    return request.headers.get("Content-Encoding", "identity").strip().lower() != "identity"


def decode_query(query: str, type_: type[T]) -> T:
    """Decode the parameters of a query as that type, whose fields are all texts. Raises InvalidRequest.

    Unknown parameters are ignored. Of several with the same name the last one counts, as in API Gateway's events.
    """
    try:
        return msgspec.convert(dict(parse_qsl(query, keep_blank_values=True)), type_)
    except msgspec.ValidationError as error:
        detail = str(error)[:_MAX_DETAIL_LENGTH]
        raise InvalidRequest("The parameters do not have the documented form.", details=[detail]) from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate names. msgspec, like most parsers, takes the last one, while a filter may check the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found
