"""What earlier versions have left in DynamoDB's tables: votes, ballots, counts and bursts in their own form."""

from typing import Any

import pytest

from service.domain import Ballot, BallotStatus, CallKind, CallShape, Standing, VoteResult, VoteStatus
from service.limits import DAY_SECONDS
from service.store.base import Aggregates, CallTally, Counts, StoredVote, Strand, VoteTally
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.tables import COMPARISONS, FEEDBACK, SAYINGS, STATE
from service.store.retention import Pruned
from tests.store.builders import CAST_AT, HOUR, MODEL, NEGATIVE, POSITIVE, comparison, effect, generated, shown, vote
from tests.store.clients import items, put
from tests.store.conftest import Dynamo
from tests.store.counting import Total, outcomes, totals
from tests.store.test_contract_retention import A_MONTH, A_YEAR, forget, prune

SAYING, COMPARED = generated("a saying"), comparison()
KEY = {"saying_id": {"S": SAYING.saying_id}, "voter": {"S": "ann"}}
# The first version had neither the time of the first casting, nor the burst, nor the contributor.
OLDEST = {**KEY, "feedback_type": {"S": "POSITIVE"}, "cast_at": {"N": str(CAST_AT)}}
OLD = {
    **OLDEST,
    "first_cast_at": {"N": str(CAST_AT - 60)},
    "burst": {"S": f"{HOUR}/0123456789abcdef"},
    "contributor": {"S": MODEL},
    "claimed_execution_ms": {"N": "12.5"},
    "claimed_cached": {"BOOL": True},
}
ALL_DAYS = Strand(MODEL, "")


def line(shard: int, part: str, **numbers: float) -> dict[str, Any]:
    return {
        "name": {"S": f"tally#{shard}"},
        "part": {"S": part},
        **{name.replace("__", "#"): {"N": str(number)} for name, number in numbers.items()},
    }


