"""The page's files: all of them are there, nothing but them runs, and a browser fetches each version once."""

import re
from pathlib import Path

import pytest

from service.page import PAGE_FOLDER, Page
from tests.http.conftest import Server

pytestmark = pytest.mark.slow

FILES = {
    "/": "text/html; charset=utf-8",
    "/index.html": "text/html; charset=utf-8",
    "/app.js": "text/javascript; charset=utf-8",
    "/style.css": "text/css; charset=utf-8",
    "/favicon.svg": "image/svg+xml",
}


@pytest.mark.parametrize(("path", "content_type"), FILES.items())
async def test_a_file_is_served_with_its_type_and_all_that_protects_its_reader(
    server: Server, path: str, content_type: str
) -> None:
    answer = await server.ask("GET", path)

    assert answer.status == 200
    assert answer.body == (PAGE_FOLDER / (path[1:] or "index.html")).read_bytes()
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"
    policy = dict(directive.split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}


async def test_everything_the_page_refers_to_is_served(server: Server) -> None:
    html = (await server.ask("GET", "/")).body.decode()
    files = re.findall(r'(?:src|href)="([^"#]+)"', html)
    modules = re.findall(r"from '\./([^']+)'", (await server.ask("GET", "/app.js")).body.decode())

    answers = {path: await server.ask("GET", path) for path in [*files, *(f"/{module}" for module in modules)]}

    assert set(answers) >= {"/app.js", "/words.js", "/style.css", "/favicon.svg"}
    assert {answer.status for answer in answers.values()} == {200}


async def test_the_page_needs_nothing_that_its_policy_forbids(server: Server) -> None:
    html = (await server.ask("GET", "/")).body.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


async def test_a_browser_that_has_a_file_is_told_so_until_it_changes(server: Server) -> None:
    tag = (await server.ask("GET", "/app.js")).headers["ETag"]

    async def status(tags: str) -> int:
        return (await server.ask("GET", "/app.js", headers={"If-None-Match": tags})).status

    assert [await status(tags) for tags in (tag, f"W/{tag}", f'"other", {tag}')] == [304] * 3
    assert [await status(tags) for tags in ('"other"', "", tag.strip('"'))] == [200] * 3


async def test_a_304_has_no_body_and_the_same_tag(server: Server) -> None:
    tag = (await server.ask("GET", "/")).headers["ETag"]

    answer = await server.ask("GET", "/", headers={"If-None-Match": tag})

    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)


async def test_only_the_page_is_served_from_its_folder(server: Server) -> None:
    statuses = [
        (await server.ask("GET", path)).status
        for path in ("/web/app.js", "/service/app.py", "/.gitignore", "/package.json", "/app.js/")
    ]

    assert set(statuses) == {404}


def test_without_a_folder_there_is_just_no_page(tmp_path: Path) -> None:
    assert Page(tmp_path / "absent")._files == {}
