"""Every kind of response protects its reader: headers restrict what it loads, where it is framed, how it is sniffed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.store.sqlite import SqliteStore
from tests.deploy.stack import Stack
from tests.http.conftest import Server
from tests.http.wire import Answer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("built_page")]

ORIGIN = "https://page.example"
JSON = {"Content-Type": "application/json"}


async def not_http(server: Server) -> Answer:
    [answer] = await server.converse(b"nonsense\r\n\r\n")
    return answer


async def unchanged(server: Server) -> Answer:
    tag = (await server.ask("GET", "/")).headers["ETag"]
    return await server.ask("GET", "/", headers={"If-None-Match": tag})


async def defect(server: Server) -> Answer:
    async def fail(_: SqliteStore) -> None:
        raise RuntimeError("a defect")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SqliteStore, "random_saying", fail)
        return await server.ask("GET", "/sayings")


KINDS: dict[str, tuple[int, Callable[[Server], Awaitable[Answer]]]] = {
    "JSON": (200, lambda server: server.ask("GET", "/sayings")),
    "statistics": (200, lambda server: server.ask("GET", "/stats")),
    "the description": (200, lambda server: server.ask("GET", "/openapi.json")),
    "HEAD": (200, lambda server: server.ask("HEAD", "/models")),
    "stream": (200, lambda server: server.ask("POST", "/compare", data=b"{}", headers=JSON)),
    "preflight": (204, lambda server: server.ask("OPTIONS", "/feedback", headers={"Origin": ORIGIN})),
    "refused preflight": (405, lambda server: server.ask("OPTIONS", "/feedback", headers={"Origin": "null"})),
    "bad body": (400, lambda server: server.ask("POST", "/feedback", data=b"{", headers=JSON)),
    "no such address": (404, lambda server: server.ask("GET", "/nowhere")),
    "wrong method on the page": (405, lambda server: server.ask("POST", "/")),
    "not HTTP": (400, not_http),
    "defect": (500, defect),
    "page": (200, lambda server: server.ask("GET", "/")),
    "image": (200, lambda server: server.ask("GET", "/favicon.svg")),
    "unchanged page": (304, unchanged),
}


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"allowed_origins": ORIGIN}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_answer_protects_its_reader(server: Server, kind: str) -> None:
    status, get = KINDS[kind]

    answer = await get(server)

    assert answer.status == status
    policy = dict(directive.split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Server"] == "cloud-sayings"


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"page", "image", "unchanged page", "preflight"}))
async def test_only_the_page_is_kept_by_a_cache(server: Server, kind: str) -> None:
    _, get = KINDS[kind]

    answer = await get(server)

    assert answer.headers["Cache-Control"] == "no-store"


async def test_server_and_distribution_send_the_same_headers_with_the_page(server: Server) -> None:
    policy = Stack().properties("PageHeaders")["ResponseHeadersPolicyConfig"]
    custom = {item["Header"]: item["Value"] for item in policy["CustomHeadersConfig"]["Items"]}
    security = policy["SecurityHeadersConfig"]

    page = (await server.ask("GET", "/")).headers

    # By HTTPS alone, and the server speaks HTTP; frame-ancestors, as all but the oldest browsers have it.
    assert security.keys() - {"StrictTransportSecurity", "FrameOptions"} == {
        "ContentSecurityPolicy", "ContentTypeOptions", "ReferrerPolicy",
    }  # fmt: skip
    assert page["Content-Security-Policy"] == security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert page["Referrer-Policy"] == security["ReferrerPolicy"]["ReferrerPolicy"]
    assert custom.keys() == {"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy"}
    assert {name: page[name] for name in custom} == custom
