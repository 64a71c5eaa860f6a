"""Two versions work on the same DynamoDB tables while one takes over from the other, and again after a rollback.

The version before is what it has written, recorded when it was released. It understands what it wrote itself, so it
understands items of today that have all of that in them.
"""

from typing import Any

from service.store.dynamodb import TABLES
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from tests.store import evolution
from tests.store.conftest import Dynamo

BEFORE, INDEXES_BEFORE = evolution.load()
# What may differ: a secret is made by lot, and when an item ends is decided by who wrote it last.
DIFFER = {"secret", EXPIRY_ATTRIBUTE}


async def test_today_reads_and_counts_what_the_version_before_has_written(dynamo: Dynamo) -> None:
    await evolution.put_items(dynamo.client, dynamo.prefix, BEFORE)
    read = await evolution.read_everything(dynamo.store)
    for table in TABLES:
        await _empty(dynamo, table)

    await evolution.write_everything(dynamo.store)

    assert read == await evolution.read_everything(dynamo.store)


async def test_the_version_before_finds_in_the_items_of_today_what_it_would_have_written(dynamo: Dynamo) -> None:
    await evolution.write_everything(dynamo.store)

    today = await evolution.items_in(dynamo.client, dynamo.prefix)

    assert {table: _missing(table, BEFORE[table], today[table]) for table in TABLES} == {table: {} for table in TABLES}


async def test_the_version_before_counts_what_today_has_counted(dynamo: Dynamo) -> None:
    await evolution.write_everything(dynamo.store)

    before, today = (
        evolution.counts_of(items) for items in (BEFORE, await evolution.items_in(dynamo.client, dynamo.prefix))
    )

    assert len(before) > 50
    assert {count: today[count] for count in before} == dict(before)


def test_an_index_is_made_or_deleted_but_never_changed_and_one_at_a_time() -> None:
    """DynamoDB does no more in one deployment."""
    for table, today in evolution.indexes().items():
        before = INDEXES_BEFORE[table]

        assert [name for name in today.keys() & before if today[name] != before[name]] == []
        assert len(today.keys() ^ before.keys()) <= 1


def _missing(table: str, before: list[dict[str, Any]], today: list[dict[str, Any]]) -> dict[str, Any]:
    """The attributes of the version before that no item of today has, or that say something else, by the item's key."""
    keys = [key["AttributeName"] for key in TABLES[table]["KeySchema"]]
    found = {_key(item, keys): item for item in today}
    return {
        _key(item, keys): missing
        for item in before
        if not (table == STATE and item["name"]["S"].startswith("tall"))  # the lines of counts are compared as sums
        and (
            missing := {
                name
                for name, value in item.items()
                if name not in DIFFER and found.get(_key(item, keys), {}).get(name) != value
            }
        )
    }


def _key(item: dict[str, Any], keys: list[str]) -> str:
    return " ".join(item[name]["S"] for name in keys)


async def _empty(dynamo: Dynamo, table: str) -> None:
    keys = [key["AttributeName"] for key in TABLES[table]["KeySchema"]]
    items: Any = await dynamo.client.scan(TableName=dynamo.prefix + table)
    for item in items["Items"]:
        await dynamo.client.delete_item(TableName=dynamo.prefix + table, Key={name: item[name] for name in keys})
