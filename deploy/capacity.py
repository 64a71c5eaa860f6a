"""What a call to DynamoDB consumes, by its published rules: moto does not say."""

import math
from collections.abc import Mapping
from typing import Any

from service.store.dynamodb import TABLES

Item = dict[str, dict[str, Any]]

READ_UNIT_BYTES, WRITE_UNIT_BYTES = 4096, 1024


def item_bytes(item: Item) -> int:
    """The size of an item by DynamoDB's rules: names and values in UTF-8, numbers by their digits."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.strip("-").replace(".", "")) / 2) + 1 + int(content.startswith("-"))
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    return 1  # BOOL and NULL


def read_units(size: int, *, consistent: bool) -> float:
    return max(1, math.ceil(size / READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)


def write_units(before: Item, after: Item) -> int:
    """For a write to a table: by the larger of the item before and after; a refused one costs as much."""
    return max(1, math.ceil(max(item_bytes(before), item_bytes(after)) / WRITE_UNIT_BYTES))


def index_write_units(table: str, before: Item, after: Item) -> int:
    """For what a write changes in the table's indexes; these are never charged twice for a transaction."""
    units = 0
    for index in TABLES[table].get("GlobalSecondaryIndexes", []):
        attributes = {key["AttributeName"] for key in (*index["KeySchema"], *TABLES[table]["KeySchema"])}
        attributes.update(index["Projection"].get("NonKeyAttributes", []))
        keys = {key["AttributeName"] for key in index["KeySchema"]}
        old, new = (
            {name: value for name, value in item.items() if name in attributes} if keys <= item.keys() else {}
            for item in (before, after)
        )
        if old != new:
            units += write_units(old, new)
    return units
