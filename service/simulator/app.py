"""The simulator as a server: admits a call, waits as long as a model would, answers or fails as ordered."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from math import isfinite
from random import Random

import msgspec
from aiohttp import web

from service.llm.vendors import VENDORS, Vendors
from service.simulator import damage
from service.simulator.answering import answer
from service.simulator.anthropic import Messages
from service.simulator.calls import Call, CallLog, Draft
from service.simulator.faults import Fault, FaultKind, FaultQueue
from service.simulator.models import MODELS, find_model
from service.simulator.openai_chat import ChatCompletions
from service.simulator.openai_responses import Responses
from service.simulator.wire import Ask, Dialect, Problem, RefusedError
from service.simulator.writer import Writer

# The protocols that vendors' records name.
DIALECTS: Mapping[str, type[Dialect]] = {"messages": Messages, "chat completions": ChatCompletions}

MAX_BODY = 32 * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Name(msgspec.Struct):
    model: str = ""


class Simulator:
    """All vendors on one port. `speed` multiplies every latency; a `seed` makes texts, ids and dice repeatable."""

    def __init__(self, vendors: Vendors = VENDORS, *, seed: int | None = None, speed: float = 1.0) -> None:
        if not (isfinite(speed) and speed >= 0):
            raise ValueError("speed must be a number from 0 on")
        seed = Random().getrandbits(64) if seed is None else seed
        self.speed = speed
        self._vendors = vendors
        self._writer = Writer(seed)
        self._serials = Random(f"{seed}/serials")
        self._latency = {model: Random(f"{seed}/latency/{model}") for model in MODELS}
        self._faults = FaultQueue(Random(f"{seed}/faults"))
        self._revoked: set[str] = set()
        self._log = CallLog()

    @property
    def calls(self) -> deque[Call]:
        """What is over, the latest last; the oldest are forgotten."""
        return self._log.finished

    @property
    def in_flight(self) -> int:
        """Of what has arrived whole."""
        return self._log.open

    @property
    def max_in_flight(self) -> int:
        return self._log.most_open

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what `calls` or `in_flight` will show, e.g. `lambda: simulator.in_flight == 3`."""
        await self._log.until(condition)

    def inject(self, model: str, fault: Fault) -> None:
        """`model` is an id or "*". Raises ValueError for an unknown one."""
        self._faults.add(model, fault)

    def clear_faults(self) -> None:
        self._faults.clear()

    def revoke(self, key: str) -> None:
        self._revoked.add(key)

    def restore(self, key: str) -> None:
        self._revoked.discard(key)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Yields the root URL. Calls still open at the end are cancelled at once."""
        # Handlers are cancelled when their client goes away, which the record of calls then shows.
        runner = web.AppRunner(self.app(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            bound_host, bound_port = runner.addresses[0][:2]
            yield f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"
        finally:
            await runner.cleanup()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.on_shutdown.append(self._stop_open_calls)
        app.router.add_get("/health", _health)
        app.router.add_get("/faults", self._get_faults)
        app.router.add_put("/faults", self._put_faults)
        app.router.add_delete("/faults", self._delete_faults)
        app.router.add_post("/openai/v1/responses", self._endpoint(Responses("openai")))
        for vendor in self._vendors.values():
            dialect = DIALECTS[vendor.dialect](vendor.name)
            app.router.add_post(vendor.simulator_path + dialect.path, self._endpoint(dialect))
            app.router.add_route("*", f"/{vendor.name}/{{rest:.*}}", self._nowhere(dialect))
        return app

    # --- a call -------------------------------------------------------------------------------------------------------

    def _endpoint(self, dialect: Dialect) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            # Beforehand: as soon as a call is seen to be in flight, it has met its fault.
            content = await _read(request)
            with self._log.record(dialect.vendor) as draft:
                serial = self._serial()
                try:
                    return await self._exchange(dialect, request, content, draft, serial)
                except RefusedError as refused:
                    draft.status = refused.problem.status
                    return _error(dialect, refused, serial)

        return handle

    def _nowhere(self, dialect: Dialect) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            with self._log.record(dialect.vendor) as draft:
                draft.status = 404
                problem = Problem(404, f"Invalid URL ({request.method} {request.path})")
                return _error(dialect, RefusedError(problem), self._serial())

        return handle

    async def _exchange(
        self, dialect: Dialect, request: web.Request, content: bytes | Problem, draft: Draft, serial: str
    ) -> web.StreamResponse:
        ask = self._admit(dialect, request, content, draft)
        fault = self._faults.take(ask.model.id)
        kind = draft.fault = fault.kind if fault else None
        if fault and fault.kind in dialect.problems:
            raise RefusedError(dialect.problems[fault.kind], fault.retry_after)
        if kind is FaultKind.HANG:
            await damage.hang()
        if kind is FaultKind.RESET:
            return damage.reset(request)
        body = await self._body(dialect, ask, draft)
        draft.status = damage.status(kind)
        return await damage.deliver(kind, request, body, {dialect.serial_header: f"req_{serial}"})

    def _admit(self, dialect: Dialect, request: web.Request, content: bytes | Problem, draft: Draft) -> Ask:
        if isinstance(content, Problem):
            raise RefusedError(content)
        draft.model = _name(content)
        key = dialect.key(request.headers)
        if key in self._revoked:
            raise RefusedError(dialect.wrong_key(key))
        ask = dialect.read(request.headers, content)
        draft.max_tokens = ask.max_tokens
        return ask

    async def _body(self, dialect: Dialect, ask: Ask, draft: Draft) -> bytes:
        written = answer(ask, draft.fault, self._writer, self._serial())
        draft.input_tokens, draft.output_tokens = written.input_tokens, written.output_tokens
        draft.latency = self.speed * ask.model.seconds(written.output_tokens, self._latency[ask.model.id])
        await asyncio.sleep(draft.latency)
        return msgspec.json.encode(dialect.answer(ask, written))

    def _serial(self) -> str:
        return f"{self._serials.getrandbits(96):024x}"

    async def _stop_open_calls(self, _app: web.Application) -> None:
        self._log.stop_open_calls()

    # --- control ------------------------------------------------------------------------------------------------------

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return _json(self._faults.waiting())

    async def _put_faults(self, request: web.Request) -> web.Response:
        """`{"gpt-4.1": [{"kind": "hang"}], "*": […]}` replaces whatever was ordered."""
        try:
            self._faults.replace(msgspec.json.decode(await request.read(), type=dict[str, list[Fault]]))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return _json({"error": str(error)}, status=400)
        return await self._get_faults(request)

    async def _delete_faults(self, _request: web.Request) -> web.Response:
        self.clear_faults()
        return web.Response(status=204)


async def _read(request: web.Request) -> bytes | Problem:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return Problem(413, "Request exceeds the maximum size")
    except web.RequestPayloadError:
        return Problem(400, "The request body does not match its Content-Encoding")


async def _health(_request: web.Request) -> web.Response:
    return _json({"status": "ok"})


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _error(dialect: Dialect, refused: RefusedError, serial: str) -> web.Response:
    request_id = f"req_{serial}"
    headers = {dialect.serial_header: request_id}
    if refused.retry_after is not None:
        headers["Retry-After"] = refused.retry_after
    return _json(dialect.problem(refused.problem, request_id), status=refused.problem.status, headers=headers)


def _name(body: bytes) -> str:
    """The model that a request names, for the record, however wrong the request may be otherwise."""
    try:
        name = msgspec.json.decode(body, type=_Name).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    known = find_model(name)
    return known.id if known else name[:80]
