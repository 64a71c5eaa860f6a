"""Access to the tables: consistent reads, queries and scans, conditional updates, transactions."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from service.errors import ConditionFailed, Refused, StoreError
from service.limits import DEFAULT_QUOTAS, Quotas
from service.resilience.retry_budget import RetryBudget
from service.store.damage import Damage
from service.store.dynamodb.clock import ServerClock
from service.store.dynamodb.reading import Decide, Place, Reading, content_of
from service.store.dynamodb.tables import CALLS, COMPARISONS, FEEDBACK, SAYINGS, STATE
from service.store.dynamodb.transport import pause, send
from telemetry.events import SILENCE, Listener

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import (
        BatchGetItemOutputTypeDef,
        DeleteItemInputTypeDef,
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
        ScanInputTypeDef,
        UpdateItemInputTypeDef,
    )

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

# The most characters that are sure to fit into the 1,024 bytes of a sort key.
_LONGEST_KEY = 256
# The most keys that DynamoDB accepts in one BatchGetItem.
_KEYS_AT_ONCE = 100
# How often a decision is made before it is given up, because the data change every time.
_DECISIONS = 10

# The retries that are allowed at once, before other calls have earned any. They cover the loss of a whole connection
# pool, since connections are rarely lost one at a time.
RETRIES_IN_STOCK = 20.0

A = TypeVar("A", bound=Mapping[str, object])
T = TypeVar("T")


class Database:
    """The tables whose names start with `prefix`, and the quotas of what counts."""

    def __init__(
        self,
        client: "DynamoDBClient",
        prefix: str = "",
        quotas: Quotas = DEFAULT_QUOTAS,
        listener: Listener = SILENCE,
    ) -> None:
        self._client = client
        self._retries = RetryBudget(RETRIES_IN_STOCK)
        self._damage = Damage(listener)
        self._clock = ServerClock()
        self._quotas = quotas
        self._sayings = prefix + SAYINGS
        self._feedback = prefix + FEEDBACK
        self._comparisons = prefix + COMPARISONS
        self._calls = prefix + CALLS
        self._state = prefix + STATE

    async def _send(self, call: Callable[[], Awaitable[A]], *, repeatable: bool) -> A:
        response = await send(call, self._retries, repeatable=repeatable)
        self._clock.observe(response)
        return response

    async def _get(self, table: str, key: "Item") -> "Item":
        """An item, by a consistent read. Empty when there is no such item."""
        if not _can_be_key(key):
            return {}
        response = await self._send(
            lambda: self._client.get_item(TableName=table, Key=key, ConsistentRead=True), repeatable=True
        )
        return response.get("Item", {})

    async def _get_many(self, table: str, keys: "Iterable[Item]") -> "list[Item]":
        """The items that exist for these keys, by consistent reads, in any order. The keys must differ."""
        possible = list(filter(_can_be_key, keys))
        found: list[Item] = []
        for start in range(0, len(possible), _KEYS_AT_ONCE):
            found += (await self._get_batch({table: possible[start : start + _KEYS_AT_ONCE]})).get(table, [])
        return found

    async def _get_batch(self, keys: "Mapping[str, Sequence[Item]]") -> "dict[str, list[Item]]":
        """The items that exist for these keys by table, by consistent reads in one operation."""
        requests: dict[str, KeysAndAttributesTypeDef] = {
            table: {"Keys": of_table, "ConsistentRead": True} for table, of_table in keys.items()
        }

        async def batch() -> "BatchGetItemOutputTypeDef":
            response = await self._client.batch_get_item(RequestItems=requests)
            if response["UnprocessedKeys"]:
                raise Refused("The database is busy.")
            return response

        return (await self._send(batch, repeatable=True))["Responses"]

    async def _decide(self, places: "Sequence[Place]", decide: "Decide[T]") -> T:
        """Read the items at the places, decide by them, and write what was decided: two operations.

        The writes hold only as long as the items that they depend on are as they were read. When one has changed, the
        refused transaction brings the item as it is now, and the decision is made again by that, without another read.
        Raises StoreError when the data keep changing.
        """
        reading: Reading | None = None
        for attempt in range(1, _DECISIONS + 1):
            reading = reading or await self._read(places)
            writes, result = decide(reading)
            try:
                if writes:
                    await self._transact(writes)
            except ConditionFailed as changed:
                reading = _corrected(reading, writes, changed)
                await pause(attempt)
            else:
                return result
        raise StoreError("The data kept changing under way.")

    async def _read(self, places: "Sequence[Place]") -> Reading:
        keys: dict[str, list[Item]] = {}
        for table, key in places:
            if _can_be_key(key):
                keys.setdefault(table, []).append(key)
        return Reading.of(places, await self._get_batch(keys) if keys else {})

    async def _query(self, query: "QueryInputTypeDef") -> "list[Item]":
        """The first page of a query. A page holds a megabyte, which is more than any query with a limit asks for."""
        response = await self._send(lambda: self._client.query(**query), repeatable=True)
        return response["Items"]

    def _all_named(self, name: str) -> "QueryInputTypeDef":
        """A query, with consistent reads, for the items of the state that have this name."""
        return {
            "TableName": self._state,
            "KeyConditionExpression": "#name = :name",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":name": {"S": name}},
            "ConsistentRead": True,
        }

    async def _all_of(self, name: str) -> "list[Item]":
        """All parts of a name of the state, in the order of their keys."""
        return [item async for page in self._query_pages(self._all_named(name)) for item in page]

    async def _query_pages(self, query: "QueryInputTypeDef") -> "AsyncIterator[list[Item]]":
        page: QueryInputTypeDef | None = query
        while page is not None:
            response = await self._send(partial(self._client.query, **page), repeatable=True)
            yield response["Items"]
            last = response.get("LastEvaluatedKey")
            page = {**query, "ExclusiveStartKey": last} if last else None

    async def _scan(self, scan: "ScanInputTypeDef") -> "AsyncIterator[list[Item]]":
        """The items of a whole table, page by page, so that there is never more than a megabyte in memory."""
        page: ScanInputTypeDef | None = scan
        while page is not None:
            response = await self._send(partial(self._client.scan, **page), repeatable=True)
            yield response["Items"]
            last = response.get("LastEvaluatedKey")
            page = {**scan, "ExclusiveStartKey": last} if last else None

    async def _update(self, update: "UpdateItemInputTypeDef", *, repeatable: bool) -> "Item | None":
        """The attributes that an update returns, or None when its condition did not hold."""
        try:
            response = await self._send(lambda: self._client.update_item(**update), repeatable=repeatable)
        except ConditionFailed:
            return None
        return response.get("Attributes", {})

    async def _delete(self, delete: "DeleteItemInputTypeDef") -> None:
        """Delete an item, if it exists. Raises ConditionFailed."""
        await self._send(lambda: self._client.delete_item(**delete), repeatable=True)

    async def _transact(self, all_or_none: "list[Write]") -> None:
        """Carry out all of the writes or none. Raises ConditionFailed with the items that the conditions have met."""
        for write in all_or_none:
            content = content_of(write)
            if "ConditionExpression" in content:
                content["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        # DynamoDB recognises the token of a transaction that it has carried out already, so a retry adds nothing twice.
        token = uuid.uuid4().hex
        await self._send(
            lambda: self._client.transact_write_items(TransactItems=all_or_none, ClientRequestToken=token),
            repeatable=True,
        )


def _corrected(reading: Reading, writes: "list[Write]", changed: ConditionFailed) -> Reading | None:
    """The reading with what the refused writes have met. None when all has to be read again.

    That is so when an item is gone, and when the first write was refused, which is the vote, ballot or withdrawal
    itself: then somebody decides about the same at the same time, and nobody knows whether the other items were read
    before or after that.
    """
    met = [
        (content_of(write)["TableName"], item)
        for write, item in zip(writes, changed.met, strict=False)
        if item is not None
    ]
    is_about_others = not changed.failed[0] and len(met) == sum(changed.failed)
    return reading.corrected(met) if is_about_others else None


def _can_be_key(key: "Item") -> bool:
    """Whether DynamoDB accepts the key. A key that it would reject as invalid is treated as one that no item has."""
    return all(0 < len(part["S"]) <= _LONGEST_KEY for part in key.values())
