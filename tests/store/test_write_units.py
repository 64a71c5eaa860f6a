"""What votes and ballots ask of DynamoDB: the write units that they cost, and their operations one after the other."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.domain import Attribution, NetworkDay, Standing
from service.store.base import Strand
from service.store.dynamodb import DynamoStore
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


def test_a_line_of_votes_stays_within_a_kilobyte() -> None:
    """A line in which every number has seven digits, as that of a day never will."""
    names = [f"{kind}{group:x}{counted}" for kind in "bk" for group in range(ITEM_GROUPS) for counted in "nu"]
    names += [f"h{hour:02}" for hour in range(24)]
    names += [*("on", "ou", "an", "au", "vn", "vu"), "voters", "sayings", "writes"]
    strand = Strand("claude-sonnet-4-5", "2026-11-29", "2026-11-20.1", "claude-sonnet-4-5-20250929")

    line: Any = line_key(15, votes_line(strand)) | {name: {"N": "1234567"} for name in names}

    assert write_units({}, line) == 1
