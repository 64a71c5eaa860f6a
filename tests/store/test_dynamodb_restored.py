"""Tables that were restored at slightly different moments are made to agree, and today's decisions still hold."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from service.domain import Withdrawal, WithdrawnBy
from service.limits import DAY_SECONDS
from service.store.base import NO_SHARES, Counts, Spend, SpendWindow
from service.store.dynamodb.restored import Corrections, RestoredStore
from service.store.dynamodb.tables import CALLS, COMPARISONS, FEEDBACK, SAYINGS, STATE, TABLES
from tests.stateful.model import kept_by
from tests.store.builders import (
    CAST_AT,
    HOUR,
    MODEL,
    NAMED,
    NEGATIVE,
    OPEN,
    call,
    collected,
    comparison,
    generated,
    network,
    shown,
    vote,
)
from tests.store.clients import items, put
from tests.store.conftest import Dynamo
from tests.store.counting import Total, totals
from tests.store.test_contract_retention import LATER, SOON, forget, prune

NOTHING = Corrections(sayings=0, voters=0, comparisons=0, lines=0, lost=0)
BY_HAND, BY_A_MODEL, LATE = collected("by hand"), generated("by a model"), generated("written meanwhile")
FULL, YOUNG = comparison("full"), comparison("young")
NOW = CAST_AT + 60 * DAY_SECONDS
WINDOW = SpendWindow("2027-01-15", "2027-01-15T08")
AMPLE = Spend(10**12, 10**12)

Moment = Callable[[], Awaitable[object]]


@pytest.fixture
async def restored(dynamo: Dynamo) -> AsyncIterator[Dynamo]:
    """Where tables are restored to."""
    new = Dynamo(dynamo.client, f"restored-{uuid.uuid4().hex[:12]}-")
    yield new
    for table in (await new.client.list_tables())["TableNames"]:
        if table.startswith(new.prefix):
            await new.client.delete_table(TableName=table)


async def restore(present: Dynamo, new: Dynamo, *tables: str) -> None:
    """Copy tables as they are, which is what moto does instead of going back in time."""
    for table in tables:
        await present.client.restore_table_to_point_in_time(
            SourceTableName=present.prefix + table, TargetTableName=new.prefix + table, UseLatestRestorableTime=True
        )


def opened(dynamo: Dynamo) -> RestoredStore:
    return RestoredStore(dynamo.client, dynamo.prefix)


async def everything_happens(dynamo: Dynamo, day: int) -> None:
    """Votes and ballots of every kind, calls and serves on the so-and-so-many-th day."""
    store, at = dynamo.store, CAST_AT + day * DAY_SECONDS
    await store.put_sayings([BY_HAND, BY_A_MODEL])
    for saying in (BY_HAND, BY_A_MODEL):
        await store.vote(vote(saying, f"ann {day}", at=at))
        await store.vote(vote(saying, f"bob {day}", NEGATIVE, at=at))
        await store.vote(vote(saying, f"cy {day}", at=at, attribution=NAMED))
        await store.vote(vote(saying, f"dee {day}", at=at, attribution=OPEN))
        await store.vote(vote(saying, f"eve {day}", at=at, attribution=None))
        await store.vote(vote(saying, f"ann {day}", NEGATIVE, at=at + 1))
        await store.withdraw_vote(saying.saying_id, f"bob {day}")
    street = [network(day=f"2027-03-{day + 1:02}")]
    for number in range(5):
        await store.vote(vote(BY_A_MODEL, f"neighbour {number} {day}", at=at, networks=street))
    for compared, voters in ((FULL, 5), (YOUNG, 1)):
        for number in range(voters):
            ballot = shown(compared, f"voter {number} {day}")
            await store.put_comparison(compared, ballot)
            await store.show_comparison(ballot)
            await store.cast_ballot(compared.comparison_id, ballot.voter, "A", at=at)
    made = call(f"call {day}", latency_ms=1204.2 + day / 3)
    await store.record_call(replace(made, generation=replace(made.generation, created_at=at)))
    await store.add_serves({MODEL: 3}, hour=HOUR)


@pytest.mark.parametrize(
    "order",
    [(SAYINGS, FEEDBACK, COMPARISONS, CALLS, STATE), (STATE, CALLS, COMPARISONS, FEEDBACK, SAYINGS)],
    ids=["rows before their counts", "counts before their rows"],
)
async def test_tables_that_disagree_are_made_to_agree(order: tuple[str, ...], dynamo: Dynamo, restored: Dynamo) -> None:
    await everything_happens(dynamo, 0)
    for day, table in enumerate(order, start=1):
        await restore(dynamo, restored, table)
        await everything_happens(dynamo, day)

    corrections = await opened(restored).recount(now=CAST_AT + 10 * DAY_SECONDS)
    kept = await kept_by(restored.store)
    again = await opened(restored).recount(now=CAST_AT + 10 * DAY_SECONDS)

    assert corrections.lines > 0
    kept.assert_counted_right(hours=True)
    assert again == replace(NOTHING, lost=corrections.lost)


async def test_what_agrees_is_left_as_it_is(dynamo: Dynamo) -> None:
    for day in (0, 3, 40):
        await everything_happens(dynamo, day)
    await prune(dynamo.store, NOW)
    before = await items(dynamo, STATE)

    corrections = await opened(dynamo).recount(now=NOW)
    after = [item for item in await items(dynamo, STATE) if not item["name"]["S"].startswith("lists#")]

    assert corrections == NOTHING
    assert sorted(map(str, after)) == sorted(map(str, before))


async def test_voters_whose_names_are_gone_are_counted_as_before(dynamo: Dynamo) -> None:
    for day in (0, 3):
        await everything_happens(dynamo, day)
        await dynamo.store.vote(vote(BY_A_MODEL if day else BY_HAND, "regular", at=CAST_AT + day * DAY_SECONDS))
    before = await totals(dynamo.store)
    await prune(dynamo.store, CAST_AT + 367 * DAY_SECONDS)
    await prune(dynamo.store, CAST_AT + 371 * DAY_SECONDS)

    corrections = await opened(dynamo).recount(now=CAST_AT + 372 * DAY_SECONDS)

    assert corrections.lines == 0
    assert await totals(dynamo.store) == before


async def test_a_comparison_is_offered_until_it_has_its_ballots(dynamo: Dynamo, restored: Dynamo) -> None:
    store = dynamo.store
    for number in range(7):
        await store.put_comparison(FULL, shown(FULL, f"voter {number}"))
        await store.show_comparison(shown(FULL, f"voter {number}"))
        await store.cast_ballot(FULL.comparison_id, f"voter {number}", "A", at=CAST_AT)
    await restore(dynamo, restored, *TABLES)
    ballot = shown(FULL, "the last")
    await restored.store.show_comparison(ballot)
    # The ballot is there, and neither its number nor the end of the offer.
    await restored.client.update_item(
        TableName=restored.prefix + COMPARISONS,
        Key={"comparison_id": {"S": FULL.comparison_id}, "part": {"S": "ballot#the last"}},
        UpdateExpression="SET winner = :a, cast_at = :at, standing = :counted",
        ExpressionAttributeValues={":a": {"S": "A"}, ":at": {"N": str(CAST_AT)}, ":counted": {"S": "counted"}},
    )

    corrections = await opened(restored).recount(now=NOW)

    assert corrections.comparisons == 1
    assert await store.unseen_comparison("somebody", service=None, simulated=False) is not None
    assert await restored.store.unseen_comparison("somebody", service=None, simulated=False) is None


async def test_a_vote_on_a_saying_that_is_not_there_counts_nowhere(dynamo: Dynamo, restored: Dynamo) -> None:
    await everything_happens(dynamo, 0)
    await restore(dynamo, restored, SAYINGS)
    await dynamo.store.put_sayings([LATE])
    await dynamo.store.vote(vote(LATE, "ann"))
    await restore(dynamo, restored, *TABLES.keys() - {SAYINGS})

    corrections = await opened(restored).recount(now=NOW)

    assert corrections.lost == 1
    assert (await totals(restored.store))[MODEL].sayings == 1


async def test_what_was_decided_since_still_holds(dynamo: Dynamo, restored: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([BY_HAND, BY_A_MODEL])
    await store.reserve_spend(WINDOW, 1_000, caps=AMPLE, shares=NO_SHARES)
    await store.acquire_lease("daily", "somebody", now=CAST_AT, seconds=86_000)
    await restore(dynamo, restored, *TABLES)
    await store.withdraw_saying(Withdrawal(BY_HAND.saying_id, "libel", WithdrawnBy.OPERATOR, CAST_AT))
    await store.reserve_spend(WINDOW, 5_000, caps=AMPLE, shares={"client/ann": AMPLE})
    secret = await store.day_secret("2027-01-16")
    await store.mark_gone("gpt-4.1", since=CAST_AT)

    for _ in range(2):  # an interrupted command is repeated
        await opened(restored).take_over(opened(dynamo))
    new = restored.store

    assert set((await new.withdrawals()).sayings) == {BY_HAND.saying_id}
    assert [await new.random_saying() for _ in range(5)] == [BY_A_MODEL] * 5
    assert await new.spend(WINDOW) == Spend(6_000, 6_000)
    assert await new.spend(WINDOW, "client/ann") == Spend(5_000, 5_000)
    assert (await new.day_secret("2027-01-16")).reveal() == secret.reveal()
    assert await new.gone_models() == {"gpt-4.1": CAST_AT}
    assert await new.acquire_lease("daily", "another", now=CAST_AT + 60, seconds=60) is not None


async def test_who_was_forgotten_since_is_forgotten_again(dynamo: Dynamo, restored: Dynamo) -> None:
    store = dynamo.store
    await store.put_sayings([BY_A_MODEL])
    for voter in ("ann", "bob"):
        await store.vote(vote(BY_A_MODEL, voter))
    await restore(dynamo, restored, *TABLES)
    await forget(store, "ann")
    known = [item for item in await items(dynamo, STATE) if "ann" in str(item)]

    await opened(restored).take_over(opened(dynamo))
    await opened(restored).recount(now=NOW)
    await prune(restored.store, NOW)

    assert known == []
    assert [item["voter"]["S"] for item in await items(restored, FEEDBACK)] == ["bob"]
    assert await totals(restored.store) == {MODEL: Total(blind=Counts(1, 1), voters=1, sayings=1)}


async def test_who_has_no_vote_that_counts_is_forgotten_again_too(dynamo: Dynamo, restored: Dynamo) -> None:
    store, voters = dynamo.store, ["chose", "was shown", "unreadable choice", "lost", "unreadable vote"]
    await store.put_sayings([BY_HAND, BY_A_MODEL])
    await store.put_comparison(FULL, shown(FULL, "stays"))
    for voter in voters[:3]:
        await store.show_comparison(shown(FULL, voter))
    await store.cast_ballot(FULL.comparison_id, "chose", "A", at=CAST_AT)
    await store.vote(vote(BY_A_MODEL, "lost"))
    await store.vote(vote(BY_HAND, "unreadable vote"))
    await restore(dynamo, restored, *TABLES)
    await lose(restored, SAYINGS, "saying_id", BY_A_MODEL.saying_id)
    await damage(restored, COMPARISONS, "unreadable choice", "shown_at")
    await damage(restored, FEEDBACK, "unreadable vote", "feedback_type")
    for voter in voters:
        await store.forget(voter, asked_at=SOON)
    await prune(store, LATER)

    await opened(restored).take_over(opened(dynamo))
    await opened(restored).recount(now=LATER + 60)
    await prune(restored.store, LATER + 3_600)

    left = str([await items(restored, table) for table in (FEEDBACK, COMPARISONS)])
    assert [voter for voter in [*voters, "stays"] if voter in left] == ["stays"]


async def test_what_a_voter_gave_after_being_forgotten_stays(dynamo: Dynamo, restored: Dynamo) -> None:
    store, again = dynamo.store, LATER + 3_600
    await store.put_sayings([BY_A_MODEL])
    await store.vote(vote(BY_A_MODEL, "ann"))
    await forget(store, "ann")
    await store.vote(vote(BY_A_MODEL, "ann", at=again))
    await store.put_comparison(FULL, replace(shown(FULL, "ann"), shown_at=again))
    await restore(dynamo, restored, *TABLES)

    await opened(restored).take_over(opened(dynamo))
    await opened(restored).recount(now=again + 60)
    await prune(restored.store, again + 3_600)

    left = [str(await items(restored, table)) for table in (FEEDBACK, COMPARISONS)]
    assert ["'ann'" in left[0], "'ballot#ann'" in left[1]] == [True, True]


async def lose(dynamo: Dynamo, table: str, key: str, value: str) -> None:
    await dynamo.client.delete_item(TableName=dynamo.prefix + table, Key={key: {"S": value}})


async def damage(dynamo: Dynamo, table: str, voter: str, attribute: str) -> None:
    """Take an attribute from the vote or the ballot of a voter."""
    for item in await items(dynamo, table):
        if voter in str(item):
            await put(dynamo, table, {name: value for name, value in item.items() if name != attribute})
