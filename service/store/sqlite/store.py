"""The Store protocol on one file, put together from its parts. What the tables hold is drawn in schema.py."""

from pathlib import Path

from service.errors import ConfigError, StoreError
from service.store.sqlite.comparisons import Comparisons
from service.store.sqlite.coordination import Coordination
from service.store.sqlite.counts import Counts
from service.store.sqlite.sayings import Sayings
from service.store.sqlite.schema import migrate
from service.store.sqlite.votes import Votes
from telemetry.events import SILENCE, Listener


class SqliteStore(Sayings, Votes, Comparisons, Counts, Coordination):
    """The Store protocol on one file."""

    @classmethod
    async def open(cls, path: Path, listener: Listener = SILENCE, *, burst_limit: int = 100) -> "SqliteStore":
        """Open or create the file. Raises ConfigError when that is not possible."""
        store = cls(path, listener, burst_limit=burst_limit)
        try:
            await store._writer.run("open", migrate)
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
        await self._read("ping", lambda db: db.execute("SELECT 1 FROM main_humor LIMIT 1").fetchone())
