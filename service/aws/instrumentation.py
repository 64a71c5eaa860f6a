"""The instrumentation of AWS clients: every call is reported, however it ends."""

import time
from collections.abc import Mapping
from typing import Any

from telemetry import traces
from telemetry.events import AwsCalled, Listener

_NODES = {"dynamodb": "DynamoDB", "ssm": "SSM", "lambda": "Lambda"}


class CallWatch:
    """Emits an AwsCalled event for each call of a client. The event does not hold the request or the response."""

    def __init__(self, region: str, listener: Listener) -> None:
        self._region = region
        self._listener = listener

    def watch(self, client: Any) -> None:
        """Wrap the client's `_make_api_call`, as OpenTelemetry's instrumentation does.

        botocore's events would be the public way, but they do not report a call that hangs until our deadline cancels
        it, which is the call that an operator will look for.
        """
        service = client.meta.service_model.service_name
        call_aws = client._make_api_call
        # A function that we invoke continues our trace. Calls to other services end there.
        client.meta.events.register("before-call.lambda", _continue_trace)

        async def watched(operation: str, parameters: Mapping[str, Any]) -> Any:
            started, span_id = time.perf_counter(), traces.new_span_id()
            outcome: tuple[int | None, str, str] = (None, "", "")
            try:
                with traces.below(span_id, operation):
                    response = await call_aws(operation, parameters)
                outcome = _status(response), "", _request_id(response)
            except BaseException as error:
                outcome = _failure(error)
                raise
            else:
                return response
            finally:
                self._report(service, operation, parameters, started, span_id, *outcome)

        client._make_api_call = watched

    def _report(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        started: float,
        span_id: str,
        status: int | None,
        error_type: str,
        request_id: str,
    ) -> None:
        total_ms = (time.perf_counter() - started) * 1000
        node, tables = _NODES.get(service, service), tuple(sorted(_tables(parameters)))
        self._listener.emit(
            AwsCalled(node, operation, self._region, total_ms, status, error_type, tables, request_id, span_id)
        )


def _continue_trace(params: dict[str, Any], **_: object) -> None:
    """Put our trace into the headers of a call, where botocore would otherwise put the one that Lambda began."""
    if header := traces.outgoing_header():
        params["headers"]["X-Amzn-Trace-Id"] = header


def _status(response: Mapping[str, Any]) -> int | None:
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _request_id(response: Mapping[str, Any]) -> str:
    return str(response.get("ResponseMetadata", {}).get("RequestId") or "")


def _failure(error: BaseException) -> tuple[int | None, str, str]:
    """The HTTP status, AWS's error code and its id of the request.

    Without a response these are None, the name of the exception's class, and "".
    """
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return None, type(error).__name__, ""
    code = response.get("Error", {}).get("Code")
    return _status(response), code or type(error).__name__, _request_id(response)


def _tables(params: Mapping[str, Any]) -> set[str]:
    """The names of the tables in a call, including those inside a batch or a transaction."""
    tables = {params["TableName"]} if "TableName" in params else set(params.get("RequestItems", ()))
    for item in params.get("TransactItems", ()):
        tables |= {part["TableName"] for part in item.values()}
    return tables
