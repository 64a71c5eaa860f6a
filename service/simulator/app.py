"""The simulator as a server: it checks a call, waits as long as the model would, and answers or injects a fault."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import date
from math import isfinite
from random import Random

import msgspec
from aiohttp import web

from service.catalogue.models import Model, load_catalogue
from service.llm.vendors import VENDORS, Vendors
from service.simulator import fault_effects
from service.simulator.answering import answer
from service.simulator.anthropic_messages import Messages
from service.simulator.call_log import CallLog, OpenCall, SimulatedCall
from service.simulator.deck import Dealer
from service.simulator.faults import Fault, FaultKind, FaultQueue
from service.simulator.openai_chat import ChatCompletions
from service.simulator.profiles import Profiles
from service.simulator.protocol import Ask, Dialect, Problem, RefusedError

# The protocols by the names that vendors' records give them.
DIALECTS: Mapping[str, type[Dialect]] = {"messages": Messages, "chat completions": ChatCompletions}

MAX_BODY = 32 * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Name(msgspec.Struct):
    model: str = ""


class Simulator:
    """All vendors on one port, with the models of a catalogue, or of the packaged one if none is given.

    `speed` multiplies every latency; a `seed` makes texts, ids and random faults repeatable. The vendors have the
    models of the `day`, which is today unless another is given.
    """

    def __init__(
        self,
        vendors: Vendors = VENDORS,
        models: Iterable[Model] | None = None,
        *,
        seed: int | None = None,
        speed: float = 1.0,
        day: Callable[[], date] | None = None,
    ) -> None:
        if not (isfinite(speed) and speed >= 0):
            raise ValueError("speed must be a number from 0 on")
        seed = Random().getrandbits(64) if seed is None else seed
        self.speed = speed
        self._vendors = vendors
        self._profiles = Profiles(load_catalogue(vendors) if models is None else models, day)
        self._dealer = Dealer([profile.id for profile in self._profiles], seed)
        self._serials = Random(f"{seed}/serials")
        self._latency = {profile.id: Random(f"{seed}/latency/{profile.id}") for profile in self._profiles}
        self._faults = FaultQueue(self._profiles, Random(f"{seed}/faults"))
        self._revoked: set[str] = set()
        self._log = CallLog()

    @property
    def calls(self) -> deque[SimulatedCall]:
        """The calls that are over, the latest last; the oldest are forgotten."""
        return self._log.finished

    @property
    def in_flight(self) -> int:
        """How many calls are open; a call begins when its request has arrived whole."""
        return self._log.open

    @property
    def max_in_flight(self) -> int:
        return self._log.most_open

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on `calls` or `in_flight` holds, e.g. `lambda: simulator.in_flight == 3`."""
        await self._log.until(condition)

    def inject(self, model: str, fault: Fault) -> None:
        """Order a fault for a model, given by its id, or for all with "*". Raises ValueError for an unknown model."""
        self._faults.add(model, fault)

    def clear_faults(self) -> None:
        self._faults.clear()

    def revoke(self, key: str) -> None:
        """Refuse this key from now on; any other is accepted."""
        self._revoked.add(key)

    def restore(self, key: str) -> None:
        self._revoked.discard(key)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Yields the root URL. Calls that are still open at the end are cancelled at once."""
        # Handlers are cancelled when their client closes the connection, so that the record of calls shows it.
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
        for vendor in self._vendors.values():
            dialect = DIALECTS[vendor.dialect](vendor.name, self._profiles)
            app.router.add_post(vendor.simulator_path + dialect.path, self._endpoint(dialect))
            app.router.add_get(vendor.simulator_path + dialect.models_path + "/{name}", self._description(dialect))
            app.router.add_route("*", f"/{vendor.name}/{{rest:.*}}", self._nowhere(dialect))
        return app

    # --- a call -------------------------------------------------------------------------------------------------------

    def _endpoint(self, dialect: Dialect) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            # The body is read before the call counts as open, so that a call in flight has met its fault.
            content = await _read(request)
            with self._log.record(dialect.vendor) as call:
                serial = self._serial()
                try:
                    return await self._exchange(dialect, request, content, call, serial)
                except RefusedError as refused:
                    call.status = refused.problem.status
                    return _error(dialect, refused, serial)

        return handle

    def _description(self, dialect: Dialect) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                key = dialect.key(request.headers)
                if key in self._revoked:
                    raise RefusedError(dialect.wrong_key(key))
                return _json(dialect.describe(request.match_info["name"]))
            except RefusedError as refused:
                return _error(dialect, refused, self._serial())

        return handle

    def _nowhere(self, dialect: Dialect) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            with self._log.record(dialect.vendor) as call:
                call.status = 404
                problem = Problem(404, f"Invalid URL ({request.method} {request.path})")
                return _error(dialect, RefusedError(problem), self._serial())

        return handle

    async def _exchange(
        self, dialect: Dialect, request: web.Request, content: bytes | Problem, call: OpenCall, serial: str
    ) -> web.StreamResponse:
        ask = self._admit(dialect, request, content, call)
        fault = self._faults.take(ask.model.id)
        kind = call.fault = fault.kind if fault else None
        if fault and fault.kind in dialect.problems:
            raise RefusedError(dialect.problems[fault.kind], fault.retry_after)
        if kind is FaultKind.HANG:
            await fault_effects.hang()
        if kind is FaultKind.RESET:
            return fault_effects.reset(request)
        body = await self._body(dialect, ask, call)
        call.status = fault_effects.status(kind)
        return await fault_effects.deliver(kind, request, body, {dialect.serial_header: f"req_{serial}"})

    def _admit(self, dialect: Dialect, request: web.Request, content: bytes | Problem, call: OpenCall) -> Ask:
        if isinstance(content, Problem):
            raise RefusedError(content)
        call.model = self._name(content)
        key = dialect.key(request.headers)
        if key in self._revoked:
            raise RefusedError(dialect.wrong_key(key))
        ask = dialect.read(request.headers, content)
        call.max_tokens = ask.max_tokens
        return ask

    async def _body(self, dialect: Dialect, ask: Ask, call: OpenCall) -> bytes:
        written = answer(ask, call.fault, self._dealer, self._serial())
        call.input_tokens, call.output_tokens = written.input_tokens, written.output_tokens
        call.latency = self.speed * ask.model.seconds(written.output_tokens, self._latency[ask.model.id])
        await asyncio.sleep(call.latency)
        return msgspec.json.encode(dialect.answer(ask, written))

    def _name(self, body: bytes) -> str:
        """The model that a request names, for the record, even if the request is wrong otherwise."""
        try:
            name = msgspec.json.decode(body, type=_Name).model
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        known = self._profiles.find(name)
        return known.id if known else name[:80]

    def _serial(self) -> str:
        return f"{self._serials.getrandbits(96):024x}"

    async def _stop_open_calls(self, _app: web.Application) -> None:
        self._log.stop_open_calls()

    # --- control ------------------------------------------------------------------------------------------------------

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return _json(self._faults.waiting())

    async def _put_faults(self, request: web.Request) -> web.Response:
        """`{"gpt-4.1": [{"kind": "hang"}], "*": […]}` replaces all faults that are waiting."""
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
