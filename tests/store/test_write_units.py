"""What votes and ballots ask of DynamoDB: the write units that they cost, and their operations one after the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from service.domain import Attribution, NetworkDay
from service.limits import Quotas
from service.store.dynamodb import DynamoStore
from tests.faults.proxy import EVERYTHING, AwsProxy
from tests.store.builders import BLIND, CAST_AT, MODELS, NAMED, NEGATIVE, comparison, generated, network, shown, vote
from tests.store.conftest import Connect, Dynamo
from tests.tools.recorder import Recorder

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

    from service.domain import Saying

# As long as they really are, because a write unit is a kilobyte.
VOTER = "u5uIX8v0kCzE2V7tK1nqf3mYwS9aRdLb"
IPV4 = [network("0123456789abcdef0123456789abcdef")]
IPV6 = [*IPV4, network("fedcba9876543210fedcba9876543210", share=16)]
COMPARED = comparison()


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
async def test_a_first_vote_is_reads_and_one_transaction(
    recorded: tuple[DynamoStore, Recorder],
    attribution: Attribution | None,
    networks: Sequence[NetworkDay],
    units: int,
) -> None:
    store, recorder = recorded

    with recorder.recording() as calls:
        await store.vote(vote(SAYING, VOTER, attribution=attribution, networks=networks))

    *reads, write = calls
    assert {read.operation for read in reads} == {"GetItem"}
    assert (write.operation, write.write_units) == ("TransactWriteItems", units)


@pytest.mark.parametrize("voters", [1, 12])
async def test_the_last_vote_that_counts_of_a_network_costs_no_more(
    recorded: tuple[DynamoStore, Recorder], voters: int
) -> None:
    store, recorder = recorded
    sayings = [saying(number, MODELS[number % 4]) for number in range(1, 13)]
    await store.put_sayings(sayings)

    for number, each in enumerate(sayings):
        named = vote(each, f"{VOTER}N", NEGATIVE, attribution=NAMED, networks=IPV4)
        await store.vote(named)
        with recorder.recording() as calls:
            await store.vote(vote(each, f"{VOTER[:-2]}{number % voters:02}", networks=IPV4))

    print(calls[-1])


async def test_a_vote_cast_again_moves_the_sayings_counters_alone(recorded: tuple[DynamoStore, Recorder]) -> None:
    store, recorder = recorded
    await store.vote(vote(SAYING, VOTER, networks=IPV4))

    with recorder.recording() as calls:
        await store.vote(vote(SAYING, VOTER, NEGATIVE, networks=IPV4))
        await store.withdraw_vote(SAYING.saying_id, VOTER)

    print(calls)


async def test_a_ballot_is_one_transaction(recorded: tuple[DynamoStore, Recorder]) -> None:
    store, recorder = recorded

    with recorder.recording() as calls:
        await store.cast_ballot(COMPARED, "ann", "A", at=CAST_AT, networks=IPV4)

    print(calls)
