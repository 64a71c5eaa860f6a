"""The page's built files, read and compressed once and served from memory."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.api.http import Request, Response
from service.errors import MethodNotAllowed
from service.page.document import PAGE_FOLDER, PAGE_HEADERS, VIEWS, read_document

# The files in this folder have a digest of their content in their name.
HASHED = "assets"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED_ALREADY = {"font/woff2", "image/png"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page, or its document with the head of a view. `path` is its address, such as `/index.html`."""

    path: str
    content: bytes
    content_type: str

    @property
    def cache_control(self) -> str:
        """The Cache-Control value: forever for files with a digest in their name, otherwise revalidated each time."""
        forever = self.path.startswith(f"/{HASHED}/")
        return "public, max-age=31536000, immutable" if forever else "no-cache"


@dataclass(frozen=True, slots=True)
class _Answers:
    """The responses for a file, plain and gzipped. Both are the plain one when the format is already compressed."""

    plain: Response
    gzipped: Response

    def for_(self, request: Request) -> Response:
        accepted = request.headers.get("Accept-Encoding", "")
        response = self.gzipped if _accepts_gzip(accepted) else self.plain
        # The header may list several tags, and a proxy that compresses marks them as weak: W/"…".
        if response.headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(304, b"", response.headers)
        return response


class Page:
    """The files of a folder by path; `/` is its index.html. Without the folder there is no page, just the API."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        self._answers = {file.path: _answers(file) for file in page_files(folder)}
        if "/index.html" in self._answers:
            self._answers["/"] = self._answers["/index.html"]

    def find(self, request: Request) -> Response | None:
        """The requested file, 304 when the client has it, or None when the page has no such file.

        Raises MethodNotAllowed for methods other than GET and HEAD.
        """
        found = self._answers.get(request.path)
        if found is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        return found.for_(request)


def page_files(folder: Path = PAGE_FOLDER) -> Iterator[PageFile]:
    """Yield the files of a page, sorted by path, then its views; files of other types are ignored."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in _TYPES:
            yield PageFile(f"/{file.relative_to(folder).as_posix()}", file.read_bytes(), _TYPES[file.suffix])
    if document := read_document(folder):
        for path, head in VIEWS.items():
            yield PageFile(path, document.with_head(head), _TYPES[".html"])


def _answers(file: PageFile) -> _Answers:
    headers = PAGE_HEADERS | {
        "Content-Type": file.content_type,
        "Cache-Control": file.cache_control,
        "Vary": "Accept-Encoding",
    }
    digest = hashlib.sha256(file.content).hexdigest()[:32]
    plain = Response(200, file.content, headers | {"ETag": f'"{digest}"'})
    if file.content_type in _COMPRESSED_ALREADY:
        return _Answers(plain, plain)
    gzipped = {"ETag": f'"{digest}-gzip"', "Content-Encoding": "gzip"}
    return _Answers(plain, Response(200, gzip.compress(file.content, mtime=0), headers | gzipped))


def _accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header such as `gzip;q=0.8, br, *;q=0` accepts gzip."""
    for offer in accepted.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False
