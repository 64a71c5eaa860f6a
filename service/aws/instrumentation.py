"""Tells of every call to AWS, whatever becomes of it."""

import time
from collections.abc import Mapping
from typing import Any

from telemetry.events import AwsCalled, Listener

_NODES = {"dynamodb": "DynamoDB", "ssm": "SSM", "lambda": "Lambda"}


class CallWatch:
    """Emits an AwsCalled for each call of a client. What is sent and answered stays unseen."""

    def __init__(self, region: str, listener: Listener) -> None:
        self._region = region
        self._listener = listener

    def watch(self, client: Any) -> None:
        """Stand before the client's way to AWS, where OpenTelemetry's instrumentation stands too.

        botocore's own events would be the public way; but of a call that hangs until our deadline cancels it, which is
        the one that somebody will look for, they say nothing.
        """
        service = client.meta.service_model.service_name
        call_aws = client._make_api_call

        async def watched(operation: str, parameters: Mapping[str, Any]) -> Any:
            started = time.perf_counter()
            outcome: tuple[int | None, str] = (None, "")
            try:
                answer = await call_aws(operation, parameters)
                outcome = _status(answer), ""
            except BaseException as error:
                outcome = _failure(error)
                raise
            else:
                return answer
            finally:
                self._tell(service, operation, parameters, started, *outcome)

        client._make_api_call = watched

    def _tell(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        started: float,
        status: int | None,
        error_type: str,
    ) -> None:
        total_ms = (time.perf_counter() - started) * 1000
        node, tables = _NODES.get(service, service), tuple(sorted(_tables(parameters)))
        self._listener.emit(AwsCalled(node, operation, self._region, total_ms, status, error_type, tables))


def _status(answer: Mapping[str, Any]) -> int | None:
    status: int | None = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _failure(error: BaseException) -> tuple[int | None, str]:
    """The status and AWS's own code where it answered, else the exception's class."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, Mapping) else None
    return (_status(answer) if isinstance(answer, Mapping) else None), code or type(error).__name__


def _tables(params: Mapping[str, Any]) -> set[str]:
    """The tables a call names, those inside a batch or a transaction too."""
    tables = {params["TableName"]} if "TableName" in params else set(params.get("RequestItems", ()))
    for item in params.get("TransactItems", ()):
        tables |= {part["TableName"] for part in item.values()}
    return tables
