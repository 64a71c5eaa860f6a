"""The page's built files, read and compressed once and served from memory."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.api.http import SECURITY_HEADERS, Request, Response
from service.errors import MethodNotAllowed

# `make page` builds this folder. The container image includes it, but the Lambda function does not.
PAGE_FOLDER = Path(__file__).parents[2] / "web/dist"
# The files in this folder have a digest of their content in their name.
HASHED = "assets"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED_ALREADY = {".woff2"}
# Model output is untrusted text: even if it ever became markup, it could not run or load anything.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _File:
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
        self._files = {f"/{file.relative_to(folder).as_posix()}": _read(file) for file in page_files(folder)}
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    def find(self, request: Request) -> Response | None:
        """The requested file, 304 when the client has it, or None when the page has no such file.

        Raises MethodNotAllowed for methods other than GET and HEAD.
        """
        file = self._files.get(request.path)
        if file is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        return file.for_(request)


def page_files(folder: Path = PAGE_FOLDER) -> Iterator[Path]:
    """Yield the files of a page, sorted by path; files of other types are ignored."""
    yield from (file for file in sorted(folder.rglob("*")) if file.suffix in _TYPES)


def content_type(file: Path) -> str:
    return _TYPES[file.suffix]


def cache_control(file: Path) -> str:
    """The Cache-Control value: forever for files with a digest in their name, otherwise revalidated each time."""
    return "public, max-age=31536000, immutable" if file.parent.name == HASHED else "no-cache"


def _read(file: Path) -> _File:
    content = file.read_bytes()
    headers = SECURITY_HEADERS | {
        "Content-Type": content_type(file),
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": cache_control(file),
        "Vary": "Accept-Encoding",
    }
    digest = hashlib.sha256(content).hexdigest()[:32]
    plain = Response(200, content, headers | {"ETag": f'"{digest}"'})
    if file.suffix in _COMPRESSED_ALREADY:
        return _File(plain, plain)
    gzipped = {"ETag": f'"{digest}-gzip"', "Content-Encoding": "gzip"}
    return _File(plain, Response(200, gzip.compress(content, mtime=0), headers | gzipped))


def _accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header such as `gzip;q=0.8, br, *;q=0` accepts gzip."""
    for offer in accepted.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False
