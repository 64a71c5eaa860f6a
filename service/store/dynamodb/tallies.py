"""The tallies: how the lines of counts are read, and how those of days that are over are folded.

A line of today is a few items in each shard, with an attribute for each number, so that votes can add to it at the same
time. That takes long to read. So when the day is over, a pass folds the items of all shards into one, whose numbers are
compressed JSON. Later it adds the folded lines of old days to those of the day "", which stands for all of them.

Each line is folded in a transaction of its own, on the condition that nothing has been added to it meanwhile. So a pass
may end anywhere, and what is added to a day after it was folded is an item in a shard again until the next pass.
"""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from service.errors import ConditionFailed
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import count, number, text
from service.store.dynamodb.line_sums import Line, by_shard, to_line, total
from service.store.dynamodb.lines import CALLS, DAILY, OF_HOUR, VOTES, WRITES, line_of, shard_name
from service.store.dynamodb.writes import add_to
from service.store.groups import VOTER_GROUPS

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

IS_AS_IT_WAS = "writes = :writes"
IS_NEW_FOLD = "attribute_not_exists(writes)"

_FOLDED = "tallies"
# It sorts before the lines, so that a query of all folded lines returns it first.
_REVISION_KEY: "Item" = {"name": text(_FOLDED), "part": text("#revision")}
# How often the lines are read again because some were folded meanwhile. A pass folds for a second or so.
_READINGS = 5


class Tallies(Database):
    """Reads and folds the lines."""

    async def _items_of_lines(self) -> "list[Item]":
        """The items of all lines, none of which is read twice or missed because it is being folded."""
        items: list[Item] = []
        for _ in range(_READINGS):
            revision, *folded = await self._all_of(_FOLDED) or [{}]
            items = [*folded, *await self._in_shards()]
            if await self._get(self._state, _REVISION_KEY) == revision:
                break
        return items

    async def _fold(self, *, today: str, tallies: str) -> None:
        """Fold the lines of the days before today, and join those before `tallies`."""
        # What is folded is read first: if another process folds a line meanwhile, its folded item is no longer as read.
        _, *found = await self._all_of(_FOLDED) or [{}]
        folded = {item["part"]["S"]: item for item in found}
        sources: dict[str, list[Item]] = defaultdict(list)
        for items, before in ((await self._in_shards(), today), (found, tallies)):
            for item in items:
                if "" < _day_of(part := line_of(item)) < before:
                    sources[part].append(item)
        for part, items in sorted(sources.items()):
            target = joined(part, tallies)
            with suppress(ConditionFailed):  # something was added meanwhile, so the next pass does it
                folded[target] = await self._fold_line(items, target, folded.get(target))

    async def _fold_line(self, sources: "list[Item]", part: str, before: "Item | None") -> "Item":
        """Add items of one line to its folded item, and delete them. Returns what the folded item is then.

        Raises ConditionFailed when any of them has changed.
        """
        numbers = _numbers(list(lines_of([before, *sources] if before else sources)), part)
        after: Item = {
            "name": text(_FOLDED),
            "part": text(part),
            "numbers": {"B": zlib.compress(msgspec.json.encode(numbers))},
            WRITES: number(count(before, WRITES) + 1 if before else 1),
        }
        revise = add_to(self._state, _REVISION_KEY, {"revision": 1})
        await self._transact([_replace(self._state, before, after), *self._deletes(sources), revise])
        return after

    async def _in_shards(self) -> "list[Item]":
        shards = await asyncio.gather(*map(self._all_of, map(shard_name, range(VOTER_GROUPS))))
        return list(chain.from_iterable(shards))

    def _deletes(self, items: "list[Item]") -> "list[Write]":
        return [
            {
                "Delete": {
                    "TableName": self._state,
                    "Key": {"name": item["name"], "part": item["part"]},
                    "ConditionExpression": IS_AS_IT_WAS,
                    "ExpressionAttributeValues": {":writes": item[WRITES]},
                }
            }
            for item in items
        ]


def _replace(table: str, before: "Item | None", after: "Item") -> "Write":
    return {
        "Update": {
            "TableName": table,
            "Key": {"name": after["name"], "part": after["part"]},
            "ConditionExpression": IS_AS_IT_WAS if before else IS_NEW_FOLD,
            "UpdateExpression": "SET numbers = :numbers, writes = :next",
            "ExpressionAttributeValues": {
                ":numbers": after["numbers"],
                ":next": after[WRITES],
                **({":writes": before[WRITES]} if before else {}),
            },
        }
    }


def joined(part: str, tallies: str) -> str:
    """The line that a line becomes a part of, which is that of all days if its own day is before `tallies`."""
    return _of_all_days(part) if "" < _day_of(part) < tallies else part


def _day_of(part: str) -> str:
    """The day of a line, or "" if it has none or stands for all days."""
    kind, _, rest = part.partition("#")
    return rest.partition("#")[0] if kind in DAILY else ""


def _of_all_days(part: str) -> str:
    kind, _, rest = part.split("#", 2)
    return f"{kind}##{rest}"


def lines_of(items: "Iterable[Item]") -> Iterator[Line]:
    """The lines that are in items, several in each that is folded."""
    for item in items:
        if item["name"]["S"] == _FOLDED:
            yield from _unfolded(item)
        else:
            yield to_line(item)


def _unfolded(item: "Item") -> Iterator[Line]:
    numbers = msgspec.json.decode(zlib.decompress(item["numbers"]["B"]), type=dict[int, dict[str, int | float]])
    return (Line(item["part"]["S"], shard, of_shard) for shard, of_shard in numbers.items())


def _numbers(lines: list[Line], part: str) -> dict[int, dict[str, float]]:
    """What a folded line keeps. Nobody asks for the shards of calls, or for the hours of old days."""
    shards = {0: total(line.numbers for line in lines)} if part.startswith(CALLS) else by_shard(lines)
    dropped = (WRITES, OF_HOUR) if part.startswith(f"{VOTES}##") else (WRITES,)
    return {
        shard: {name: round(number, 6) for name, number in numbers.items() if number and not name.startswith(dropped)}
        for shard, numbers in shards.items()
    }
