"""The page's files, read once and served from memory."""

import hashlib
from pathlib import Path

from service.errors import MethodNotAllowed
from service.http import Request, Response

PAGE_FOLDER = Path(__file__).parent.parent / "web"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Model output is hostile text: even if it ever became markup, nothing of it could run or load.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """The files of a folder by their path; `/` is its index.html."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        files = (file for file in folder.iterdir() if file.suffix in _TYPES) if folder.is_dir() else ()
        self._files = {f"/{file.name}": _response(file) for file in files}
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    def find(self, request: Request) -> Response | None:
        """The file asked for, 304 when the client has it; None when it is none of ours. Raises MethodNotAllowed."""
        response = self._files.get(request.path)
        if response is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        # The header may list several, and a proxy that compresses marks them as weak: W/"…".
        if response.headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(304, b"", response.headers)
        return response


def _response(file: Path) -> Response:
    content = file.read_bytes()
    headers = {
        "Content-Type": _TYPES[file.suffix],
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    }
    return Response(200, content, headers)
