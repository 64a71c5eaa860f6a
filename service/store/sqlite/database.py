"""Access to the file: reads, transactions, and scans of a whole table page by page.

There is one connection for writes and one for reads, so that a reader never waits for a writer.
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from service.limits import Limits, Quotas, Timeouts
from service.store.damage import Damage
from service.store.sqlite.connection import Connection, snapshot, transaction
from telemetry.events import Listener

Row = tuple[Any, ...]
R = TypeVar("R")


class Database:
    """The two connections, and the quotas of what counts."""

    def __init__(
        self,
        path: Path,
        listener: Listener,
        *,
        quotas: Quotas,
        timeouts: Timeouts,
        limits: Limits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = Connection(path, "writer", listener, lock_seconds=timeouts.sqlite_lock)
        self._reader = Connection(path, "reader", listener, lock_seconds=timeouts.sqlite_lock)
        self._page_rows = limits.sqlite_page
        self._damage = Damage(listener)
        self._quotas = quotas
        self._clock = clock

    async def _write(self, operation: str, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` as one transaction. Raises StoreError, also when the file was replaced or made read-only."""

        def in_transaction(db: sqlite3.Connection) -> R:
            with transaction(db):
                result = work(db)
                self._writer.check_file()
            self._writer.check_file()  # the file may have gone while the disk was written to
            return result

        return await self._writer.run(operation, in_transaction)

    async def _read(self, operation: str, work: Callable[[sqlite3.Connection], R]) -> R:
        """Run `work` on a snapshot of the data. Raises StoreError."""

        def in_snapshot(db: sqlite3.Connection) -> R:
            with snapshot(db):
                return work(db)

        return await self._reader.run(operation, in_snapshot)

    async def _rows(self, operation: str, query: str, start: Row) -> AsyncIterator[Row]:
        """Stream the rows of a query in the order of their keys, page by page.

        The query selects the columns of the key first. Its parameters are the key after which the page begins and the
        number of rows; `start` is a key below all others.
        """
        page: list[Row] | None = None
        while page is None or len(page) == self._page_rows:
            after = page[-1][: len(start)] if page else start
            page = await self._reader.run(operation, partial(_fetch, query, (*after, self._page_rows)))
            for row in page:
                yield row

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()


def fetch_one(db: sqlite3.Connection, query: str, *parameters: object) -> Row | None:
    """The first row of the result, or None when the result is empty."""
    row: Row | None = db.execute(query, parameters).fetchone()
    return row


def _fetch(query: str, parameters: Row, db: sqlite3.Connection) -> list[Row]:
    return db.execute(query, parameters).fetchall()
