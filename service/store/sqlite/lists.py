"""The lists of sayings in SQLite, which are always up to date: a row for each list that a saying is in.

A page of a list is read by an index, however many sayings there are.
"""

import sqlite3
from collections.abc import Sequence

from service.domain import Saying, SayingOrder
from service.store.base import LONGEST_LIST, Listing
from service.store.lists import list_with, lists_of
from service.store.sqlite.database import Database, Row, fetch_one
from service.store.sqlite.rows import to_services
from service.store.wilson import worth

LIST_TABLES = """
CREATE TABLE IF NOT EXISTS listed_sayings (
    list       TEXT NOT NULL,            -- see lists.py
    saying_id  TEXT NOT NULL,
    model      TEXT,
    simulated  INTEGER,                  -- null for the collection, as is all that comes from a model
    created_at REAL,
    worth      REAL,                     -- null without votes
    PRIMARY KEY (list, saying_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listed_sayings_by_worth ON listed_sayings (list, worth) WHERE worth IS NOT NULL;
CREATE INDEX IF NOT EXISTS listed_sayings_by_time ON listed_sayings (list, created_at) WHERE created_at IS NOT NULL;
"""

_PUT = """
INSERT OR REPLACE INTO listed_sayings (list, saying_id, model, simulated, created_at, worth) VALUES (?, ?, ?, ?, ?, ?)
"""
_VOTED_ON = "SELECT services, model, upvotes, downvotes FROM main_humor WHERE saying_id = ?"
_SET_WORTH = "UPDATE listed_sayings SET worth = ? WHERE list = ? AND saying_id = ?"
_ALL_SAYINGS = "SELECT services, upvotes, downvotes, saying_id, model, simulated, created_at FROM main_humor"
_COLUMNS = {SayingOrder.TOP: "worth", SayingOrder.NEW: "created_at"}
_LISTED = """
SELECT saying_id FROM listed_sayings
WHERE list = :list AND {column} IS NOT NULL AND coalesce(simulated, :simulated) = :simulated
    AND (:model IS NULL OR model = :model) AND NOT EXISTS (
        SELECT 1 FROM withdrawals WHERE withdrawals.saying_id = listed_sayings.saying_id AND restored_at IS NULL
    )
ORDER BY {column} DESC, saying_id DESC LIMIT :most
"""


class SqliteLists(Database):
    """The part of the Store protocol that is about lists of sayings."""

    async def listed_ids(self, listing: Listing) -> list[str]:
        query = _LISTED.format(column=_COLUMNS[listing.order])
        parameters = {
            "list": list_with(listing),
            "simulated": listing.simulated,
            "model": listing.model,
            "most": LONGEST_LIST,
        }
        rows = await self._read("listed_ids", lambda db: db.execute(query, parameters).fetchall())
        return [row[0] for row in rows]

    async def rank_sayings(self, *, simulated: bool) -> None:
        """Do nothing, because each vote moves its saying in the lists."""


def list_saying(db: sqlite3.Connection, saying: Saying) -> None:
    """Add a new saying to its lists."""
    made = saying.generation
    of_model = (None, None, None) if made is None else (made.model, made.simulated, made.created_at)
    _put(db, saying.services, (saying.saying_id, *of_model, None))


def move_in_lists(db: sqlite3.Connection, saying_id: str) -> None:
    """Move a saying to where its present counters put it."""
    row = fetch_one(db, _VOTED_ON, saying_id)
    if row is not None:
        services, model, upvotes, downvotes = row
        value, lists = worth(upvotes, downvotes), lists_of(to_services(services) or (), model)
        db.executemany(_SET_WORTH, [(value, name, saying_id) for name in lists])


def list_all(db: sqlite3.Connection) -> None:
    """Make the lists of the sayings of an earlier version."""
    for services, upvotes, downvotes, *saying in db.execute(_ALL_SAYINGS):
        _put(db, to_services(services) or (), (*saying, worth(upvotes, downvotes)))


def _put(db: sqlite3.Connection, services: Sequence[str], saying: Row) -> None:
    """Add a saying to its lists: its id, model, whether that is simulated, time of writing, and worth."""
    model = saying[1]
    db.executemany(_PUT, [(name, *saying) for name in lists_of(services, model)])
