"""What is special about the SQLite store: its file, its disk and its processes."""

import asyncio
import errno
import random
import re
import resource
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.errors import ConfigError, StorageFull, StoreError, StoreReadOnly, StoreReplaced, WrongSchema
from service.limits import DEFAULT_TIMEOUTS, Limits, Timeouts
from service.store.base import Counts, StoredSaying
from service.store.sqlite import SCHEMA_VERSION, SqliteStore
from telemetry.events import DependencyFailed, Event
from tests.store.builders import (
    CAST_AT,
    DAY,
    MODEL,
    NEGATIVE,
    call,
    collected,
    comparison,
    effect,
    generated,
    network,
    shown,
    vote,
)
from tests.store.counting import Total, totals

ONE_UP = Total(blind=Counts(1, 1), voters=1, sayings=1)


@pytest.mark.parametrize("damage", ["services = 'not JSON'", "services = '{}'", "kind = 'no such kind'"])
async def test_a_damaged_row_is_passed_over(sqlite_store: SqliteStore, tmp_path: Path, damage: str) -> None:
    random.seed(20_261_120)
    damaged, *whole = [generated("damaged"), *(generated(f"whole {n}", created_at=n) for n in range(9))]
    await sqlite_store.put_sayings([damaged, *whole])

    _write(tmp_path / "sayings.db", f"UPDATE main_humor SET {damage} WHERE saying = 'damaged'")

    assert {await sqlite_store.random_saying() for _ in range(200)} == set(whole)
    assert set(await sqlite_store.recent_sayings(MODEL, since=0, limit=10, simulated=False)) == set(whole)
    assert await sqlite_store.get_saying(damaged.saying_id) is None


@pytest.mark.parametrize("damage", ["entries = 'not JSON'", "entries = '[{}]'"])
async def test_a_damaged_comparison_is_passed_over(sqlite_store: SqliteStore, tmp_path: Path, damage: str) -> None:
    damaged, whole = comparison("damaged"), comparison("whole")
    for one in (damaged, whole):
        await sqlite_store.put_comparison(one, shown(one))

    _write(tmp_path / "sayings.db", f"UPDATE comparisons SET {damage} WHERE comparison_id = '{damaged.comparison_id}'")

    drawn = {await sqlite_store.unseen_comparison("bob", service=None, simulated=False) for _ in range(20)}
    assert drawn == {whole}
    assert await sqlite_store.get_comparison(damaged.comparison_id, "ann") is None
    assert [stored.comparison async for stored in sqlite_store.all_ballots()] == [whole]


async def test_damaged_votes_ballots_calls_and_outcomes_are_passed_over(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    saying, compared = generated("a saying"), comparison()
    await sqlite_store.put_sayings([saying])
    await sqlite_store.vote(vote(saying))
    await sqlite_store.record_call(call())
    await sqlite_store.put_comparison(compared, shown(compared))
    await sqlite_store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)

    for damage in ("saying_feedback SET first", "ballots SET standing", "calls SET kind", "outcomes SET outcome"):
        _write(tmp_path / "sayings.db", f"UPDATE {damage} = '?'")

    assert [stored async for stored in sqlite_store.all_votes()] == []
    assert [stored async for stored in sqlite_store.all_ballots()] == []
    assert [made async for made in sqlite_store.all_calls()] == []
    assert (await sqlite_store.aggregates(since_hour="")).outcomes == {}


