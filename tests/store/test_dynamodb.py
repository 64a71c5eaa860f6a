"""What is special about the DynamoDB store: its faults, conditions and indexes, and what a call reads and writes."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ParamValidationError, ReadTimeoutError

from service.domain import CallKind, CallShape
from service.errors import LeaseLost, StoreAccessDenied, StoreError, WrongSchema
from service.limits import DEFAULT_RETENTION
from service.store.base import ROUND_LEASE, Lease, Spend, SpendWindow, Store, StoredBallot, Strand
from service.store.dynamodb import TABLES, DynamoStore, create_tables
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from tests.store.builders import (
    CAST_AT,
    DAY,
    HOUR,
    MODEL,
    ballot,
    call,
    collected,
    comparison,
    generated,
    shown,
    vote,
)
from tests.store.clients import cancelled, error, faulty, in_small_pages, items, no_answer
from tests.store.conftest import Connect, Dynamo

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

WINDOW = SpendWindow("2026-11-20", "2026-11-20T13")
CAPS = Spend(day=1_000, hour=1_000)
SAYING, COLLECTED = generated("a saying"), collected("another")
OFFERED = comparison("offered")


class TestCounts:
    async def test_an_hour_is_forgotten_three_days_later(self, dynamo: Dynamo) -> None:
        await dynamo.store.add_serves({MODEL: 1}, hour="2026-11-20T13")
        await dynamo.store.add_serves({MODEL: 1}, hour="2026-11-20T13")

        expiries = {item["part"]["S"]: item.get(EXPIRY_ATTRIBUTE) for item in await items(dynamo, STATE)}

        assert expiries == {MODEL: None, f"hour#2026-11-20T13#{MODEL}": {"N": "1795438800"}}

    async def test_a_call_recorded_unheard_counts_once(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, transact_write_items=[no_answer()], after_the_call=True)

        await store.record_call(call(asked=3))

        calls = (await store.aggregates(since_hour="")).calls
        assert calls[Strand(MODEL, DAY, "v1"), CallKind.ROUND, CallShape.ROUND].calls == 1

    async def test_sizes_are_dynamodbs_own_counts(self) -> None:
        store = DynamoStore(cast("DynamoDBClient", Described()))

        assert await store.sizes() == {"votes": 60, "sayings": 50, "comparisons": 40 - 30, "calls": 20}


class Described:
    """A client that knows how many items there are, those of the index as well, as moto does not."""

    async def describe_table(self, **request: str) -> Any:
        sizes = {"main_humor": 50, "saying_feedback": 60, "saying_comparisons": 40, "model_calls": 20}
        table = {"ItemCount": sizes[request["TableName"]], "GlobalSecondaryIndexes": [{"ItemCount": 30}]}
        return {"Table": table, "ResponseMetadata": {"RequestId": "one"}}


class TestStreams:
    async def test_go_on_from_page_to_page(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING, COLLECTED])
        for each in (SAYING, COLLECTED):
            for voter in ("ann", "bob"):
                await dynamo.store.vote(vote(each, voter))
        recorded = [call(f"generation-{n}") for n in range(3)]
        for one in recorded:
            await dynamo.store.record_call(one)
        store = in_small_pages(dynamo)

        assert {(stored.saying_id, stored.voter) async for stored in store.all_votes()} == {
            (each.saying_id, voter) for each in (SAYING, COLLECTED) for voter in ("ann", "bob")
        }
        assert {stored.saying async for stored in store.all_sayings()} == {SAYING, COLLECTED}
        calls = [stored async for stored in store.all_calls()]
        assert sorted(calls, key=lambda one: one.generation.generation_id) == recorded

    async def test_a_ballot_finds_its_comparison_on_another_page(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        await dynamo.store.show_comparison(shown(OFFERED, "bob"))
        await dynamo.store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT)

        stored = {each async for each in in_small_pages(dynamo).all_ballots()}

        assert stored == {
            StoredBallot(ballot(OFFERED), OFFERED),
            StoredBallot(shown(OFFERED, "bob"), OFFERED),
        }


class TestPutFaults:
    async def test_many_sayings_are_written_in_batches_each_under_the_fence(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)
        lease = await store.acquire_lease(ROUND_LEASE, "holder", now=0.0, seconds=60)

        await store.put_sayings([collected(f"saying {n}") for n in range(49)], fence=lease)

        sizes = [len(request["TransactItems"]) for request in client.requests("transact_write_items")]
        assert sizes == [25, 25, 2]

    async def test_a_lost_lease_is_distinguished_from_a_known_saying(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        with pytest.raises(LeaseLost):
            await dynamo.store.put_sayings([SAYING], fence=Lease(ROUND_LEASE, "nobody", 1, 60.0))


class TestWhatIsSentAgain:
    @pytest.mark.parametrize("code", ["ThrottlingException", "TransactionConflictException"])
    async def test_money_is_booked_again_when_it_was_refused(self, dynamo: Dynamo, code: str) -> None:
        store, _ = faulty(dynamo, update_item=[error(code), error(code)])

        assert await store.reserve_spend(WINDOW, 10, caps=CAPS)
        assert await store.spend(WINDOW) == Spend(10, 10)

    @pytest.mark.parametrize("fault", [no_answer(), error("InternalServerError", 500)])
    async def test_money_is_never_booked_twice(self, dynamo: Dynamo, fault: Exception) -> None:
        reserving, _ = faulty(dynamo, update_item=[fault], after_the_call=True)
        adjusting, _ = faulty(dynamo, update_item=[fault], after_the_call=True)

        with pytest.raises(StoreError):
            await reserving.reserve_spend(WINDOW, 10, caps=CAPS)
        with pytest.raises(StoreError):
            await adjusting.adjust_spend(WINDOW, -3)

        assert await dynamo.store.spend(WINDOW) == Spend(7, 7)

    async def test_what_does_not_fit_a_cap_is_refused_without_a_call(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)

        assert not await store.reserve_spend(WINDOW, 1_001, caps=CAPS)

        assert client.asked == []

    async def test_a_lease_taken_unheard_is_not_taken_twice(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, update_item=[no_answer()], after_the_call=True)

        assert await store.acquire_lease(ROUND_LEASE, "holder", now=0.0, seconds=60) is None

        later = await store.acquire_lease(ROUND_LEASE, "holder", now=60.0, seconds=60)
        assert later == Lease(ROUND_LEASE, "holder", 2, 120.0)


class TestErrors:
    async def test_a_table_that_is_gone_is_noticed_by_the_check(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, get_item=[error("ResourceNotFoundException")])

        with pytest.raises(WrongSchema):
            await store.ping()

    @pytest.mark.parametrize(
        "fault",
        [
            error("AccessDeniedException"),
            error("ResourceNotFoundException"),
            error("ThrottlingException"),
            error("InternalServerError", 500),
            cancelled("ValidationError"),
            no_answer(),
            ReadTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/main_humor"),
            ParamValidationError(report="main_humor"),
            OSError("main_humor"),
        ],
    )
    async def test_are_translated_without_the_sdks_text(self, dynamo: Dynamo, fault: Exception) -> None:
        store, _ = faulty(dynamo, get_item=[fault] * 5)

        with pytest.raises(StoreError) as raised:
            await store.get_saying("a saying")

        assert raised.value.__cause__ is fault
        assert "main_humor" not in str(raised.value)
        assert "amazonaws" not in str(raised.value)

    async def test_every_method_says_so_when_the_tables_are_missing(self, dynamo: Dynamo) -> None:
        await _every_method_fails(DynamoStore(dynamo.client, "no-such-prefix-"))

    async def test_every_method_raises_store_error_without_a_server(self, connect: Connect) -> None:
        async with connect("http://127.0.0.1:9") as client:
            await _every_method_fails(DynamoStore(client))


class TestDraws:
    async def test_a_damaged_item_is_passed_over(self, dynamo: Dynamo) -> None:
        damaged, whole = generated("damaged"), generated("whole")
        await dynamo.store.put_sayings([damaged, whole])

        await dynamo.client.update_item(
            TableName=dynamo.prefix + "main_humor",
            Key={"saying_id": {"S": damaged.saying_id}},
            UpdateExpression="REMOVE services SET kind = :junk",
            ExpressionAttributeValues={":junk": {"S": "no such kind"}},
        )

        assert {await dynamo.store.random_saying() for _ in range(20)} == {whole}
        assert await dynamo.store.recent_sayings(MODEL, since=0, limit=10, simulated=False) == [whole]
        assert await dynamo.store.get_saying(damaged.saying_id) is None

    @pytest.mark.parametrize(("size", "most", "on_average"), [(0, 5, 5), (10, 5, 5), (80, 3, 2), (320, 2, 1.3)])
    async def test_reads_a_handful_of_items_at_any_size(
        self, dynamo: Dynamo, size: int, most: int, on_average: float
    ) -> None:
        random.seed(20_261_120)
        await dynamo.store.put_sayings([collected(f"saying {n}") for n in range(size)])

        reads = []
        for _ in range(40):
            store, client = faulty(dynamo)
            await store.random_saying()
            reads.append(len(client.asked))
            assert all(operation == "query" and request["Limit"] <= 16 for operation, request in client.asked)

        assert max(reads) <= most
        assert sum(reads) / len(reads) <= on_average

    async def test_sayings_lie_on_every_shelf(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([collected(f"saying {n}") for n in range(80)])

        found = await dynamo.client.scan(TableName=dynamo.prefix + "main_humor", IndexName="by_draw")

        shelves = Counter(item["draw_shelf"]["N"] for item in found["Items"])
        assert set(shelves) == {"0", "1", "2", "3"}
        assert min(shelves.values()) >= 10


class TestTables:
    def test_no_index_holds_what_a_vote_changes(self) -> None:
        indexes = [index for table in TABLES.values() for index in table.get("GlobalSecondaryIndexes", [])]

        for index in indexes:
            held = {*index["Projection"]["NonKeyAttributes"], *(key["AttributeName"] for key in index["KeySchema"])}
            assert index["Projection"]["ProjectionType"] == "INCLUDE"
            assert not held & {"upvotes", "downvotes", "blind_votes", "winner", "ballots"}
        assert len(indexes) == 3

    async def test_making_them_again_keeps_what_is_there(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        await create_tables(dynamo.client, dynamo.prefix)

        assert await dynamo.store.get_saying(SAYING.saying_id) == SAYING

    async def test_are_paid_by_request(self, dynamo: Dynamo) -> None:
        for table in TABLES:
            found = await dynamo.client.describe_table(TableName=dynamo.prefix + table)
            assert found["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    async def test_spend_is_forgotten_by_itself_after_weeks(self, dynamo: Dynamo) -> None:
        await dynamo.store.reserve_spend(WINDOW, 10, caps=CAPS)

        table = dynamo.prefix + STATE
        lives = await dynamo.client.describe_time_to_live(TableName=table)
        assert lives["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": EXPIRY_ATTRIBUTE}
        assert [item[EXPIRY_ATTRIBUTE]["N"] for item in await items(dynamo, STATE)] == ["1798243200"]

    async def test_missing_rights_to_create_them_raise_store_error(self, dynamo: Dynamo) -> None:
        _, client = faulty(dynamo, create_table=[error("AccessDeniedException")])

        with pytest.raises(StoreAccessDenied):
            await create_tables(cast("DynamoDBClient", client))


async def _every_method_fails(store: Store) -> None:
    lease = Lease(ROUND_LEASE, "holder", 1, 60.0)
    methods: list[Callable[[], Awaitable[object]]] = [
        lambda: store.put_sayings([SAYING]),
        lambda: store.put_sayings([SAYING], fence=lease),
        lambda: store.get_saying(SAYING.saying_id),
        store.random_saying,
        lambda: store.recent_sayings(MODEL, since=0, limit=1, simulated=False),
        lambda: store.vote(vote(SAYING)),
        lambda: store.withdraw_vote(SAYING.saying_id, "ann"),
        lambda: store.add_serves({MODEL: 1}, hour=HOUR),
        lambda: store.record_call(call()),
        lambda: store.put_comparison(OFFERED, shown(OFFERED)),
        lambda: store.get_comparison("offered", "ann"),
        lambda: store.unseen_comparison("ann", service=None, simulated=False),
        lambda: store.show_comparison(shown(OFFERED)),
        lambda: store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT),
        lambda: store.aggregates(since_hour=""),
        lambda: store.day_secret(DAY),
        lambda: store.put_analysis("{}"),
        store.analysis,
        lambda: store.forget("ann", asked_at=CAST_AT),
        lambda: anext(store.prune(DEFAULT_RETENTION, now=CAST_AT)),
        lambda: anext(store.all_votes()),
        lambda: anext(store.all_sayings()),
        lambda: anext(store.all_ballots()),
        lambda: anext(store.all_calls()),
        store.sizes,
        lambda: store.acquire_lease(ROUND_LEASE, "holder", now=0.0, seconds=60),
        lambda: store.keep_lease(lease, until=60.0),
        lambda: store.reserve_spend(WINDOW, 10, caps=CAPS),
        lambda: store.adjust_spend(WINDOW, -10),
        lambda: store.spend(WINDOW),
        store.ping,
    ]
    for method in methods:
        with pytest.raises(StoreError) as raised:
            await method()
        assert not isinstance(raised.value, LeaseLost)
