"""Sayings in SQLite: stored once, looked up by id, drawn at random."""

import random
import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence

from service.domain import Saying
from service.errors import LeaseLost
from service.store.base import Lease, StoredSaying
from service.store.sqlite.database import Database, Row, fetch_one
from service.store.sqlite.lists import list_saying
from service.store.sqlite.rows import SAYING_COLUMNS, placeholders, saying_row, to_json, to_saying
from service.store.sqlite.takedowns import is_withdrawn

# A random draw gives up after this many damaged rows.
_DRAWS = 4
# So many positions are tried. Where each is withdrawn or deleted, the next saying after the last of them is drawn.
_POSITIONS = 8

_PUT = f"INSERT OR IGNORE INTO main_humor ({SAYING_COLUMNS}) VALUES ({placeholders(SAYING_COLUMNS)})"
_BY_ID = f"SELECT {SAYING_COLUMNS} FROM main_humor WHERE saying_id = ?"
_STORED = "SELECT saying_id FROM main_humor WHERE saying_id IN (SELECT value FROM json_each(?))"
_WITH_COUNTERS = f"""
SELECT upvotes, downvotes, {SAYING_COLUMNS} FROM main_humor WHERE saying_id IN (SELECT value FROM json_each(?))
"""
_IS_UP = """
NOT EXISTS (SELECT 1 FROM withdrawals WHERE withdrawals.saying_id = main_humor.saying_id AND restored_at IS NULL)
"""
_AT_POSITION = f"SELECT {SAYING_COLUMNS} FROM main_humor WHERE position = ? AND {_IS_UP}"
_FROM_POSITION = f"SELECT {SAYING_COLUMNS} FROM main_humor WHERE position >= ? AND {_IS_UP} ORDER BY position LIMIT 1"
_RECENT = f"""
SELECT {SAYING_COLUMNS} FROM main_humor WHERE model = ? AND simulated = ? AND created_at >= ? AND {_IS_UP}
ORDER BY created_at DESC LIMIT ?
"""
_EVERY_ONE = f"""
SELECT position, upvotes, downvotes, {SAYING_COLUMNS} FROM main_humor WHERE position > ? ORDER BY position LIMIT ?
"""


class SqliteSayings(Database):
    """The part of the Store protocol that is about sayings."""

    async def put_sayings(self, sayings: Sequence[Saying], *, fence: Lease | None = None) -> frozenset[str]:
        def work(db: sqlite3.Connection) -> frozenset[str]:
            if fence is not None:
                _check_fence(db, fence)
            new = {each.saying_id: each for each in sayings if _put(db, each)}
            for saying in new.values():
                list_saying(db, saying)
            return frozenset(new)

        return await self._write("put_sayings", work)

    async def get_saying(self, saying_id: str) -> Saying | None:
        row = await self._read("get_saying", lambda db: fetch_one(db, _BY_ID, saying_id))
        return None if row is None else self._damage.checked("saying", to_saying(row))

    async def stored_ids(self, saying_ids: Collection[str]) -> frozenset[str]:
        wanted = to_json(list(saying_ids))
        rows = await self._read("stored_ids", lambda db: db.execute(_STORED, (wanted,)).fetchall())
        return frozenset(row[0] for row in rows)

    async def stored_sayings(self, saying_ids: Collection[str]) -> list[StoredSaying]:
        wanted = to_json(list(saying_ids))
        rows = await self._read("stored_sayings", lambda db: db.execute(_WITH_COUNTERS, (wanted,)).fetchall())
        return self._damage.undamaged("saying", map(_to_stored, rows))

    async def random_saying(self) -> Saying | None:
        for _ in range(_DRAWS):
            row = await self._read("random_saying", _random_row)
            if row is None:
                return None
            if (saying := self._damage.checked("saying", to_saying(row))) is not None:
                return saying
        return None

    async def recent_sayings(self, model: str, *, since: float, limit: int, simulated: bool) -> list[Saying]:
        parameters = (model, simulated, since, limit)
        rows = await self._read("recent_sayings", lambda db: db.execute(_RECENT, parameters).fetchall())
        return self._damage.undamaged("saying", map(to_saying, rows))

    async def all_sayings(self) -> AsyncIterator[StoredSaying]:
        async for _, *row in self._rows("all_sayings", _EVERY_ONE, (0,)):
            if (stored := self._damage.checked("saying", _to_stored(tuple(row)))) is not None:
                yield stored


def _put(db: sqlite3.Connection, saying: Saying) -> bool:
    """Store a saying and return whether it was new. One that is withdrawn is not stored."""
    return not is_withdrawn(db, saying.saying_id) and db.execute(_PUT, saying_row(saying)).rowcount > 0


def _check_fence(db: sqlite3.Connection, fence: Lease) -> None:
    row = fetch_one(db, "SELECT token FROM leases WHERE name = ?", fence.name)
    if row is None or row[0] != fence.token:
        raise LeaseLost("Another worker has taken over the round.")


def _to_stored(row: Row) -> StoredSaying | None:
    upvotes, downvotes, *columns = row
    saying = to_saying(tuple(columns))
    return None if saying is None else StoredSaying(saying, upvotes, downvotes)


def _random_row(db: sqlite3.Connection) -> Row | None:
    count = db.execute("SELECT max(position) FROM main_humor").fetchone()[0]
    if count is None:
        return None
    for _ in range(_POSITIONS):  # because to take the neighbour of a gap would draw that one twice as often
        if row := fetch_one(db, _AT_POSITION, random.randint(1, count)):
            return row
    return fetch_one(db, _FROM_POSITION, random.randint(1, count)) or fetch_one(db, _FROM_POSITION, 1)
