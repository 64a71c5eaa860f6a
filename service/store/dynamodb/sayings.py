"""Sayings in DynamoDB: stored once, looked up by id, drawn at random.

A random saying is drawn from a ring. Every saying lies at a point that is given by the hash of its id, and a draw takes
a random point and chooses one of the sayings that follow it. This needs no counter and no renumbering, so that writers
never wait for each other, and a draw reads the same few items however large the table is.
"""

import random
from collections.abc import AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING

from service.domain import Saying, model_contributor
from service.errors import ConditionFailed, LeaseLost
from service.store.base import Lease, StoredSaying
from service.store.dynamodb import writes
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import RING, count, is_placeholder, number, saying_key, shelf_of, text, to_saying
from service.store.dynamodb.tables import BY_DRAW, BY_MODEL, DRAW_SHELVES

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

    from service.store.dynamodb.items import Item

# How many sayings a draw chooses from. The gaps between neighbours on the ring differ a lot, but sums of sixteen gaps
# do not, so that choosing among this many makes all sayings about equally likely.
_WINDOW = 16
_AT_OR_AFTER = "draw_shelf = :shelf AND draw >= :point"
_BEFORE = "draw_shelf = :shelf AND draw < :point"
# Twice the sayings of a round. A transaction may hold a hundred writes, but would then take four times as long.
_SAYINGS_AT_ONCE = 24


class DynamoSayings(Database):
    """The part of the Store protocol that is about sayings."""

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        # Atomic for up to 24 sayings. Only the collection is larger, and loading it can be repeated.
        first_of_each = {saying.saying_id: saying for saying in reversed(sayings)}
        wanted = list(first_of_each.values())
        new: set[str] = set()
        for start in range(0, max(len(wanted), 1), _SAYINGS_AT_ONCE):
            new |= await self._put_unknown(wanted[start : start + _SAYINGS_AT_ONCE], fence)
        return frozenset(new)

    async def get_saying(self, saying_id: str) -> Saying | None:
        return self._saying(await self._get(self._sayings, saying_key(saying_id)))

    async def stored_ids(self, saying_ids: Collection[str]) -> frozenset[str]:
        items = await self._get_many(self._sayings, [saying_key(saying_id) for saying_id in saying_ids])
        return frozenset(item["saying_id"]["S"] for item in items if not is_placeholder(item))

    async def stored_sayings(self, saying_ids: Collection[str]) -> list[StoredSaying]:
        items = await self._get_many(self._sayings, [saying_key(each) for each in dict.fromkeys(saying_ids)])
        return self._damage.undamaged("saying", (_to_stored(item) for item in items if not is_placeholder(item)))

    async def random_saying(self) -> Saying | None:
        items = await self._items_after(random.randrange(RING))
        found = self._damage.undamaged("saying", map(to_saying, items))
        return random.choice(found) if found else None

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        if limit < 1:
            return []
        query: QueryInputTypeDef = {
            "TableName": self._sayings,
            "IndexName": BY_MODEL,
            "KeyConditionExpression": "contributor = :contributor AND created_at >= :since",
            "ExpressionAttributeValues": {
                ":contributor": text(model_contributor(model, simulated=simulated)),
                ":since": number(since),
            },
            "ScanIndexForward": False,
            "Limit": limit,
        }
        return self._damage.undamaged("saying", map(to_saying, await self._query(query)))

    async def all_sayings(self) -> AsyncIterator[StoredSaying]:
        async for page in self._scan({"TableName": self._sayings}):
            for item in page:
                if is_placeholder(item):
                    continue
                if (stored := self._damage.checked("saying", _to_stored(item))) is not None:
                    yield stored

    async def _put_unknown(self, sayings: list[Saying], fence: Lease | None) -> set[str]:
        """Write the sayings that are not stored yet in one transaction, and return their ids.

        Raises LeaseLost when the lease of the fence has been taken by another holder.
        """
        guards = [] if fence is None else [writes.check_fence(self._state, fence)]
        while guards or sayings:
            try:
                await self._transact([*guards, *(writes.put_new_saying(self._sayings, saying) for saying in sayings)])
            except ConditionFailed as changed:
                if guards and changed.failed[0]:
                    raise LeaseLost("Another worker has taken over the round.") from changed
                # A put fails when its saying is stored already, so every attempt has fewer puts than the one before.
                known = changed.failed[len(guards) :]
                sayings = [saying for saying, is_known in zip(sayings, known, strict=True) if not is_known]
            else:
                break
        return {saying.saying_id for saying in sayings}

    async def _items_after(self, point: int) -> "list[Item]":
        """The next items after a point of the ring. When there are few, the search goes all the way round."""
        first = shelf_of(point)
        others = [(first + step) % DRAW_SHELVES for step in range(1, DRAW_SHELVES)]
        arcs = [(first, _AT_OR_AFTER, point), *((shelf, _AT_OR_AFTER, 0) for shelf in others), (first, _BEFORE, point)]
        items: list[Item] = []
        for shelf, side, start in arcs:
            items += await self._shelf_items(shelf, side, start, _WINDOW - len(items))
            if len(items) == _WINDOW:
                break
        return items

    async def _shelf_items(self, shelf: int, side: str, point: int, limit: int) -> "list[Item]":
        query: QueryInputTypeDef = {
            "TableName": self._sayings,
            "IndexName": BY_DRAW,
            "KeyConditionExpression": side,
            "ExpressionAttributeValues": {":shelf": number(shelf), ":point": number(point)},
            "Limit": limit,
        }
        return await self._query(query)

    def _saying(self, item: "Item") -> Saying | None:
        """The saying of an item; None when there is none in it, or one that makes no sense."""
        return self._damage.checked("saying", to_saying(item)) if item and not is_placeholder(item) else None


def _to_stored(item: "Item") -> StoredSaying | None:
    saying = to_saying(item)
    return None if saying is None else StoredSaying(saying, count(item, "upvotes"), count(item, "downvotes"))
