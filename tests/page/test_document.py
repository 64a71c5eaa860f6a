"""The head of the page's document: what search engines and previews of links read, whatever a model has written."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from service.page.document import VIEWS, Document, Head, read_document

BUILT = """<!doctype html>
<head>
<title>Cloud Sayings</title>
<meta name="description" content="Short sayings.">
<link rel="icon" href="/favicon.svg">
</head>
<body><div id="page"></div></body>
"""
HOSTILE = "</title><script>alert(1)</script>\" onload='x' & <b>bold</b> \ud800"


class HeadReader(HTMLParser):
    """Reads the title, the links and the meta elements as a browser would."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.title = ""
        self.meta: dict[str | None, str | None] = {}
        self.links: dict[str | None, str | None] = {}
        self.tags: set[str] = set()
        self._in_title = False
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self._in_title = tag == "title"
        if tag == "meta" and "content" in found:
            self.meta[found.get("name") or found.get("property")] = found["content"]
        if tag == "link":
            self.links[found["rel"]] = found["href"]

    def handle_data(self, data: str) -> None:
        self.title += data if self._in_title else ""

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False


def test_a_head_says_what_a_preview_needs() -> None:
    url = "https://example.com/s/0f"

    read = HeadReader(Document(BUILT).with_head(Head("A title", "A saying.", url, f"{url}.png")))

    assert read.title == "A title"
    assert read.links == {"canonical": url, "icon": "/favicon.svg"}
    assert read.meta == {
        "description": "A saying.",
        "twitter:card": "summary_large_image",
        "og:site_name": "Cloud Sayings",
        "og:type": "article",
        "og:title": "A title",
        "og:description": "A saying.",
        "og:url": url,
        "og:image": f"{url}.png",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": "A saying.",
    }


def test_without_an_address_there_is_neither_a_link_nor_a_picture() -> None:
    read = HeadReader(Document(BUILT).with_head(Head("A title", "A saying.")))

    assert "canonical" not in read.links
    assert {"og:url", "og:image", "twitter:card"}.isdisjoint(read.meta)


def test_no_text_becomes_markup() -> None:
    read = HeadReader(Document(BUILT).with_head(Head(HOSTILE, HOSTILE, HOSTILE, HOSTILE)))

    said = HOSTILE.replace("\ud800", "?")
    assert read.tags == HeadReader(BUILT.encode()).tags
    assert {read.title, read.links["canonical"], read.meta["description"], read.meta["og:image:alt"]} == {said}


def test_everything_else_stays_as_it_was_built() -> None:
    filled = Document(BUILT).with_head(Head("A title", "A saying."))

    before, _, after = BUILT.partition(
        '<title>Cloud Sayings</title>\n<meta name="description" content="Short sayings.">'
    )
    assert filled.startswith(before.encode())
    assert filled.endswith(after.encode())


def test_a_document_without_a_title_is_refused() -> None:
    with pytest.raises(ValueError, match="no title"):
        Document("<!doctype html>")


def test_there_is_no_document_where_the_page_is_not_built(tmp_path: Path) -> None:
    assert read_document(tmp_path) is None


@pytest.mark.slow
def test_the_built_document_takes_every_view(built_page: Path) -> None:
    document = read_document(built_page)
    assert document is not None

    titles = {HeadReader(document.with_head(head)).title for head in VIEWS.values()}

    assert titles == {head.title for head in VIEWS.values()}
    assert len(titles) == len(VIEWS)
