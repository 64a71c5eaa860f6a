"""A connection to the file on its own thread, and the transactions that group its statements.

A transaction is a plain function that runs on that thread. So two coroutines can never mix their statements, and a
transaction runs to its end even when its caller is cancelled.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from service.errors import StorageFull, StoreError
from telemetry.events import Listener, SqliteCalled

R = TypeVar("R")

# The device and the inode of each file; None where there is none.
_Files = tuple[tuple[int, int] | None, ...]


class Connection:
    """A connection on its own thread. It is opened at the first use."""

    def __init__(self, path: Path, name: str, listener: Listener, *, lock_seconds: float) -> None:
        self._path = path
        self._lock_seconds = lock_seconds
        self._listener = listener
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{name}")
        self._connection: sqlite3.Connection | None = None
        self._is_set_up = False
        self._files: _Files = ()

    @property
    def is_of_another_file(self) -> bool:
        """Whether the file or its journal (`-wal`) has been removed, or is another one than the connection has open.

        What is written is in the journal first, and is lost with it.
        """
        return self._files != _identities(self._path)

    async def run(self, operation: str, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` on the connection's thread. Raises StoreError, or StorageFull when the disk is full."""
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
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise StorageFull from error
            raise StoreError("The database did not do it.") from error

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
            self._files = _identities(self._path)
            self._is_set_up = True
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identities(path: Path) -> _Files:
    return _identity(path), _identity(path.with_name(f"{path.name}-wal"))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
