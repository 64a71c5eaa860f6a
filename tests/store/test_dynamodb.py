"""What is special about the DynamoDB store: its faults, conditions and indexes, and what a call reads and writes."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from service.domain import (
    NONE,
    CallShape,
    FeedbackType,
    Vote,
    VoteResult,
    VoteStatus,
)
from service.errors import LeaseLost, StoreError, WrongSchema
from service.limits import DEFAULT_RETENTION
from service.store.base import (
    ROUND_LEASE,
    Aggregates,
    Lease,
    OutcomeTally,
    Spend,
    SpendWindow,
    Store,
    StoredBallot,
    StoredVote,
    Tally,
)
from service.store.dynamodb import TABLES, DynamoStore, create_tables, transport
from service.store.dynamodb.tables import EXPIRY_ATTRIBUTE, STATE
from tests.store.builders import (
    CAST_AT,
    HOUR,
    MODEL,
    NEGATIVE,
    POSITIVE,
    ballot,
    call,
    collected,
    comparison,
    generated,
    shown,
    vote,
)
from tests.store.conftest import Connect, Dynamo

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

WINDOW = SpendWindow("2026-11-20", "2026-11-20T13")
CAPS = Spend(day=1_000, hour=1_000)
SAYING, COLLECTED = generated("a saying"), collected("another")
BURST = f"{HOUR}/0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSE_SECONDS", 0)


class FaultyClient:
    """A client that raises the given errors on an operation, one a call, and keeps what it was asked.

    `meanwhile` happens once, between what was read and the first transaction.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        after_the_call: bool = False,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
        **faults: list[Exception],
    ) -> None:
        self._client = client
        self._faults = faults
        self._after_the_call = after_the_call
        self._meanwhile = meanwhile
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.exceptions = client.exceptions

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            if operation == "transact_write_items" and self._meanwhile:
                happens, self._meanwhile = self._meanwhile, None
                await happens()
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
    """A DynamoDB error whose message holds a table name, as real ones often do."""
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


def faulty(dynamo: Dynamo, limit: int = 100, **faults: Any) -> tuple[DynamoStore, FaultyClient]:
    client = FaultyClient(dynamo.client, **faults)
    return DynamoStore(cast("DynamoDBClient", client), dynamo.prefix, limit), client


