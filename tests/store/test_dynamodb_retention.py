"""What is special about forgetting in DynamoDB: requests that wait for a pass, and a pass that is cut short."""

from contextlib import aclosing

from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.base import Counts
from service.store.dynamodb.quota_items import receipts
from service.store.dynamodb.tables import COMPARISONS, EXPIRY_ATTRIBUTE, FEEDBACK, STATE
from tests.store.builders import CAST_AT, DAY, MODEL, comparison, generated, network, shown, vote
from tests.store.clients import in_small_pages, items
from tests.store.conftest import Dynamo
from tests.store.counting import Total, totals
from tests.store.test_contract_retention import A_MONTH, A_YEAR, LATER, SOON, STREET, forget, prune

SAYING = generated("a saying")


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
    assert await parts_of_state(dynamo) == {"tally", "forgotten"}


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
    after_the_first = await totals(store)
    await prune(store, LATER + DAY_SECONDS)

    assert waiting == ["ann"]
    assert after_the_first == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}
    assert await totals(store) == {}
    assert await parts_of_state(dynamo) == {"tally", "tallies", "forgotten"}


async def test_a_pass_goes_on_where_another_process_left_it(dynamo: Dynamo) -> None:
    store, sayings = in_small_pages(dynamo), [generated(f"saying {n}") for n in range(4)]
    await store.put_sayings(sayings)
    for saying in sayings:
        await store.vote(vote(saying, "ann", attribution=None, networks=STREET))

    async with aclosing(store.prune(DEFAULT_RETENTION, now=A_MONTH)) as parts:
        first = [await anext(parts) for _ in range(2)]
    rest = [part async for part in in_small_pages(dynamo).prune(DEFAULT_RETENTION, now=A_MONTH)]

    assert [part.addresses for part in first] == [1, 1]
    assert sum(part.addresses for part in rest) == 2
    assert "prune" not in await parts_of_state(dynamo)


async def test_a_pass_that_goes_on_later_keeps_its_end_dates(dynamo: Dynamo) -> None:
    store, sayings = in_small_pages(dynamo), [generated(f"saying {n}") for n in range(2)]
    next_day = [network(day="2027-01-16")]
    await store.put_sayings(sayings)
    for saying in sayings:
        await store.vote(vote(saying, "ann", networks=STREET))
        await store.vote(vote(saying, "bob", at=CAST_AT + DAY_SECONDS, networks=next_day))
    async with aclosing(store.prune(DEFAULT_RETENTION, now=A_MONTH)) as parts:
        await anext(parts)

    await prune(store, A_MONTH + DAY_SECONDS)

    assert {stored.network async for stored in store.all_votes()} == {"", "2027-01-16/street"}


async def test_a_voter_leaves_neither_an_item_nor_receipts(dynamo: Dynamo) -> None:
    await dynamo.store.put_sayings([SAYING])
    for voter in ("ann", "bob"):
        await dynamo.store.vote(vote(SAYING, voter, networks=STREET))

    await forget(dynamo.store, "ann")

    state = {item["part"]["S"]: item for item in await items(dynamo, STATE)}
    assert [item["name"]["S"] for item in await items(dynamo, STATE) if item["part"]["S"] == "voter"] == ["voter#bob"]
    assert receipts(state["network"]) == [(SAYING.saying_id, "bob")]


async def test_networks_and_secrets_go_after_some_days(dynamo: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([SAYING])
    await store.vote(vote(SAYING, networks=STREET))
    await store.day_secret(DAY)

    early = CAST_AT + DEFAULT_RETENTION.secret_days * DAY_SECONDS
    await prune(store, early)
    before = await parts_of_state(dynamo)
    await prune(store, early + DAY_SECONDS)

    assert before - await parts_of_state(dynamo) == {"network", "secret"}


async def test_damaged_votes_and_ballots_hold_up_no_pass(dynamo: Dynamo) -> None:
    store, compared = dynamo.store, comparison()
    await store.put_sayings([SAYING])
    await store.put_comparison(compared, shown(compared, "ann"))
    await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=STREET)
    await store.vote(vote(SAYING, "ann", networks=STREET))
    for table, key, damage in (
        (FEEDBACK, {"saying_id": {"S": SAYING.saying_id}, "voter": {"S": "ann"}}, "REMOVE feedback_type"),
        (
            COMPARISONS,
            {"comparison_id": {"S": compared.comparison_id}, "part": {"S": "ballot#ann"}},
            "REMOVE shown_at",
        ),
    ):
        await dynamo.client.update_item(TableName=dynamo.prefix + table, Key=key, UpdateExpression=damage)

    await prune(store, A_YEAR)
    await store.forget("ann", asked_at=A_YEAR)
    await prune(store, A_YEAR + DAY_SECONDS)

    assert await items(dynamo, FEEDBACK) == []
    assert {item["part"]["S"] for item in await items(dynamo, COMPARISONS)} == {"comparison", "ballots"}
