"""The embedded store: one SQLite file in WAL mode, flushed to disk at every commit."""

from service.store.sqlite.schema import SCHEMA_VERSION
from service.store.sqlite.store import SqliteStore

__all__ = ["SCHEMA_VERSION", "SqliteStore"]
