"""Copies the database while it is in use: the copy is of one moment, and is checked before it gets its name."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.errors import BackupFailed
from service.store.sqlite.connection import error_of_writing
from service.store.sqlite.files import OWNER_ONLY

# Of SQLite's virtual machine. They take less than a millisecond.
_STEPS_BETWEEN_CHECKS = 10_000


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in a copy."""

    sayings: int
    votes: int


async def back_up(source: Path, target: Path) -> Copied:
    """Copy a database of any version to a file that only its owner can read and that must not exist yet.

    Servers go on reading and writing. Raises BackupFailed, or OSError when the file cannot be written.
    """
    with _translated_errors(target):
        database, is_broken_off = _opened(source, target), threading.Event()
        database.set_progress_handler(is_broken_off.is_set, _STEPS_BETWEEN_CHECKS)
        try:
            return await asyncio.to_thread(_copy, database, target)
        except asyncio.CancelledError:
            is_broken_off.set()
            raise


def _opened(source: Path, target: Path) -> sqlite3.Connection:
    if not source.is_file():
        raise BackupFailed(f"There is no database at {source}.")
    if os.path.lexists(target):
        raise BackupFailed(f"{target} exists already, and is left as it is.")
    return sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True, check_same_thread=False)


def _copy(database: sqlite3.Connection, target: Path) -> Copied:
    with closing(database), _partial(target) as partial:
        database.execute("VACUUM INTO ?", (str(partial),))
        copied = _checked(partial)
        _flush(partial)
        if os.path.lexists(target):
            raise BackupFailed(f"{target} has come into being meanwhile, and is left as it is.")
        partial.rename(target)
        _flush(target.parent)
    return copied


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A file beside the target for what is no backup yet. It is removed if the block fails."""
    partial = target.absolute().with_name(f"{target.name}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    except FileExistsError:
        text = f"{partial} exists: another backup is under way, or one was killed. In the latter case remove the file."
        raise BackupFailed(text) from None
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _checked(copy: Path) -> Copied:
    """Check that a copy is whole and a database of ours. Raises BackupFailed."""
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as database:
        if database.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
            raise BackupFailed("The database is damaged, and so is its copy.")
        try:
            counts = (database.execute(f"SELECT count(*) FROM {table}") for table in ("main_humor", "saying_feedback"))
            return Copied(*(found.fetchone()[0] for found in counts))
        except sqlite3.OperationalError:
            raise BackupFailed("The database is none of Cloud Sayings: it has not its tables.") from None


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated_errors(target: Path) -> Iterator[None]:
    """SQLite's messages are short, and have neither data nor names in them, so they are shown."""
    try:
        yield
    except sqlite3.Error as error:
        number = error_of_writing(target.absolute().parent)
        raise BackupFailed(f"There is no backup: {os.strerror(number) if number else error}.") from error
