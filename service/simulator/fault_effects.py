"""What each fault does to a call. This is the same for every protocol; only error messages are the protocol's own."""

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Never

from aiohttp import web

from service.simulator.deck import Dealer, DealtSaying
from service.simulator.faults import FaultKind
from service.simulator.protocol import Ending

# Each byte comes within any read timeout, so that only a deadline for the whole answer ends it after half a minute.
DRIP_SECONDS = 0.05
MEGABYTE = 2**20
UNPACKED_MEGABYTES = 300
HUGE_TEXT = 50_000  # three of them are an answer that a client still reads
SOMETHING_ELSE = "Amazon WorkMail"

ENDINGS = {
    FaultKind.REFUSAL: Ending.REFUSAL,
    FaultKind.MAX_TOKENS: Ending.LENGTH,
    FaultKind.CONTENT_FILTER: Ending.CONTENT_FILTER,
    FaultKind.UNKNOWN_BLOCK: Ending.UNKNOWN_BLOCK,
}


# --- what is said -----------------------------------------------------------------------------------------------------

_TEXTS: dict[FaultKind, Callable[[DealtSaying], str]] = {
    FaultKind.TEXT_EMPTY: lambda _: "",
    FaultKind.TEXT_BLANK: lambda _: " \t\n\u00a0\u2003 " * 8,
    FaultKind.TEXT_HUGE: lambda s: (s.saying + " ") * (HUGE_TEXT // (len(s.saying) + 1) + 1),
    FaultKind.TEXT_SCRIPT: lambda s: f"{s.service} is a door<script>alert(document.cookie)</script> left ajar.",
    FaultKind.TEXT_JAVASCRIPT_LINK: lambda s: f"[{s.service}](javascript:alert(1)) is a link you will not regret.",
    FaultKind.TEXT_ANSI: lambda s: (
        f"\x1b[2J\x1b[31m{s.service} paints the terminal red\x1b[0m and bills for the paint."
    ),
    FaultKind.TEXT_CRLF: lambda s: f'{s.service} is calm.\r\n{{"level":"ERROR","message":"database dropped by admin"}}',
    FaultKind.TEXT_BIDI: lambda s: f"\u202e{s.service} reads backwards\u202c and \u2066bills forwards\u2069.",
    FaultKind.TEXT_ZERO_WIDTH: lambda s: (
        f"{s.service[:2]}\u200b\u2060{s.service[2:]} hides\ufeff in plain\u200d sight."
    ),
    FaultKind.TEXT_NUL: lambda s: f"{s.service} ends here\x00 or so every C program believes.",
    FaultKind.TEXT_REFUSAL: lambda s: f"I'm sorry, but I can't help with writing jokes about {s.service}.",
    FaultKind.TEXT_SELF_IDENTIFICATION: lambda s: (
        f"As Claude, an AI language model made by Anthropic, I see {s.service} as a filing cabinet with wings."
    ),
}


def sayings(kind: FaultKind | None, good: Sequence[DealtSaying], model: str, dealer: Dealer) -> list[DealtSaying]:
    """The sayings of an answer: the good ones, or what the fault makes of them."""
    if kind in _TEXTS:
        return [DealtSaying(saying.service, _TEXTS[kind](saying)) for saying in good]
    match kind:
        case FaultKind.TEXT_DUPLICATES:
            same = dealer.first(model, good[0].service)
            return [DealtSaying(saying.service, same.saying) for saying in good]
        case FaultKind.TEXT_ONLY_ONE:
            return [good[0]]
        case FaultKind.TEXT_WRONG_SERVICE:
            return [dealer.deal(model, SOMETHING_ELSE) for _ in good]
        case FaultKind.TEXT_MISLABELLED:
            return [DealtSaying(saying.service, dealer.deal(model, SOMETHING_ELSE).saying) for saying in good]
        case _:
            return list(good)


def message_text(kind: FaultKind | None, text: str, prompt: str) -> str:
    """The whole text of an answer: `text`, or what the fault puts in its place."""
    match kind:
        case FaultKind.TEXT_PROMPT_ECHO:
            return prompt
        case FaultKind.TEXT_NOT_JSON:
            return "Sure! Here are some thoughts, in no particular order and in no particular format."
        case FaultKind.TEXT_CODE_FENCE:
            return f"```json\n{text}\n```"
        case _:
            return text


# --- how it is sent ---------------------------------------------------------------------------------------------------

_HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

_BODIES: dict[FaultKind, Callable[[bytes], bytes]] = {
    FaultKind.BAD_JSON: lambda body: body[: len(body) // 2],
    FaultKind.HTML: lambda _: _HTML,
    FaultKind.EMPTY_BODY: lambda _: b"",
    FaultKind.NULL_BODY: lambda _: b"null",
    FaultKind.LIST_BODY: lambda _: b"[]",
    FaultKind.OBJECT_BODY: lambda _: b"{}",
    FaultKind.BAD_UTF8: lambda body: body.replace(b'"id":"', b'"id":"\xff\xc3(', 1),
}


def status(kind: FaultKind | None) -> int:
    """The status that `deliver` sends."""
    return 307 if kind is FaultKind.REDIRECT else 200


async def deliver(
    kind: FaultKind | None, request: web.Request, body: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    """Send the answer, or what the fault makes of it."""
    match kind:
        case FaultKind.SLOW_DRIP:
            return await _drip(request, body, headers)
        case FaultKind.TRUNCATED_BODY:
            return await _truncate(request, body, headers)
        case FaultKind.PACKED_BODY:
            packed = await asyncio.to_thread(_packed_blanks)
            headers = headers | {"Content-Encoding": "gzip"}
            return web.Response(body=packed, headers=headers, content_type="application/json")
        case FaultKind.ENDLESS_BODY:
            return await _go_on(request, headers)
        case FaultKind.REDIRECT:
            return web.Response(status=status(kind), headers=headers | {"Location": f"{request.path}/elsewhere"})
        case None:
            return web.Response(body=body, headers=headers, content_type="application/json")
        case _:
            content_type = "text/html" if kind is FaultKind.HTML else "application/json"
            body = _BODIES[kind](body) if kind in _BODIES else body
            return web.Response(body=body, headers=headers, content_type=content_type)


async def hang() -> Never:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("the future is never resolved")


def reset(request: web.Request) -> web.Response:
    """Close the connection with RST instead of an orderly end."""
    transport = request.transport
    if transport is not None:
        no_linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        transport.abort()
    return web.Response()  # aiohttp needs one, although the connection is gone


async def _drip(request: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    response = await _begin(request, body, headers)
    for position in range(len(body)):
        await response.write(body[position : position + 1])
        await asyncio.sleep(DRIP_SECONDS)
    return response


async def _truncate(request: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    response = await _begin(request, body, headers)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _packed_blanks() -> bytes:
    packer = zlib.compressobj(wbits=31)  # in the format of gzip
    blanks = b" " * MEGABYTE
    return b"".join(packer.compress(blanks) for _ in range(UNPACKED_MEGABYTES)) + packer.flush()


async def _go_on(request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
    """Send blanks until the client closes the connection."""
    response = await _begin(request, None, headers)
    with suppress(ConnectionError):
        while True:
            await response.write(b" " * MEGABYTE)
    return response


async def _begin(request: web.Request, body: bytes | None, headers: dict[str, str]) -> web.StreamResponse:
    """Begin a response as long as the body, or of unknown length."""
    response = web.StreamResponse(headers=headers)
    response.content_type = "application/json"
    response.content_length = None if body is None else len(body)
    await response.prepare(request)
    return response
