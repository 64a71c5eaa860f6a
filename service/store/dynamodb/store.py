"""The Store protocol on DynamoDB. What the tables hold is drawn in tables.py.

A random saying is drawn from a ring: every saying lies at a point given by the hash of its id, a draw takes a random
point and one of the sayings that follow it. Nothing is counted or renumbered for that, so that writers never wait for
each other, and a draw reads the same few items however large the table is.
"""

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from service.domain import (
    FeedbackType,
    Saying,
    Vote,
    VoteResult,
    VoteStatus,
    model_contributor,
    vote_delta,
    vote_status,
)
from service.errors import LeaseLost, StoreError
from service.store.base import Lease, Spend, SpendWindow, Tally
from service.store.dynamodb import writes
from service.store.dynamodb.calls import ConditionFailed, send
from service.store.dynamodb.items import RING, count, number, shelf_of, text, to_saying
from service.store.dynamodb.tables import BY_DRAW, BY_MODEL, DRAW_SHELVES, FEEDBACK, SAYINGS, STATE, TALLY_SHARDS

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef, UpdateItemInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

# How many sayings a draw chooses from. Gaps between neighbours differ a lot, sums of sixteen gaps do not: choosing
# among so many makes every saying about as likely as the next.
_WINDOW = 16
_AT_OR_AFTER = "draw_shelf = :shelf AND draw >= :point"
_BEFORE = "draw_shelf = :shelf AND draw < :point"
# A transaction holds a hundred writes; one place is the fence's.
_SAYINGS_AT_ONCE = 99
# How often a vote is tried because the same voter's vote changed under way.
_VOTE_ATTEMPTS = 5
# The longest text that is sure to fit a sort key's 1,024 bytes.
_LONGEST_KEY = 256


