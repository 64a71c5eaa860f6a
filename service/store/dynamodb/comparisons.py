"""Comparisons in DynamoDB: the sayings of several models side by side, and the ballots on them."""

import random
from collections.abc import AsyncIterator, Container
from contextlib import suppress
from typing import TYPE_CHECKING

from service.domain import Ballot, Comparison
from service.errors import ConditionFailed
from service.store.base import StoredBallot
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import (
    COMPARISON_PART,
    ballot_key,
    ballots_key,
    comparison_key,
    count,
    is_ballot,
    realm,
    text,
    to_ballot,
    to_comparison,
)
from service.store.dynamodb.tables import BY_NEWEST
from service.store.dynamodb.vote_writes import put_new_ballot, put_new_comparison

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

# An unseen comparison is one of this many of the newest ones. What decides about them is read at once.
_NEWEST = 50
# Comparisons on one service are searched for among this many of the newest ones.
_SEARCHED = 1_000


class DynamoComparisons(Database):
    """The part of the Store protocol that is about comparisons."""

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        await self._put_new(
            put_new_comparison(self._comparisons, comparison), put_new_ballot(self._comparisons, ballot)
        )

    async def show_comparison(self, ballot: Ballot) -> None:
        await self._put_new(put_new_ballot(self._comparisons, ballot))

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        keys = [comparison_key(comparison_id), ballot_key(comparison_id, voter)]
        items = {item["part"]["S"]: item for item in await self._get_many(self._comparisons, keys)}
        comparison = self._comparison(items.pop(COMPARISON_PART, {}))
        ballot = self._ballot(next(iter(items.values()), {}))
        return None if comparison is None else (comparison, ballot)

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        newest = await self._newest(service, simulated=simulated)
        for comparison_id in await self._unseen(voter, newest):
            comparison = self._comparison(await self._get(self._comparisons, comparison_key(comparison_id)))
            if comparison is not None and not comparison.shows_any(withdrawn):
                return comparison
        return None

    async def all_ballots(self) -> AsyncIterator[StoredBallot]:
        async for page in self._scan({"TableName": self._comparisons}):
            for stored in await self._ballots_of(page):
                yield stored

    async def _put_new(self, *puts: "Write") -> None:
        """Put new items, all or none. Change nothing when one of them exists already."""
        with suppress(ConditionFailed):
            await self._transact(list(puts))

    async def _newest(self, service: str | None, *, simulated: bool) -> list[str]:
        query: QueryInputTypeDef = {
            "TableName": self._comparisons,
            "IndexName": BY_NEWEST,
            "KeyConditionExpression": "realm = :realm",
            "ExpressionAttributeValues": {":realm": realm(simulated=simulated)},
            "ScanIndexForward": False,
            "Limit": _NEWEST,
        }
        if service is not None:
            query["Limit"] = _SEARCHED
            query["FilterExpression"] = "#service = :service"
            query["ExpressionAttributeNames"] = {"#service": "service"}
            query["ExpressionAttributeValues"] = {":realm": realm(simulated=simulated), ":service": text(service)}
        return [item["comparison_id"]["S"] for item in await self._query(query)][:_NEWEST]

    async def _unseen(self, voter: str, comparisons: list[str]) -> list[str]:
        """The ids of those that this voter has not been shown and that lack ballots, the fewest ballots first."""
        keys = [key for each in comparisons for key in (ballot_key(each, voter), ballots_key(each))]
        items = await self._get_many(self._comparisons, keys)
        seen = {item["comparison_id"]["S"] for item in items if is_ballot(item)}
        ballots = {item["comparison_id"]["S"]: count(item, "ballots") for item in items if not is_ballot(item)}
        unseen = [each for each in comparisons if each not in seen]
        lacking = [each for each in unseen if ballots.get(each, 0) < self._quotas.comparison_ballots]
        random.shuffle(lacking)
        return sorted(lacking, key=lambda each: ballots.get(each, 0))

    async def _ballots_of(self, page: "list[Item]") -> list[StoredBallot]:
        """The ballots on a page of the table, without those that make no sense or whose comparison does not."""
        comparisons = await self._comparisons_of(page)
        ballots = self._damage.undamaged("ballot", map(to_ballot, filter(is_ballot, page)))
        return [
            StoredBallot(ballot, comparison)
            for ballot in ballots
            if (comparison := comparisons.get(ballot.comparison_id)) is not None
        ]

    async def _comparisons_of(self, page: "list[Item]") -> dict[str, Comparison]:
        """The comparisons, by id, that the items of a page belong to. Those that are not on the page are read."""
        here = [item for item in page if item["part"]["S"] == COMPARISON_PART]
        needed = {item["comparison_id"]["S"] for item in page if is_ballot(item)}
        elsewhere = needed - {item["comparison_id"]["S"] for item in here}
        items = here + await self._get_many(self._comparisons, map(comparison_key, elsewhere))
        return {found.comparison_id: found for item in items if (found := self._comparison(item)) is not None}

    def _comparison(self, item: "Item") -> Comparison | None:
        """The comparison of an item; None when the item is empty or damaged."""
        return self._damage.checked("comparison", to_comparison(item)) if item else None

    def _ballot(self, item: "Item") -> Ballot | None:
        """The ballot of an item; None when the item is empty or damaged."""
        return self._damage.checked("ballot", to_ballot(item)) if item else None
