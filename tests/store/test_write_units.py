"""What votes and ballots ask of DynamoDB: the write units that they cost, and their operations one after the other."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from service.domain import Attribution, NetworkDay, Standing
from service.store.base import Strand
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.items import to_item
from service.store.dynamodb.lines import line_key, votes_line
from service.store.groups import ITEM_GROUPS
from tests.faults.proxy import EVERYTHING, AwsProxy
from tests.store.builders import (
    BLIND,
    CAST_AT,
    MODELS,
    NAMED,
    NEGATIVE,
    comparison,
    effect,
    generated,
    network,
    shown,
    vote,
)
from tests.store.conftest import Connect, Dynamo
from tests.tools.capacity import write_units
from tests.tools.recorder import Recorder

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

    from service.domain import Saying

# As long as they really are, because a write unit is a kilobyte.
VOTER = "u5uIX8v0kCzE2V7tK1nqf3mYwS9aRdLb"
IPV4 = [network("0123456789abcdef0123456789abcdef")]
IPV6 = [*IPV4, network("fedcba9876543210fedcba9876543210", share=16)]
COMPARED = comparison()

VOTES, VOTES_A_SECOND, SAYINGS_PER_MODEL = 4_800, 1_700, 60
UNITS_OF_A_PARTITION = 1_000
# Assumed, as in deploy/SCALE.md: how long a transaction holds its items.
SECONDS_OF_A_TRANSACTION = 0.015
# How many others a vote may meet at the item that most of them write, on average. Each costs it another attempt.
MEETINGS = 0.2


def saying(number: int, model: str = MODELS[3]) -> "Saying":
    """A saying of one service, of a usual length."""
    text = f"Amazon S3 is an attic with {number} boxes that somebody else pays for, and nobody dares to throw one away."
    one = generated(text, snapshot=f"{model}-20250929")
    assert one.generation is not None
    return replace(one, generation=replace(one.generation, model=model, generation_id=f"{number:032x}"))


SAYING = saying(0)


@pytest.fixture
async def recorded(dynamo: Dynamo, connect: Connect, moto_url: str) -> AsyncIterator[tuple[DynamoStore, Recorder]]:
    """A store with a saying and a comparison in it, and what records its calls."""
    recorder, proxy = Recorder(dynamo.client, dynamo.prefix), AwsProxy(moto_url)
    async with proxy.serve(), connect(proxy.url) as client:
        proxy.inject(EVERYTHING, recorder.handle, count=None)
        store = DynamoStore(client, dynamo.prefix)
        await store.put_sayings([SAYING])
        await store.put_comparison(COMPARED, shown(COMPARED))
        yield store, recorder


@pytest.mark.parametrize(
    ("attribution", "networks", "units"),
    [(BLIND, IPV4, 12), (BLIND, [], 10), (BLIND, IPV6, 14), (NAMED, IPV4, 8), (None, IPV4, 6)],
)
async def test_a_first_vote_is_one_read_and_one_transaction(
    recorded: tuple[DynamoStore, Recorder],
    attribution: Attribution | None,
    networks: Sequence[NetworkDay],
    units: int,
) -> None:
    store, recorder = recorded

    with recorder.recording() as calls:
        await store.vote(vote(SAYING, VOTER, attribution=attribution, networks=networks))

    *reads, write = calls
    assert [read.operation for read in reads] == ["BatchGetItem"]
    assert (write.operation, write.write_units) == ("TransactWriteItems", units)


@pytest.mark.parametrize("voters", [1, 12])
async def test_a_networks_last_vote_that_counts_costs_no_more(
    recorded: tuple[DynamoStore, Recorder], voters: int
) -> None:
    store, recorder = recorded
    sayings = [saying(number, MODELS[number % 4]) for number in range(1, 13)]
    await store.put_sayings(sayings)

    for number, each in enumerate(sayings):
        await store.vote(vote(each, f"{VOTER[:-2]}nn", NEGATIVE, attribution=NAMED, networks=IPV4))
        with recorder.recording() as calls:
            last = effect(await store.vote(vote(each, f"{VOTER[:-2]}{number % voters:02}", networks=IPV4)))

    assert last is not None
    assert (last.standing, calls[-1].write_units) == (Standing.COUNTED, 12)


async def test_a_vote_cast_again_moves_the_sayings_counters_alone(recorded: tuple[DynamoStore, Recorder]) -> None:
    store, recorder = recorded
    await store.vote(vote(SAYING, VOTER, networks=IPV4))

    with recorder.recording() as calls:
        await store.vote(vote(SAYING, VOTER, NEGATIVE, networks=IPV4))
        await store.withdraw_vote(SAYING.saying_id, VOTER)

    assert [call.write_units for call in calls if call.operation == "TransactWriteItems"] == [4, 4]


async def test_a_ballot_is_one_read_and_one_transaction(recorded: tuple[DynamoStore, Recorder]) -> None:
    store, recorder = recorded

    with recorder.recording() as calls:
        await store.cast_ballot(COMPARED.comparison_id, "ann", "A", at=CAST_AT, networks=IPV4)

    *reads, write = calls
    assert [read.operation for read in reads] == ["BatchGetItem"]
    assert (write.operation, write.write_units) == ("TransactWriteItems", 8)


class ManyVoters:
    """A DynamoDB in which all sayings exist and every write succeeds. It counts the writes by partition and item."""

    def __init__(self, sayings: Sequence["Saying"]) -> None:
        self._sayings = {saying.saying_id: to_item(saying) for saying in sayings}
        self.items, self.partitions = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()

    async def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - as the SDK names it
        found = [self._sayings[key["saying_id"]["S"]] for key in RequestItems["main_humor"]["Keys"]]
        return {"Responses": {"main_humor": found}, "UnprocessedKeys": {}, "ResponseMetadata": {"RequestId": "one"}}

    async def transact_write_items(self, TransactItems: list[Any], **_: str) -> Any:  # noqa: N803
        for write in TransactItems:
            (content,) = write.values()
            key = content.get("Key") or {name: content["Item"][name] for name in ("saying_id", "voter")}
            address = (content["TableName"], *(value["S"] for value in key.values()))
            self.items[address] += 1
            self.partitions[address[:2]] += 1
        return {"ResponseMetadata": {"RequestId": "one"}}


async def test_no_item_is_hot_at_1700_votes_a_second() -> None:
    """Blind votes of many people from as many addresses, on the sayings that the pools hold."""
    sayings = [
        replace(saying(number, MODELS[number % 4]), services=(f"service {number // 4}",))
        for number in range(4 * SAYINGS_PER_MODEL)
    ]
    dynamodb = ManyVoters(sayings)
    store = DynamoStore(cast("DynamoDBClient", dynamodb))

    for number in range(VOTES):
        near = [network(f"{number:032x}")]
        await store.vote(vote(sayings[number % len(sayings)], f"{number:032}", networks=near))

    busiest_item, busiest_partition = (max(each.values()) / VOTES for each in (dynamodb.items, dynamodb.partitions))
    # Every item is smaller than a kilobyte, which is two units in a transaction.
    assert VOTES_A_SECOND * busiest_partition * 2 < UNITS_OF_A_PARTITION
    assert VOTES_A_SECOND * busiest_item * SECONDS_OF_A_TRANSACTION < MEETINGS


def test_a_line_of_votes_stays_within_a_kilobyte() -> None:
    """A line in which every number has seven digits, as that of a day never will."""
    names = [f"{kind}{group:x}{counted}" for kind in "bk" for group in range(ITEM_GROUPS) for counted in "nu"]
    names += [f"h{hour:02}" for hour in range(24)]
    names += [*("on", "ou", "an", "au", "vn", "vu"), "voters", "sayings", "writes"]
    strand = Strand("claude-sonnet-4-5", "2026-11-29", "2026-11-20.1", "claude-sonnet-4-5-20250929")

    line: Any = line_key(15, votes_line(strand)) | {name: {"N": "1234567"} for name in names}

    assert write_units({}, line) == 1
