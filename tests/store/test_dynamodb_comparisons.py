"""What is special about comparisons and ballots in DynamoDB: the index, the calls they take, and what comes between."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from service.domain import NONE, BallotStatus, Standing
from service.errors import StoreError
from service.limits import Quotas
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.tables import COMPARISONS
from tests.store.builders import CAST_AT, comparison, effect, network, shown
from tests.store.clients import cancelled, faulty, no_answer
from tests.store.conftest import Dynamo
from tests.store.counting import outcomes
from tests.store.test_contract_retention import forget

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

OFFERED = comparison("offered")
FIRST, SECOND, NO_WINNER = (OFFERED.outcome(winner) for winner in ("A", "B", NONE))


async def in_the_index(dynamo: Dynamo) -> list[dict[str, Any]]:
    found: Any = await dynamo.client.scan(TableName=dynamo.prefix + COMPARISONS, IndexName="by_newest")
    return list(found["Items"])


class TestIndex:
    async def test_holds_what_can_be_shown_to_others_and_no_ballot(self, dynamo: Dynamo) -> None:
        lonely = comparison("lonely", failed="BCD")
        for each in (OFFERED, lonely):
            await dynamo.store.put_comparison(each, shown(each))

        assert await in_the_index(dynamo) == [
            {
                "comparison_id": {"S": OFFERED.comparison_id},
                "part": {"S": "comparison"},
                "realm": {"S": "real"},
                "created_at": {"N": "1800000000.25"},
                "service": {"S": "Amazon S3"},
            }
        ]

    async def test_loses_a_comparison_with_its_last_ballot_and_gets_it_back(self, dynamo: Dynamo) -> None:
        store = DynamoStore(dynamo.client, dynamo.prefix, Quotas(comparison_ballots=2))
        await store.put_comparison(OFFERED, shown(OFFERED))
        await store.show_comparison(shown(OFFERED, "bob"))

        await store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT)
        with_one = await in_the_index(dynamo)
        await store.cast_ballot(OFFERED.comparison_id, "bob", "A", at=CAST_AT)
        with_two = await in_the_index(dynamo)
        await forget(store, "ann")

        assert (len(with_one), len(with_two)) == (1, 0)
        assert await in_the_index(dynamo) == with_one


class TestSearch:
    async def test_is_three_calls(self, dynamo: Dynamo) -> None:
        for n in range(30):
            each = comparison(f"comparison {n}", created_at=float(n))
            await dynamo.store.put_comparison(each, shown(each, "somebody"))
        store, client = faulty(dynamo)

        found = await store.unseen_comparison("ann", service=None, simulated=False)

        assert found is not None
        assert [operation for operation, _ in client.asked] == ["query", "batch_get_item", "get_item"]

    async def test_is_among_the_newest_fifty_and_for_a_service_also_older_ones(self, dynamo: Dynamo) -> None:
        oldest = comparison("oldest", service="AWS Lambda", created_at=1.0)
        await dynamo.store.put_comparison(oldest, shown(oldest, "somebody"))
        for n in range(50):
            each = comparison(f"comparison {n}", created_at=2.0 + n)
            await dynamo.store.put_comparison(each, shown(each))

        assert await dynamo.store.unseen_comparison("ann", service=None, simulated=False) is None
        assert await dynamo.store.unseen_comparison("ann", service="AWS Lambda", simulated=False) == oldest

    async def test_passes_over_a_damaged_one(self, dynamo: Dynamo) -> None:
        damaged = comparison("damaged")
        for each in (OFFERED, damaged):
            await dynamo.store.put_comparison(each, shown(each))
        await dynamo.client.update_item(
            TableName=dynamo.prefix + COMPARISONS,
            Key={"comparison_id": {"S": damaged.comparison_id}, "part": {"S": "comparison"}},
            UpdateExpression="SET entries = :junk",
            ExpressionAttributeValues={":junk": {"S": "["}},
        )

        drawn = {await dynamo.store.unseen_comparison("bob", service=None, simulated=False) for _ in range(10)}

        assert drawn == {OFFERED}
        assert await dynamo.store.get_comparison(damaged.comparison_id, "ann") is None
        assert [each.comparison async for each in dynamo.store.all_ballots()] == [OFFERED]


class TestReading:
    async def test_one_and_its_ballot_are_one_call(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        store, client = faulty(dynamo)

        assert await store.get_comparison(OFFERED.comparison_id, "ann") == (OFFERED, shown(OFFERED))
        assert [operation for operation, _ in client.asked] == ["batch_get_item"]

    async def test_keys_left_unprocessed_are_asked_for_again(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        store = DynamoStore(cast("DynamoDBClient", Unprocessing(dynamo.client, times=2)), dynamo.prefix)

        assert await store.get_comparison(OFFERED.comparison_id, "ann") == (OFFERED, shown(OFFERED))

    async def test_keys_left_unprocessed_again_and_again_are_an_error(self, dynamo: Dynamo) -> None:
        store = DynamoStore(cast("DynamoDBClient", Unprocessing(dynamo.client, times=3)), dynamo.prefix)

        with pytest.raises(StoreError):
            await store.get_comparison(OFFERED.comparison_id, "ann")


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


class TestBallots:
    @pytest.fixture(autouse=True)
    async def _offered(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(OFFERED, shown(OFFERED))
        await dynamo.store.show_comparison(shown(OFFERED, "bob"))

    async def test_a_choice_made_meanwhile_is_the_first(self, dynamo: Dynamo) -> None:
        other = dynamo.store
        store, _ = faulty(dynamo, meanwhile=lambda: other.cast_ballot(OFFERED.comparison_id, "ann", "B", at=CAST_AT))

        result = effect(await store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT))

        assert result is not None
        assert (result.status, result.ballot.winner) == (BallotStatus.AFTER_REVEAL, "B")
        assert await outcomes(store) == {SECOND: (1, 0)}

    async def test_a_choice_made_unheard_is_counted_once(self, dynamo: Dynamo) -> None:
        store, _ = faulty(dynamo, transact_write_items=[no_answer()], after_the_call=True)

        await store.cast_ballot(OFFERED.comparison_id, "ann", NONE, at=CAST_AT, networks=[network()])

        assert await outcomes(store) == {NO_WINNER: (1, 0)}

    @pytest.mark.parametrize("quotas", [Quotas(comparison_ballots=1), Quotas(address_votes=1)])
    async def test_the_last_room_may_be_taken_meanwhile(self, dynamo: Dynamo, quotas: Quotas) -> None:
        other = DynamoStore(dynamo.client, dynamo.prefix, quotas)
        near = [network()]
        store, _ = faulty(
            dynamo,
            quotas,
            meanwhile=lambda: other.cast_ballot(OFFERED.comparison_id, "bob", "A", at=CAST_AT, networks=near),
        )

        result = effect(await store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT, networks=near))

        assert result is not None
        assert result.ballot.standing is Standing.SET_ASIDE
        assert await outcomes(store) == {FIRST: (1, 1)}

    async def test_a_later_choice_is_decided_again_when_the_ballot_has_changed(self, dynamo: Dynamo) -> None:
        await dynamo.store.cast_ballot(OFFERED.comparison_id, "ann", "A", at=CAST_AT)
        store, client = faulty(dynamo, transact_write_items=[cancelled("ConditionalCheckFailed")])

        result = effect(await store.cast_ballot(OFFERED.comparison_id, "ann", "B", at=CAST_AT))

        assert result is not None
        assert (result.status, result.ballot.later) == (BallotStatus.AFTER_REVEAL, "B")
        assert len(client.requests("transact_write_items")) == 2
