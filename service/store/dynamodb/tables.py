"""The DynamoDB tables, in the terms that CreateTable and CloudFormation share, and their creation without a stack.

| table              | partition key          | sort key       | contents of an item                             |
|--------------------|------------------------|----------------|-------------------------------------------------|
| main_humor         | saying_id              |                | a saying, its generation and its counters       |
|   by_draw          | draw_shelf, a quarter  | draw, a point  | a saying's place on the ring for random draws   |
|   by_model         | contributor, the model | created_at     | the sayings of one model (simulated ones apart) |
| saying_feedback    | saying_id              | voter          | a vote as it was cast first, and the opinion now |
| saying_comparisons | comparison_id          | comparison     | the sayings of the models, by slot              |
|                    |                        | ballot#<voter> | a ballot: when it was shown, and the choice     |
|                    |                        | ballots        | the number of ballots that have been cast       |
|   by_newest        | realm, real or not     | created_at     | a comparison that may be shown to more voters   |
| model_calls        | generation_id          |                | a call, answered or not                         |
| service_state      | name = lease#<name>    | part = lease   | a lease's holder, its token and its expiry      |
|                    | name = spend#<day>     | part = spend   | nanodollars: `total` and one number an hour     |
|                    | name = network#<name>  | part = network | what a network gave on a day (quota_items.py)   |
|                    | name = voter#<voter>   | part = voter   | the votes of a voter that count                 |
|                    | name = secret#<day>    | part = secret  | the fleet's secret of a day                     |
|                    | name = analysis        | part = analysis | the result of the last analysis                |
|                    | name = check           | part = check   | the last check that the table can be written    |
|                    | name = withdrawals     | part = an id   | why a saying was taken down, by whom and when   |
|                    |                        | part = #revision | grows with every change of the withdrawals    |
|                    | name = reports         | part = an id   | the reports of a saying by visitors             |
|                    | name = lists#<realm> | part = a list  | the first sayings of a list, in order (lists.py) |
|                    | name = forget      | part = <voter> | a voter's request to be forgotten (retention.py) |
|                    | name = forgotten   | part = a hash  | the mark of a voter who was forgotten           |
|                    | name = prune       | part = prune   | where the pass is that removes old data         |
|                    | name = tally#<shard>   | part = a line  | counts (lines.py)                               |
|                    | name = tallies         | part = a line  | the counts of days that are over (tallies.py)   |

The collection's sayings have no created_at, so they are not in by_model, and a withdrawn saying loses its keys of both
indexes (takedowns.py). A comparison with fewer than two sayings, or with all the ballots that it may get, has no realm,
so it is not in by_newest. No index holds an attribute that a vote changes.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, NotRequired, TypedDict

from service.store.dynamodb.failures import translated

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.literals import BillingModeType, ScalarAttributeTypeType
    from types_aiobotocore_dynamodb.type_defs import (
        AttributeDefinitionTypeDef,
        GlobalSecondaryIndexTypeDef,
        KeySchemaElementTypeDef,
        TimeToLiveSpecificationTypeDef,
    )

SAYINGS = "main_humor"
FEEDBACK = "saying_feedback"
COMPARISONS = "saying_comparisons"
CALLS = "model_calls"
STATE = "service_state"

BY_DRAW = "by_draw"
BY_MODEL = "by_model"
BY_NEWEST = "by_newest"
DRAW_SHELVES = 4

# DynamoDB deletes an item some time after the moment, in seconds since the epoch, that this attribute holds.
EXPIRY_ATTRIBUTE = "expires_at_epoch"

# All attributes of a saying that never change.
_SAYING = (
    "saying", "services", "source", "generation_id", "model", "vendor", "kind", "simulated", "prompt_version",
    "llm_time_ms", "input_tokens", "output_tokens", "cached_tokens", "cost_nanos", "created_at",
)  # fmt: skip


class Table(TypedDict):
    """The definition of a table without its name, which is the same for CreateTable and CloudFormation."""

    KeySchema: "list[KeySchemaElementTypeDef]"
    AttributeDefinitions: "list[AttributeDefinitionTypeDef]"
    GlobalSecondaryIndexes: "NotRequired[list[GlobalSecondaryIndexTypeDef]]"
    BillingMode: "BillingModeType"


def _key(partition: str, sort: str | None = None) -> "list[KeySchemaElementTypeDef]":
    key: list[KeySchemaElementTypeDef] = [{"AttributeName": partition, "KeyType": "HASH"}]
    return key if sort is None else [*key, {"AttributeName": sort, "KeyType": "RANGE"}]


def _attributes(**types: "ScalarAttributeTypeType") -> "list[AttributeDefinitionTypeDef]":
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def _index(name: str, partition: str, sort: str, attributes: tuple[str, ...]) -> "GlobalSecondaryIndexTypeDef":
    projected = [attribute for attribute in attributes if attribute != sort]
    return {
        "IndexName": name,
        "KeySchema": _key(partition, sort),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": projected},
    }


TABLES: dict[str, Table] = {
    SAYINGS: {
        "KeySchema": _key("saying_id"),
        "AttributeDefinitions": _attributes(saying_id="S", draw_shelf="N", draw="N", contributor="S", created_at="N"),
        "GlobalSecondaryIndexes": [
            _index(BY_DRAW, "draw_shelf", "draw", _SAYING),
            _index(BY_MODEL, "contributor", "created_at", _SAYING),
        ],
        "BillingMode": "PAY_PER_REQUEST",
    },
    FEEDBACK: {
        "KeySchema": _key("saying_id", "voter"),
        "AttributeDefinitions": _attributes(saying_id="S", voter="S"),
        "BillingMode": "PAY_PER_REQUEST",
    },
    COMPARISONS: {
        "KeySchema": _key("comparison_id", "part"),
        "AttributeDefinitions": _attributes(comparison_id="S", part="S", realm="S", created_at="N"),
        "GlobalSecondaryIndexes": [_index(BY_NEWEST, "realm", "created_at", ("service",))],
        "BillingMode": "PAY_PER_REQUEST",
    },
    CALLS: {
        "KeySchema": _key("generation_id"),
        "AttributeDefinitions": _attributes(generation_id="S"),
        "BillingMode": "PAY_PER_REQUEST",
    },
    STATE: {
        "KeySchema": _key("name", "part"),
        "AttributeDefinitions": _attributes(name="S", part="S"),
        "BillingMode": "PAY_PER_REQUEST",
    },
}


async def create_tables(client: "DynamoDBClient", prefix: str = "") -> None:
    """Create the tables that are missing and wait for them. For development, tests and seeding. Raises StoreError."""
    with translated():
        for name, table in TABLES.items():
            with suppress(client.exceptions.ResourceInUseException):
                await client.create_table(TableName=prefix + name, **table)
            await client.get_waiter("table_exists").wait(TableName=prefix + name, WaiterConfig={"Delay": 1})
        await _let_items_expire(client, prefix + STATE)


async def _let_items_expire(client: "DynamoDBClient", table: str) -> None:
    found = await client.describe_time_to_live(TableName=table)
    # DynamoDB responds with an error to enabling what is enabled already.
    if found["TimeToLiveDescription"].get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return
    enabled: TimeToLiveSpecificationTypeDef = {"Enabled": True, "AttributeName": EXPIRY_ATTRIBUTE}
    await client.update_time_to_live(TableName=table, TimeToLiveSpecification=enabled)
