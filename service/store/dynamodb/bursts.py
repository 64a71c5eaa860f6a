"""Bursts in DynamoDB: the votes and ballots of one address within an hour, set aside together when they are too many.

A burst is one item. It holds the number of its votes and ballots, their counts by the names that the `lines.ASIDE` line
uses, and a flag that tells whether they are set aside. Every process obeys the stored flag, even if its limit differs.

Most votes leave their burst on the same side of the limit. Such a vote is written on the condition that the burst stays
on that side, so that many votes of one address do not force each other to be decided again. A vote that moves the burst
across the limit also moves all of its counts, on the condition that the burst is exactly as it was read.

Before the hash of its address is removed from votes and ballots, a burst is settled: it stays on its side for good.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from service.store.dynamodb.database import Database
from service.store.dynamodb.items import count, number, text
from service.store.dynamodb.lines import ASIDE, add_to_line, any_shard
from service.store.dynamodb.transport import decide
from service.store.dynamodb.writes import addition, settle_for_good
from service.store.retention import SETTLED_ASIDE

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

STAYS_COUNTED = "attribute_not_exists(votes) OR (set_aside = :was AND votes <= :bound)"
STAYS_ASIDE = "set_aside = :was AND votes >= :bound"
IS_AS_IT_WAS = "revision = :revision"

BURST_PART = "burst"
BURST_PREFIX = "burst#"
_OWN = ("votes", "revision")
_ON_THE_WRONG_SIDE = (
    "#part = :part AND attribute_not_exists(settled)"
    " AND ((set_aside = :yes AND votes <= :limit) OR (set_aside = :no AND votes > :limit))"
)


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst as it was read; a settled one counts nothing and stays on its side. The one without a name is settled."""

    name: str
    votes: int = 0
    is_aside: bool = False
    is_settled: bool = False
    revision: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


class Bursts(Database):
    """Reads bursts, builds the writes that a vote makes to them, and moves them after a change of the limit."""

    async def review_bursts(self) -> int:
        moved = 0
        async for page in self._scan(
            {
                "TableName": self._state,
                "FilterExpression": _ON_THE_WRONG_SIDE,
                "ExpressionAttributeNames": {"#part": "part"},
                "ExpressionAttributeValues": {
                    ":part": text(BURST_PART),
                    ":yes": {"BOOL": True},
                    ":no": {"BOOL": False},
                    ":limit": number(self._burst_limit),
                },
            }
        ):
            for item in page:
                name = item["name"]["S"].removeprefix(BURST_PREFIX)
                moved += await decide(partial(self._review, name))
        return moved

    async def _review(self, name: str) -> bool:
        burst = await self._burst(name)
        if burst.is_settled or burst.is_aside == (burst.votes > self._burst_limit):
            return False
        await self._transact(self._burst_writes(any_shard(), burst, votes=0, counts={}))
        return True

    async def _burst(self, name: str) -> Burst:
        if name in ("", SETTLED_ASIDE):
            return Burst(name, is_aside=name == SETTLED_ASIDE, is_settled=True)
        return to_burst(name, await self._get(self._state, burst_key(name)))

    async def _settle_for_good(self, name: str) -> str:
        """Keep a burst on its side from now on. Returns the burst that its votes and ballots shall have instead."""
        item = await self._update(settle_for_good(self._state, burst_key(name)), repeatable=True)
        return SETTLED_ASIDE if item is not None and item["set_aside"]["BOOL"] else ""

    def _burst_writes(self, shard: int, burst: Burst, *, votes: int, counts: Mapping[str, int]) -> "list[Write]":
        """The writes that add the votes and their counts to a burst, and move its counts if it crosses the limit."""
        if burst.is_settled:
            return [add_to_line(self._state, shard, ASIDE, counts)] if burst.is_aside else []
        is_aside = burst.votes + votes > self._burst_limit
        update = update_burst(self._state, burst, is_aside, votes, counts, limit=self._burst_limit)
        moved = moved_aside(burst, is_aside, counts)
        return [update, add_to_line(self._state, shard, ASIDE, moved)] if moved else [update]


def to_burst(name: str, item: "Item") -> Burst:
    counts = {key: count(item, key) for key, value in item.items() if "N" in value and key not in _OWN}
    is_aside = item["set_aside"]["BOOL"] if item else False
    return Burst(name, count(item, "votes"), is_aside, "settled" in item, count(item, "revision"), counts)


def moved_aside(burst: Burst, is_aside: bool, counts: Mapping[str, int]) -> dict[str, int]:
    """The differences in the counts set aside when `counts` are added to the burst and its flag becomes `is_aside`."""
    before = Counter(burst.counts) if burst.is_aside else Counter()
    after = Counter(burst.counts) if is_aside else Counter()
    if is_aside:
        after.update(counts)
    after.subtract(before)
    return {name: difference for name, difference in after.items() if difference}


def update_burst(
    table: str, burst: Burst, is_aside: bool, votes: int, counts: Mapping[str, int], *, limit: int
) -> "Write":
    """Add to a burst, on the condition that `is_aside` is still right for the votes that it holds by then."""
    expression, names, values = addition({**counts, "votes": votes, "revision": 1})
    condition, bounds = _condition(burst, is_aside, votes, limit)
    return {
        "Update": {
            "TableName": table,
            "Key": burst_key(burst.name),
            "ConditionExpression": condition,
            "UpdateExpression": f"{expression} SET set_aside = :aside",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {**values, **bounds, ":aside": {"BOOL": is_aside}},
        }
    }


def _condition(burst: Burst, is_aside: bool, votes: int, limit: int) -> "tuple[str, Item]":
    was: Item = {":was": {"BOOL": burst.is_aside}}
    if is_aside != burst.is_aside:
        return IS_AS_IT_WAS, {":revision": number(burst.revision)}
    if is_aside:
        return STAYS_ASIDE, was | {":bound": number(limit + 1 - votes)}
    return STAYS_COUNTED, was | {":bound": number(limit - votes)}


def burst_key(name: str) -> "Item":
    return {"name": text(BURST_PREFIX + name), "part": text(BURST_PART)}
