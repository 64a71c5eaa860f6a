"""The path of every request through the service: routing, ids, rate limits, documented errors and CORS."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from types import MappingProxyType

from service.api.http import (
    SECURITY_HEADERS,
    Request,
    Response,
    Route,
    Router,
    elapsed_ms,
    json_response,
    server_sent_event,
)
from service.api.rate_limits import RateLimiter
from service.api.schemas import ErrorAnswer, ErrorBody
from service.errors import (
    HttpError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    Overloaded,
    RouteNotFound,
    Unauthorized,
)
from service.limits import DEFAULT_LIMITS, Limits, Rate, RateClass
from telemetry import traces
from telemetry.events import Listener, RequestServed, Unexpected

# A client can send any text as the method. OpenTelemetry's name for all unknown methods is `_OTHER`.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"

# Emitted when the client went away or the process was stopped, so that no response is sent; the status is nginx's.
BROKEN_OFF = 499
BROKEN_OFF_CODE = "broken_off"

# The page for a browser in place of an error in JSON, or None where the client is no browser that looks for a page.
ErrorPage = Callable[[Request, HttpError], Response | None]

# Reads a body of at most so many bytes. Raises BodyTooLarge, if possible before it has read any of it.
ReadBody = Callable[[int], Awaitable[bytes]]


class Dispatcher:
    """Routes requests to their endpoints and ensures that every response is a documented one."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        listener: Listener,
        *,
        allowed_origins: frozenset[str],
        error_page: ErrorPage | None = None,
        rates: Mapping[RateClass, Rate] = MappingProxyType({}),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._router = Router(routes)
        self._listener = listener
        self._allowed_origins = allowed_origins
        self._error_page = error_page
        self._paths = {route.operation: route.path for route in routes}
        self._limits = limits
        limiters = {limit: RateLimiter(rate, limits=limits) for limit, rate in rates.items()}
        self._limiters = {route.operation: limiters[route.limit] for route in routes if route.limit in limiters}

    async def dispatch(self, request: Request, target_bytes: int, read_body: ReadBody) -> Response:
        """The response to a request that has begun. The body is read only if the route takes one.

        Every error becomes a response; only a cancellation is raised again.
        """
        operation = "none"
        try:
            if request.method == "OPTIONS" and (preflight := self._preflight(request)):
                return self._finish(request, "preflight", preflight)
            route = self._find(request, target_bytes)
            operation = route.operation
            self._admit(request, route)
            if route.body is not None:
                request.body = await read_body(route.body_bytes)
            return self._finish(request, operation, await route.handler(request))
        except HttpError as error:
            return self.refuse(request, error, operation)
        except asyncio.CancelledError:
            self._emit_served(request, operation, BROKEN_OFF, BROKEN_OFF_CODE)
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: a defect becomes a 500 and a stack in the log
            return self.fail(request, error, operation)

    def _find(self, request: Request, target_bytes: int) -> Route:
        if target_bytes > self._limits.target_bytes:
            raise InvalidRequest("The address is longer than 8 KiB.")
        method = "GET" if request.method == "HEAD" else request.method
        found = self._router.find(method, request.path)
        if found is not None:
            route, request.parameters = found
            return route
        allowed = self._router.allowed(request.path)
        if allowed:
            raise MethodNotAllowed(allowed)
        raise RouteNotFound

    def _admit(self, request: Request, route: Route) -> None:
        if route.limit is None:
            return
        if request.caller.is_too_many:
            raise Overloaded
        if limiter := self._limiters.get(route.operation):
            limiter.admit(request.caller.address)

    def begin(self, request: Request) -> None:
        """Start the request's clock and set its trace id, which its logs and its response refer to."""
        request.started = time.perf_counter()
        request.trace_id = traces.begin(request.headers, request).trace_id

    def refuse(self, request: Request, error: HttpError, operation: str = "none") -> Response:
        """The documented response to an error."""
        page = self._error_page(request, error) if self._error_page else None
        response = page or json_response(_error_answer(request, error), error.status)
        if error.retry_after is not None:
            response.add_header("Retry-After", str(error.retry_after))
        if isinstance(error, MethodNotAllowed):
            response.add_header("Allow", ", ".join(error.allowed))
        if isinstance(error, Unauthorized):
            response.add_header("WWW-Authenticate", "Bearer")
        return self._finish(request, operation, response, error.code)

    def fail(self, request: Request, error: BaseException, operation: str = "none") -> Response:
        """The response to a defect in the service, whose details are logged but never sent to the client."""
        self._listener.emit(Unexpected(operation, error))
        return self.refuse(request, InternalError(), operation)

    def _preflight(self, request: Request) -> Response | None:
        """The response to an allowed CORS preflight, or None for any other OPTIONS request."""
        if request.headers.get("Origin") not in self._allowed_origins:
            return None
        allowed = self._router.allowed(request.path)
        if not allowed:
            return None
        headers = SECURITY_HEADERS | {
            "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Allow-Headers": "content-type",
            "Access-Control-Max-Age": "600",
        }
        return Response(204, b"", headers)

    def _finish(self, request: Request, operation: str, response: Response, error_code: str = "") -> Response:
        if request.new_cookie:
            response.add_header("Set-Cookie", request.new_cookie)
        if self._allowed_origins:
            self._allow_origin(request, response)
        if response.stream is None:
            self._emit_served(request, operation, response.status, error_code, response.origin)
        else:
            response.stream = self._observed(request, operation, response.stream)
        return response

    async def _observed(
        self, request: Request, operation: str, stream: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The same stream, with an event emitted when it ends; a defect in it becomes an `error` as its last event."""
        status, error_code = BROKEN_OFF, BROKEN_OFF_CODE
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    yield chunk
            status, error_code = 200, ""
        except Exception as error:  # noqa: BLE001 - the boundary, as in `dispatch`
            self._listener.emit(Unexpected(operation, error))
            failure = InternalError()
            status, error_code = failure.status, failure.code
            yield server_sent_event("error", _error_answer(request, failure))
        finally:
            self._emit_served(request, operation, status, error_code)

    def _emit_served(self, request: Request, operation: str, status: int, error_code: str, origin: str = "") -> None:
        path = self._paths.get(operation, "")  # never the raw path, which can hold any text
        method = request.method if request.method in _METHODS else OTHER_METHOD
        self._listener.emit(RequestServed(operation, status, elapsed_ms(request), error_code, method, path, origin))

    def _allow_origin(self, request: Request, response: Response) -> None:
        response.add_header("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in self._allowed_origins:
            response.add_header("Access-Control-Allow-Origin", origin or "")
            response.add_header("Access-Control-Allow-Credentials", "true")


def _error_answer(request: Request, error: HttpError) -> ErrorAnswer:
    return ErrorAnswer(ErrorBody(error.code, str(error), error.details), request.trace_id)
