"""The lists of sayings in DynamoDB, each an item that is read with one read by key.

No index is ordered by votes, because every vote would then write to it. The lists are made anew by one scan of all
sayings instead, about once an hour, and only those that have changed are written.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from service.domain import SayingOrder
from service.store.base import LONGEST_LIST, Listing
from service.store.dynamodb import writes
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import WITHDRAWN, count, text
from service.store.lists import list_with, lists_of
from service.store.wilson import worth

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import ScanInputTypeDef

    from service.store.dynamodb.items import Item

# Sayings of real or of simulated models, and those of the collection, which have no such attribute.
_OF_REALM = (
    "attribute_exists(contributor) AND attribute_not_exists(#withdrawn) "
    "AND (attribute_not_exists(simulated) OR simulated = :simulated)"
)


class _Place(NamedTuple):
    """Where a saying is in a list: the higher the rank, the nearer to the beginning."""

    rank: float
    saying_id: str
    model: str


_Lists = defaultdict[str, list[_Place]]


class DynamoLists(Database):
    """The part of the Store protocol that is about lists of sayings."""

    async def listed_ids(self, listing: Listing) -> list[str]:
        part = _part(listing.order, list_with(listing))
        item = await self._get(self._state, writes.list_key(part, simulated=listing.simulated))
        if not item:
            return []
        pairs = zip(item["ids"]["L"], item["models"]["L"], strict=True)
        return [each["S"] for each, model in pairs if listing.model is None or model["S"] == listing.model]

    async def rank_sayings(self, *, simulated: bool) -> None:
        lists = await self._ranked(simulated)
        stored = {item["part"]["S"]: item for item in await self._all_of(writes.lists_name(simulated=simulated))}
        for part, places in lists.items():
            contents = _contents(places)
            if not (contents.items() <= stored.get(part, {}).items()):
                await self._update(
                    writes.put_list(self._state, writes.list_key(part, simulated=simulated), contents), repeatable=True
                )
        for part in stored.keys() - lists.keys():
            await self._delete({"TableName": self._state, "Key": writes.list_key(part, simulated=simulated)})

    async def _ranked(self, simulated: bool) -> _Lists:
        """The first places of every list, in any order."""
        lists = _Lists(list)
        async for page in self._scan(_scan(self._sayings, simulated=simulated)):
            for item in page:
                for part, place in _places(item):
                    _add(lists[part], place)
        return lists


def _scan(table: str, *, simulated: bool) -> "ScanInputTypeDef":
    return {
        "TableName": table,
        "FilterExpression": _OF_REALM,
        "ProjectionExpression": "saying_id, services, model, created_at, upvotes, downvotes",
        "ExpressionAttributeNames": {"#withdrawn": WITHDRAWN},
        "ExpressionAttributeValues": {":simulated": {"BOOL": simulated}},
    }


def _places(item: "Item") -> Iterator[tuple[str, _Place]]:
    """The places of a saying in the lists, by the part of each list's key."""
    saying_id, model = item["saying_id"]["S"], item["model"]["S"] if "model" in item else None
    ranks = {
        SayingOrder.TOP: worth(count(item, "upvotes"), count(item, "downvotes")),
        SayingOrder.NEW: float(item["created_at"]["N"]) if "created_at" in item else None,
    }
    services = item["services"]["L"] if "services" in item else []  # a damaged item must not end the whole pass
    for name in lists_of((service["S"] for service in services), model):
        for order, rank in ranks.items():
            if rank is not None:
                yield _part(order, name), _Place(rank, saying_id, model or "")


def _add(heap: list[_Place], place: _Place) -> None:
    """Add a place to a heap, which keeps the highest ones."""
    if len(heap) < LONGEST_LIST:
        heapq.heappush(heap, place)
    else:
        heapq.heappushpop(heap, place)


def _part(order: SayingOrder, name: str) -> str:
    return f"{order}#{name}"


def _contents(places: list[_Place]) -> "Item":
    first_ones = sorted(places, reverse=True)
    return {
        "ids": {"L": [text(place.saying_id) for place in first_ones]},
        "models": {"L": [text(place.model) for place in first_ones]},
    }
