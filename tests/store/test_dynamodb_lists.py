"""How DynamoDB keeps lists of sayings: as items that are made anew from all sayings, and read by key."""

from service.domain import SayingOrder
from service.store.base import Listing
from service.store.dynamodb.tables import SAYINGS, STATE
from tests.store.builders import generated, vote
from tests.store.clients import faulty, in_small_pages, items, put
from tests.store.conftest import Dynamo

TOP = Listing(SayingOrder.TOP, simulated=False)
NEW = Listing(SayingOrder.NEW, simulated=False)
SAYING, OTHER = generated("a saying"), generated("another", created_at=1_800_000_001.0)


async def test_a_list_is_read_with_one_read_by_key(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    await dynamo.store.rank_sayings(simulated=False)
    store, client = faulty(dynamo)

    found = await store.listed_ids(NEW)

    assert (found, [operation for operation, _ in client.asked]) == ([SAYING.saying_id], ["get_item"])


async def test_a_vote_shows_in_the_list_once_it_is_ranked_again(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    await dynamo.store.rank_sayings(simulated=False)

    await dynamo.store.vote(vote(SAYING))
    before = await dynamo.store.listed_ids(TOP)
    await dynamo.store.rank_sayings(simulated=False)

    assert (before, await dynamo.store.listed_ids(TOP)) == ([], [SAYING.saying_id])


async def test_only_lists_that_have_changed_are_written(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING, OTHER])
    await dynamo.store.rank_sayings(simulated=False)
    store, client = faulty(dynamo)

    await store.rank_sayings(simulated=False)
    unchanged = client.requests("update_item")
    await store.vote(vote(SAYING))
    await store.rank_sayings(simulated=False)

    written = {request["Key"]["part"]["S"] for request in client.requests("update_item")}
    assert unchanged == []
    assert written == {"top#all", "top#service#Amazon S3", "top#model#gpt-4.1"}


async def test_a_list_that_has_become_empty_is_deleted(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    await dynamo.store.vote(vote(SAYING))
    await dynamo.store.rank_sayings(simulated=False)

    await dynamo.store.withdraw_vote(SAYING.saying_id, "ann")
    await dynamo.store.rank_sayings(simulated=False)

    lists = {item["part"]["S"] for item in await items(dynamo, STATE) if item["name"]["S"].startswith("lists#")}
    assert {part for part in lists if part.startswith("top")} == set()
    assert await dynamo.store.listed_ids(NEW) == [SAYING.saying_id]


async def test_all_pages_of_the_table_are_ranked(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING, OTHER])

    await in_small_pages(dynamo).rank_sayings(simulated=False)

    assert await dynamo.store.listed_ids(NEW) == [OTHER.saying_id, SAYING.saying_id]


async def test_a_damaged_saying_does_not_stop_the_ranking(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    await put(dynamo, SAYINGS, {"saying_id": {"S": "0" * 32}, "contributor": {"S": "gpt-4.1"}})

    await dynamo.store.rank_sayings(simulated=False)

    assert await dynamo.store.listed_ids(NEW) == [SAYING.saying_id]
