"""No response reveals internals, neither a documented error nor one when every dependency fails."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from service.api.dispatcher import Dispatcher
from service.api.http import Request, Response, Route
from service.api.schemas import ErrorAnswer
from service.errors import HttpError, MethodNotAllowed, StoreError
from service.store.base import Store
from service.store.sqlite import SqliteStore
from tests.http.conftest import SIMULATED, Server
from tests.http.wire import Answer
from tests.support import RecordingListener

SECRET = "sk-canary-77 in parameter /api-key/anthropic"
INSIDE = (
    "canary", "api-key", "traceback", "python", "aiohttp", "msgspec", "sqlite", "botocore", "dynamodb", "main_humor",
    "saying_feedback", "runtimeerror", "storeerror", "no such table", ".py", "/home", "/tmp",
)  # fmt: skip


def all_errors(kind: type[HttpError] = HttpError) -> Iterator[type[HttpError]]:
    for error in kind.__subclasses__():
        yield from all_errors(error)
        if "code" in vars(error):
            yield error


ERRORS = sorted(set(all_errors()), key=lambda error: error.code)


def inside_of(*told: object) -> list[str]:
    return [word for word in INSIDE if word in repr(told).lower()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
async def test_an_error_has_a_code_and_a_message_but_hides_its_cause(error: type[HttpError]) -> None:
    async def fail(_: Request) -> Response:
        try:
            raise RuntimeError(SECRET)
        except RuntimeError as cause:
            raise error(["GET"]) if error is MethodNotAllowed else error() from cause

    route = Route("GET", "/", "fail", "Fails", fail, dict)
    request = Request("GET", "/", {})
    dispatcher = Dispatcher((route,), RecordingListener(), allowed_origins=frozenset())
    dispatcher.begin(request)

    answer = await dispatcher.dispatch(request, 1, unread)

    told = msgspec.json.decode(answer.body, type=ErrorAnswer)
    assert (answer.status, told.error.code, told.error.message) == (error.status, error.code, error.message)
    assert inside_of(answer.body, answer.headers) == []


async def unread(_: int) -> bytes:
    raise AssertionError("There is no body.")


def test_every_error_has_a_code_of_its_own() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS) > 15


JSON = {"Content-Type": "application/json", "Cookie": f"sayings_voter={'v' * 32}"}
VOTE = msgspec.json.encode({"sayingId": SIMULATED.saying_id, "source": SIMULATED.source, "feedbackType": "POSITIVE"})
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "getSaying": ("GET", "/sayings", {}),
    "getStoredSaying": ("GET", f"/sayings/{SIMULATED.saying_id}", {}),
    "getBest": ("GET", "/sayings/best", {}),
    "postFeedback": ("POST", "/feedback", {"data": VOTE, "headers": JSON}),
    "deleteFeedback": ("DELETE", f"/feedback/{SIMULATED.saying_id}", {"headers": JSON}),
    "postReport": ("POST", f"/sayings/{SIMULATED.saying_id}/report", {"data": b"{}", "headers": JSON}),
    "deleteMe": ("DELETE", "/me", {"headers": JSON}),
    "postCompare": ("POST", "/compare", {"data": b"{}", "headers": JSON}),
    "getCompare": ("GET", f"/compare/{'0' * 32}", {"headers": JSON}),
    "postCompareVote": ("POST", f"/compare/{'0' * 32}/vote", {"data": b'{"winner": "A"}', "headers": JSON}),
    "getStats": ("GET", "/stats", {}),
    "getModels": ("GET", "/models", {}),
    "getLive": ("GET", "/health/live", {}),
    "getReady": ("GET", "/health/ready", {}),
    "getOpenApi": ("GET", "/openapi.json", {}),
}
# A description of the contract names what it describes.
TELLING = {"getOpenApi"}


def without_saying(body: bytes) -> object:
    """The body without a builtin saying and its services, which may be Amazon DynamoDB."""
    told = msgspec.json.decode(body)
    return {name: value for name, value in told.items() if name not in ("saying", "services")}


def defect() -> Exception:
    return RuntimeError(SECRET)


def outage() -> Exception:
    error = StoreError(f"no such table: main_humor, {SECRET}")
    error.__cause__ = sqlite3.OperationalError("no such table: main_humor")
    return error


@pytest.mark.slow
class TestWhenEverythingFails:
    @pytest.fixture(params=[defect, outage], ids=["defect", "outage"])
    async def broken(self, server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
        """A server whose store raises, whatever is asked of it."""

        def fail(*_: object, **__: object) -> Any:
            raise request.param()

        with pytest.MonkeyPatch.context() as patched:
            for name, member in vars(Store).items():
                if callable(member) and not name.startswith("_") and name != "close":
                    patched.setattr(SqliteStore, name, fail)
            yield server

    async def test_every_endpoint_is_asked(self, server: Server) -> None:
        assert {route.operation for route in server.resources.endpoints.routes} == set(REQUESTS)

    @pytest.mark.parametrize("operation", sorted(REQUESTS.keys() - TELLING))
    async def test_no_endpoint_reveals_it(self, broken: Server, operation: str) -> None:
        method, path, options = REQUESTS[operation]

        answer: Answer = await broken.ask(method, path, **options)

        assert answer.status in (200, 500, 503)
        assert inside_of(without_saying(answer.body), dict(answer.headers)) == []
