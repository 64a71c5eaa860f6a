"""A database of an earlier version keeps everything and counts on; its votes are unverified from then on."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from service.domain import CallKind, CallShape, FeedbackType, SayingOrder, Standing, VoteResult, VoteStatus
from service.errors import ConfigError
from service.store.base import ROUND_LEASE, CallTally, Counts, HourTally, Lease, Listing, Spend, SpendWindow, Strand
from service.store.latency_buckets import bucket_of
from service.store.sqlite import SqliteStore
from tests.store.builders import BLIND, CAST_AT, DAY, HOUR, MODEL, collected, effect, generated, network, vote
from tests.store.counting import Total, totals

FILES = Path(__file__).parent
SIMULATED = f"{MODEL} (simulated)"
NEXT_HOUR = f"{DAY}T09"


@pytest.fixture(params=[1, 3, 4])
def any_version(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return _database(tmp_path, request.param)


@pytest.fixture
async def from_1(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(_database(tmp_path, 1))
    yield store
    await store.close()


@pytest.fixture
async def from_4(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(_database(tmp_path, 4))
    yield store
    await store.close()


async def test_it_has_the_tables_of_a_new_one_and_is_migrated_once(any_version: Path, tmp_path: Path) -> None:
    for path in (any_version, tmp_path / "new.db", any_version):
        await (await SqliteStore.open(path)).close()

    assert _tables(any_version) == _tables(tmp_path / "new.db")


async def test_a_migration_that_fails_leaves_the_database_as_it_was(any_version: Path) -> None:
    with closing(sqlite3.connect(any_version)) as connection:
        connection.execute("CREATE TABLE old_tallies (in_the_way TEXT)")
    before = _tables(any_version)

    with pytest.raises(ConfigError, match="cannot be opened"):
        await SqliteStore.open(any_version)

    assert _tables(any_version) == before


class TestVersion5:
    @pytest.fixture
    async def from_5(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(_database(tmp_path, 5))
        yield store
        await store.close()

    async def test_it_has_the_tables_of_a_new_one(self, from_5: SqliteStore, tmp_path: Path) -> None:
        await (await SqliteStore.open(tmp_path / "new.db")).close()

        assert _tables(tmp_path / "old.db") == _tables(tmp_path / "new.db")

    async def test_its_sayings_are_listed_by_their_votes(self, from_5: SqliteStore) -> None:
        liked, newest, by_hand = generated("a saying"), generated("nobody's favourite"), collected("by hand")

        top = await from_5.listed_ids(Listing(SayingOrder.TOP, simulated=False))
        new = await from_5.listed_ids(Listing(SayingOrder.NEW, simulated=False))

        assert top == [liked.saying_id, by_hand.saying_id]
        assert new == [newest.saying_id, liked.saying_id]

    async def test_its_votes_and_calls_are_not_counted_again(self, from_5: SqliteStore) -> None:
        counted = await from_5.aggregates(since_hour="")

        assert (await totals(from_5))[MODEL].blind == Counts(2, 2)
        assert [tally.calls for tally in counted.calls.values()] == [1]


class TestVersion4:
    async def test_votes_stay_with_their_last_opinion_and_are_unverified(self, from_4: SqliteStore) -> None:
        votes = {(one.voter, one.contributor): one async for one in from_4.all_votes()}

        of_bob = votes["bob", MODEL]
        assert len(votes) == 4
        assert {(one.standing, one.attribution, one.network) for one in votes.values()} == {
            (Standing.UNVERIFIED, None, "")
        }
        assert (of_bob.first, of_bob.first_cast_at) == (FeedbackType.POSITIVE, CAST_AT)
        assert (of_bob.opinion, of_bob.cast_at) == (FeedbackType.POSITIVE, CAST_AT + 86_400)
        assert (of_bob.claimed_execution_ms, of_bob.claimed_cached) == (12.5, True)

    async def test_votes_are_counted_as_unverified_by_strand(self, from_4: SqliteStore) -> None:
        counted = await from_4.aggregates(since_hour="")

        assert {strand: tally.unverified for strand, tally in counted.votes.items()} == {
            Strand(MODEL, DAY, "v1", "gpt-4.1-2025-04-14"): Counts(3, 2),
            Strand("collection", DAY): Counts(1, 1),
        }
        assert await totals(from_4) == {
            MODEL: Total(unverified=Counts(3, 2)),
            "collection": Total(unverified=Counts(1, 1)),
        }
        assert counted.services == {}

    async def test_serves_and_hours_stay(self, from_4: SqliteStore) -> None:
        counted = await from_4.aggregates(since_hour="")

        assert counted.serves == {MODEL: 5, "collection": 2}
        assert counted.hours == {
            (HOUR, MODEL): HourTally(serves=5, votes=2),
            (HOUR, "collection"): HourTally(serves=2, votes=1),
            (NEXT_HOUR, MODEL): HourTally(votes=1),
        }

    async def test_ballots_stay_and_do_not_count(self, from_4: SqliteStore) -> None:
        ballots = {one.ballot.voter: one.ballot async for one in from_4.all_ballots()}
        compared = await from_4.get_comparison("0" * 31 + "1", "cy")

        assert {name: (one.winner, one.standing, one.later) for name, one in ballots.items()} == {
            "ann": ("tie", Standing.UNVERIFIED, None),
            "bob": ("A", Standing.UNVERIFIED, None),
            "cy": (None, None, None),
        }
        assert (await from_4.aggregates(since_hour="")).outcomes == {}
        assert compared is not None
        cast = effect(await from_4.cast_ballot(compared[0].comparison_id, "cy", "A", at=CAST_AT))
        assert cast is not None
        assert (cast.ballots, cast.ballot.standing) == (3, Standing.COUNTED)

    async def test_calls_are_counted_by_strand_kind_and_shape(self, from_4: SqliteStore) -> None:
        strand = Strand(MODEL, DAY, "v1")
        cost = CallTally(calls=1, input_tokens=210, output_tokens=64, cost_nanos=1_234)

        assert (await from_4.aggregates(since_hour="")).calls == {
            (strand, CallKind.ROUND, CallShape.ROUND): replace(
                cost, latencies={bucket_of(1204.2): 1}, latency_ms=1204.2, sayings=1, rejected={"link": 1}
            ),
            (strand, CallKind.ROUND, CallShape.SINGLE): replace(cost, failed={"ModelRefused": 1}),
        }

    async def test_an_old_vote_can_be_changed_and_stays_unverified(self, from_4: SqliteStore) -> None:
        saying = generated("a saying")

        other = vote(saying, "ann", FeedbackType.NEGATIVE, attribution=BLIND, networks=[network()])
        changed = effect(await from_4.vote(other))

        assert changed == VoteResult(VoteStatus.CHANGED, 1, 2, Standing.UNVERIFIED)
        assert (await totals(from_4))[MODEL] == Total(unverified=Counts(3, 2))

    async def test_an_old_voter_can_be_forgotten(self, from_4: SqliteStore) -> None:
        for voter in ("ann", "bob", "cy"):
            assert await from_4.forget(voter, asked_at=CAST_AT)

        sayings = [one async for one in from_4.all_sayings()]
        assert await totals(from_4) == {}
        assert [(one.upvotes, one.downvotes) for one in sayings] == [(0, 0), (0, 0)]
        assert [one async for one in from_4.all_ballots()] == []

    async def test_the_next_vote_counts(self, from_4: SqliteStore) -> None:
        await from_4.vote(vote(collected("by hand"), "dee"))

        assert (await totals(from_4))["collection"] == Total(
            blind=Counts(1, 1), unverified=Counts(1, 1), voters=1, sayings=1
        )


class TestVersion1:
    async def test_votes_were_cast_once_and_are_unverified(self, from_1: SqliteStore) -> None:
        votes = {(one.saying_id, one.voter): one async for one in from_1.all_votes()}

        of_ann = votes["by-hand", "ann"]
        assert len(votes) == 5
        assert {(one.standing, one.network) for one in votes.values()} == {(Standing.UNVERIFIED, "")}
        assert all(one.first_cast_at == one.cast_at and one.first is one.opinion for one in votes.values())
        assert (of_ann.contributor, of_ann.first, of_ann.cast_at) == (
            "collection",
            FeedbackType.POSITIVE,
            1_799_999_999.75,
        )
        assert (of_ann.claimed_execution_ms, of_ann.claimed_cached) == (12.5, True)

    async def test_votes_and_serves_are_counted(self, from_1: SqliteStore) -> None:
        counted = await from_1.aggregates(since_hour="")

        assert counted.serves == {"collection": 40, MODEL: 20, SIMULATED: 3}
        assert {strand: tally.unverified for strand, tally in counted.votes.items()} == {
            Strand("collection", DAY): Counts(2, 1),
            Strand(MODEL, DAY, "v1"): Counts(2, 1),
            Strand(SIMULATED, DAY, "v1"): Counts(1, 1),
        }
        assert counted.hours == {
            (f"{DAY}T07", "collection"): HourTally(votes=1),
            (NEXT_HOUR, "collection"): HourTally(votes=1),
            (HOUR, MODEL): HourTally(votes=2),
            (HOUR, SIMULATED): HourTally(votes=1),
        }

    async def test_what_was_generated_becomes_calls(self, from_1: SqliteStore) -> None:
        calls = {call.generation.generation_id: call async for call in from_1.all_calls()}

        assert {name: (call.asked, call.sayings, call.error_type) for name, call in calls.items()} == {
            "a-round": (3, 2, ""),
            "a-live-call": (1, 1, ""),
            "a-simulated-call": (1, 1, ""),
        }
        tallies = (await from_1.aggregates(since_hour="")).calls
        strand = Strand(MODEL, DAY, "v1")
        assert len(tallies) == 3
        assert tallies[strand, CallKind.ROUND, CallShape.ROUND] == CallTally(
            1, {}, {bucket_of(3_000.5): 1}, 3_000.5, 0, 2, 210, 190, 900
        )
        assert tallies[strand, CallKind.LIVE, CallShape.SINGLE] == CallTally(
            1, {}, {bucket_of(1_204.5): 1}, 1_204.5, 1, 1, 200, 60, 0
        )

    async def test_sayings_leases_and_spend_stay(self, from_1: SqliteStore) -> None:
        stored = {one.saying.saying_id: (one.upvotes, one.downvotes) async for one in from_1.all_sayings()}

        assert stored == {"by-hand": (1, 1), "round-1": (1, 0), "round-2": (0, 0), "live": (0, 1)}
        assert await from_1.keep_lease(Lease(ROUND_LEASE, "somebody", 7, 0.0), until=1.0)
        assert await from_1.spend(SpendWindow(DAY, HOUR)) == Spend(1_200, 300)


def _database(folder: Path, version: int) -> Path:
    path = folder / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FILES / f"version_{version}.sql").read_text())
    return path


def _tables(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table, and the indexes, whatever the words they were made with."""
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        return {
            name: connection.execute(f"SELECT name, type, pk FROM pragma_table_xinfo('{name}')").fetchall()
            for name in names
        }
