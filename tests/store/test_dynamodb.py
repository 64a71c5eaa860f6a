"""What is special about the DynamoDB store: its faults, its indexes and what a draw reads."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from service.domain import VoteResult, VoteStatus
from service.errors import LeaseLost, StoreError
from service.store.base import ROUND_LEASE, Lease, Spend, SpendWindow, Store, Tally
from service.store.dynamodb import TABLES, DynamoStore, calls, create_tables
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from tests.store.builders import MODEL, NEGATIVE, POSITIVE, collected, generated, vote
from tests.store.conftest import Connect, Dynamo

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

WINDOW = SpendWindow("2026-11-20", "2026-11-20T13")
CAPS = Spend(day=1_000, hour=1_000)
SAYING = generated("a saying")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAUSE_SECONDS", 0)


class FaultyClient:
    """A client that raises the given errors on an operation, one a call, and counts and keeps what it was asked."""

    def __init__(self, client: "DynamoDBClient", *, after_the_call: bool = False, **faults: list[Exception]) -> None:
        self._client = client
        self._faults = faults
        self._after_the_call = after_the_call
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.exceptions = client.exceptions

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            faults = self._faults.get(operation, [])
            if not faults:
                return await getattr(self._client, operation)(**request)
            if self._after_the_call:
                await getattr(self._client, operation)(**request)
            raise faults.pop(0)

        return call

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for asked, request in self.asked if asked == operation]


def error(code: str, status: int = 400, *reasons: str) -> ClientError:
    """What DynamoDB answers, with a table name as it often has one."""
    response = {
        "Error": {"Code": code, "Message": "arn:aws:dynamodb:us-east-1:1:table/main_humor"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(cast("Any", response), "TransactWriteItems")


def cancelled(*reasons: str) -> ClientError:
    return error("TransactionCanceledException", 400, *reasons)


def no_answer() -> Exception:
    return EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/main_humor")


def faulty(dynamo: Dynamo, **faults: Any) -> tuple[DynamoStore, FaultyClient]:
    client = FaultyClient(dynamo.client, **faults)
    return DynamoStore(cast("DynamoDBClient", client), dynamo.prefix), client


CONFLICT = ("None", "TransactionConflict", "None")
THROTTLED = ("None", "None", "ThrottlingError")
CHANGED = ("ConditionalCheckFailed", "None", "None")


class TestVoteFaults:
    @pytest.mark.parametrize("reasons", [CONFLICT, ("None", "TransactionConflict", "ThrottlingError")])
    async def test_a_conflict_is_tried_again(self, dynamo: Dynamo, reasons: tuple[str, ...]) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo, transact_write_items=[cancelled(*reasons), cancelled(*reasons)])

        result = await store.vote(vote(SAYING))

        assert result == VoteResult(VoteStatus.RECORDED, 1, 0)
        assert len(client.requests("transact_write_items")) == 3

    async def test_a_conflict_that_does_not_end_is_an_error_and_counts_nothing(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo, transact_write_items=[cancelled(*CONFLICT) for _ in range(100)])

        with pytest.raises(StoreError):
            await store.vote(vote(SAYING))

        assert len(client.requests("transact_write_items")) == 5
        assert await dynamo.store.tallies() == {}

    async def test_a_vote_changed_under_way_is_read_again(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo, transact_write_items=[cancelled(*CHANGED)])

        result = await store.vote(vote(SAYING))

        assert result == VoteResult(VoteStatus.RECORDED, 1, 0)
        assert len(client.requests("get_item")) == 4

    async def test_a_vote_that_keeps_changing_is_an_error(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo, transact_write_items=[cancelled(*CHANGED) for _ in range(100)])

        with pytest.raises(StoreError):
            await store.vote(vote(SAYING))

        assert len(client.requests("transact_write_items")) == 5

    async def test_a_vote_carried_out_unheard_counts_once(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, _ = faulty(dynamo, transact_write_items=[no_answer()], after_the_call=True)

        # DynamoDB would say "recorded" by the request's token; moto has none, so that the vote is found to be there.
        result = await store.vote(vote(SAYING))

        assert result is not None
        assert (result.upvotes, result.downvotes) == (1, 0)
        assert await store.tallies() == {MODEL: Tally(upvotes=1)}

    async def test_attempts_at_one_transaction_share_a_token_and_others_have_their_own(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo, transact_write_items=[no_answer()])

        await store.vote(vote(SAYING, feedback=POSITIVE))
        await store.vote(vote(SAYING, feedback=NEGATIVE))

        first, again, other = (request["ClientRequestToken"] for request in client.requests("transact_write_items"))
        assert first == again != other

    async def test_an_unchanged_vote_writes_nothing(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])
        await dynamo.store.vote(vote(SAYING))
        store, client = faulty(dynamo)

        await store.vote(vote(SAYING))

        assert [operation for operation, _ in client.asked] == ["get_item", "get_item"]

    async def test_the_raw_vote_keeps_what_the_client_claimed(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        await dynamo.store.vote(vote(SAYING, "ann", NEGATIVE))

        found = await dynamo.client.scan(TableName=dynamo.prefix + "saying_feedback")
        assert found["Items"] == [
            {
                "saying_id": {"S": SAYING.saying_id},
                "voter": {"S": "ann"},
                "feedback_type": {"S": "NEGATIVE"},
                "cast_at": {"N": "1800000500.5"},
                "claimed_execution_ms": {"N": "12.5"},
                "claimed_cached": {"BOOL": True},
            }
        ]

    async def test_a_claim_too_small_for_dynamodb_is_no_reason_to_refuse_a_vote(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        await dynamo.store.vote(replace(vote(SAYING), claimed_execution_ms=1e-300))

        found = await dynamo.client.scan(TableName=dynamo.prefix + "saying_feedback")
        assert float(found["Items"][0]["claimed_execution_ms"]["N"]) == 0

    async def test_votes_are_spread_over_the_shards(self, dynamo: Dynamo) -> None:
        random.seed(20_261_120)
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo)

        for number in range(60):
            await store.vote(vote(SAYING, f"voter {number}"))

        tallies = (request["TransactItems"][2]["Update"]["Key"] for request in client.requests("transact_write_items"))
        assert len({key["name"]["S"] for key in tallies}) == 8


class TestPutFaults:
    async def test_a_conflict_or_a_throttle_is_tried_again(self, dynamo: Dynamo) -> None:
        faults = [cancelled("TransactionConflict"), cancelled("ThrottlingError")]
        store, _ = faulty(dynamo, transact_write_items=faults)

        await store.put_sayings([SAYING])

        assert await store.get_saying(SAYING.saying_id) == SAYING

    async def test_no_transaction_is_larger_than_dynamodb_allows(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)
        lease = await store.acquire_lease(ROUND_LEASE, "holder", now=0.0, seconds=60)

        await store.put_sayings([collected(f"saying {n}") for n in range(199)], fence=lease)

        sizes = [len(request["TransactItems"]) for request in client.requests("transact_write_items")]
        assert sizes == [100, 100, 2]

    async def test_a_lease_lost_is_told_from_a_saying_that_is_known(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        with pytest.raises(LeaseLost):
            await dynamo.store.put_sayings([SAYING], fence=Lease(ROUND_LEASE, "nobody", 1, 60.0))


class TestWhatIsSentAgain:
    @pytest.mark.parametrize(
        "fault",
        [
            error("ThrottlingException"),
            error("ProvisionedThroughputExceededException"),
            error("RequestLimitExceeded"),
            error("InternalServerError", 500),
            error("503", 503),
            no_answer(),
        ],
    )
    async def test_a_read_is_tried_three_times(self, dynamo: Dynamo, fault: Exception) -> None:
        twice, client = faulty(dynamo, get_item=[fault, fault])
        thrice, _ = faulty(dynamo, get_item=[fault, fault, fault])

        await twice.ping()

        assert len(client.asked) == 3
        with pytest.raises(StoreError):
            await thrice.ping()

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
    async def test_are_told_in_our_words(self, dynamo: Dynamo, fault: Exception) -> None:
        store, _ = faulty(dynamo, get_item=[fault] * 5)

        with pytest.raises(StoreError) as raised:
            await store.ping()

        assert raised.value.__cause__ is fault
        assert "main_humor" not in str(raised.value)
        assert "amazonaws" not in str(raised.value)

    async def test_every_method_says_so_when_the_tables_are_missing(self, dynamo: Dynamo) -> None:
        await _every_method_fails(DynamoStore(dynamo.client, "no-such-prefix-"))

    async def test_every_method_says_so_when_nobody_answers(self, connect: Connect) -> None:
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
            assert not held & {"upvotes", "downvotes"}
        assert len(indexes) == 2

    async def test_both_indexes_hold_all_that_a_saying_is(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        assert await dynamo.store.random_saying() == SAYING
        assert await dynamo.store.recent_sayings(MODEL, since=0, limit=1, simulated=False) == [SAYING]

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
        found = await dynamo.client.scan(TableName=table)
        assert lives["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": EXPIRY_ATTRIBUTE}
        assert [item[EXPIRY_ATTRIBUTE]["N"] for item in found["Items"]] == ["1798156800"]

    async def test_missing_rights_to_make_them_are_told_in_our_words(self, dynamo: Dynamo) -> None:
        _, client = faulty(dynamo, create_table=[error("AccessDeniedException")])

        with pytest.raises(StoreError, match="refused"):
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
        lambda: store.add_serves({MODEL: 1}),
        store.tallies,
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
