"""Comparisons in DynamoDB: the sayings of several models side by side, and the ballots on them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Container
from contextlib import suppress
from typing import TYPE_CHECKING

from service.domain import Ballot, Comparison, VoteStatus
from service.errors import ConditionFailed
from service.store.base import StoredBallot
from service.store.dynamodb import writes
from service.store.dynamodb.bursts import Burst, Bursts
from service.store.dynamodb.items import (
    COMPARISON_PART,
    ballot_key,
    comparison_key,
    is_ballot,
    realm,
    text,
    to_ballot,
    to_comparison,
)
from service.store.dynamodb.lines import add_to_line, any_shard, outcome_line
from service.store.dynamodb.tables import BY_NEWEST
from service.store.dynamodb.transport import decide

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

    from service.store.dynamodb.items import Item
    from service.store.dynamodb.writes import Write

# An unseen comparison is drawn from this many of the newest ones.
_NEWEST = 50
# Comparisons on one service are searched for among this many of the newest ones.
_SEARCHED = 1_000
# The ballots of this many comparisons are read at once, to see whether the voter has seen them.
_CHECKED_AT_ONCE = 10


class DynamoComparisons(Bursts):
    """The part of the Store protocol that is about comparisons."""

    async def put_comparison(self, comparison: Comparison, ballot: Ballot) -> None:
        await self._put_new(
            writes.put_new_comparison(self._comparisons, comparison), writes.put_new_ballot(self._comparisons, ballot)
        )

    async def show_comparison(self, ballot: Ballot) -> None:
        await self._put_new(writes.put_new_ballot(self._comparisons, ballot))

    async def get_comparison(self, comparison_id: str, voter: str) -> tuple[Comparison, Ballot | None] | None:
        keys = [comparison_key(comparison_id), ballot_key(comparison_id, voter)]
        items = {item["part"]["S"]: item for item in await self._get_many(self._comparisons, keys)}
        comparison = self._comparison(items.pop(COMPARISON_PART, {}))
        ballots = self._damage.undamaged("ballot", map(to_ballot, items.values()))
        return None if comparison is None else (comparison, ballots[0] if ballots else None)

    async def unseen_comparison(
        self, voter: str, *, service: str | None, simulated: bool, withdrawn: Container[str] = frozenset()
    ) -> Comparison | None:
        newest = await self._newest(service, simulated=simulated)
        random.shuffle(newest)
        for start in range(0, len(newest), _CHECKED_AT_ONCE):
            for unseen in await self._unseen(voter, newest[start : start + _CHECKED_AT_ONCE]):
                comparison = self._comparison(await self._get(self._comparisons, comparison_key(unseen)))
                if comparison is not None and not comparison.shows_any(withdrawn):
                    return comparison
        return None

    async def cast_ballot(self, comparison: Comparison, ballot: Ballot) -> VoteStatus | None:
        return await decide(lambda: self._cast(comparison, ballot))

    async def all_ballots(self) -> AsyncIterator[StoredBallot]:
        async for page in self._scan({"TableName": self._comparisons}):
            comparisons = await self._comparisons_of(page)
            for ballot in self._damage.undamaged("ballot", map(to_ballot, filter(is_ballot, page))):
                if (comparison := comparisons.get(ballot.comparison_id)) is not None:
                    yield StoredBallot(ballot, comparison)

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
        """The ids of the comparisons that have not been shown to this voter."""
        keys = [ballot_key(comparison_id, voter) for comparison_id in comparisons]
        seen = {ballot["comparison_id"]["S"] for ballot in await self._get_many(self._comparisons, keys)}
        return [comparison_id for comparison_id in comparisons if comparison_id not in seen]

    async def _cast(self, comparison: Comparison, ballot: Ballot) -> VoteStatus | None:
        """Cast the ballot as it was read. Raises ConditionFailed when it or its burst has changed since."""
        item, burst = await asyncio.gather(
            self._get(self._comparisons, ballot_key(ballot.comparison_id, ballot.voter)), self._burst(ballot.burst)
        )
        before = to_ballot(item)
        if before is None or ballot.winner is None:
            return None
        if before.winner == ballot.winner:
            return VoteStatus.UNCHANGED
        if before.winner is not None and before.burst != burst.name:
            burst = await self._burst(before.burst)
        counts = _counts(comparison, before.winner, ballot.winner)
        cast = writes.cast(self._comparisons, ballot, ballot.winner, before=before.winner)
        await self._transact([cast, *self._ballot_writes(burst, counts, votes=int(before.winner is None))])
        return VoteStatus.RECORDED if before.winner is None else VoteStatus.CHANGED

    async def _remove_ballot(self, comparison_id: str, voter: str) -> None:
        """Delete a ballot, and take it back from the counts if it was cast."""
        await decide(lambda: self._remove_ballot_as_read(comparison_id, voter))

    async def _remove_ballot_as_read(self, comparison_id: str, voter: str) -> None:
        """Delete the ballot as it was read. Raises ConditionFailed when it or its burst has changed since."""
        key = ballot_key(comparison_id, voter)
        ballot = to_ballot(await self._get(self._comparisons, key))
        if ballot is None:
            await self._delete({"TableName": self._comparisons, "Key": key})
            return
        if ballot.winner is None:
            await self._delete(writes.delete_uncast(self._comparisons, comparison_id, voter))
            return
        comparison = self._comparison(await self._get(self._comparisons, comparison_key(comparison_id)))
        counts = {} if comparison is None else {outcome_line(comparison.outcome(ballot.winner)): -1}
        burst = await self._burst(ballot.burst)
        delete = writes.delete_ballot(self._comparisons, ballot, ballot.winner)
        await self._transact([delete, *self._ballot_writes(burst, counts, votes=-1)])

    def _ballot_writes(self, burst: Burst, counts: dict[str, int], *, votes: int) -> "list[Write]":
        shard = any_shard()
        lines = [add_to_line(self._state, shard, line, {"votes": difference}) for line, difference in counts.items()]
        return [*lines, *self._burst_writes(shard, burst, votes=votes, counts=counts)]

    async def _comparisons_of(self, page: "list[Item]") -> dict[str, Comparison]:
        """The comparisons, by id, that the items of a page belong to. Those that are not on the page are read."""
        here = [item for item in page if not is_ballot(item)]
        elsewhere = {item["comparison_id"]["S"] for item in page} - {item["comparison_id"]["S"] for item in here}
        items = here + await self._get_many(self._comparisons, map(comparison_key, elsewhere))
        return {found.comparison_id: found for item in items if (found := self._comparison(item)) is not None}

    def _comparison(self, item: "Item") -> Comparison | None:
        """The comparison of an item; None when the item is empty or damaged."""
        return self._damage.checked("comparison", to_comparison(item)) if item else None


def _counts(comparison: Comparison, before: str | None, after: str) -> dict[str, int]:
    """The differences to add to the lines of the outcomes before and after."""
    counts = Counter([outcome_line(comparison.outcome(after))])
    if before is not None:
        counts.subtract([outcome_line(comparison.outcome(before))])
    return {line: difference for line, difference in counts.items() if difference}
