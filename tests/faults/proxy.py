"""A proxy in front of moto's server that fails as ordered, which an emulator never does.

It also knows a transaction by its token, as DynamoDB does and moto does not: one that was carried out is answered again
and not carried out again.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from service.simulator import fault_effects

EVERYTHING = "*"
DRIP_SECONDS = 0.05
# Headers of one connection only, or set anew by the sender of the forwarded message.
_OWN = {"host", "connection", "content-length", "transfer-encoding", "expect", "date", "server"}


@dataclass(slots=True)
class Answer:
    """The response of moto, or the one sent in its place."""

    status: int
    body: bytes
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)


Forward = Callable[[], Awaitable[Answer]]
Fault = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]


class AwsProxy:
    """Sends requests on to `target`. `asked` counts what came, by operation, failed or not."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._faults: list[tuple[str, Fault, int | None]] = []
        self._carried_out: dict[str, tuple[bytes, Answer]] = {}
        self._changed = asyncio.Event()
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.open = 0

    def inject(self, operation: str, fault: Fault, count: int | None = 1) -> None:
        """The next `count` calls (None: until cleared) of an operation such as `GetItem`, or of "*", fail."""
        self._faults.append((operation, fault, count))

    def clear(self) -> None:
        self._faults.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what `asked` and `open` will show."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["AwsProxy"]:
        """Listen on `url` for as long as the block lasts."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        async with aiohttp.ClientSession(auto_decompress=False) as self._client:
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                yield self
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = await request.read()
        self.asked[operation] += 1
        self.open += 1
        self._changed.set()
        try:
            return await self._fault(operation)(request, lambda: self._forward(request, operation, body))
        finally:
            self.open -= 1
            self._changed.set()

    def _fault(self, operation: str) -> Fault:
        for position, (name, fault, count) in enumerate(self._faults):
            if name in (operation, EVERYTHING):
                left = None if count is None else count - 1
                self._faults[position : position + 1] = [] if left == 0 else [(name, fault, left)]
                return fault
        return good

    async def _forward(self, request: web.Request, operation: str, body: bytes) -> Answer:
        """Return moto's response. Shielded: a request that was sent is carried out even if its client disconnects."""
        return await asyncio.shield(self._forward_once(request, operation, body))

    async def _forward_once(self, request: web.Request, operation: str, body: bytes) -> Answer:
        token = json.loads(body).get("ClientRequestToken") if operation == "TransactWriteItems" else None
        if token in self._carried_out:
            before, answer = self._carried_out[token]
            return answer if before == body else aws_error("IdempotentParameterMismatchException")
        answer = await self._send(request, body)
        if token and answer.status == 200:
            self._carried_out[token] = body, answer
        return answer

    async def _send(self, request: web.Request, body: bytes) -> Answer:
        url = self._target + request.path_qs
        async with self._client.request(request.method, url, data=body, headers=_end_to_end(request.headers)) as got:
            return Answer(got.status, await got.read(), _end_to_end(got.headers))


def _end_to_end(headers: "aiohttp.typedefs.LooseHeaders") -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in CIMultiDict(headers).items() if name.lower() not in _OWN)


def aws_error(code: str, status: int = 400, *reasons: str) -> Answer:
    """An error as DynamoDB and SSM word it; `reasons` are those of a cancelled transaction."""
    error = {"__type": f"com.amazonaws.v20120810#{code}", "message": "arn:aws:dynamodb:eu-west-1:1:table/main_humor"}
    cancelled = {"CancellationReasons": [{"Code": reason} for reason in reasons]} if reasons else {}
    return Answer(status, json.dumps(error | cancelled).encode())


def _respond(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


# --- faults -----------------------------------------------------------------------------------------------------------


async def good(_: web.Request, forward: Forward) -> web.StreamResponse:
    """Pass the call on with no fault at all."""
    return _respond(await forward())


async def hang(_: web.Request, forward: Forward) -> web.StreamResponse:
    """Never respond; nothing is carried out."""
    await fault_effects.hang()


async def reset(request: web.Request, forward: Forward) -> web.StreamResponse:
    """The connection is reset, and nothing carried out."""
    return fault_effects.reset(request)


async def drip(request: web.Request, forward: Forward) -> web.StreamResponse:
    """A good answer, one byte at a time."""
    answer = await forward()
    answer.body += b" " * 1_000  # so that also the shortest takes a minute
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    for position in range(len(answer.body)):
        await response.write(answer.body[position : position + 1])
        await asyncio.sleep(DRIP_SECONDS)
    return response


def refuse(code: str, status: int = 400, *reasons: str) -> Fault:
    """AWS's error of that code; nothing is carried out."""

    async def refused(_: web.Request, forward: Forward) -> web.StreamResponse:
        return _respond(aws_error(code, status, *reasons))

    return refused


def junk(body: bytes) -> Fault:
    """A 200 with something else in it; nothing is carried out."""

    async def nonsense(_: web.Request, forward: Forward) -> web.StreamResponse:
        return _respond(Answer(200, body))

    return nonsense


async def truncated(request: web.Request, forward: Forward) -> web.StreamResponse:
    """A good answer of which half arrives."""
    answer = await forward()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body) + 1
    await response.prepare(request)
    await response.write(answer.body)
    if request.transport is not None:
        request.transport.close()
    return response


def unheard(fault: Fault) -> Fault:
    """Carry the call out, but apply a fault to its response."""

    async def lost(request: web.Request, forward: Forward) -> web.StreamResponse:
        await forward()
        return await fault(request, forward)

    return lost


def held(until: asyncio.Event) -> Fault:
    """A good response, held back until it is released."""

    async def late(_: web.Request, forward: Forward) -> web.StreamResponse:
        await until.wait()
        return _respond(await forward())

    return late
