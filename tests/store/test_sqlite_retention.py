"""What the files of a SQLite store keep of people, and who may read them."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import ConfigError
from service.limits import DAY_SECONDS, DEFAULT_RETENTION, Limits
from service.store.base import Spend, SpendWindow
from service.store.sqlite import SqliteStore
from telemetry.events import FileExposed
from tests.store.builders import CAST_AT, DAY, HOUR, MODEL, comparison, generated, network, shown, vote
from tests.store.counting import totals
from tests.support import RecordingListener


async def test_no_trace_of_a_forgotten_voter_is_in_the_files(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    voter, compared = "voter-0123456789abcdefghij", comparison()
    sayings = [generated(f"saying {n}") for n in range(300)]
    await sqlite_store.put_sayings(sayings)
    await sqlite_store.put_comparison(compared, shown(compared, voter))
    await sqlite_store.cast_ballot(compared.comparison_id, voter, "A", at=CAST_AT, networks=[network()])
    for saying in sayings:
        await sqlite_store.vote(vote(saying, voter, networks=[network()]))
        await sqlite_store.vote(vote(saying, "voter-of-another-name"))

    before = _contents(tmp_path).count(voter.encode())
    is_gone = await sqlite_store.forget(voter, asked_at=CAST_AT)
    after = _contents(tmp_path).count(voter.encode())

    assert (is_gone, before > 300, after) == (True, True, 0)


async def test_a_voter_without_anything_stored_writes_nothing(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    before = _contents(tmp_path)

    assert await sqlite_store.forget("nobody", asked_at=CAST_AT)

    assert _contents(tmp_path) == before


async def test_a_voter_with_very_many_votes_is_left_to_a_pass(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "sayings.db", limits=Limits(sqlite_page=2))
    sayings = [generated(f"saying {n}") for n in range(13)]
    await store.put_sayings(sayings)
    for saying in sayings:
        await store.vote(vote(saying))

    is_gone, left = await store.forget("ann", asked_at=CAST_AT), await totals(store)
    parts = [part.taken_back async for part in store.prune(DEFAULT_RETENTION, now=CAST_AT)]

    assert (is_gone, left[MODEL].blind.votes) == (False, 3)
    assert (parts, await totals(store)) == ([2, 1], {})
    await store.close()


async def test_damaged_votes_and_ballots_are_forgotten_too(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying, compared = generated("a saying"), comparison()
    await sqlite_store.put_sayings([saying])
    await sqlite_store.vote(vote(saying))
    await sqlite_store.put_comparison(compared, shown(compared))
    await sqlite_store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)
    _write(tmp_path / "sayings.db", "UPDATE saying_feedback SET first = '?'")
    _write(tmp_path / "sayings.db", "UPDATE comparisons SET entries = '?'")

    assert await sqlite_store.forget("ann", asked_at=CAST_AT)

    for table in ("saying_feedback", "ballots", "forgetting"):
        assert _read(tmp_path / "sayings.db", f"SELECT * FROM {table}") == []


async def test_spend_hours_secrets_and_networks_do_not_grow_for_ever(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    saying, old, new = generated("a saying"), SpendWindow(DAY, HOUR), SpendWindow("2027-02-15", "2027-02-15T08")
    await sqlite_store.put_sayings([saying])
    await sqlite_store.vote(vote(saying, networks=[network()]))
    await sqlite_store.day_secret(DAY)
    for window in (old, new):
        await sqlite_store.adjust_spend(window, 5)
        await sqlite_store.add_serves({MODEL: 1}, hour=window.hour)

    async for _ in sqlite_store.prune(DEFAULT_RETENTION, now=CAST_AT + 36 * DAY_SECONDS):
        pass

    tables = ("hours", "day_secrets", "network_days", "network_votes", "network_receipts")
    assert (await sqlite_store.spend(old), await sqlite_store.spend(new)) == (Spend(0, 0), Spend(5, 5))
    assert {table: _read(tmp_path / "sayings.db", f"SELECT * FROM {table}") for table in tables} == {
        table: [] for table in tables
    }
    assert (await sqlite_store.aggregates(since_hour="")).serves == {MODEL: 2}


async def test_networks_are_removed_page_by_page(tmp_path: Path) -> None:
    store, sayings = await SqliteStore.open(tmp_path / "sayings.db", limits=Limits(sqlite_page=2)), [generated("one")]
    await store.put_sayings(sayings)
    for number in range(5):
        await store.vote(vote(sayings[0], str(number), networks=[network(f"near {number}"), network("wide")]))

    async for _ in store.prune(DEFAULT_RETENTION, now=CAST_AT + 5 * DAY_SECONDS):
        pass

    assert _read(tmp_path / "sayings.db", "SELECT * FROM network_receipts") == []
    await store.close()


class TestFiles:
    async def test_they_are_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            store = await SqliteStore.open(tmp_path / "sayings.db")
            await store.put_sayings([generated("a saying")])
            modes = _modes(tmp_path)
            await store.close()
        finally:
            os.umask(before)

        assert modes == {"sayings.db": "0600", "sayings.db-wal": "0600", "sayings.db-shm": "0600"}

    async def test_one_that_others_can_read_is_narrowed_and_said_once(
        self, tmp_path: Path, events: RecordingListener
    ) -> None:
        await (await SqliteStore.open(tmp_path / "sayings.db")).close()
        (tmp_path / "sayings.db").chmod(0o644)

        for _ in range(2):
            store = await SqliteStore.open(tmp_path / "sayings.db", events)
            assert set(_modes(tmp_path).values()) == {"0600"}
            await store.close()

        assert {event.name for event in events.of(FileExposed)} == {"sayings.db", "sayings.db-wal", "sayings.db-shm"}
        assert len(events.of(FileExposed)) == 3
        assert events.of(FileExposed)[0] == FileExposed("sayings.db", "0644", narrowed=True)

    async def test_one_of_another_user_is_said_and_left(
        self, tmp_path: Path, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await (await SqliteStore.open(tmp_path / "sayings.db")).close()
        (tmp_path / "sayings.db").chmod(0o640)
        monkeypatch.setattr(os, "geteuid", lambda: -1)

        await (await SqliteStore.open(tmp_path / "sayings.db", events)).close()

        assert _modes(tmp_path) == {"sayings.db": "0640"}
        assert FileExposed("sayings.db", "0640", narrowed=False) in events.of(FileExposed)

    async def test_what_is_no_database_keeps_its_mode(self, tmp_path: Path) -> None:
        (tmp_path / "text.txt").write_text("this is no database, and nothing that could become one\n" * 100)
        (tmp_path / "text.txt").chmod(0o644)

        with pytest.raises(ConfigError):
            await SqliteStore.open(tmp_path / "text.txt")

        assert _modes(tmp_path)["text.txt"] == "0644"

    async def test_a_link_leads_to_a_private_file(self, tmp_path: Path) -> None:
        (tmp_path / "link.db").symlink_to(tmp_path / "real.db")

        await (await SqliteStore.open(tmp_path / "link.db")).close()

        assert _modes(tmp_path)["real.db"] == "0600"


def _modes(folder: Path) -> dict[str, str]:
    return {file.name: f"{stat.S_IMODE(file.stat().st_mode):04o}" for file in folder.iterdir()}


def _contents(folder: Path) -> bytes:
    """All that is in the database and its journal."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if not file.name.endswith("-shm"))


def _read(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def _write(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)
