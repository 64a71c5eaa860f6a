"""A vendor's endpoint that answers as told and remembers what it was asked, headers and connection included."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service.catalogue.models import Catalogue, load_catalogue
from service.llm.vendors import VENDORS

CATALOGUE: Catalogue = load_catalogue(VENDORS)
# One model of each vendor, where the vendor is what matters.
MODELS = {"anthropic": CATALOGUE["claude-haiku-4-5"], "openai": CATALOGUE["gpt-4.1-mini"]}


@dataclass
class VendorEndpoint:
    """`content`, `usage` and the `envelope` around them are what answers say; `broken`, if set, is sent instead."""

    content: dict[str, Any] = field(default_factory=dict)
    envelope: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    broken: web.Response | None = None
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    def fails(self, status: int, body: bytes, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.broken = web.Response(status=status, body=body, headers=named, content_type="application/json")

    @property
    def keys(self) -> list[str]:
        return [headers["Authorization"] for headers in self.headers]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/chat/completions", self._chat)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        message = {"id": "msg_1", "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}
        usage = {"input_tokens": 10, "output_tokens": 2} | self.usage
        return await self._respond(request, message | self.content | {"usage": usage} | self.envelope)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        choice = {"message": {"content": "Hello"} | self.content, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 2} | self.usage
        answer = {"id": "chatcmpl-1", "choices": [choice], "usage": usage} | self.envelope
        return await self._respond(request, answer)

    async def _respond(self, request: web.Request, answer: object) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.bodies.append(json.loads(await request.read()))
        self.connections.add(id(request.transport))
        if self.broken is not None:
            return web.Response(status=self.broken.status, body=self.broken.body, headers=self.broken.headers)
        return web.json_response(answer)
