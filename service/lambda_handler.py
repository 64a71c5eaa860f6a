"""The Lambda handler behind API Gateway: a plain function around the same dispatcher that the server uses.

Lambda freezes the environment once an answer is given, so that nothing here runs "in the background": what a server
does beside its requests (filling the pool, writing serves) is done beside a request when it is due, for a moment.
"""

import asyncio
import os
import time
from functools import cache, partial
from typing import Any

from service.background import contained
from service.deadline import within
from service.dispatch import Dispatcher
from service.errors import InvalidRequest
from service.gateway_events import Payload, answer_of, body_of, payload_of, request_line
from service.http import Request, Response
from service.lambda_process import Context, LambdaProcess, in_lambda

UPKEEP_EVERY_SECONDS = 10.0
# How long an answer that is ready waits for the upkeep beside it.
UPKEEP_SECONDS = 0.25


class Api:
    """Answers events, and keeps the pool filled and the serves written in between."""

    def __init__(self, process: LambdaProcess) -> None:
        resources = process.resources
        self._process = process
        self._filler = resources.filler
        self._serves = resources.serves
        self._trigger = resources.round_trigger
        self._listener = resources.listener
        self._dispatcher = Dispatcher(
            resources.endpoints.routes, resources.listener, allowed_origins=resources.settings.origins
        )
        self._upkeep_due_at: float | None = None
        self._upkeep_task: asyncio.Task[bool] | None = None

    def handle(self, event: object, context: Context) -> dict[str, Any]:
        """API Gateway's answer to its event; `{"warm": true}` to a schedule or a warm-up."""
        return self._process.run(self._handle(event), context)

    async def _handle(self, event: object) -> dict[str, Any]:
        payload = payload_of(event)
        if payload is Payload.INTERNAL:
            await contained("upkeep", self._upkeep, self._listener)
            return {"warm": True}
        self._begin_upkeep()
        response = await self._answer(event, payload)
        if self._upkeep_task is not None and not self._upkeep_task.done():
            await asyncio.wait([self._upkeep_task], timeout=within(UPKEEP_SECONDS))
        return answer_of(response, payload)

    async def _answer(self, event: Any, payload: Payload) -> Response:
        if payload is Payload.UNKNOWN:
            return self._refuse_unknown()
        request = request_line(event, payload)
        self._dispatcher.begin(request)
        response = await self._dispatcher.dispatch(request, len(request.path), partial(body_of, event))
        if request.method == "HEAD":
            response.body = b""
        return response

    def _refuse_unknown(self) -> Response:
        request = Request("", "", {})
        self._dispatcher.begin(request)
        return self._dispatcher.refuse(request, InvalidRequest("The event is none of API Gateway's."))

    def _begin_upkeep(self) -> None:
        """Start the upkeep if it is due; what one invocation does not finish goes on in the next."""
        if self._upkeep_task is not None and self._upkeep_task.done():
            self._upkeep_task = None
        now = time.monotonic()
        if self._upkeep_due_at is None:  # the environment's first answer waits for nothing
            self._upkeep_due_at = now
        elif self._upkeep_task is None and now >= self._upkeep_due_at:
            self._upkeep_due_at = now + UPKEEP_EVERY_SECONDS
            self._upkeep_task = asyncio.create_task(contained("upkeep", self._upkeep, self._listener))

    async def _upkeep(self) -> None:
        await self._serves.flush()
        if not self._filler.is_needed():
            return
        await self._filler.fill()
        if self._filler.is_needed() and self._trigger is not None:
            await self._trigger.pull()


@cache
def _api() -> Api:
    return Api(LambdaProcess(os.environ))


def handler(event: object, context: Context) -> dict[str, Any]:
    """What Lambda calls."""
    return _api().handle(event, context)


if in_lambda():
    _api()
