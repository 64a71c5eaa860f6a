"""A connection to the file on its own thread, and the transactions that group its statements.

A transaction is a plain function that runs on that thread. So two coroutines can never mix their statements, and a
transaction runs to its end even when its caller is cancelled.
"""

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from service.errors import StorageFull, StoreError, StoreReadOnly, StoreReplaced
from telemetry.events import Listener, SqliteCalled

R = TypeVar("R")

# The device and the inode of a file; None where there is none.
_Identity = tuple[int, int] | None

_ANY_WRITE_BIT = 0o222
# The low byte of SQLite's error code is the kind of the error, the others are its details.
_KIND = 0xFF
# How the system says that there is no room: on the disk, in the user's quota, in the file.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# More than SQLite writes at once.
_PROBE_BYTES = 64 * 1024


class Connection:
    """A connection on its own thread. It is opened at the first use."""

    def __init__(self, path: Path, name: str, listener: Listener, *, lock_seconds: float) -> None:
        self._path = path
        real = path.resolve()  # where a link leads, because the journal is there
        self._journal = real.with_name(f"{real.name}-wal")
        self._lock_seconds = lock_seconds
        self._listener = listener
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{name}")
        self._connection: sqlite3.Connection | None = None
        self._is_set_up = False
        self._files: tuple[_Identity, _Identity] = (None, None)

    def check_file(self) -> None:
        """Raise StoreReplaced or StoreReadOnly if what is written now would be lost, or must not be written.

        The file and its journal (`-wal`) must be those that the connection has open: what is written is in the journal
        first, and is lost with it. SQLite looks at neither again once it has opened them.
        """
        found, journal = self._stat()
        if self._files != (_identity(found), _identity(journal)):
            raise StoreReplaced("The file of the database has been removed or replaced.")
        if found and not found.st_mode & _ANY_WRITE_BIT:
            raise StoreReadOnly("The file of the database has been made read-only.")

    async def run(self, operation: str, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` on the connection's thread. Raises StoreError.

        It is a StorageFull or a StoreReadOnly where the disk or a quota is full, or where nothing may be written.
        """
        started = time.perf_counter()
        error_type = ""
        try:
            return await self._run(work)
        except StoreError as error:
            error_type = type(error).__name__
            raise
        finally:
            self._listener.emit(SqliteCalled(operation, (time.perf_counter() - started) * 1000, error_type))

    async def _run(self, work: Callable[[sqlite3.Connection], R]) -> R:
        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)
        except RuntimeError as error:
            raise StoreError("The database is closed.") from error
        return await done

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _guarded(self, work: Callable[[sqlite3.Connection], R]) -> R:
        try:
            return work(self._open())
        except sqlite3.Error as error:
            raise _failure(error, self._journal.parent) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # Assigned before the set-up, so that it is closed even when the file turns out not to be a database.
            self._connection = sqlite3.connect(self._path, timeout=self._lock_seconds, isolation_level=None)
        if not self._is_set_up:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            # What is deleted is overwritten, because a voter who is forgotten must not be left in the file.
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.execute("PRAGMA schema_version")  # a first read, which makes the journal
            found, journal = self._stat()
            self._files = _identity(found), _identity(journal)
            self._is_set_up = True
        return self._connection

    def _stat(self) -> tuple[os.stat_result | None, os.stat_result | None]:
        """What the system knows of the file and of its journal."""
        return _found(self._path), _found(self._journal)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _failure(error: sqlite3.Error, folder: Path) -> StoreError:
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _KIND
    # SQLite names a full disk. Of all other errors of the system it says only that there was one.
    number = error_of_writing(folder) if kind == sqlite3.SQLITE_IOERR else 0
    if kind == sqlite3.SQLITE_FULL or number in _NO_ROOM:
        return StorageFull()
    if kind == sqlite3.SQLITE_READONLY or number == errno.EROFS:
        return StoreReadOnly("The file of the database or its disk is read-only.")
    return StoreError("The database did not do it.")


def error_of_writing(folder: Path) -> int:
    """The number of the error with which the system refuses to write a file in the folder, or 0."""
    import tempfile  # imported here, because only a failure needs it

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno or 0
    return 0


def _found(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _identity(found: os.stat_result | None) -> _Identity:
    return (found.st_dev, found.st_ino) if found else None


def transaction(db: sqlite3.Connection) -> AbstractContextManager[None]:
    """A write transaction: all that the block writes is kept, or none of it."""
    # IMMEDIATE: a deferred transaction that reads, then writes, fails at once when another connection wrote in between.
    return _within(db, "BEGIN IMMEDIATE")


def snapshot(db: sqlite3.Connection) -> AbstractContextManager[None]:
    """A read transaction: everything that the block reads is from the same moment."""
    return _within(db, "BEGIN DEFERRED")


@contextmanager
def _within(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
