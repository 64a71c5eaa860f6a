"""The page's built files, read and compressed once and served from memory."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.api.http import SECURITY_HEADERS, Request, Response
from service.errors import MethodNotAllowed

# What `make page` builds; an image has it, a function has not.
PAGE_FOLDER = Path(__file__).parents[2] / "web/dist"
# The folder of the files that carry a digest of their content in their name.
HASHED = "assets"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY = {".woff2"}
# Model output is hostile text: even if it ever became markup, nothing of it could run or load.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is and as gzip; the same where compressing it is of no use."""

    plain: Response
    gzipped: Response

    def for_(self, request: Request) -> Response:
        accepted = request.headers.get("Accept-Encoding", "")
        response = self.gzipped if _accepts_gzip(accepted) else self.plain
        # The header may list several, and a proxy that compresses marks them as weak: W/"…".
        if response.headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(304, b"", response.headers)
        return response


class Page:
    """The files of a folder by their path; `/` is its index.html. Without the folder there is no page, just the API."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        self._files = {f"/{file.relative_to(folder).as_posix()}": _read(file) for file in page_files(folder)}
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    def find(self, request: Request) -> Response | None:
        """The requested file, a 304 if the client has it, or None if there is no such file. Raises MethodNotAllowed."""
        file = self._files.get(request.path)
        if file is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        return file.for_(request)


def page_files(folder: Path = PAGE_FOLDER) -> Iterator[Path]:
    """All that belongs to a page."""
    yield from (file for file in sorted(folder.rglob("*")) if file.suffix in _TYPES)


def content_type(file: Path) -> str:
    return _TYPES[file.suffix]


def cache_control(file: Path) -> str:
    """Forever where another content has another name; otherwise a browser asks each time whether it has changed."""
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
    """By an Accept-Encoding header such as `gzip;q=0.8, br, *;q=0`."""
    for offer in accepted.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False