async def test_a_saying_whose_services_are_damaged_takes_no_votes(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying = generated("a saying")
    await sqlite_store.put_sayings([saying])
    _write(tmp_path / "sayings.db", "UPDATE main_humor SET services = 'not JSON'")

    taken = await sqlite_store.vote(vote(saying))

    assert taken is None
    assert await totals(sqlite_store) == {}


async def test_damage_is_reported_where_the_caller_runs(tmp_path: Path) -> None:
    reports: list[tuple[str, bool]] = []
    here, saying, compared = threading.current_thread(), generated("a saying"), comparison()

    class Reporter:
        def emit(self, event: Event) -> None:
            if isinstance(event, DependencyFailed):
                reports.append((event.operation, threading.current_thread() is here))

    store = await SqliteStore.open(tmp_path / "sayings.db", Reporter())
    await store.put_sayings([saying])
    await store.put_comparison(compared, shown(compared))
    _write(tmp_path / "sayings.db", "UPDATE main_humor SET services = 'not JSON'")
    _write(tmp_path / "sayings.db", "UPDATE comparisons SET entries = 'not JSON'")

    await store.vote(vote(saying))
    await store.get_comparison(compared.comparison_id, "ann")
    await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)
    await store.close()

    assert reports == [("read saying", True), ("read comparison", True), ("read comparison", True)]


