"""The page's only document, index.html, with the head that belongs to an address.

The page draws everything else by itself. The head is for what reads no scripts: search engines, and the programs that
show a preview of a link.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.api.http import SECURITY_HEADERS

# `make page` builds this folder. The Lambda package has only the document and the font of it.
PAGE_FOLDER = Path(__file__).parents[2] / "web/dist"

# Model output is untrusted text: even if it ever became markup, it could not run or load anything.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = SECURITY_HEADERS | {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
HTML_HEADERS = PAGE_HEADERS | {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}

SITE = "Cloud Sayings"
CARD_WIDTH, CARD_HEIGHT = 1200, 630

_HEAD = re.compile(r'<title>[^<]*</title>\s*<meta name="description" content="[^"]*">')
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


@dataclass(frozen=True, slots=True)
class Head:
    """What a document says of itself. The texts are not escaped yet.

    `url` is the document's absolute address and `image` that of its picture; both are "" where there is none.
    """

    title: str
    description: str
    url: str = ""
    image: str = ""


# The views that have an address of their own. The page knows them too, in web/src/routes.ts.
VIEWS: Mapping[str, Head] = MappingProxyType(
    {
        "/best": Head(f"Best · {SITE}", "The sayings about AWS services that people like best, and the newest ones."),
        "/arena": Head(f"Compare · {SITE}", "One AWS service, several language models, no names: pick the wittiest."),
        "/dashboard": Head(f"Dashboard · {SITE}", "Which language model is the wittiest, and at what price."),
        "/about": Head(f"About · {SITE}", "What this is, how the votes are counted, and what is stored of you."),
    }
)
NOT_HERE = Head(f"Not here · {SITE}", "There is nothing at this address.")


class Document:
    """The built index.html. Raises ValueError when the text has no title that is followed by a description."""

    def __init__(self, text: str) -> None:
        found = _HEAD.search(text)
        if found is None:
            raise ValueError("index.html has no title with a description after it.")
        self.plain = text.encode()
        self._before, self._after = text[: found.start()], text[found.end() :]

    def with_head(self, head: Head) -> bytes:
        return (self._before + "\n".join(_tags(head)) + self._after).encode("utf-8", "replace")


def read_document(folder: Path = PAGE_FOLDER) -> Document | None:
    """The document of a built page, or None when the page is not built."""
    file = folder / "index.html"
    return Document(file.read_text("utf-8")) if file.is_file() else None


def _tags(head: Head) -> Iterator[str]:
    title, description, url, image = (_escaped(text) for text in (head.title, head.description, head.url, head.image))
    yield f"<title>{title}</title>"
    yield f'<meta name="description" content="{description}">'
    kind = "article" if url else "website"
    properties = {"og:site_name": SITE, "og:type": kind, "og:title": title, "og:description": description}
    if url:
        yield f'<link rel="canonical" href="{url}">'
        properties["og:url"] = url
    if image:
        properties |= {"og:image": image, "og:image:width": str(CARD_WIDTH), "og:image:height": str(CARD_HEIGHT)}
        properties["og:image:alt"] = description
        yield '<meta name="twitter:card" content="summary_large_image">'
    yield from (f'<meta property="{name}" content="{content}">' for name, content in properties.items())


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
