"""`python -m service backup`: a copy of a database in use, and what becomes of a server that is restored from it."""

import asyncio
import resource
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.cli.commands import carry_out, parse
from service.config import Settings
from service.store.sqlite import SqliteStore
from service.store.sqlite.backup import back_up
from tests.store.builders import generated, vote
from tests.test_processes import Machine, machine, new_visitor

__all__ = ["machine"]

CONSISTENT = "SELECT (SELECT count(*) FROM saying_feedback), (SELECT sum(upvotes) FROM main_humor)"


async def run(capsys: pytest.CaptureFixture[str], folder: Path, target: str = "copy.db") -> tuple[int, str]:
    """Back the store of the folder up: the exit code, and what is said to the operator."""
    settings = Settings(store=f"sqlite:///{folder}/sayings.db")
    code = await carry_out(parse(["backup", str(folder / target)]), settings)
    return code, capsys.readouterr().err


def copies(folder: Path) -> list[str]:
    """The names of all files that a backup has left."""
    return sorted(file.name for file in folder.glob("copy*"))


def read(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query).fetchall()


async def test_the_copy_of_a_database_in_use_is_of_one_moment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore
) -> None:
    saying = generated("a saying")
    await store.put_sayings([saying])

    async def keep_voting() -> None:
        for number in range(1_000):
            await store.vote(vote(saying, f"voter {number}"))

    voting = asyncio.create_task(keep_voting())
    await store.vote(vote(saying, "the first"))
    code, said = await run(capsys, tmp_path)
    voting.cancel()
    await asyncio.gather(voting, return_exceptions=True)

    ((votes, counted),) = read(tmp_path / "copy.db", CONSISTENT)
    assert votes == counted > 0
    assert (code, said) == (
        0,
        f"{tmp_path}/copy.db is a checked copy of {tmp_path}/sayings.db, with 1 sayings and {votes} votes.\n",
    )
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert copies(tmp_path) == ["copy.db"]
    await store.ping()


async def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore) -> None:
    await store.ping()
    (tmp_path / "copy.db").write_text("precious")
    (tmp_path / "other.db.partial").write_text("of another backup")

    told = [(await run(capsys, tmp_path, target))[1] for target in ("copy.db", "sayings.db", "other.db")]

    assert told[:2] == [
        f"{tmp_path}/{name} exists already, and is left as it is.\n" for name in ("copy.db", "sayings.db")
    ]
    assert told[2].startswith(f"{tmp_path}/other.db.partial exists: another backup is under way, or one was killed. ")
    assert (tmp_path / "copy.db").read_text() == "precious"
    assert (tmp_path / "other.db.partial").read_text() == "of another backup"


def _no_database(file: Path) -> None:
    pass


def _text(file: Path) -> None:
    file.write_text("this is no database, and nothing that could become one\n" * 100)


def _foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")


def _damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE main_humor (a)")
        database.execute("CREATE TABLE saying_feedback (a)")
        database.executemany("INSERT INTO main_humor VALUES (?)", [("x" * 4000,)] * 20)
        database.commit()
    with file.open("r+b") as damaged:
        damaged.seek(4 * 4096)
        damaged.write(b"junk" * 5_000)


@pytest.mark.parametrize(
    ("make", "target", "reason"),
    [
        (_no_database, "copy.db", "There is no database at {folder}/sayings.db."),
        (_text, "copy.db", "There is no backup: file is not a database."),
        (_foreign, "copy.db", "The database is none of Cloud Sayings: it has not its tables."),
        (_damaged, "copy.db", "There is no backup: database disk image is malformed."),
        (_foreign, "no-such-folder/copy.db", "It could not be written: No such file or directory"),
    ],
)
async def test_a_backup_that_fails_leaves_one_line_and_no_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make: Any, target: str, reason: str
) -> None:
    make(tmp_path / "sayings.db")

    told = await run(capsys, tmp_path, target)

    assert told == (1, reason.format(folder=tmp_path) + "\n")
    assert copies(tmp_path) == []


async def test_a_disk_without_room_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: SqliteStore
) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, usual[1]))
    told = await run(capsys, tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert told == (1, "There is no backup: File too large.\n")
    assert copies(tmp_path) == []


async def test_dynamodb_has_backups_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = await carry_out(parse(["backup", str(tmp_path / "copy.db")]), Settings(store="dynamodb://"))

    assert code == 1
    assert capsys.readouterr().err == (
        "dynamodb:// is no SQLite database. DynamoDB makes backups itself, by point-in-time recovery.\n"
    )


async def test_a_backup_that_is_broken_off_leaves_no_file(tmp_path: Path) -> None:
    _foreign(tmp_path / "large.db")
    with closing(sqlite3.connect(tmp_path / "large.db")) as database:
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        database.execute(f"INSERT INTO recipes {many} SELECT i FROM n")
        database.commit()

    backing_up = asyncio.create_task(back_up(tmp_path / "large.db", tmp_path / "copy.db"))
    await asyncio.sleep(0)  # until it has begun
    backing_up.cancel()
    await asyncio.gather(backing_up, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()  # which waits for its thread

    assert backing_up.cancelled()
    assert copies(tmp_path) == []


@pytest.mark.slow
async def test_a_server_is_restored_as_the_readme_says(machine: Machine, tmp_path: Path) -> None:
    async with new_visitor() as visitor:
        server = await machine.serve("service")
        saying = await server.get("/sayings", visitor)
        await server.vote(saying, "POSITIVE", visitor)
        code, told = await machine.run("-m", "service", "backup", str(tmp_path / "copy.db"))
        await server.vote(saying, "NEGATIVE", visitor)
        await server.stop(signal.SIGKILL)

        for ending in ("-wal", "-shm"):
            tmp_path.joinpath(f"sayings.db{ending}").unlink()
        (tmp_path / "copy.db").replace(tmp_path / "sayings.db")
        server = await machine.serve("service")
        again = await server.vote(saying, "POSITIVE", visitor)

    assert (code, len(told.said)) == (0, 1)
    assert (again["status"], again["upvotes"], again["downvotes"]) == ("unchanged", 1, 0)
