"""How DynamoDB's counts are read, and how a pass folds those of days that are over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from service.domain import CallKind
from service.errors import StoreError
from service.limits import DAY_SECONDS
from service.store.base import Aggregates, Counts, Store
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.lines import line_of
from service.store.dynamodb.tables import STATE
from tests.store.builders import (
    CAST_AT,
    HOUR,
    MODEL,
    NAMED,
    NEGATIVE,
    call,
    comparison,
    generated,
    shown,
    vote,
)
from tests.store.clients import error, faulty, in_small_pages, items
from tests.store.conftest import Dynamo
from tests.store.counting import Total, totals
from tests.store.test_contract_retention import forget, prune

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

SAYING, COMPARED = generated("a saying"), comparison()
VOTERS = [f"voter {n}" for n in range(6)]
NEXT_DAY, LATER = CAST_AT + DAY_SECONDS, CAST_AT + 60 * DAY_SECONDS


@pytest.fixture(autouse=True)
async def _counted(dynamo: Dynamo) -> None:
    """A day on which something of everything is counted."""
    store = dynamo.store
    await store.put_sayings([SAYING])
    await store.put_comparison(COMPARED, shown(COMPARED, VOTERS[0]))
    for n, voter in enumerate(VOTERS):
        await store.vote(vote(SAYING, voter, attribution=NAMED if n == 0 else vote(SAYING).attribution))
        await store.show_comparison(shown(COMPARED, voter))
        await store.cast_ballot(COMPARED.comparison_id, voter, "ABC"[n % 3], at=CAST_AT)
    for n in range(6):
        await store.record_call(call(f"call {n}", kind=CallKind.LIVE, error_type="timeout" if n == 5 else ""))
    await store.add_serves({MODEL: 3}, hour=HOUR)


async def everything(store: Store) -> Aggregates:
    return await store.aggregates(since_hour="")


async def lines(dynamo: Dynamo) -> dict[str, set[str]]:
    """The lines of days, by the kind of the name that they are under."""
    found: dict[str, set[str]] = {"tally": set(), "tallies": set()}
    for item in await items(dynamo, STATE):
        kind, part = item["name"]["S"].partition("#")[0], line_of(item)
        if part.startswith(("votes#", "ballots#", "attempts#")):
            found[kind].add(part)
    return found


class TestReading:
    async def test_is_one_consistent_query_for_each_shard_and_for_what_is_folded(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)

        await everything(store)

        assert [operation for operation, _ in client.asked] == ["query"] * 17 + ["get_item"]
        assert all(request["ConsistentRead"] for _, request in client.asked)

    async def test_adds_up_over_shards_and_pages(self, dynamo: Dynamo) -> None:
        assert await everything(in_small_pages(dynamo)) == await everything(dynamo.store)
        assert (await totals(dynamo.store))[MODEL] == Total(blind=Counts(5, 5), named=Counts(1, 1), voters=5, sayings=1)

    @pytest.mark.parametrize("moment", ["before the shards", "after the shards"])
    async def test_a_line_that_is_folded_meanwhile_is_read_once(self, dynamo: Dynamo, moment: str) -> None:
        before = await everything(dynamo.store)
        shard = {"before the shards": 0, "after the shards": 15}[moment]
        client = Meanwhile(dynamo.client, f"tally#{shard}", lambda: prune(dynamo.store, NEXT_DAY))

        counted = await everything(DynamoStore(cast("DynamoDBClient", client), dynamo.prefix))

        assert client.has_happened
        assert counted == before


class Meanwhile:
    """A client during whose query for one name something happens."""

    def __init__(self, client: "DynamoDBClient", name: str, happens: Callable[[], Awaitable[object]]) -> None:
        self._client = client
        self._name = name
        self._happens = happens
        self.has_happened = False

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    async def query(self, **request: Any) -> Any:
        if self._name in str(request) and not self.has_happened:
            self.has_happened = True
            await self._happens()
        return await self._client.query(**request)


class TestFolding:
    async def test_a_day_that_is_over_is_an_item_a_line_and_counts_the_same(self, dynamo: Dynamo) -> None:
        before, unfolded = await everything(dynamo.store), await lines(dynamo)

        await prune(dynamo.store, NEXT_DAY)

        assert await everything(dynamo.store) == before
        assert await lines(dynamo) == {"tally": set(), "tallies": unfolded["tally"]}
        assert len(unfolded["tally"]) == 3

    async def test_today_is_left_as_it_is(self, dynamo: Dynamo) -> None:
        before = await lines(dynamo)

        await prune(dynamo.store, CAST_AT)

        assert await lines(dynamo) == before

    async def test_what_comes_later_is_added_the_next_time(self, dynamo: Dynamo) -> None:
        await prune(dynamo.store, NEXT_DAY)
        await dynamo.store.vote(vote(SAYING, "late", NEGATIVE))
        before = await everything(dynamo.store)

        await prune(dynamo.store, NEXT_DAY)

        assert await everything(dynamo.store) == before
        assert (await lines(dynamo))["tally"] == set()

    @pytest.mark.parametrize("days", [1, 60])
    async def test_a_line_that_is_written_meanwhile_waits_for_the_next_pass(self, dynamo: Dynamo, days: int) -> None:
        now = CAST_AT + days * DAY_SECONDS
        store, _ = faulty(dynamo, meanwhile=lambda: add_to_all_lines(dynamo.store))

        await prune(store, now)
        first, left = await everything(dynamo.store), await lines(dynamo)
        await prune(store, now)

        assert len(left["tally"]) == 1
        assert (await lines(dynamo))["tally"] == set()
        assert _summed(await everything(dynamo.store)) == _summed(first)

    async def test_two_passes_at_once_fold_everything_once(self, dynamo: Dynamo) -> None:
        before = await everything(dynamo.store)

        await asyncio.gather(*(prune(dynamo.store, NEXT_DAY) for _ in range(2)))

        assert await everything(dynamo.store) == before

    async def test_a_pass_that_fails_is_finished_by_the_next(self, dynamo: Dynamo) -> None:
        before = await everything(dynamo.store)
        failures = [None, *(error("InternalServerError", 500) for _ in range(20))]
        store, _ = faulty(dynamo, transact_write_items=failures)
        with pytest.raises(StoreError):
            await prune(store, NEXT_DAY)
        half = await lines(dynamo)

        await prune(dynamo.store, NEXT_DAY)

        assert (len(half["tallies"]), len(half["tally"])) == (1, 2)
        assert await everything(dynamo.store) == before
        assert (await lines(dynamo))["tally"] == set()

    async def test_old_days_are_joined(self, dynamo: Dynamo) -> None:
        await prune(dynamo.store, NEXT_DAY)
        await dynamo.store.vote(vote(SAYING, "later", at=NEXT_DAY))
        await prune(dynamo.store, NEXT_DAY + DAY_SECONDS)
        before = await totals(dynamo.store)

        await prune(dynamo.store, LATER)

        joined = await everything(dynamo.store)
        assert await totals(dynamo.store) == before
        assert {strand.day for strand in joined.votes} == {""}
        assert {day for day, _ in joined.outcomes} == {""}
        assert {strand.day for strand, _, _ in joined.calls} == {""}
        assert all(part.split("#")[1] == "" for part in (await lines(dynamo))["tallies"])

    async def test_votes_that_are_taken_back_from_an_old_day_are_gone(self, dynamo: Dynamo) -> None:
        await prune(dynamo.store, LATER)

        for voter in VOTERS:
            await forget(dynamo.store, voter)
        await prune(dynamo.store, LATER + DAY_SECONDS)

        counted = await everything(dynamo.store)
        assert (counted.votes, counted.outcomes, counted.services) == ({}, {}, {})


async def add_to_all_lines(store: DynamoStore) -> None:
    """Add to the line of votes in all shards."""
    for n in range(60):
        await store.vote(vote(SAYING, f"another {n}"))


def _summed(counted: Aggregates) -> tuple[int, int]:
    votes = sum(counts.votes for tally in counted.votes.values() for counts in tally.blind.values())
    return votes, sum(sum(tally.counted.values()) for tally in counted.outcomes.values())
