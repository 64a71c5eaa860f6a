"""What is special about forgetting in DynamoDB: requests that wait for a pass, and a pass that is cut short."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.base import Tally
from service.store.dynamodb import DynamoStore
from service.store.dynamodb.tables import COMPARISONS, EXPIRY_ATTRIBUTE, FEEDBACK, STATE
from tests.store.builders import CAST_AT, HOUR, MODEL, ballot, comparison, generated, shown, vote
from tests.store.conftest import Dynamo
from tests.store.counting import totals
from tests.store.test_contract_retention import A_MONTH, A_YEAR, LATER, SOON, STREET, prune

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

    from service.store.dynamodb.items import Item

SAYING = generated("a saying")


class SmallPages:
    """A client whose scans return one item a page."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._client, operation)
        return (lambda **scan: call(**{**scan, "Limit": 1})) if operation == "scan" else call


def in_small_pages(dynamo: Dynamo) -> DynamoStore:
    return DynamoStore(cast("DynamoDBClient", SmallPages(dynamo.client)), dynamo.prefix)


async def items(dynamo: Dynamo, table: str) -> "list[Item]":
    return (await dynamo.client.scan(TableName=dynamo.prefix + table))["Items"]


async def parts_of_state(dynamo: Dynamo) -> set[str]:
    return {item["name"]["S"].partition("#")[0] for item in await items(dynamo, STATE)}


async def test_a_request_waits_for_a_pass_and_ends_with_it(dynamo: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([SAYING])
    await store.vote(vote(SAYING, "ann"))

    is_gone = await store.forget("ann", asked_at=SOON)
    (request,) = (item for item in await items(dynamo, STATE) if item["name"]["S"] == "forget")
    await prune(store, LATER)

    assert not is_gone
    assert float(request[EXPIRY_ATTRIBUTE]["N"]) > SOON + DEFAULT_RETENTION.request_days * DAY_SECONDS
    assert await items(dynamo, FEEDBACK) == []
    assert await parts_of_state(dynamo) == {"tally"}


async def test_a_request_made_during_a_pass_is_left_to_the_next(dynamo: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([SAYING])
    for voter in ("ann", "bob"):
        await store.vote(vote(SAYING, voter))
        await store.forget(voter, asked_at=SOON)

    async with aclosing(store.prune(DEFAULT_RETENTION, now=LATER)) as parts:
        await anext(parts)
        await store.vote(vote(SAYING, "ann"))
        await store.forget("ann", asked_at=LATER + 1)
        async for _ in parts:
            pass
    waiting = [item["part"]["S"] for item in await items(dynamo, STATE) if item["name"]["S"] == "forget"]
    await prune(store, LATER + DAY_SECONDS)

    assert waiting == ["ann"]
    assert await totals(store) == {}
    assert "forget" not in await parts_of_state(dynamo)


async def test_a_pass_goes_on_where_another_process_left_it(dynamo: Dynamo) -> None:
    store, sayings = in_small_pages(dynamo), [generated(f"saying {n}") for n in range(4)]
    await store.put_sayings(sayings)
    for saying in sayings:
        await store.vote(vote(saying, "ann", burst=STREET))

    async with aclosing(store.prune(DEFAULT_RETENTION, now=A_MONTH)) as parts:
        first = [await anext(parts) for _ in range(2)]
    rest = [part async for part in in_small_pages(dynamo).prune(DEFAULT_RETENTION, now=A_MONTH)]

    assert [part.addresses for part in first] == [1, 1]
    assert sum(part.addresses for part in rest) == 2
    assert await parts_of_state(dynamo) == {"tally"}


async def test_a_pass_that_goes_on_later_keeps_its_end_dates(dynamo: Dynamo) -> None:
    store, sayings = in_small_pages(dynamo), [generated(f"saying {n}") for n in range(2)]
    next_day = CAST_AT + DAY_SECONDS
    await store.put_sayings(sayings)
    for saying in sayings:
        await store.vote(vote(saying, "ann", burst=STREET))
        await store.vote(vote(saying, "bob", at=next_day, burst="2027-01-16T08/street"))
    async with aclosing(store.prune(DEFAULT_RETENTION, now=A_MONTH)) as parts:
        await anext(parts)

    await prune(store, A_MONTH + DAY_SECONDS)

    bursts = {item["name"]["S"] for item in await items(dynamo, STATE) if item["part"]["S"] == "burst"}
    assert bursts == {"burst#2027-01-16T08/street"}
    assert {item["burst"]["S"] for item in await items(dynamo, FEEDBACK)} == {"", "2027-01-16T08/street"}


async def test_a_vote_of_an_earlier_version_loses_its_voter_too(dynamo: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([SAYING])
    await store.vote(vote(SAYING, "ann", burst=STREET))
    await dynamo.client.update_item(
        TableName=dynamo.prefix + FEEDBACK,
        Key={"saying_id": {"S": SAYING.saying_id}, "voter": {"S": "ann"}},
        UpdateExpression="REMOVE first_cast_at, burst, contributor",  # as votes of earlier versions are
    )

    await prune(store, A_YEAR)

    (kept,) = await items(dynamo, FEEDBACK)
    assert kept["voter"]["S"].startswith("forgotten:")
    assert await totals(store) == {MODEL: Tally(upvotes=1)}


async def test_damaged_votes_and_ballots_hold_up_no_pass(dynamo: Dynamo) -> None:
    store, compared = dynamo.store, comparison()
    await store.put_sayings([SAYING])
    await store.put_comparison(compared, shown(compared, "ann"))
    await store.cast_ballot(compared, ballot(compared, "ann", burst=f"{HOUR}/street"))
    await store.vote(vote(SAYING, "ann", burst=STREET))
    for table, key, damage in (
        (FEEDBACK, {"saying_id": {"S": SAYING.saying_id}, "voter": {"S": "ann"}}, "REMOVE feedback_type"),
        (COMPARISONS, {"comparison_id": {"S": "comparison"}, "part": {"S": "ballot#ann"}}, "REMOVE shown_at"),
    ):
        await dynamo.client.update_item(TableName=dynamo.prefix + table, Key=key, UpdateExpression=damage)

    await prune(store, A_YEAR)
    await store.forget("ann", asked_at=A_YEAR)
    await prune(store, A_YEAR + DAY_SECONDS)

    assert await items(dynamo, FEEDBACK) == []
    assert [item["part"]["S"] for item in await items(dynamo, COMPARISONS)] == ["comparison"]
