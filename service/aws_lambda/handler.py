"""The Lambda handler behind API Gateway or a load balancer, a plain function around the server's dispatcher.

Lambda freezes the environment once a response is returned, so nothing can run in the background. The jobs that a server
runs beside its requests run here during a request when they are due, for a limited time. What is still under way after
that is cancelled (see runtime.py).
"""

import os
from functools import cache, partial
from typing import Any

from service.api.client_address import TrustedProxies
from service.api.http import Request, Response
from service.aws_lambda.gateway_events import Payload, answer_of, body_of, payload_of, request_line, target_bytes
from service.aws_lambda.maintenance import Maintenance
from service.aws_lambda.runtime import Context, LambdaProcess, in_lambda, start
from service.errors import InvalidRequest
from telemetry.events import DependencyFailed

# Probes come every minute, also where there are no clients. They begin no job, because one asks for rounds, which cost
# money.
_PROBES = "/health/"


class Api:
    """Handles events, and meanwhile keeps the pool filled and the serves written."""

    def __init__(self, process: LambdaProcess) -> None:
        resources, settings = process.resources, process.resources.settings
        self._process = process
        self._timeouts = settings.timeouts
        self._proxies = TrustedProxies(settings.trusted_proxies, settings.origin_secret_digests)
        self._listener = resources.listener
        self._maintenance = Maintenance(resources)
        self._dispatcher = resources.dispatcher

    def handle(self, event: object, context: Context) -> dict[str, Any]:
        """The response to an event in the format that belongs to it; `{"warm": true}` for a schedule or a warm-up."""
        return self._process.run(self._handle(event), context)

    async def _handle(self, event: Any) -> dict[str, Any]:
        payload = payload_of(event)
        if payload is Payload.INTERNAL:
            self._maintenance.begin()
            await self._maintenance.finish(self._timeouts.warm_up)
            return {"warm": True}
        if payload is Payload.UNKNOWN:
            return answer_of(self._refuse_unknown(), payload)
        request = request_line(event, payload, os.environ.get("_X_AMZN_TRACE_ID"), proxies=self._proxies)
        await self._maintenance.catch_up()
        if not request.path.startswith(_PROBES):
            self._maintenance.begin_if_due()
        response = await self._respond(event, payload, request)
        await self._maintenance.finish(self._timeouts.maintenance)
        return answer_of(response, payload)

    async def _respond(self, event: Any, payload: Payload, request: Request) -> Response:
        self._dispatcher.begin(request)
        response = await self._dispatcher.dispatch(request, target_bytes(event, payload), partial(body_of, event))
        if request.method == "HEAD":
            response.body = b""
        return response

    def _refuse_unknown(self) -> Response:
        """Refuse an unknown event. Its sender may not wait for a response, so the refusal is logged as well."""
        request = Request("", "", {})
        self._dispatcher.begin(request)
        error = InvalidRequest("The event is neither API Gateway's nor a load balancer's.")
        self._listener.emit(DependencyFailed("gateway", "event", type(error).__name__, str(error)))
        return self._dispatcher.refuse(request, error)


@cache
def _api() -> Api:
    return Api(start(os.environ))


def handler(event: object, context: Context) -> dict[str, Any]:
    """The entry point that Lambda calls."""
    return _api().handle(event, context)


if in_lambda():
    _api()
