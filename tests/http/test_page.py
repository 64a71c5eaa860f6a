"""The page's files: all of them are there, protected, compressed, and a browser fetches each version once."""

import gzip
from pathlib import Path

import pytest

from service.api.http import Request
from service.domain import WithdrawnBy, saying_id
from service.page.document import VIEWS
from service.page.files import Page, page_files
from tests.http.conftest import SIMULATED, Server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("built_page")]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


async def test_every_file_is_served_with_its_type_and_security_headers(server: Server, built_page: Path) -> None:
    for file in page_files(built_page):
        answer = await server.ask("GET", file.path)

        assert answer.status == 200
        assert answer.body == file.content
        assert answer.headers["Content-Type"] == TYPES[Path(file.path).suffix or ".html"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Vary"] == "Accept-Encoding"


async def test_nothing_runs_or_loads_that_is_not_the_pages_own(server: Server) -> None:
    header = (await server.ask("GET", "/")).headers["Content-Security-Policy"]

    policy = dict(directive.split(" ", 1) for directive in header.split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "font", "connect")} == {"'self'"}


async def test_files_named_by_digest_are_immutable_and_others_revalidated(server: Server, built_page: Path) -> None:
    for file in page_files(built_page):
        kept = (await server.ask("GET", file.path)).headers["Cache-Control"]

        forever = file.path.startswith("/assets/")
        assert kept == ("public, max-age=31536000, immutable" if forever else "no-cache")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "gzip"), ("br;q=1.0, GZIP;q=0.5", "gzip"), ("gzip; q=0.001", "gzip"),
        ("", None), ("identity", None), ("br", None), ("gzip;q=0", None), ("gzip;q=0.000, br", None), ("xgzip", None),
    ],
)  # fmt: skip
def test_a_file_is_compressed_for_clients_that_accept_it(built_page: Path, accepted: str, coding: str | None) -> None:
    response = Page(built_page).find(Request("GET", "/index.html", {"Accept-Encoding": accepted}))

    assert response is not None
    assert response.headers.get("Content-Encoding") == coding
    content = (built_page / "index.html").read_bytes()
    assert (gzip.decompress(response.body) if coding else response.body) == content


def test_what_is_compressed_already_stays_as_it_is(built_page: Path) -> None:
    (font, *_) = built_page.glob("assets/*.woff2")

    response = Page(built_page).find(Request("GET", f"/assets/{font.name}", {"Accept-Encoding": "gzip"}))

    assert response is not None
    assert "Content-Encoding" not in response.headers
    assert response.body == font.read_bytes()


async def test_a_known_etag_gets_304_and_any_other_gets_the_file(server: Server) -> None:
    tag = (await server.ask("GET", "/favicon.svg")).headers["ETag"]

    async def status(tags: str) -> int:
        return (await server.ask("GET", "/favicon.svg", headers={"If-None-Match": tags})).status

    assert [await status(tags) for tags in (tag, f"W/{tag}", f'"other", {tag}')] == [304] * 3
    assert [await status(tags) for tags in ('"other"', "", tag.strip('"'))] == [200] * 3


async def test_the_two_forms_of_a_file_have_tags_of_their_own(server: Server) -> None:
    forms = [await server.ask("GET", "/", headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity")]

    tags = [form.headers["ETag"] for form in forms]
    other = await server.ask("GET", "/", headers={"Accept-Encoding": "gzip", "If-None-Match": tags[1]})

    assert len(set(tags)) == 2
    assert other.status == 200


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_is_the_page_with_a_title_of_its_own(server: Server, view: str) -> None:
    answer = await server.ask("GET", view)
    tag = answer.headers["ETag"]

    again = await server.ask("GET", view, headers={"If-None-Match": tag})

    assert answer.status == 200
    assert f"<title>{VIEWS[view].title}</title>".encode() in answer.body
    assert again.status == 304


async def test_a_saying_has_an_address_and_a_card_until_it_is_taken_down(server: Server) -> None:
    await server.known()
    path = f"/s/{SIMULATED.saying_id}"

    page, card = await server.ask("GET", path), await server.ask("GET", f"{path}.png")
    await server.resources.takedowns.withdraw(SIMULATED.saying_id, reason="a test", by=WithdrawnBy.OPERATOR)
    gone = [await server.ask("GET", each) for each in (path, f"{path}.png")]

    assert f'content="{server.url}{path}.png"'.encode() in page.body
    assert (card.headers["Content-Type"], card.body[:4]) == ("image/png", b"\x89PNG")
    assert [each.status for each in gone] == [410, 410]


async def test_a_saying_of_a_comparison_has_no_address_before_the_vote(server: Server) -> None:
    compared = await server.ask("POST", "/compare", json={}, headers={"Accept": "application/json"})
    texts = [slot["saying"] for slot in compared.json["slots"]]

    statuses = {
        (await server.ask("GET", f"/s/{saying_id(text)}{end}")).status for text in texts for end in ("", ".png")
    }

    assert len(texts) == 4
    assert statuses == {404}


def test_without_a_folder_there_is_just_no_page(tmp_path: Path) -> None:
    assert Page(tmp_path / "absent").find(Request("GET", "/", {})) is None
