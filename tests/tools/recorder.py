"""Every call to DynamoDB on its way to moto, with the write units that it consumes."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from service.store.dynamodb import TABLES
from tests.faults.proxy import Forward, good
from tests.tools.capacity import Item, index_write_units, write_units

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

_READS = ("GetItem", "Query", "Scan", "BatchGetItem")
_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the operation and what it is done to."""

    operation: str
    resource: str
    write_units: int = 0


class Recorder:
    """Writes calls down that come through a proxy, writes one at a time; `handle` is given to the proxy as a fault.

    `dynamodb` looks at items before and after a write, past the proxy.
    """

    def __init__(self, dynamodb: "DynamoDBClient", prefix: str) -> None:
        self._dynamodb = dynamodb
        self._prefix = prefix
        self._one_at_a_time = asyncio.Lock()
        self._calls: list[Call] | None = None

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """The calls that arrive meanwhile."""
        self._calls = calls = list[Call]()
        try:
            yield calls
        finally:
            self._calls = None

    async def handle(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        if self._calls is None:
            return await good(request, forward)
        calls = self._calls
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        parameters = json.loads(await request.read())
        if operation in _READS:
            calls.append(Call(operation, self._read_from(parameters)))
            return await good(request, forward)
        async with self._one_at_a_time:
            writes = _writes(operation, parameters)
            before = await self._items(writes)
            response = await good(request, forward)
            after = await self._items(writes)
            calls.append(self._written(operation, writes, before, after))
            return response

    def _read_from(self, parameters: dict[str, Any]) -> str:
        if "RequestItems" in parameters:
            return ", ".join(map(self._short, parameters["RequestItems"]))
        table, index = self._short(parameters["TableName"]), parameters.get("IndexName")
        return f"{table}/index/{index}" if index else table

    def _written(self, operation: str, writes: "list[_Write]", before: list[Item], after: list[Item]) -> Call:
        factor = 2 if operation == "TransactWriteItems" else 1
        tables = [self._short(write.table) for write in writes]
        units = sum(
            factor * write_units(old, new) + index_write_units(table, old, new)
            for table, old, new in zip(tables, before, after, strict=True)
        )
        times = Counter(f"{write.action} {table}" for write, table in zip(writes, tables, strict=True))
        return Call(operation, ", ".join(f"{count} × {name}" for name, count in sorted(times.items())), units)

    async def _items(self, writes: "list[_Write]") -> list[Item]:
        """The items as they are now."""
        asked: Any = [{"Get": {"TableName": write.table, "Key": write.key}} for write in writes]
        found: Any = await self._dynamodb.transact_get_items(TransactItems=asked)
        return [each.get("Item", {}) for each in found["Responses"]]

    def _short(self, table: str) -> str:
        return table.removeprefix(self._prefix)


@dataclass(frozen=True, slots=True)
class _Write:
    """One item that a call writes or checks."""

    action: str
    table: str
    key: Any


def _writes(operation: str, parameters: dict[str, Any]) -> list[_Write]:
    if operation != "TransactWriteItems":
        return [_write(operation, parameters)]
    pairs = (next(iter(write.items())) for write in parameters["TransactItems"])
    return [_write(_ACTIONS[kind], content) for kind, content in pairs]


def _write(action: str, content: dict[str, Any]) -> _Write:
    if "Key" in content:
        return _Write(action, content["TableName"], content["Key"])
    table = next(name for name in TABLES if content["TableName"].endswith(name))
    keys = [key["AttributeName"] for key in TABLES[table]["KeySchema"]]
    return _Write(action, content["TableName"], {key: content["Item"][key] for key in keys})
