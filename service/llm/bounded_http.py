"""An HTTP client for the vendors' SDKs that reads no more of an answer than an answer can be long.

This module imports httpx2 at the top, so that it must only be imported where an SDK is loaded.
"""

import ssl
from collections.abc import AsyncIterator
from typing import cast

import anyio
import httpx2

from telemetry.outbound import Outbound

# The longest answer by far is one of 8,192 tokens in JSON.
MAX_ANSWER_BYTES = 256 * 1024


def bounded_client(base_url: str, outbound: Outbound, limits: httpx2.Limits) -> httpx2.AsyncClient:
    """A client for one endpoint that follows no redirect and has no time-out: the gateway has the deadline.

    It goes the way of `outbound` and takes nothing from the environment. It is made in a thread that has no event loop.

    The vendors are asked not to compress. What they compress all the same is not unpacked, because a few kilobytes can
    become gigabytes. A response that is compressed or too long raises DecodingError if it is a success; the body of any
    other is cut, because its status says enough.
    """
    anyio.run(anyio.sleep, 0)  # it imports its side of asyncio when first used
    return httpx2.AsyncClient(
        transport=_BoundedTransport(
            verify=ssl.create_default_context(cafile=outbound.authorities) if outbound.authorities else True,
            proxy=outbound.proxy_for(base_url) or None,
            trust_env=False,
            limits=limits,
        ),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
        timeout=None,
    )


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        stream = cast("httpx2.AsyncByteStream", response.stream)
        is_packed = response.headers.pop("Content-Encoding", "identity").strip().lower() not in ("", "identity")
        response.stream = _BoundedStream(stream, 0 if is_packed else MAX_ANSWER_BYTES, strict=response.is_success)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    """At most `room` bytes of another stream. If there are more, it raises DecodingError or, not `strict`, ends."""

    def __init__(self, stream: httpx2.AsyncByteStream, room: int, *, strict: bool) -> None:
        self._stream = stream
        self._room = room
        self._strict = strict

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = self._room
        async for chunk in self._stream:
            if len(chunk) > room and self._strict:
                raise httpx2.DecodingError("The answer is compressed or too long.")
            yield chunk[:room]
            room -= len(chunk)
            if room <= 0 and not self._strict:
                return

    async def aclose(self) -> None:
        await self._stream.aclose()
