"""The addresses of sayings, as the dispatcher serves them to people, to programs that preview links, and to others."""

import pytest
from multidict import CIMultiDict

from service.api.dispatcher import Dispatcher
from service.api.http import Request, Response
from service.domain import COLLECTION_SOURCE, Saying, saying_id
from service.errors import SayingNotFound, SayingsUnavailable, SayingWithdrawn
from service.page.address import PublicAddress
from service.page.cards import Cards
from service.page.document import VIEWS, Document
from service.page.pages import Pages
from service.store.base import StoredSaying
from tests.page.test_document import BUILT, HeadReader
from tests.support import RecordingListener, model_saying

SAYING = model_saying("An attic, says <b>Amazon S3</b>.", model="claude-haiku-4-5")
_TEXT = "The collection knows Amazon S3."
OLD = Saying(saying_id(_TEXT), _TEXT, ("Amazon S3",), COLLECTION_SOURCE)
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
UNKNOWN, WITHDRAWN, FAILING = "0" * 32, "1" * 32, "5" * 32
FAILURES = {UNKNOWN: SayingNotFound(), WITHDRAWN: SayingWithdrawn(), FAILING: SayingsUnavailable()}


async def find(identity: str) -> StoredSaying:
    if identity in FAILURES:
        raise FAILURES[identity]
    saying = {each.saying_id: each for each in (SAYING, OLD)}[identity]
    return StoredSaying(saying, upvotes=0, downvotes=0)


async def ask(path: str, accept: str = "*/*", method: str = "GET") -> Response:
    pages = Pages(Document(BUILT), find, Cards(lambda saying: saying.text.encode()), PublicAddress())
    dispatcher = Dispatcher(pages.routes, RecordingListener(), allowed_origins=frozenset(), error_page=pages.error_page)
    request = Request(method, path, CIMultiDict({"Host": "example.com", "Accept": accept}))
    dispatcher.begin(request)

    async def no_body(_: int) -> bytes:
        return b""

    return await dispatcher.dispatch(request, len(path), no_body)


@pytest.mark.parametrize("accept", ["*/*", BROWSER, ""])
async def test_a_sayings_page_has_its_head_for_everybody(accept: str) -> None:
    response = await ask(f"/s/{SAYING.saying_id}", accept)

    read = HeadReader(response.body)
    url = f"http://example.com/s/{SAYING.saying_id}"
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert read.title == "Claude Haiku 4.5 on Amazon S3 · Cloud Sayings"
    assert (read.meta["description"], read.links["canonical"]) == (SAYING.text, url)
    assert read.meta["og:image"] == f"{url}.png"


async def test_the_collection_has_no_author() -> None:
    response = await ask(f"/s/{OLD.saying_id}")

    assert HeadReader(response.body).title == "A saying about Amazon S3 · Cloud Sayings"


async def test_a_card_may_be_kept_for_a_day_and_shown_by_others() -> None:
    response = await ask(f"/s/{SAYING.saying_id}.png", "image/png")

    assert (response.status, response.body) == (200, SAYING.text.encode())
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "public, max-age=86400"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/s/{UNKNOWN}", 404), (f"/s/{WITHDRAWN}", 410), (f"/s/{UNKNOWN}.png", 404), (f"/s/{FAILING}.png", 503),
        (f"/s/{UNKNOWN}0", 404), (f"/s/{UNKNOWN}/", 404), ("/s/x", 404), ("/s/", 404), ("/nothing", 404), ("/", 404),
    ],
)  # fmt: skip
async def test_a_browser_gets_an_error_as_a_page_and_others_as_json(path: str, status: int) -> None:
    page, other = await ask(path, BROWSER), await ask(path)

    assert (page.status, other.status) == (status, status)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert HeadReader(page.body).title == ("Cloud Sayings" if status == 503 else "Not here · Cloud Sayings")
    assert other.headers["Content-Type"] == "application/json"
    assert {page.headers["Cache-Control"], other.headers["Cache-Control"]} == {"no-store"}


async def test_a_page_whose_store_fails_is_the_page_without_a_head_of_its_own() -> None:
    response = await ask(f"/s/{FAILING}")

    assert (response.status, response.body) == (200, BUILT.encode())


async def test_other_methods_get_json_even_in_a_browser() -> None:
    response = await ask(f"/s/{SAYING.saying_id}", BROWSER, "POST")

    assert response.status == 405
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_is_found_with_a_slash_at_its_end(view: str) -> None:
    response = await ask(f"{view}/")

    assert response.status == 200
    assert HeadReader(response.body).title == VIEWS[view].title
