"""What is special about votes in DynamoDB: faults, many at once, and what is read and written for each."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.domain import Attribution, NetworkDay, Standing, VoteResult, VoteStatus
from service.errors import StoreError
from service.limits import DEFAULT_QUOTAS, Quotas
from service.store.base import Counts
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.tables import FEEDBACK, SAYINGS, STATE
from service.store.groups import voter_group
from tests.store.builders import (
    BLIND,
    DAY,
    MODEL,
    MODELS,
    NAMED,
    NEGATIVE,
    POSITIVE,
    collected,
    effect,
    generated,
    network,
    vote,
)
from tests.store.clients import cancelled, error, faulty, items, no_answer
from tests.store.conftest import Dynamo
from tests.store.counting import Total, totals

if TYPE_CHECKING:
    from service.domain import Saying

SAYING = generated("a saying", snapshot="gpt-4.1-2025-04-14")
STREET, CITY = network("street"), network("city", share=16)
CHANGED = ("ConditionalCheckFailed", "None", "None")
ONE = Total(blind=Counts(1, 1), voters=1, sayings=1)


@pytest.fixture(autouse=True)
async def _saying(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])


def of(model: str, text: str) -> "Saying":
    saying = generated(text)
    assert saying.generation is not None
    return replace(saying, generation=replace(saying.generation, model=model))


class TestFaults:
    async def test_a_vote_changed_under_way_is_read_again(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo, transact_write_items=[cancelled(*CHANGED)])

        result = effect(await store.vote(vote(SAYING)))

        assert result == VoteResult(VoteStatus.RECORDED, 1, 0, Standing.COUNTED)
        assert [operation for operation, _ in client.asked] == ["batch_get_item", "transact_write_items"] * 2

    async def test_a_vote_that_keeps_changing_is_an_error(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo, transact_write_items=[cancelled(*CHANGED) for _ in range(100)])

        with pytest.raises(StoreError):
            await store.vote(vote(SAYING))

        assert len(client.requests("transact_write_items")) == 10

    async def test_attempts_at_one_transaction_share_a_token_of_its_own(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo, transact_write_items=[no_answer()])

        await store.vote(vote(SAYING, feedback=POSITIVE))
        await store.vote(vote(SAYING, feedback=NEGATIVE))

        first, again, other = (request["ClientRequestToken"] for request in client.requests("transact_write_items"))
        assert first == again != other

    async def test_an_opinion_changed_meanwhile_moves_the_counters_once(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(vote(SAYING))
        store, _ = faulty(dynamo, meanwhile=lambda: dynamo.store.withdraw_vote(SAYING.saying_id, "ann"))

        result = effect(await store.vote(vote(SAYING, feedback=NEGATIVE)))

        assert result == VoteResult(VoteStatus.RECORDED, 0, 1, Standing.COUNTED)
        assert await totals(dynamo.store) == {MODEL: ONE}

    async def test_what_others_have_changed_comes_with_the_refusal(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo, meanwhile=lambda: dynamo.store.vote(vote(SAYING, "bob")))

        result = effect(await store.vote(vote(SAYING)))

        assert result == VoteResult(VoteStatus.RECORDED, 2, 0, Standing.COUNTED)
        assert [operation for operation, _ in client.asked] == ["batch_get_item", *["transact_write_items"] * 2]
        assert await totals(dynamo.store) == {MODEL: Total(blind=Counts(2, 2), voters=2, sayings=1)}

    async def test_a_claim_too_small_for_dynamodb_does_not_fail_a_vote(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(replace(vote(SAYING), claimed_execution_ms=1e-300))

        (item,) = await items(dynamo, FEEDBACK)
        assert float(item["claimed_execution_ms"]["N"]) == 0

    async def test_a_damaged_vote_cannot_be_changed(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(vote(SAYING))
        key = {"saying_id": {"S": SAYING.saying_id}, "voter": {"S": "ann"}}
        table = dynamo.prefix + FEEDBACK
        await dynamo.client.update_item(TableName=table, Key=key, UpdateExpression="REMOVE feedback_type")

        with pytest.raises(StoreError):
            await dynamo.store.vote(vote(SAYING, feedback=NEGATIVE))


class TestWhatIsReadAndWritten:
    async def test_what_a_counted_blind_vote_writes(self, dynamo: Dynamo) -> None:
        store, client = faulty(dynamo)

        await store.vote(vote(SAYING, networks=[STREET]))

        (request,) = client.requests("transact_write_items")
        group = voter_group("ann")
        assert [written(write, dynamo) for write in request["TransactItems"]] == [
            (FEEDBACK, SAYING.saying_id, "ann"),
            (STATE, f"tally#{group}", f"votes#{DAY}#{MODEL}#v1#gpt-4.1-2025-04-14~1"),
            (SAYINGS, SAYING.saying_id),
            (STATE, f"tally#{group % 8}", f"blind#Amazon S3#{MODEL}"),
            (STATE, "voter#ann", "voter"),
            (STATE, f"network#{DAY}/street", "network"),
        ]

    @pytest.mark.parametrize(
        ("attribution", "networks", "reads", "writes"),
        [(None, [STREET], 2, 3), (NAMED, [STREET], 3, 4), (BLIND, [STREET, CITY], 5, 7), (BLIND, [], 3, 5)],
    )
    async def test_what_a_vote_of_each_kind_asks_for(
        self,
        dynamo: Dynamo,
        attribution: Attribution | None,
        networks: list[NetworkDay],
        reads: int,
        writes: int,
    ) -> None:
        store, client = faulty(dynamo)

        await store.vote(vote(SAYING, attribution=attribution, networks=networks))

        (read, write) = client.asked
        keys = [key for table in read[1]["RequestItems"].values() for key in table["Keys"]]
        assert (read[0], len(keys)) == ("batch_get_item", reads)
        assert (write[0], len(write[1]["TransactItems"])) == ("transact_write_items", writes)

    async def test_votes_on_the_collection_use_up_no_quota(self, dynamo: Dynamo) -> None:
        by_hand = collected("by hand")
        await dynamo.store.put_sayings([by_hand])

        await dynamo.store.vote(vote(by_hand, networks=[STREET]))

        assert not [item for item in await items(dynamo, STATE) if item["part"]["S"] == "network"]

    async def test_an_unchanged_vote_writes_nothing(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(vote(SAYING))
        store, client = faulty(dynamo)

        await store.vote(vote(SAYING))

        assert [operation for operation, _ in client.asked] == ["batch_get_item"]

    async def test_the_raw_vote_keeps_what_was_cast_first_and_what_holds_now(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(vote(SAYING, networks=[STREET, CITY]))
        await dynamo.store.withdraw_vote(SAYING.saying_id, "ann")

        assert await items(dynamo, FEEDBACK) == [
            {
                "saying_id": {"S": SAYING.saying_id},
                "voter": {"S": "ann"},
                "contributor": {"S": MODEL},
                "feedback_type": {"S": "POSITIVE"},
                "first_cast_at": {"N": "1800000500.5"},
                "standing": {"S": "counted"},
                "attribution": {"S": "blind"},
                "network": {"S": f"{DAY}/street"},
                "opinion": {"S": "WITHDRAWN"},
                "cast_at": {"N": "1800000500.5"},
                "claimed_execution_ms": {"N": "12.5"},
                "claimed_cached": {"BOOL": True},
            }
        ]

    async def test_networks_and_voters_expire(self, dynamo: Dynamo) -> None:
        await dynamo.store.vote(vote(SAYING, networks=[STREET]))

        expiries = {item["part"]["S"]: item.get("expires_at_epoch") for item in await items(dynamo, STATE)}
        assert (expiries["network"], expiries["voter"]) == ({"N": "1800259700"}, {"N": "1831536500"})


def written(write: dict[str, Any], dynamo: Dynamo) -> tuple[str, ...]:
    """The table and the key of a write."""
    (content,) = write.values()
    keys = ("saying_id", "voter", "name", "part")
    found = content.get("Key") or content["Item"]
    return content["TableName"].removeprefix(dynamo.prefix), *(found[key]["S"] for key in keys if key in found)


class TestManyAtOnce:
    async def test_a_network_counts_for_its_quota_and_the_excess_is_set_aside(self, dynamo: Dynamo) -> None:
        voters = [f"voter {n}" for n in range(8)]  # a few more on one model would expose the network

        await asyncio.gather(*(dynamo.store.vote(vote(SAYING, voter, networks=[STREET])) for voter in voters))

        most = DEFAULT_QUOTAS.address_model_votes
        assert await totals(dynamo.store) == {
            MODEL: Total(blind=Counts(most, most), aside=Counts(8 - most, 8 - most), voters=most, sayings=1)
        }

    async def test_a_voter_counts_for_its_quota(self, dynamo: Dynamo) -> None:
        store = DynamoStore(dynamo.client, dynamo.prefix, Quotas(voter_model_votes=4))
        sayings = [generated(f"saying {n}") for n in range(8)]
        await store.put_sayings(sayings)

        await asyncio.gather(*(store.vote(vote(saying)) for saying in sayings))

        assert await totals(store) == {MODEL: Total(blind=Counts(4, 4), aside=Counts(4, 4), voters=1, sayings=4)}

    async def test_a_saying_and_its_voters_are_counted_once_each(self, dynamo: Dynamo) -> None:
        sayings = [generated(f"saying {n}") for n in range(3)]
        await dynamo.store.put_sayings(sayings)
        votes = [vote(saying, voter) for saying in sayings for voter in ("ann", "bob", "cy")]

        await asyncio.gather(*(dynamo.store.vote(one) for one in votes))

        assert await totals(dynamo.store) == {MODEL: Total(blind=Counts(9, 9), voters=3, sayings=3)}

    @pytest.mark.parametrize("taken", ["room", "network"])
    async def test_what_another_vote_takes_meanwhile_is_noticed(self, dynamo: Dynamo, taken: str) -> None:
        quotas = Quotas(address_votes=8)  # so one on each model

        async def take() -> None:
            if taken == "room":
                await DynamoStore(dynamo.client, dynamo.prefix, quotas).vote(vote(SAYING, "bob", networks=[STREET]))
            else:
                await expose(dynamo.store)

        store, _ = faulty(dynamo, quotas, meanwhile=take)

        result = effect(await store.vote(vote(SAYING, "ann", networks=[STREET])))

        assert result is not None
        assert result.standing is Standing.SET_ASIDE


async def expose(store: DynamoStore, votes: int = 11) -> None:
    """Cast votes from a network that nobody casts honestly: so many on a single model of four."""
    sayings = [of(MODELS[1], f"exposing {n}") for n in range(votes)]
    await store.put_sayings(sayings)
    for n, saying in enumerate(sayings):
        await store.vote(vote(saying, f"voter {n}", networks=[STREET, CITY]))


class TestSettingAside:
    async def test_goes_on_with_the_networks_next_vote_where_it_was_interrupted(self, dynamo: Dynamo) -> None:
        await expose(dynamo.store, votes=10)
        saying = of(MODELS[1], "the last")
        await dynamo.store.put_sayings([saying])
        # The vote itself and one of three are written, then the database fails for a while.
        failures = [None, None, *(error("InternalServerError", 500) for _ in range(20))]
        store, _ = faulty(dynamo, transact_write_items=failures)
        with pytest.raises(StoreError):
            await store.vote(vote(saying, "last", networks=[STREET, CITY]))
        interrupted = await totals(dynamo.store)

        await dynamo.store.vote(vote(saying, "last", networks=[STREET, CITY]))

        assert interrupted[MODELS[1]].blind == Counts(2, 2)
        assert await totals(dynamo.store) == {MODELS[1]: Total(aside=Counts(11, 11))}

    async def test_of_a_vote_that_is_gone_leaves_nothing_to_do(self, dynamo: Dynamo) -> None:
        await expose(dynamo.store, votes=10)
        (first,) = {item["saying_id"]["S"] for item in await items(dynamo, FEEDBACK) if item["voter"]["S"] == "voter 0"}
        await dynamo.client.delete_item(
            TableName=dynamo.prefix + FEEDBACK, Key={"saying_id": {"S": first}, "voter": {"S": "voter 0"}}
        )
        saying = of(MODELS[1], "the last")
        await dynamo.store.put_sayings([saying])

        await dynamo.store.vote(vote(saying, "last", networks=[STREET, CITY]))

        networks = [item for item in await items(dynamo, STATE) if item["part"]["S"] == "network"]
        assert ["receipts" in item for item in networks] == [False, False]

    async def test_a_network_keeps_no_more_receipts_than_an_address_has_votes(self, dynamo: Dynamo) -> None:
        store = DynamoStore(dynamo.client, dynamo.prefix, Quotas(address_votes=4))
        sayings = [of(MODELS[n % 4], f"saying {n}") for n in range(12)]
        await store.put_sayings(sayings)

        for n, saying in enumerate(sayings):
            await store.vote(vote(saying, f"voter {n}", networks=[CITY]))

        (kept,) = [item for item in await items(dynamo, STATE) if item["part"]["S"] == "network"]
        assert (kept["counted"]["N"], len(kept["receipts"]["BS"])) == ("12", 4)
