"""Every call to AWS as it arrives at moto, with what a role must allow for it and what it consumes."""

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.capacity import Item, index_write_units, item_bytes, read_units, write_units
from service.store.dynamodb import TABLES


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `touched` are the actions and resources that a role must allow for it."""

    operation: str
    resource: str
    touched: tuple[tuple[str, str], ...]
    read_units: float = 0.0
    write_units: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.operation} {self.resource}"


class Recorder:
    """Stands in front of moto as WSGI, lets one call through at a time and writes it down."""

    def __init__(self, app: Callable[..., Iterable[bytes]], prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._lock = threading.Lock()
        self.calls: list[Call] | None = None

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """The calls that arrive meanwhile."""
        calls: list[Call] = []
        self.calls = calls
        try:
            yield calls
        finally:
            self.calls = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            if self.calls is None:
                return self._app(environ, start_response)
            service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            if service.startswith("DynamoDB"):
                answer, call = self._dynamodb(environ, start_response, operation, json.loads(body))
                self.calls.append(call)
                return answer
            if service == "AmazonSSM" and operation == "GetParameter":
                name = json.loads(body)["Name"]
                touched = (("ssm:GetParameter", name), ("kms:Decrypt", name))
                self.calls.append(Call(operation, "parameter", touched))
            return self._app(environ, start_response)

    def _dynamodb(
        self, environ: dict[str, Any], start_response: Callable[..., Any], operation: str, request: dict[str, Any]
    ) -> tuple[Iterable[bytes], Call]:
        if operation in ("GetItem", "Query", "BatchGetItem"):
            answer = b"".join(self._app(environ, start_response))
            read = self._read_batch if operation == "BatchGetItem" else self._read
            return [answer], read(operation, request, json.loads(answer))
        writes = _writes(operation, request)
        before = [self._item(environ, write) for write in writes]
        answer = b"".join(self._app(environ, start_response))
        after = [self._item(environ, write) for write in writes]
        return [answer], self._written(operation, writes, before, after)

    def _read(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> Call:
        items = answer.get("Items", [answer.get("Item", {})])
        table, index = self._short(request["TableName"]), request.get("IndexName")
        resource = f"{table}/index/{index}" if index else table
        units = read_units(sum(map(item_bytes, items)), consistent=request.get("ConsistentRead", False))
        return Call(operation, resource, ((f"dynamodb:{operation}", resource),), read_units=units)

    def _read_batch(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> Call:
        """Each item is a read of its own, and so is each that is not there."""
        ((table, asked),) = request["RequestItems"].items()
        found = answer["Responses"].get(table, [])
        consistent = asked.get("ConsistentRead", False)
        sizes = [item_bytes(item) for item in found] + [0] * (len(asked["Keys"]) - len(found))
        units = sum(read_units(size, consistent=consistent) for size in sizes)
        resource = self._short(table)
        return Call(operation, resource, ((f"dynamodb:{operation}", resource),), read_units=units)

    def _written(self, operation: str, writes: "list[_Write]", before: list[Item], after: list[Item]) -> Call:
        tables = [self._short(write.table) for write in writes]
        factor = 2 if operation == "TransactWriteItems" else 1
        units = sum(
            factor * write_units(old, new) + index_write_units(table, old, new)
            for table, old, new in zip(tables, before, after, strict=True)
        )
        touched = tuple((f"dynamodb:{write.action}", table) for write, table in zip(writes, tables, strict=True))
        times = Counter(f"{write.action} {table}" for write, table in zip(writes, tables, strict=True))
        what = ", ".join(name if n == 1 else f"{n} × {name}" for name, n in sorted(times.items()))
        return Call(operation, f"({what})" if factor == 2 else tables[0], touched, write_units=units)

    def _item(self, environ: dict[str, Any], write: "_Write") -> Item:
        """An item as it is now, asked for behind the recorder's back."""
        body = json.dumps({"TableName": write.table, "Key": write.key, "ConsistentRead": True}).encode()
        asking = environ | {
            "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        found: Item = json.loads(b"".join(self._app(asking, lambda *_: None))).get("Item", {})
        return found

    def _short(self, table: str) -> str:
        return table.removeprefix(self._prefix)


@dataclass(frozen=True, slots=True)
class _Write:
    """One item that a call writes or checks. `action` is what IAM calls it."""

    action: str
    table: str
    key: Item


_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def _writes(operation: str, request: dict[str, Any]) -> list[_Write]:
    if operation != "TransactWriteItems":
        return [_write(operation, request)]
    pairs = (next(iter(write.items())) for write in request["TransactItems"])
    return [_write(_ACTIONS[kind], content) for kind, content in pairs]


def _write(action: str, request: dict[str, Any]) -> _Write:
    if "Key" in request:
        return _Write(action, request["TableName"], request["Key"])
    table = next(name for name in TABLES if request["TableName"].endswith(name))
    keys = [key["AttributeName"] for key in TABLES[table]["KeySchema"]]
    return _Write(action, request["TableName"], {key: request["Item"][key] for key in keys})
