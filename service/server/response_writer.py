"""An answer as bytes, head and all.

aiohttp collects, checks and prints every header of every answer anew, which takes as long as everything else that is
done for a warm saying. Nearly all our answers have the same head.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion, HttpVersion11

from service.api.http import JSON_HEADERS, Response

# Instead of aiohttp's, which tells the versions of Python and aiohttp.
SERVER_NAME = "cloud-sayings"


def wire_form(
    response: Response, method: str = "GET", version: HttpVersion = HttpVersion11, *, stays: bool = False
) -> bytes:
    """An answer as it goes over the wire to a client of that version, on a connection that `stays` open or does not."""
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
    """What is to be said where it is not what a client of that version expects."""
    if stays:
        return b"" if version >= HttpVersion11 else b"Connection: keep-alive\r\n"
    return b"Connection: close\r\n"


# Of nearly every answer there is.
_USUAL_HEAD = _head(Response(200, b"", JSON_HEADERS))
_WITHOUT_LENGTH = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
