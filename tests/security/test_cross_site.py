"""Another site cannot vote, spend or read in a visitor's name: media type, preflight, cookie and exact origins."""

from typing import Any

import pytest

from telemetry.events import SpendMeasured
from tests.http.conftest import SIMULATED, Server

pytestmark = pytest.mark.slow

OURS = "https://page.example"
THEIRS = "https://evil.example"
VICTIM = f"sayings_voter={'v' * 32}"
# All that a form, an image or a beacon can send without asking beforehand.
SIMPLE_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"allowed_origins": OURS}


@pytest.mark.parametrize(
    "content_type", [*SIMPLE_TYPES, "text/plain; application/json", "text/plain, application/json"]
)
@pytest.mark.parametrize("path", ["/feedback", "/compare", f"/compare/{'0' * 32}/vote"])
async def test_what_a_browser_sends_without_asking_does_nothing(server: Server, path: str, content_type: str) -> None:
    vote = b'{"saying": "%b", "source": "%b", "feedbackType": "POSITIVE", "winner": "A"}'
    body = vote % (SIMULATED.text.encode(), SIMULATED.source.encode())
    await server.known()

    answer = await server.ask(
        "POST", path, data=body, headers={"Content-Type": content_type, "Cookie": VICTIM, "Origin": THEIRS}
    )

    assert answer.error == (415, "unsupported_media_type")
    assert [vote async for vote in server.resources.store.all_votes()] == []
    assert not server.events.of(SpendMeasured)


@pytest.mark.parametrize("path", ["/feedback", f"/feedback/{'0' * 32}", "/compare", f"/compare/{'0' * 32}/vote", "/me"])
async def test_what_a_browser_asks_for_beforehand_is_refused(server: Server, path: str) -> None:
    method = "DELETE" if path == "/me" or path.startswith("/feedback/") else "POST"

    answer = await server.ask(
        "OPTIONS",
        path,
        headers={
            "Origin": THEIRS,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        },
    )

    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/sayings", "/stats", "/nowhere"])
async def test_only_exactly_our_page_may_read(server: Server, path: str) -> None:
    tricks = [
        f"{OURS}.evil.example", "https://evilpage.example", "https://page.example.", f"{OURS}/", f"{OURS}@evil.example",
        f"{OURS}, {THEIRS}", f"{OURS} {THEIRS}", "https://page_example", "https://pagexexample", f"{OURS}:443",
        "https://PAGE.example", "//page.example", "page.example", "null", "*", "file://",
    ]  # fmt: skip

    async def allowed(origin: str) -> str | None:
        answer = await server.ask("GET", path, headers={"Origin": origin})
        return answer.headers.get("Access-Control-Allow-Origin")

    assert await allowed(OURS) == OURS
    assert {await allowed(origin) for origin in tricks} == {None}


async def test_a_stream_may_be_read_by_our_page_alone(server: Server) -> None:
    async def allowed(origin: str) -> str | None:
        headers = {"Origin": origin, "Content-Type": "application/json", "Accept": "text/event-stream"}
        answer = await server.ask("POST", "/compare", data=b"{}", headers=headers)
        assert answer.headers["Content-Type"] == "text/event-stream"
        return answer.headers.get("Access-Control-Allow-Origin")

    assert [await allowed(OURS), await allowed(THEIRS)] == [OURS, None]