@pytest.fixture(params=[OLDEST, OLD], ids=["of the first version", "of a later one"])
async def store(request: pytest.FixtureRequest, dynamo: Dynamo) -> DynamoStore:
    """A store with one old vote, and what was counted of it and of another."""
    await dynamo.store.put_sayings([SAYING])
    await put(dynamo, FEEDBACK, request.param)
    await put(dynamo, STATE, line(3, MODEL, serves=7, upvotes=1, downvotes=0), line(7, MODEL, upvotes=0, downvotes=1))
    await dynamo.client.update_item(
        TableName=dynamo.prefix + SAYINGS,
        Key={"saying_id": KEY["saying_id"]},
        UpdateExpression="ADD upvotes :one, downvotes :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    return dynamo.store


class TestVotes:
    async def test_count_as_unverified_ones_of_all_days(self, store: DynamoStore) -> None:
        counted = await store.aggregates(since_hour="")

        assert counted == Aggregates(serves={MODEL: 7}, votes={ALL_DAYS: VoteTally(unverified=Counts(2, 1))})

    async def test_are_repeated_changed_and_withdrawn_as_others(self, store: DynamoStore) -> None:
        results = [
            effect(await store.vote(vote(SAYING))),
            effect(await store.vote(vote(SAYING, feedback=NEGATIVE))),
            await store.withdraw_vote(SAYING.saying_id, "ann"),
            effect(await store.vote(vote(SAYING))),
        ]

        assert results == [
            VoteResult(VoteStatus.UNCHANGED, 1, 1, Standing.UNVERIFIED),
            VoteResult(VoteStatus.CHANGED, 0, 2, Standing.UNVERIFIED),
            VoteResult(VoteStatus.WITHDRAWN, 0, 1, Standing.UNVERIFIED),
            VoteResult(VoteStatus.RECORDED, 1, 1, Standing.UNVERIFIED),
        ]
        assert await totals(store) == {MODEL: Total(unverified=Counts(2, 1))}

    async def test_keep_their_first_opinion(self, store: DynamoStore) -> None:
        await store.vote(vote(SAYING, feedback=NEGATIVE, at=CAST_AT + 60))

        (stored,) = [each async for each in store.all_votes()]
        assert (stored.first, stored.opinion, stored.cast_at) == (POSITIVE, NEGATIVE, CAST_AT + 60)
        assert stored.first_cast_at <= CAST_AT

    async def test_are_taken_back_from_where_they_count(self, store: DynamoStore) -> None:
        await store.vote(vote(SAYING, feedback=NEGATIVE))

        await forget(store, "ann")

        (saying,) = [each async for each in store.all_sayings()]
        assert await totals(store) == {MODEL: Total(unverified=Counts(1, 0))}
        assert (saying.upvotes, saying.downvotes) == (0, 1)

    async def test_are_joined_with_the_others_when_these_are_old(self, store: DynamoStore) -> None:
        await store.vote(vote(SAYING, "bob", attribution=None))

        await prune(store, CAST_AT + 60 * DAY_SECONDS)

        counted = await store.aggregates(since_hour="")
        assert counted.votes == {
            ALL_DAYS: VoteTally(unverified=Counts(2, 1)),
            Strand(MODEL, "", "v1"): VoteTally(unverified=Counts(1, 1)),
        }

    async def test_lose_their_voter_after_a_year(self, store: DynamoStore) -> None:
        pruned = await prune(store, A_YEAR)

        (stored,) = [each async for each in store.all_votes()]
        assert pruned.voters == 1
        assert stored.voter.startswith("forgotten:")
        assert await totals(store) == {MODEL: Total(unverified=Counts(2, 1))}


async def test_a_vote_is_read_with_what_is_known_of_it(dynamo: Dynamo) -> None:
    await put(dynamo, FEEDBACK, OLD)

    stored = [each async for each in dynamo.store.all_votes()]

    first = (POSITIVE, CAST_AT - 60, POSITIVE, CAST_AT)
    old = StoredVote(SAYING.saying_id, "ann", MODEL, *first, claimed_execution_ms=12.5, claimed_cached=True)
    assert stored == [old]


async def test_calls_count_as_comparisons_when_single_and_as_rounds(dynamo: Dynamo) -> None:
    numbers = {"billed": 3, "sayings": 2, "latency_ms": 1204.5, "bucket__164": 2, "rejected__link": 1}
    await put(dynamo, STATE, line(0, f"calls#{MODEL}#single", **numbers), line(5, f"calls#{MODEL}#round", billed=1))

    counted = await dynamo.store.aggregates(since_hour="")

    assert counted.calls == {
        (ALL_DAYS, CallKind.COMPARE, CallShape.SINGLE): CallTally(
            calls=3, sayings=2, latency_ms=1204.5, latencies={164: 2}, rejected={"link": 1}
        ),
        (ALL_DAYS, CallKind.ROUND, CallShape.ROUND): CallTally(calls=1),
    }


async def test_other_lines_are_ignored(dynamo: Dynamo) -> None:
    await put(
        dynamo,
        STATE,
        line(0, f"service#Amazon S3#{MODEL}", upvotes=3, downvotes=1),
        line(1, f"hour#{HOUR}#{MODEL}", upvotes=3, downvotes=1),
        line(2, f'outcome#[["{MODEL}"],"{MODEL}"]', votes=3),
        line(3, "aside#", **{f"up__{MODEL}": 2}),
    )

    assert await dynamo.store.aggregates(since_hour="") == Aggregates()


class TestBallots:
    @pytest.fixture(autouse=True)
    async def _cast(self, dynamo: Dynamo) -> None:
        await dynamo.store.put_comparison(COMPARED, shown(COMPARED))
        await dynamo.client.update_item(
            TableName=dynamo.prefix + COMPARISONS,
            Key={"comparison_id": {"S": COMPARED.comparison_id}, "part": {"S": "ballot#ann"}},
            UpdateExpression="SET winner = :a, cast_at = :at, burst = :burst",
            ExpressionAttributeValues={
                ":a": {"S": "A"},
                ":at": {"N": str(CAST_AT)},
                ":burst": {"S": f"{HOUR}/0123456789abcdef"},
            },
        )

    async def test_are_unverified_and_count_for_nothing(self, dynamo: Dynamo) -> None:
        (stored,) = [each.ballot async for each in dynamo.store.all_ballots()]

        at, standing = shown(COMPARED).shown_at, Standing.UNVERIFIED
        assert stored == Ballot(COMPARED.comparison_id, "ann", at, "A", CAST_AT, standing)
        assert await outcomes(dynamo.store) == {}

    async def test_a_later_choice_is_kept_apart(self, dynamo: Dynamo) -> None:
        result = effect(await dynamo.store.cast_ballot(COMPARED.comparison_id, "ann", "B", at=CAST_AT + 60))

        assert result is not None
        assert (result.status, result.ballot.winner, result.ballot.later) == (BallotStatus.AFTER_REVEAL, "A", "B")

    async def test_they_are_forgotten_without_a_count(self, dynamo: Dynamo) -> None:
        await forget(dynamo.store, "ann")

        assert [each async for each in dynamo.store.all_ballots()] == []
        assert await outcomes(dynamo.store) == {}


async def test_hashes_of_addresses_and_bursts_are_removed(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    await put(dynamo, FEEDBACK, OLD, {**OLD, "voter": {"S": "bob"}, "burst": {"S": "aside"}})
    await put(dynamo, STATE, {"name": {"S": f"burst#{HOUR}/0123456789abcdef"}, "part": {"S": "burst"}})

    early, late = await prune(dynamo.store, CAST_AT + DAY_SECONDS), await prune(dynamo.store, A_MONTH)

    assert (early, late) == (Pruned(), Pruned(addresses=1))
    assert "0123456789abcdef" not in str([await items(dynamo, table) for table in (FEEDBACK, STATE)])
