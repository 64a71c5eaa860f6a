"""What a write to DynamoDB consumes, by its published rules: moto does not say."""

import math
from collections.abc import Mapping
from typing import Any

from service.store.dynamodb import TABLES

Item = dict[str, dict[str, Any]]

WRITE_UNIT_BYTES = 1024


def write_units(before: Item, after: Item) -> int:
    """For a write to a table: by the larger of the item before and after; a refused one costs as much."""
    return max(1, math.ceil(max(_item_bytes(before), _item_bytes(after)) / WRITE_UNIT_BYTES))


def index_write_units(table: str, before: Item, after: Item) -> int:
    """For what a write changes in the table's indexes; these are never charged twice for a transaction."""
    units = 0
    for index in TABLES[table].get("GlobalSecondaryIndexes", []):
        keys = {key["AttributeName"] for key in index["KeySchema"]}
        projected = keys | {key["AttributeName"] for key in TABLES[table]["KeySchema"]}
        projected.update(index["Projection"].get("NonKeyAttributes", []))
        old, new = (
            {name: value for name, value in item.items() if name in projected} if keys <= item.keys() else {}
            for item in (before, after)
        )
        if old != new:
            units += write_units(old, new)
    return units


def _item_bytes(item: Item) -> int:
    """Names and values in UTF-8, numbers by their digits."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.strip("-").replace(".", "")) / 2) + 1 + int(content.startswith("-"))
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    if kind == "BS":
        return 3 + sum(1 + len(element) for element in content)
    return 1  # BOOL and NULL