class DynamoStore:
    """The Store protocol on three tables, whose names start with `prefix`.

    The client stays its owner's, who closes it. It must not repeat calls by itself (see calls.py).
    """

    def __init__(self, client: "DynamoDBClient", prefix: str = "") -> None:
        self._client = client
        self._sayings = prefix + SAYINGS
        self._feedback = prefix + FEEDBACK
        self._state = prefix + STATE

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        # Atomic up to 99 sayings. Only the collection is larger, and loading it can be repeated.
        first_of_each = {saying.saying_id: saying for saying in reversed(sayings)}
        wanted = list(first_of_each.values())
        new: set[str] = set()
        for start in range(0, max(len(wanted), 1), _SAYINGS_AT_ONCE):
            new |= await self._put_unknown(wanted[start : start + _SAYINGS_AT_ONCE], fence)
        return frozenset(new)

    async def get_saying(self, saying_id: str) -> Saying | None:
        return to_saying(await self._saying_item(saying_id))

    async def random_saying(self) -> Saying | None:
        items = await self._items_after(random.randrange(RING))
        whole = [saying for saying in map(to_saying, items) if saying is not None]
        return random.choice(whole) if whole else None

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
        return [saying for saying in map(to_saying, await self._query(query)) if saying is not None]

    async def vote(self, vote: Vote) -> VoteResult | None:
        return await self._replace_vote(vote.saying_id, vote.voter, vote)

    async def withdraw_vote(self, saying_id: str, voter: str) -> VoteResult | None:
        return await self._replace_vote(saying_id, voter, None)

    async def add_serves(self, serves: Mapping[str, int]) -> None:
        if serves:
            await self._transact([writes.add_to_tally(self._state, whom, serves=n) for whom, n in serves.items()])

    async def tallies(self) -> dict[str, Tally]:
        shards = await asyncio.gather(*map(self._tally_items, range(TALLY_SHARDS)))
        sums: dict[str, Tally] = {}
        for item in chain.from_iterable(shards):
            whom = item["part"]["S"]
            sums[whom] = _plus(sums.get(whom, Tally()), item)
        return sums

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        # Should a first attempt have been carried out unheard, the second finds the lease taken: it just expires.
        taken = await self._update(
            writes.take_lease(self._state, name, holder, now=now, until=now + seconds), repeatable=True
        )
        return None if taken is None else Lease(name, holder, count(taken, "token"), now + seconds)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        return await self._update(writes.prolong_lease(self._state, lease, until=until), repeatable=True) is not None

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        day_room, hour_room = caps.day - amount, caps.hour - amount
        if min(day_room, hour_room) < 0:
            return None
        reservation = writes.add_spend_within(self._state, window, amount, day_room=day_room, hour_room=hour_room)
        # Not repeatable: a reservation made unheard stays, which is the safe side, but must not be made twice.
        held = await self._update(reservation, repeatable=False)
        return None if held is None else Spend(count(held, "total"), count(held, writes.hour_attribute(window)))

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        # Not repeatable: money given back twice would let the caps be overshot.
        await self._update(writes.add_spend(self._state, window, difference), repeatable=False)

    async def spend(self, window: SpendWindow) -> Spend:
        item = await self._get(self._state, writes.spend_key(window))
        return Spend(count(item, "total"), count(item, writes.hour_attribute(window)))

    async def ping(self) -> None:
        await self._get(self._sayings, {"saying_id": text("ping")})

    async def close(self) -> None:
        """Nothing: the client is its owner's."""

    async def _put_unknown(self, sayings: list[Saying], fence: Lease | None) -> set[str]:
        """Write the sayings that are not known yet, all in one transaction, while the fence stands; their ids."""
        guards = [] if fence is None else [writes.check_fence(self._state, fence)]
        while guards or sayings:
            try:
                await self._transact([*guards, *(writes.put_new_saying(self._sayings, saying) for saying in sayings)])
            except ConditionFailed as changed:
                if guards and changed.failed[0]:
                    raise LeaseLost("Another worker has taken over the round.") from changed
                # What failed beside the fence is known already, so that every turn has fewer puts than the last.
                known = changed.failed[len(guards) :]
                sayings = [saying for saying, is_known in zip(sayings, known, strict=True) if not is_known]
            else:
                break
        return {saying.saying_id for saying in sayings}

    async def _replace_vote(self, saying_id: str, voter: str, vote: Vote | None) -> VoteResult | None:
        """Replace the voter's opinion of the saying by `vote` (None: take it back), and move every counter with it."""
        for _ in range(_VOTE_ATTEMPTS):
            saying, before = await asyncio.gather(self._saying_item(saying_id), self._vote_item(saying_id, voter))
            if "contributor" not in saying:
                return None
            try:
                return await self._write_vote(saying, before, vote)
            except ConditionFailed:
                continue  # The same voter was faster elsewhere: look again at what there is to replace.
        raise StoreError("The vote kept changing under way.")

    async def _write_vote(self, saying: "Item", before: "Item", vote: Vote | None) -> VoteResult:
        """Put `vote` where `before` still is. Raises ConditionFailed when it no longer is."""
        old = FeedbackType(before["feedback_type"]["S"]) if before else None
        new = vote.feedback_type if vote else None
        status, (up, down) = vote_status(old, new), vote_delta(old, new)
        if status is not VoteStatus.UNCHANGED:
            await self._transact(
                [
                    writes.replace_vote(self._feedback, before, vote),
                    writes.add_to_saying(self._sayings, saying["saying_id"]["S"], upvotes=up, downvotes=down),
                    writes.add_to_tally(self._state, saying["contributor"]["S"], upvotes=up, downvotes=down),
                ]
            )
        return VoteResult(status, count(saying, "upvotes") + up, count(saying, "downvotes") + down)

    async def _items_after(self, point: int) -> "list[Item]":
        """The items that follow a point of the ring, all the way round to it where there are few."""
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

    async def _tally_items(self, shard: int) -> "list[Item]":
        query: QueryInputTypeDef = {
            "TableName": self._state,
            "KeyConditionExpression": "#name = :shard",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":shard": writes.tally_name(shard)},
            "ConsistentRead": True,
        }
        return await self._query(query)

    async def _saying_item(self, saying_id: str) -> "Item":
        return await self._get(self._sayings, {"saying_id": text(saying_id)})

    async def _vote_item(self, saying_id: str, voter: str) -> "Item":
        return await self._get(self._feedback, {"saying_id": text(saying_id), "voter": text(voter)})

    async def _get(self, table: str, key: "Item") -> "Item":
        """An item as it was last written; empty when there is none."""
        # What cannot be a key is an error to DynamoDB; to us it is one more key that nothing has.
        if not all(0 < len(part["S"]) <= _LONGEST_KEY for part in key.values()):
            return {}
        answer = await send(
            lambda: self._client.get_item(TableName=table, Key=key, ConsistentRead=True), repeatable=True
        )
        return answer.get("Item", {})

    async def _query(self, query: "QueryInputTypeDef") -> "list[Item]":
        """The first page, a megabyte: more than any of these queries asks for."""
        answer = await send(lambda: self._client.query(**query), repeatable=True)
        return answer["Items"]

    async def _update(self, update: "UpdateItemInputTypeDef", *, repeatable: bool) -> "Item | None":
        """The attributes an update returns; None when its condition did not hold."""
        try:
            answer = await send(lambda: self._client.update_item(**update), repeatable=repeatable)
        except ConditionFailed:
            return None
        return answer.get("Attributes", {})

    async def _transact(self, all_or_none: "list[Write]") -> None:
        """Carry out all of the writes or none. Raises ConditionFailed."""
        # By the token DynamoDB knows a transaction it has carried out already: repeating it adds nothing twice.
        token = uuid.uuid4().hex
        await send(
            lambda: self._client.transact_write_items(TransactItems=all_or_none, ClientRequestToken=token),
            repeatable=True,
        )


def _plus(tally: Tally, item: "Item") -> Tally:
    return Tally(
        tally.serves + count(item, "serves"),
        tally.upvotes + count(item, "upvotes"),
        tally.downvotes + count(item, "downvotes"),
    )
