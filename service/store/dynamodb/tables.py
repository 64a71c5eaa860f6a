"""The DynamoDB tables, in the words that CreateTable and CloudFormation share, and how to make them without a stack.

| table              | partition key          | sort key       | what an item is                                 |
|--------------------|------------------------|----------------|-------------------------------------------------|
| main_humor         | saying_id              |                | a saying, its generation and its counters       |
|   by_draw          | draw_shelf, a quarter  | draw, a point  | where the saying lies on the ring random draws  |
|   by_model         | contributor, the model | created_at     | the sayings of one model (simulated ones apart) |
| saying_feedback    | saying_id              | voter          | a vote as it was last cast, and when first      |
| saying_comparisons | comparison_id          | comparison     | what the models wrote, and in which slot        |
|                    |                        | ballot#<voter> | shown to a voter, and what was chosen           |
|   by_newest        | realm, real or not     | created_at     | a comparison that can be voted on               |
| model_calls        | generation_id          |                | a call that was billed                          |
| service_state      | name = lease#<name>    | part = lease   | a lease's holder, its token and its expiry      |
|                    | name = spend#<day>     | part = spend   | nanodollars: `total` and one number an hour     |
|                    | name = burst#<burst>   | part = burst   | the votes of one address and hour (bursts.py)   |
|                    | name = tally#<shard>   | part = a line  | something counted (lines.py)                    |

The collection's sayings have no created_at and so no place in by_model; a comparison with fewer than two sayings has no
realm and so none in by_newest. Counting is spread over `TALLY_SHARDS` partitions. No index holds what a vote changes.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, NotRequired, TypedDict

from service.store.dynamodb.transport import translated

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
TALLY_SHARDS = 8

# Spend and hours are of no use once they are long over: DynamoDB deletes such items by itself.
EXPIRY_ATTRIBUTE = "expires_at_epoch"

# All a saying is, and nothing that changes.
_SAYING = (
    "saying", "services", "source", "generation_id", "model", "vendor", "kind", "simulated", "prompt_version",
    "llm_time_ms", "input_tokens", "output_tokens", "cached_tokens", "cost_nanos", "created_at",
)  # fmt: skip


class Table(TypedDict):
    """The part of a table's definition that is the same in CreateTable and CloudFormation, but for its name."""

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
    """Make the tables that are missing and wait for them: for development, tests and seeding. Raises StoreError."""
    with translated():
        for name, table in TABLES.items():
            with suppress(client.exceptions.ResourceInUseException):
                await client.create_table(TableName=prefix + name, **table)
            await client.get_waiter("table_exists").wait(TableName=prefix + name, WaiterConfig={"Delay": 1})
        await _let_items_expire(client, prefix + STATE)


async def _let_items_expire(client: "DynamoDBClient", table: str) -> None:
    found = await client.describe_time_to_live(TableName=table)
    # Asking for what is so already is an error to DynamoDB.
    if found["TimeToLiveDescription"].get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return
    wish: TimeToLiveSpecificationTypeDef = {"Enabled": True, "AttributeName": EXPIRY_ATTRIBUTE}
    await client.update_time_to_live(TableName=table, TimeToLiveSpecification=wish)