class SmallPages:
    """A client whose scans and queries end a page after every item."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)
        return partial(call, Limit=1) if operation in ("scan", "query") else call


def in_small_pages(dynamo: Dynamo) -> DynamoStore:
    return DynamoStore(cast("DynamoDBClient", SmallPages(dynamo.client)), dynamo.prefix)


async def everything(store: Store) -> Aggregates:
    return await store.aggregates(since_hour="")


async def tallies(store: Store) -> Mapping[str, Tally]:
    return (await everything(store)).contributors


async def items(dynamo: Dynamo, table: str) -> list[dict[str, Any]]:
    found: Any = await dynamo.client.scan(TableName=dynamo.prefix + table)
    return list(found["Items"])


def from_burst(voter: str, feedback: FeedbackType = POSITIVE, burst: str = BURST) -> Vote:
    return vote(SAYING, voter, feedback, burst=burst)


CONFLICT = ("None", "TransactionConflict", "None")
THROTTLED = ("None", "None", "ThrottlingError")
CHANGED = ("ConditionalCheckFailed", "None", "None")


class TestVoteFaults:
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

        assert len(client.requests("transact_write_items")) == 10

    async def test_attempts_at_one_transaction_share_a_token_of_its_own(self, dynamo: Dynamo) -> None:
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

        await dynamo.store.vote(from_burst("ann", NEGATIVE))

        assert await items(dynamo, "saying_feedback") == [
            {
                "saying_id": {"S": SAYING.saying_id},
                "voter": {"S": "ann"},
                "feedback_type": {"S": "NEGATIVE"},
                "cast_at": {"N": "1800000500.5"},
                "first_cast_at": {"N": "1800000500.5"},
                "burst": {"S": BURST},
                "contributor": {"S": MODEL},
                "claimed_execution_ms": {"N": "12.5"},
                "claimed_cached": {"BOOL": True},
            }
        ]

    async def test_a_claim_too_small_for_dynamodb_does_not_fail_a_vote(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

        await dynamo.store.vote(replace(vote(SAYING), claimed_execution_ms=1e-300))

        (item,) = await items(dynamo, "saying_feedback")
        assert float(item["claimed_execution_ms"]["N"]) == 0

    async def test_votes_are_spread_over_the_shards(self, dynamo: Dynamo) -> None:
        random.seed(20_261_120)
        await dynamo.store.put_sayings([SAYING])
        store, client = faulty(dynamo)

        for number in range(60):
            await store.vote(vote(SAYING, f"voter {number}"))

        shards = [
            {write["Update"]["Key"]["name"]["S"] for write in request["TransactItems"][2:]}
            for request in client.requests("transact_write_items")
        ]
        assert {len(each) for each in shards} == {1}  # a vote can meet another in one place only
        assert len(set.union(*shards)) == 8

    async def test_a_vote_is_one_transaction_however_much_it_moves(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([COLLECTED])
        store, client = faulty(dynamo, limit=1)
        await store.vote(replace(vote(COLLECTED, "ann"), burst=BURST))

        await store.vote(replace(vote(COLLECTED, "bob"), burst=BURST))

        *_, request = client.requests("transact_write_items")
        keys = [next(iter(write.values())) for write in request["TransactItems"]]
        assert [key["Key"]["part"]["S"] for key in keys if "part" in key.get("Key", {})] == [
            "collection",
            "service#AWS Lambda#collection",
            "service#Amazon S3#collection",
            f"hour#{HOUR}#collection",
            "burst",
            "aside#",
        ]
        assert len(keys) == 8


OFFERED = comparison("offered")
FIRST, SECOND, NO_WINNER = (OFFERED.outcome(winner) for winner in ("A", "B", NONE))


class TestVotesOfTheFirstVersion:
    """Votes of the first version lack the time and burst of the first cast, and were counted for their model alone."""

    @pytest.fixture
    async def old(self, dynamo: Dynamo) -> DynamoStore:
        await dynamo.store.put_sayings([SAYING])
        await dynamo.client.put_item(
            TableName=dynamo.prefix + "saying_feedback",
            Item={
                "saying_id": {"S": SAYING.saying_id},
                "voter": {"S": "ann"},
                "feedback_type": {"S": "POSITIVE"},
                "cast_at": {"N": "1800000500.5"},
            },
        )
        await dynamo.client.put_item(
            TableName=dynamo.prefix + STATE,
            Item={"name": {"S": "tally#3"}, "part": {"S": MODEL}, "upvotes": {"N": "1"}, "downvotes": {"N": "0"}},
        )
        return dynamo.store

    async def test_still_count(self, old: DynamoStore) -> None:
        assert await old.vote(vote(SAYING)) == VoteResult(VoteStatus.UNCHANGED, 0, 0)
        assert await everything(old) == Aggregates(contributors={MODEL: Tally(upvotes=1)})

    async def test_are_read_with_their_model_and_their_time_as_first_cast(self, old: DynamoStore) -> None:
        stored = [each async for each in old.all_votes()]

        assert stored == [StoredVote(Vote(SAYING.saying_id, "ann", POSITIVE, CAST_AT), MODEL, first_cast_at=CAST_AT)]

    async def test_are_counted_in_full_once_they_change(self, old: DynamoStore) -> None:
        await old.vote(replace(from_burst("ann", NEGATIVE), cast_at=1_900_000_000.5))

        one = Tally(downvotes=1)
        assert await everything(old) == Aggregates(
            contributors={MODEL: one}, services={("Amazon S3", MODEL): one}, hours={(HOUR, MODEL): one}
        )
        assert [each.vote.burst async for each in old.all_votes()] == [""]

    async def test_take_nothing_with_them_that_they_were_not_counted_for(self, old: DynamoStore) -> None:
        await old.withdraw_vote(SAYING.saying_id, "ann")

        assert await everything(old) == Aggregates(contributors={MODEL: Tally()})

    async def test_cast_again_meanwhile_they_are_other_votes(self, old: DynamoStore, dynamo: Dynamo) -> None:
        async def cast_again() -> None:
            await old.withdraw_vote(SAYING.saying_id, "ann")
            await old.vote(vote(SAYING))

        store, _ = faulty(dynamo, meanwhile=cast_again)

        await store.withdraw_vote(SAYING.saying_id, "ann")

        assert (await everything(old)).services == {("Amazon S3", MODEL): Tally()}


class TestBursts:
    @pytest.fixture(autouse=True)
    async def _saying(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_sayings([SAYING])

    async def test_many_votes_of_one_address_at_once_are_set_aside_whole(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, limit=15)

        await asyncio.gather(*(store.vote(from_burst(f"voter {n}")) for n in range(40)))
        aside = await tallies(store)
        await asyncio.gather(*(store.withdraw_vote(SAYING.saying_id, f"voter {n}") for n in range(30)))

        assert aside == {MODEL: Tally(upvotes=40, aside_upvotes=40)}
        assert await tallies(store) == {MODEL: Tally(upvotes=10)}

    async def test_after_a_conflict_at_the_limit_all_votes_are_set_aside(self, dynamo: Dynamo) -> None:
        other = DynamoStore(dynamo.client, dynamo.prefix, 2)
        store, client = faulty(dynamo, limit=2, meanwhile=lambda: other.vote(from_burst("bob", NEGATIVE)))
        await other.vote(from_burst("ann"))

        await store.vote(from_burst("eve"))

        assert await tallies(store) == {MODEL: Tally(upvotes=2, downvotes=1, aside_upvotes=2, aside_downvotes=1)}
        assert len(client.requests("transact_write_items")) == 2

    async def test_after_a_conflict_above_the_limit_votes_count_again(self, dynamo: Dynamo) -> None:
        other = DynamoStore(dynamo.client, dynamo.prefix, 1)
        for voter in ("ann", "bob", "eve"):
            await other.vote(from_burst(voter))
        store, _ = faulty(dynamo, limit=1, meanwhile=lambda: other.withdraw_vote(SAYING.saying_id, "bob"))

        await store.withdraw_vote(SAYING.saying_id, "ann")

        assert await tallies(store) == {MODEL: Tally(upvotes=1)}

    async def test_what_is_moved_is_what_the_burst_holds_by_then(self, dynamo: Dynamo) -> None:
        other = DynamoStore(dynamo.client, dynamo.prefix, 1)
        store, _ = faulty(dynamo, limit=1, meanwhile=lambda: other.vote(from_burst("ann", NEGATIVE)))
        await other.vote(from_burst("ann"))

        await store.vote(from_burst("bob"))

        assert await tallies(store) == {MODEL: Tally(upvotes=1, downvotes=1, aside_upvotes=1, aside_downvotes=1)}

    async def test_a_vote_cast_again_meanwhile_leaves_its_new_burst(self, dynamo: Dynamo) -> None:
        async def cast_again() -> None:
            await dynamo.store.withdraw_vote(SAYING.saying_id, "ann")
            await dynamo.store.vote(from_burst("ann", burst="elsewhere"))

        store, _ = faulty(dynamo, meanwhile=cast_again)
        await dynamo.store.vote(from_burst("ann"))

        await store.withdraw_vote(SAYING.saying_id, "ann")

        bursts = {item["name"]["S"]: item for item in await items(dynamo, STATE) if item["part"]["S"] == "burst"}
        assert {name: item["votes"]["N"] for name, item in bursts.items()} == {
            f"burst#{BURST}": "0",
            "burst#elsewhere": "0",
        }

    async def test_side_is_believed_as_stored_whatever_the_limit_is_now(self, dynamo: Dynamo) -> None:
        strict, lenient = (DynamoStore(dynamo.client, dynamo.prefix, limit) for limit in (2, 100))
        for voter in ("ann", "bob", "eve"):
            await strict.vote(from_burst(voter))

        await lenient.vote(from_burst("ann", NEGATIVE))
        counted = await tallies(strict)
        await strict.vote(from_burst("ann", POSITIVE))

        assert counted == {MODEL: Tally(upvotes=2, downvotes=1)}
        assert await tallies(strict) == {MODEL: Tally(upvotes=3, aside_upvotes=3)}

    @pytest.mark.parametrize(("limit", "other_limit", "aside"), [(100, 1, 0), (1, 100, 3)])
    async def test_moved_meanwhile_by_another_limit_a_burst_goes_back_whole(
        self, dynamo: Dynamo, limit: int, other_limit: int, aside: int
    ) -> None:
        other = DynamoStore(dynamo.client, dynamo.prefix, other_limit)
        for voter in ("ann", "bob"):
            await DynamoStore(dynamo.client, dynamo.prefix, limit).vote(from_burst(voter))
        store, _ = faulty(dynamo, limit=limit, meanwhile=other.review_bursts)

        await store.vote(from_burst("eve"))

        assert await tallies(store) == {MODEL: Tally(upvotes=3, aside_upvotes=aside)}

    async def test_a_review_finds_those_on_the_wrong_side_on_whatever_page(self, dynamo: Dynamo) -> None:
        for name, size in (("one", 1), ("two", 2), ("three", 3)):
            for n in range(size):
                await dynamo.store.vote(from_burst(f"{name} {n}", burst=name))
        stricter = DynamoStore(cast("DynamoDBClient", SmallPages(dynamo.client)), dynamo.prefix, 1)

        moved, again = await stricter.review_bursts(), await stricter.review_bursts()
        aside = await tallies(dynamo.store)
        back = await dynamo.store.review_bursts()

        assert (moved, again, back) == (2, 0, 2)
        assert aside == {MODEL: Tally(upvotes=6, aside_upvotes=5)}
        assert await tallies(dynamo.store) == {MODEL: Tally(upvotes=6)}

    async def test_a_burst_that_was_moved_meanwhile_is_not_moved_twice(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(from_burst("ann"))
        await dynamo.store.vote(from_burst("bob"))
        stricter = DynamoStore(dynamo.client, dynamo.prefix, 1)
        reviewing, _ = faulty(dynamo, limit=1, meanwhile=stricter.review_bursts)

        assert await reviewing.review_bursts() == 0
        assert await tallies(dynamo.store) == {MODEL: Tally(upvotes=2, aside_upvotes=2)}


class TestComparisons:
    async def test_the_index_holds_what_can_be_shown_to_others_and_no_ballot(self, dynamo: Dynamo) -> None:
        lonely = comparison("lonely", failed="BCD")
        for each in (OFFERED, lonely):
            await dynamo.store.put_comparison(each, shown(each))

        found = await dynamo.client.scan(TableName=dynamo.prefix + "saying_comparisons", IndexName="by_newest")

        assert found["Items"] == [
            {
                "comparison_id": {"S": "offered"},
                "part": {"S": "comparison"},
                "realm": {"S": "real"},
                "created_at": {"N": "1800000000.25"},
                "service": {"S": "Amazon S3"},
            }
        ]

    async def test_one_and_its_ballot_are_one_call(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        store, client = faulty(dynamo)

        assert await store.get_comparison("offered", "ann") == (OFFERED, shown(OFFERED))
        assert [operation for operation, _ in client.asked] == ["batch_get_item"]

    async def test_a_search_ends_with_the_first_ten_that_hold_one(self, dynamo: Dynamo) -> None:
        for n in range(30):
            each = comparison(f"comparison {n}", created_at=float(n))
            await dynamo.store.put_comparison(each, shown(each, "somebody"))
        store, client = faulty(dynamo)

        found = await store.unseen_comparison("ann", service=None, simulated=False)

        assert found is not None
        assert [operation for operation, _ in client.asked] == ["query", "batch_get_item", "get_item"]

    async def test_drawn_are_the_newest_fifty_and_of_a_service_also_older_ones(self, dynamo: Dynamo) -> None:
        oldest = comparison("oldest", service="AWS Lambda", created_at=1.0)
        await dynamo.store.put_comparison(oldest, shown(oldest, "somebody"))
        for n in range(50):
            each = comparison(f"comparison {n}", created_at=2.0 + n)
            await dynamo.store.put_comparison(each, shown(each))

        assert await dynamo.store.unseen_comparison("ann", service=None, simulated=False) is None
        assert await dynamo.store.unseen_comparison("ann", service="AWS Lambda", simulated=False) == oldest

    async def test_a_damaged_one_is_passed_over(self, dynamo: Dynamo) -> None:
        damaged = comparison("damaged")
        for each in (OFFERED, damaged):
            await dynamo.store.put_comparison(each, shown(each))
        await dynamo.client.update_item(
            TableName=dynamo.prefix + "saying_comparisons",
            Key={"comparison_id": {"S": "damaged"}, "part": {"S": "comparison"}},
            UpdateExpression="SET entries = :junk",
            ExpressionAttributeValues={":junk": {"S": "["}},
        )

        drawn = {await dynamo.store.unseen_comparison("bob", service=None, simulated=False) for _ in range(10)}

        assert drawn == {OFFERED}
        assert await dynamo.store.get_comparison("damaged", "ann") is None
        assert [each.comparison async for each in dynamo.store.all_ballots()] == [OFFERED]

    async def test_keys_left_unprocessed_are_asked_for_again(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        client = Unprocessing(dynamo.client, times=2)

        found = await DynamoStore(cast("DynamoDBClient", client), dynamo.prefix).get_comparison("offered", "ann")

        assert found == (OFFERED, shown(OFFERED))

    async def test_keys_left_unprocessed_again_and_again_are_an_error(self, dynamo: Dynamo) -> None:
        client = Unprocessing(dynamo.client, times=3)

        with pytest.raises(StoreError):
            await DynamoStore(cast("DynamoDBClient", client), dynamo.prefix).get_comparison("offered", "ann")

    @pytest.mark.parametrize("earlier", [[], [NONE]])
    async def test_a_choice_changed_meanwhile_is_counted_once(self, dynamo: Dynamo, earlier: list[str]) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        for winner in earlier:
            await dynamo.store.cast_ballot(OFFERED, ballot(OFFERED, winner=winner))
        other = dynamo.store
        store, _ = faulty(dynamo, meanwhile=lambda: other.cast_ballot(OFFERED, ballot(OFFERED, winner="B")))

        assert await store.cast_ballot(OFFERED, ballot(OFFERED)) is VoteStatus.CHANGED

        outcomes = (await everything(store)).outcomes
        assert {outcome: tally for outcome, tally in outcomes.items() if tally.votes} == {FIRST: OutcomeTally(votes=1)}

    async def test_a_choice_made_unheard_is_counted_once(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        store, _ = faulty(dynamo, transact_write_items=[no_answer()], after_the_call=True)

        await store.cast_ballot(OFFERED, ballot(OFFERED, winner=NONE, burst=BURST))

        assert (await everything(store)).outcomes == {NO_WINNER: OutcomeTally(votes=1)}

    async def test_ballots_are_set_aside_with_the_votes_of_their_burst(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, limit=2)
        await store.put_sayings([SAYING])
        await store.put_comparison(OFFERED, shown(OFFERED))
        await store.show_comparison(shown(OFFERED, "bob"))
        await store.vote(from_burst("ann"))
        await store.cast_ballot(OFFERED, ballot(OFFERED, burst=BURST))

        await store.cast_ballot(OFFERED, ballot(OFFERED, "bob", "B", burst=BURST))
        await store.cast_ballot(OFFERED, ballot(OFFERED, winner="B", burst="elsewhere"))
        aside = await everything(store)
        await store.withdraw_vote(SAYING.saying_id, "ann")

        assert aside.contributors == {MODEL: Tally(upvotes=1, aside_upvotes=1)}
        assert aside.outcomes == {FIRST: OutcomeTally(votes=0, aside=0), SECOND: OutcomeTally(votes=2, aside=2)}
        assert (await everything(store)).outcomes[SECOND] == OutcomeTally(votes=2, aside=0)


class Unprocessing:
    """A client that leaves keys unprocessed as if it were too busy, so many times."""

    def __init__(self, client: "DynamoDBClient", *, times: int) -> None:
        self._client = client
        self._times = times

    async def batch_get_item(self, **request: Any) -> Any:
        self._times -= 1
        if self._times >= 0:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}
        return await self._client.batch_get_item(**request)


class TestCounts:
    async def test_are_read_by_one_consistent_query_a_shard(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)

        await everything(store)

        assert [operation for operation, _ in client.asked] == ["query"] * 8
        assert all(request["ConsistentRead"] for request in client.requests("query"))

    async def test_add_up_over_shards_and_pages(self, dynamo: Dynamo) -> None:
        random.seed(20_261_120)
        await dynamo.store.put_sayings([SAYING])
        for n in range(10):
            await dynamo.store.vote(vote(SAYING, f"voter {n}"))

        assert await everything(in_small_pages(dynamo)) == await everything(dynamo.store)
        assert await tallies(dynamo.store) == {MODEL: Tally(upvotes=10)}

    async def test_an_hour_is_forgotten_three_days_later(self, dynamo: Dynamo) -> None:
        await dynamo.store.add_serves({MODEL: 1}, hour="2026-11-20T13")
        await dynamo.store.add_serves({MODEL: 1}, hour="2026-11-20T13")

        expiries = {item["part"]["S"]: item.get(EXPIRY_ATTRIBUTE) for item in await items(dynamo, STATE)}

        assert expiries == {MODEL: None, f"hour#2026-11-20T13#{MODEL}": {"N": "1795438800"}}

    async def test_a_call_recorded_unheard_counts_once(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, transact_write_items=[no_answer()], after_the_call=True)

        await store.record_call(call(asked=3))

        assert (await everything(store)).calls[MODEL, CallShape.ROUND].billed == 1

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
        votes = [vote(each, voter) for each in (SAYING, COLLECTED) for voter in ("ann", "bob")]
        for each in votes:
            await dynamo.store.vote(each)
        recorded = [call(f"generation-{n}") for n in range(3)]
        for one in recorded:
            await dynamo.store.record_call(one)
        store = in_small_pages(dynamo)

        assert {stored.vote async for stored in store.all_votes()} == set(votes)
        assert {stored.saying async for stored in store.all_sayings()} == {SAYING, COLLECTED}
        calls = [stored async for stored in store.all_calls()]
        assert sorted(calls, key=lambda one: one.generation.generation_id) == recorded

    async def test_a_ballot_finds_its_comparison_on_another_page(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        await dynamo.store.show_comparison(shown(OFFERED, "bob"))
        await dynamo.store.cast_ballot(OFFERED, ballot(OFFERED))

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
            assert not held & {"upvotes", "downvotes", "winner"}
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
        lambda: store.add_serves({MODEL: 1}, hour=HOUR),
        lambda: store.record_call(call()),
        lambda: store.put_comparison(OFFERED, shown(OFFERED)),
        lambda: store.get_comparison("offered", "ann"),
        lambda: store.unseen_comparison("ann", service=None, simulated=False),
        lambda: store.show_comparison(shown(OFFERED)),
        lambda: store.cast_ballot(OFFERED, ballot(OFFERED)),
        lambda: everything(store),
        lambda: store.forget("ann", asked_at=CAST_AT),
        lambda: anext(store.prune(DEFAULT_RETENTION, now=CAST_AT)),
        store.review_bursts,
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
