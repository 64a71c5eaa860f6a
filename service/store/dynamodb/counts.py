"""Counts in DynamoDB: serves and calls, the aggregates of all counts, and the sizes of the tables."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from service.domain import Call, day_of
from service.errors import ConditionFailed
from service.store.base import Aggregates, Strand
from service.store.dynamodb.items import to_call
from service.store.dynamodb.line_sums import aggregates
from service.store.dynamodb.lines import (
    BUCKET,
    FAILED,
    REJECTED,
    add_to_day,
    add_to_hour,
    add_to_line,
    any_shard,
    calls_line,
)
from service.store.dynamodb.tallies import Tallies, lines_of
from service.store.dynamodb.writes import put_new_call
from service.store.latency_buckets import bucket_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TableDescriptionTypeDef


class DynamoCounts(Tallies):
    """The part of the Store protocol that is about serves, calls and aggregates."""

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        if not serves:
            return
        shard = any_shard()
        in_all = [add_to_line(self._state, shard, name, {"serves": n}) for name, n in serves.items()]
        by_hour = [add_to_hour(self._state, shard, hour, name, {"serves": n}) for name, n in serves.items()]
        await self._transact([*in_all, *by_hour])

    async def record_call(self, call: Call) -> None:
        made = call.generation
        strand = Strand(call.contributor, day_of(made.created_at), made.prompt_version, made.snapshot)
        part = calls_line(strand, made.kind, call.shape)
        line = add_to_day(self._state, any_shard(), part, call_counts(call))
        with suppress(ConditionFailed):  # the call is stored, and so counted, already
            await self._transact([put_new_call(self._calls, call), line])

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        items = await self._items_of_lines()
        # In a thread, because the lines of many days with many votes take half a second to add up.
        return await asyncio.to_thread(lambda: aggregates(lines_of(items), since_hour=since_hour))

    async def all_calls(self) -> AsyncIterator[Call]:
        async for page in self._scan({"TableName": self._calls}):
            for item in page:
                if (call := self._damage.checked("call", to_call(item))) is not None:
                    yield call

    async def sizes(self) -> dict[str, int]:
        # DynamoDB updates its item counts only every few hours.
        votes, sayings, comparisons, calls = await asyncio.gather(
            *map(self._describe, (self._feedback, self._sayings, self._comparisons, self._calls))
        )
        return {
            "votes": votes["ItemCount"],
            "sayings": sayings["ItemCount"],
            # The items that are not in the index are ballots, except for comparisons that are no longer offered, and
            # for the numbers of ballots.
            "comparisons": comparisons["ItemCount"] - comparisons["GlobalSecondaryIndexes"][0].get("ItemCount", 0),
            "calls": calls["ItemCount"],
        }

    async def _describe(self, table: str) -> "TableDescriptionTypeDef":
        return (await self._send(lambda: self._client.describe_table(TableName=table), repeatable=True))["Table"]


def call_counts(call: Call) -> dict[str, float]:
    """What a call adds to its line."""
    made = call.generation
    counts: dict[str, float] = {
        "calls": 1,
        "unpriced": int(made.cost_nanos is None),
        "sayings": call.sayings,
        "input_tokens": made.usage.input_tokens,
        "output_tokens": made.usage.output_tokens,
        "cost_nanos": made.cost_nanos or 0,
        **{f"{REJECTED}{reason}": sayings for reason, sayings in call.rejected.items()},
    }
    if call.error_type:
        return counts | {f"{FAILED}{call.error_type}": 1}
    # DynamoDB adds with 38 digits. Sums of rounded numbers never need more.
    return counts | {f"{BUCKET}{bucket_of(made.latency_ms)}": 1, "latency_ms": round(made.latency_ms, 6)}
