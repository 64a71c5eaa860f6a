"""The Store protocol on one file, assembled from its parts. The tables are defined in schema.py."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from service.errors import ConfigError, StoreError, WrongSchema
from service.limits import DEFAULT_LIMITS, DEFAULT_QUOTAS, DEFAULT_TIMEOUTS, Limits, Quotas, Timeouts
from service.store.sqlite.coordination import SqliteCoordination
from service.store.sqlite.counts import SqliteCounts
from service.store.sqlite.files import create_private, make_private
from service.store.sqlite.lists import SqliteLists
from service.store.sqlite.retention import SqliteRetention
from service.store.sqlite.sayings import SqliteSayings
from service.store.sqlite.schema import has_tables, migrate
from service.store.sqlite.takedowns import SqliteTakedowns
from telemetry.events import SILENCE, Listener


class SqliteStore(SqliteSayings, SqliteLists, SqliteRetention, SqliteTakedowns, SqliteCounts, SqliteCoordination):
    """The Store protocol on one file."""

    @classmethod
    async def open(
        cls,
        path: Path,
        listener: Listener = SILENCE,
        *,
        quotas: Quotas = DEFAULT_QUOTAS,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> "SqliteStore":
        """Open the file, or create it, readable only by its owner. Raises ConfigError when that is not possible.

        `clock` is in seconds since the epoch.
        """
        create_private(path)
        store = cls(path, listener, quotas=quotas, timeouts=timeouts, limits=limits, clock=clock)
        try:
            await store._writer.run("open", migrate)
            # At once, because a connection that is opened after the file has been removed would make an empty one.
            await store._reader.run("open", has_tables)
            make_private(path, listener)  # only now, because the path may have led to a file of something else
        except StoreError as error:
            await store.close()
            raise ConfigError(
                "SAYINGS_STORE", f"the database {path.name} cannot be opened: {error.__cause__}"
            ) from error
        except ConfigError:
            await store.close()
            raise
        return store

    async def ping(self) -> None:
        await asyncio.gather(self._write("ping", self._check), self._read("ping", has_tables))

    def _check(self, db: sqlite3.Connection) -> None:
        if not has_tables(db):
            raise WrongSchema("The database has not the tables of this version.")
        db.execute("INSERT OR REPLACE INTO checks (id, checked_at) VALUES (1, ?)", (self._clock(),))
