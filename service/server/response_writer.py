"""Encodes a whole response, head and body, as bytes.

aiohttp collects, checks and formats every header of every response anew, which takes as long as everything else that is
done for a warm saying. Nearly all our responses have the same head, so it is encoded only once.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion, HttpVersion11

from service.api.http import JSON_HEADERS, Response

# This replaces aiohttp's, which reveals the versions of Python and aiohttp.
SERVER_NAME = "cloud-sayings"


def wire_form(
    response: Response, method: str = "GET", version: HttpVersion = HttpVersion11, *, stays: bool = False
) -> bytes:
    """The bytes of a response for a client of that HTTP version; `stays` says whether the connection stays open."""
    head = _USUAL_HEAD if response.headers is JSON_HEADERS and response.status == 200 else _head(response)
    length = b"" if response.status in _WITHOUT_LENGTH else b"Content-Length: %d\r\n" % len(response.body)
    body = b"" if method == "HEAD" else response.body
    return b"%b%b%b%b\r\n%b" % (head, _date(int(time.time())), length, _connection(version, stays=stays), body)


def _head(response: Response) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    return f"HTTP/1.1 {status}\r\n{lines}Server: {SERVER_NAME}\r\n".encode()


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()


def _connection(version: HttpVersion, *, stays: bool) -> bytes:
    """The Connection header, or nothing when a client of that version expects this behaviour by default."""
    if stays:
        return b"" if version >= HttpVersion11 else b"Connection: keep-alive\r\n"
    return b"Connection: close\r\n"


# The head of nearly every response.
_USUAL_HEAD = _head(Response(200, b"", JSON_HEADERS))
_WITHOUT_LENGTH = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