@pytest.fixture
async def paging_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store that streams its tables in pages of two rows."""
    store = await SqliteStore.open(tmp_path / "sayings.db", limits=Limits(sqlite_page=2))
    yield store
    await store.close()


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
async def test_a_stream_is_whole_wherever_its_pages_end(paging_store: SqliteStore, rows: int) -> None:
    sayings, compared = [collected(f"saying {n}") for n in range(rows)], comparison()
    await paging_store.put_sayings(sayings)
    await paging_store.put_comparison(compared, shown(compared, "voter 0"))
    for number in range(rows):
        await paging_store.vote(vote(sayings[number % 2], f"voter {number}"))
        await paging_store.show_comparison(shown(compared, f"voter {number}"))
        await paging_store.record_call(call(f"call {number}"))

    voters = {f"voter {number}" for number in range(rows)}
    assert [stored.saying async for stored in paging_store.all_sayings()] == sayings
    assert {stored.voter async for stored in paging_store.all_votes()} == voters
    assert {stored.ballot.voter async for stored in paging_store.all_ballots()} == voters
    assert [made async for made in paging_store.all_calls()] == [call(f"call {number}") for number in range(rows)]


async def test_a_stream_reads_page_by_page_and_lets_others_write_between(paging_store: SqliteStore) -> None:
    sayings = [collected(f"saying {n}") for n in range(5)]
    await paging_store.put_sayings(sayings)

    streamed = paging_store.all_sayings()
    first = await anext(streamed)
    await paging_store.vote(vote(sayings[4]))
    rest = [stored async for stored in streamed]

    assert first.saying == sayings[0]
    assert rest[-1] == StoredSaying(sayings[4], 1, 0)


async def test_aggregates_read_no_table_that_grows_with_votes_or_calls(sqlite_store: SqliteStore) -> None:
    statements: list[str] = []
    await sqlite_store._reader.run("test", lambda db: db.set_trace_callback(statements.append))

    await sqlite_store.aggregates(since_hour="2027-01-15T08")

    await sqlite_store._reader.run("test", lambda db: db.set_trace_callback(None))
    read = {table for statement in statements for table in re.findall(r"\bFROM (\w+)", statement)}
    assert read == {"serves", "hours", "service_votes", "vote_tallies", "call_tallies", "call_details", "outcomes"}


async def test_nothing_that_a_voter_does_reads_a_whole_table(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying, compared, statements = generated("a saying"), comparison(), list[str]()
    await sqlite_store.put_sayings([saying])
    await sqlite_store._writer.run("test", lambda db: db.set_trace_callback(statements.append))

    await sqlite_store.put_comparison(compared, shown(compared))
    await sqlite_store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=[network()])
    await sqlite_store.vote(vote(saying, networks=[network()]))
    await sqlite_store.forget("ann", asked_at=CAST_AT)

    await sqlite_store._writer.run("test", lambda db: db.set_trace_callback(None))
    reading = [each for each in statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", each)]
    plans = {each: str(_read(tmp_path / "sayings.db", f"EXPLAIN QUERY PLAN {each}")) for each in reading}
    assert len(plans) > 20
    assert {each for each, plan in plans.items() if "SCAN " in plan.replace("SCAN CONSTANT ROW", "")} == {
        "SELECT saying_id, reporter FROM reports"
    }


async def test_raw_votes_keep_what_the_client_claimed(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying = generated("a saying")
    await sqlite_store.put_sayings([saying])

    await sqlite_store.vote(vote(saying, "ann", NEGATIVE, networks=[network("street"), network("town")]))

    opinion = ("NEGATIVE", CAST_AT)
    rows = _read(tmp_path / "sayings.db", "SELECT * FROM saying_feedback")
    assert rows == [(saying.saying_id, "ann", MODEL, *opinion, *opinion, "blind", "counted", f"{DAY}/street", 12.5, 1)]


@pytest.mark.parametrize("path", ["no-such-folder/sayings.db", ".", "text.txt"])
async def test_a_path_that_cannot_be_a_database_names_the_setting(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.txt").write_text("this is no database, and nothing that could become one\n" * 100)

    with pytest.raises(ConfigError) as raised:
        await SqliteStore.open(tmp_path / path)

    assert raised.value.setting == "SAYINGS_STORE"
    assert str(tmp_path) not in str(raised.value)


async def test_a_database_locked_by_another_writer_fails_the_start(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    with _write_lock(tmp_path / "sayings.db"), pytest.raises(ConfigError) as raised:
        await SqliteStore.open(tmp_path / "sayings.db", timeouts=Timeouts(sqlite_lock=0.1))

    assert str(raised.value) == "SAYINGS_STORE: the database sayings.db cannot be opened: database is locked"


async def test_the_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "sayings.db"
    _write(database, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    with pytest.raises(ConfigError, match=r"SAYINGS_STORE: .*newer version"):
        await SqliteStore.open(database)

    assert _read(database, "SELECT name FROM sqlite_master") == []


async def test_opening_twice_keeps_what_is_there(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying = generated("a saying")
    await sqlite_store.put_sayings([saying])

    second = await SqliteStore.open(tmp_path / "sayings.db")

    assert await second.get_saying(saying.saying_id) == saying
    await second.close()


def test_waiting_for_the_lock_leaves_a_vote_time_to_answer() -> None:
    assert DEFAULT_TIMEOUTS.sqlite_lock < DEFAULT_TIMEOUTS.vote


async def test_once_closed_every_call_is_an_error_of_the_store(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sayings.db")

    await store.close()

    with pytest.raises(StoreError):
        await store.ping()
    with pytest.raises(StoreError):
        await store.vote(vote(generated("a saying")))


def _remove(file: Path) -> None:
    file.unlink()


def _replace(file: Path) -> None:
    copy = file.with_name("copy.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(file)


def _remove_journal(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def _make_read_only(file: Path) -> None:
    file.chmod(0o400)


CHANGES = [
    (_remove, StoreReplaced),
    (_replace, StoreReplaced),
    (_remove_journal, StoreReplaced),
    (_make_read_only, StoreReadOnly),
]


class TestFile:
    """SQLite goes on writing to a file that it has opened, whatever becomes of it."""

    @pytest.mark.parametrize(("change", "error"), CHANGES)
    async def test_a_change_is_noticed_by_the_next_vote_and_the_next_ping(
        self, sqlite_store: SqliteStore, tmp_path: Path, change: Callable[[Path], None], error: type[StoreError]
    ) -> None:
        saying = generated("a saying")
        await sqlite_store.put_sayings([saying])
        await sqlite_store.ping()

        change(tmp_path / "sayings.db")

        with pytest.raises(error):
            await sqlite_store.vote(vote(saying))
        with pytest.raises(error):
            await sqlite_store.ping()

    async def test_a_file_that_goes_during_the_commit_is_noticed(
        self, sqlite_store: SqliteStore, tmp_path: Path
    ) -> None:
        def remove(statement: str) -> None:
            if statement == "COMMIT":
                (tmp_path / "sayings.db").unlink()

        await sqlite_store._writer.run("test", lambda db: db.set_trace_callback(remove))

        with pytest.raises(StoreReplaced):
            await sqlite_store.put_sayings([generated("a saying")])

    async def test_a_vote_that_was_refused_for_a_read_only_file_is_not_stored(
        self, sqlite_store: SqliteStore, tmp_path: Path
    ) -> None:
        saying = generated("a saying")
        await sqlite_store.put_sayings([saying])

        (tmp_path / "sayings.db").chmod(0o400)
        with pytest.raises(StoreReadOnly):
            await sqlite_store.vote(vote(saying))
        (tmp_path / "sayings.db").chmod(0o600)

        assert await totals(sqlite_store) == {}
        assert await sqlite_store.vote(vote(saying)) is not None

    async def test_a_file_behind_a_link_is_looked_after(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "sayings.db").symlink_to(tmp_path / "disk" / "real.db")
        store = await SqliteStore.open(tmp_path / "sayings.db")
        await store.ping()

        (tmp_path / "disk" / "real.db-wal").unlink()

        with pytest.raises(StoreReplaced):
            await store.ping()
        await store.close()


class TestFullDisk:
    @pytest.mark.parametrize(
        ("number", "error"),
        [
            (errno.ENOSPC, StorageFull),
            (errno.EDQUOT, StorageFull),
            (errno.EROFS, StoreReadOnly),
            (errno.EIO, StoreError),
        ],
    )
    async def test_the_system_is_asked_why_it_refuses(
        self, sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch, number: int, error: type[StoreError]
    ) -> None:
        def refuse(**_: object) -> None:
            raise OSError(number, "refused")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

        with _no_file_may_grow(), pytest.raises(StoreError) as raised:
            await sqlite_store.put_sayings([generated("a saying")])

        assert type(raised.value) is error

    async def test_a_file_that_may_not_grow_is_full_until_it_may(self, sqlite_store: SqliteStore) -> None:
        with _no_file_may_grow(), pytest.raises(StorageFull):
            await sqlite_store.ping()

        await sqlite_store.ping()


class TestPing:
    async def test_a_store_that_is_opened_again_is_ready(self, tmp_path: Path) -> None:
        before = await SqliteStore.open(tmp_path / "sayings.db")
        await before.close()
        again = await SqliteStore.open(tmp_path / "sayings.db")

        await again.ping()
        await again.close()

    @pytest.mark.parametrize("change", [f"PRAGMA user_version = {SCHEMA_VERSION + 1}", "DROP TABLE ballots"])
    async def test_another_versions_tables_are_noticed(
        self, sqlite_store: SqliteStore, tmp_path: Path, change: str
    ) -> None:
        _write(tmp_path / "sayings.db", change)

        with pytest.raises(WrongSchema):
            await sqlite_store.ping()

    async def test_a_file_that_cannot_be_written_is_noticed(self, sqlite_store: SqliteStore) -> None:
        await sqlite_store._writer.run("query only", lambda db: db.execute("PRAGMA query_only = on"))

        with pytest.raises(StoreError):
            await sqlite_store.ping()


async def test_a_cancelled_caller_leaves_the_vote_complete(sqlite_store: SqliteStore) -> None:
    saying = generated("a saying")
    await sqlite_store.put_sayings([saying])

    given_up = asyncio.create_task(sqlite_store.vote(vote(saying)))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    again = effect(await sqlite_store.vote(vote(saying)))

    assert again is not None
    assert (again.upvotes, again.downvotes) == (1, 0)
    assert await totals(sqlite_store) == {MODEL: ONE_UP}


@contextmanager
def _no_file_may_grow() -> Iterator[None]:
    """Let the system refuse every write, with an error that SQLite has no name for."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@contextmanager
def _write_lock(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def _read(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def _write(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)
