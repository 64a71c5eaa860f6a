"""Clients of DynamoDB that fail as ordered, write down what they are asked, or return small pages."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, EndpointConnectionError

from service.limits import DEFAULT_QUOTAS, Quotas
from service.store.dynamodb import DynamoStore
from tests.store.conftest import Dynamo

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient


class FaultyClient:
    """A client that raises the given errors on an operation, one a call, and keeps what it was asked.

    `meanwhile` happens once, between what was read and the first transaction.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        after_the_call: bool = False,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
        **faults: list[Exception | None],
    ) -> None:
        self._client = client
        self._faults = faults
        self._after_the_call = after_the_call
        self._meanwhile = meanwhile
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.exceptions = client.exceptions

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            if operation == "transact_write_items" and self._meanwhile:
                happens, self._meanwhile = self._meanwhile, None
                await happens()
            faults = self._faults.get(operation, [])
            fault = faults.pop(0) if faults else None
            if fault is None:
                return await getattr(self._client, operation)(**request)
            if self._after_the_call:
                await getattr(self._client, operation)(**request)
            raise fault

        return call

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for asked, request in self.asked if asked == operation]


class SmallPages:
    """A client whose scans and queries end a page after every item."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)
        if operation not in ("scan", "query"):
            return call
        return lambda **request: call(**{**request, "Limit": 1})


def faulty(dynamo: Dynamo, quotas: Quotas = DEFAULT_QUOTAS, **faults: Any) -> tuple[DynamoStore, FaultyClient]:
    client = FaultyClient(dynamo.client, **faults)
    return DynamoStore(cast("DynamoDBClient", client), dynamo.prefix, quotas), client


def in_small_pages(dynamo: Dynamo) -> DynamoStore:
    return DynamoStore(cast("DynamoDBClient", SmallPages(dynamo.client)), dynamo.prefix)


async def items(dynamo: Dynamo, table: str) -> list[dict[str, Any]]:
    found: Any = await dynamo.client.scan(TableName=dynamo.prefix + table)
    return list(found["Items"])


async def put(dynamo: Dynamo, table: str, *found: dict[str, Any]) -> None:
    for item in found:
        await dynamo.client.put_item(TableName=dynamo.prefix + table, Item=item)


def error(code: str, status: int = 400, *reasons: str) -> ClientError:
    """A DynamoDB error whose message holds a table name, as real ones often do."""
    response = {
        "Error": {"Code": code, "Message": "arn:aws:dynamodb:us-east-1:1:table/main_humor"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(cast("Any", response), "TransactWriteItems")


def cancelled(*reasons: str) -> ClientError:
    return error("TransactionCanceledException", 400, *reasons)


def no_answer() -> Exception:
    return EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/main_humor")
