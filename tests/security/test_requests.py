"""Where the service goes and what it reads is decided by its settings, never by a request."""

from collections.abc import AsyncIterator

import aiohttp.test_utils
import msgspec
import pytest
from aiohttp import web

from service.page.document import PAGE_FOLDER
from service.simulator import Simulator
from tests.http.conftest import Server
from tests.http.wire import request

pytestmark = pytest.mark.slow


class Trap:
    """A server outside the service, and the requests that arrived there."""

    def __init__(self) -> None:
        self.caught: list[str] = []
        self.url = ""

    async def catch(self, request: web.BaseRequest) -> web.Response:
        self.caught.append(f"{request.method} {request.path}")
        return web.Response()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    trap = Trap()
    async with aiohttp.test_utils.RawTestServer(trap.catch) as server:
        trap.url = f"http://127.0.0.1:{server.port}"
        yield trap


NAMES = ["base_url", "baseUrl", "url", "endpoint", "api_base", "apiKey", "vendor", "model", "simulator", "proxy"]


async def test_no_request_chooses_where_models_are_asked(server: Server, simulator: Simulator, trap: Trap) -> None:
    wishes = dict.fromkeys(NAMES, trap.url)
    host = trap.url.removeprefix("http://")
    headers = {
        "Content-Type": "application/json", "Accept": "application/json", "Host": host, "X-Forwarded-Host": host,
        "Forwarded": f"host={host}", "X-Original-URL": trap.url, "X-Base-Url": trap.url, "Referer": trap.url,
        "Origin": trap.url,
    }  # fmt: skip

    sayings = [await server.ask("GET", "/sayings", params=wishes, headers=headers) for _ in range(4)]
    compared = await server.ask(
        "POST",
        "/compare",
        data=msgspec.json.encode(wishes | {"service": "Amazon S3", "models": [wishes], "settings": wishes}),
        params=wishes,
        headers=headers,
    )
    vote = await server.known()
    voted = await server.post_vote({**vote, **wishes, "metrics": wishes})

    assert [answer.json["origin"] for answer in sayings] == ["database"] * 3 + ["live"]
    assert all(slot["saying"] for slot in compared.json["slots"])
    assert voted.status == 200
    assert len(simulator.calls) == 5
    assert trap.caught == []


@pytest.mark.parametrize(
    "target",
    [
        "/../pyproject.toml", "/web/../../pyproject.toml", "/./../pyproject.toml", "/%2e%2e/pyproject.toml",
        "/%2e%2e%2fpyproject.toml", "/..%5cpyproject.toml", "/..\\pyproject.toml", "/....//pyproject.toml",
        "/%252e%252e%252fpyproject.toml", "/..;/pyproject.toml", "/app.js/../../pyproject.toml", "/app.js%00.html",
        "/app.js%2f..%2f..%2fpyproject.toml", "//etc/passwd", "/file:///etc/passwd", "file:///etc/passwd",
        "http://localhost/../pyproject.toml", f"/{PAGE_FOLDER}/app.js", "/.git/config", "/sayings.db",
    ],
)  # fmt: skip
async def test_no_path_leads_out_of_the_page(server: Server, target: str) -> None:
    [answer] = await server.converse(request("GET", target))

    assert answer.error in [(404, "route_not_found"), (400, "invalid_request")]
