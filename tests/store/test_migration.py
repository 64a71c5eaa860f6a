"""A database of an earlier version keeps everything and counts on."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from service.domain import CallShape, FeedbackType, VoteResult, VoteStatus
from service.errors import ConfigError
from service.store.base import ROUND_LEASE, CallTally, Lease, Spend, SpendWindow, Tally
from service.store.latency_buckets import bucket_of
from service.store.sqlite import SqliteStore
from tests.store.counting import totals, without

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text()
MODEL, SIMULATED = "gpt-4.1", "gpt-4.1 (simulated)"
ONE_UP, ONE_DOWN = Tally(upvotes=1), Tally(downvotes=1)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


@pytest.fixture
async def migrated(database: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(database)
    yield store
    await store.close()


async def test_serves_and_votes_carry_over(migrated: SqliteStore) -> None:
    assert await totals(migrated) == {
        "collection": Tally(40, 1, 1),
        MODEL: Tally(20, 1, 1),
        SIMULATED: Tally(3, 1, 0),
    }


async def test_old_votes_belong_to_no_burst_and_were_cast_once(migrated: SqliteStore) -> None:
    votes = {(one.vote.saying_id, one.vote.voter): one async for one in migrated.all_votes()}

    assert len(votes) == 5
    assert {one.vote.burst for one in votes.values()} == {""}
    assert all(one.first_cast_at == one.vote.cast_at for one in votes.values())
    of_ann = votes["by-hand", "ann"]
    assert (of_ann.contributor, of_ann.vote.feedback_type, of_ann.vote.cast_at) == (
        "collection",
        FeedbackType.POSITIVE,
        1_799_999_999.75,
    )
    assert (of_ann.vote.claimed_execution_ms, of_ann.vote.claimed_cached) == (12.5, True)


async def test_services_and_hours_are_counted_from_the_old_votes(migrated: SqliteStore) -> None:
    counted = await migrated.aggregates(since_hour="")

    assert counted.services == {
        ("Amazon S3", "collection"): Tally(upvotes=1, downvotes=1),
        ("AWS Lambda", "collection"): Tally(upvotes=1, downvotes=1),
        ("Amazon S3", MODEL): Tally(upvotes=1, downvotes=1),
    }
    assert counted.hours == {
        ("2027-01-15T07", "collection"): ONE_UP,
        ("2027-01-15T09", "collection"): ONE_DOWN,
        ("2027-01-15T08", MODEL): Tally(upvotes=1, downvotes=1),
        ("2027-01-15T08", SIMULATED): ONE_UP,
    }


async def test_what_was_generated_becomes_calls(migrated: SqliteStore) -> None:
    calls = {call.generation.generation_id: call async for call in migrated.all_calls()}

    assert {name: (call.asked, call.sayings, call.error_type) for name, call in calls.items()} == {
        "a-round": (3, 2, ""),
        "a-live-call": (1, 1, ""),
        "a-simulated-call": (1, 1, ""),
    }
    tallies = (await migrated.aggregates(since_hour="")).calls
    assert set(tallies) == {
        (MODEL, CallShape.ROUND),
        (MODEL, CallShape.SINGLE),
        (SIMULATED, CallShape.SINGLE),
    }
    assert tallies[MODEL, CallShape.ROUND] == CallTally({bucket_of(3_000.5): 1}, 3_000.5, 1, 0, 2, 210, 190, 900)
    assert tallies[MODEL, CallShape.SINGLE] == CallTally({bucket_of(1_204.5): 1}, 1_204.5, 1, 1, 1, 200, 60, 0)


async def test_sayings_leases_and_spend_stay(migrated: SqliteStore) -> None:
    stored = {one.saying.saying_id: (one.upvotes, one.downvotes) async for one in migrated.all_sayings()}

    assert stored == {"by-hand": (1, 1), "round-1": (1, 0), "round-2": (0, 0), "live": (0, 1)}
    assert await migrated.keep_lease(Lease(ROUND_LEASE, "somebody", 7, 0.0), until=1.0)
    assert await migrated.spend(SpendWindow("2027-01-15", "2027-01-15T08")) == Spend(1_200, 300)


async def test_an_old_vote_can_be_taken_back_from_all_it_counts_in(migrated: SqliteStore) -> None:
    withdrawn = await migrated.withdraw_vote("by-hand", "ann")

    counted = await migrated.aggregates(since_hour="")
    assert withdrawn == VoteResult(VoteStatus.WITHDRAWN, 0, 1)
    assert counted.contributors["collection"] == Tally(40, 0, 1)
    assert counted.services["AWS Lambda", "collection"] == ONE_DOWN
    assert ("2027-01-15T07", "collection") not in without(Tally(), counted.hours)


async def test_it_has_the_tables_of_a_new_one_and_is_migrated_once(database: Path, tmp_path: Path) -> None:
    for path in (database, tmp_path / "new.db", database):
        await (await SqliteStore.open(path)).close()

    assert _tables(database) == _tables(tmp_path / "new.db")


async def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE latencies (in_the_way TEXT)")
    before = _tables(database)

    with pytest.raises(ConfigError, match="cannot be opened"):
        await SqliteStore.open(database)

    assert _tables(database) == before


def _tables(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table, and the indexes, whatever the words they were made with."""
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        return {
            name: connection.execute(f"SELECT name, type, pk FROM pragma_table_xinfo('{name}')").fetchall()
            for name in names
        }
