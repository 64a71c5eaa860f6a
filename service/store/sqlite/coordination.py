"""Coordination of several processes through SQLite: leases and shared spend."""

import sqlite3
from collections.abc import Sequence

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.store.base import Lease, Spend, SpendWindow
from service.store.sqlite.database import Database, fetch_one

_ACQUIRE_LEASE = """
INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, 1, ?)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = token + 1, expires_at = excluded.expires_at
WHERE expires_at <= ?
RETURNING token
"""
_KEEP_LEASE = "UPDATE leases SET expires_at = ? WHERE name = ? AND token = ?"
_MARK_GONE = "INSERT OR REPLACE INTO gone_models (model, since) VALUES (?, ?)"
_PUT_LIFECYCLE = "INSERT OR REPLACE INTO lifecycles (model, said) VALUES (?, ?)"
_ADD_SPEND = "INSERT INTO spend (period, nanos) VALUES (?, ?) ON CONFLICT DO UPDATE SET nanos = nanos + excluded.nanos"


class SqliteCoordination(Database):
    """The part of the Store protocol that is about leases, spend and the lives of models."""

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        parameters = (name, holder, now + seconds, now)
        row = await self._write("acquire_lease", lambda db: fetch_one(db, _ACQUIRE_LEASE, *parameters))
        return None if row is None else Lease(name, holder, row[0], now + seconds)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        parameters = (until, lease.name, lease.token)
        return await self._write("keep_lease", lambda db: db.execute(_KEEP_LEASE, parameters).rowcount == 1)

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        def work(db: sqlite3.Connection) -> Spend | None:
            spent = _spend(db, window)
            if spent.day + amount > caps.day or spent.hour + amount > caps.hour:
                return None
            _add_spend(db, window, amount)
            return Spend(spent.day + amount, spent.hour + amount)

        return await self._write("reserve_spend", work)

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        await self._write("adjust_spend", lambda db: _add_spend(db, window, difference))

    async def spend(self, window: SpendWindow) -> Spend:
        return await self._read("spend", lambda db: _spend(db, window))

    async def mark_gone(self, model: str, *, since: float) -> None:
        await self._write("mark_gone", lambda db: db.execute(_MARK_GONE, (model, since)))

    async def gone_models(self) -> dict[str, float]:
        return await self._read("gone_models", lambda db: dict(db.execute("SELECT model, since FROM gone_models")))

    async def put_lifecycles(self, lifecycles: Sequence[Lifecycle]) -> None:
        rows = [(each.model, msgspec.json.encode(each)) for each in lifecycles]
        await self._write("put_lifecycles", lambda db: db.executemany(_PUT_LIFECYCLE, rows))

    async def lifecycles(self) -> dict[str, Lifecycle]:
        rows = await self._read("lifecycles", lambda db: db.execute("SELECT said FROM lifecycles").fetchall())
        said = [msgspec.json.decode(row[0], type=Lifecycle) for row in rows]
        return {each.model: each for each in said}


def _spend(db: sqlite3.Connection, window: SpendWindow) -> Spend:
    spent = dict(db.execute("SELECT period, nanos FROM spend WHERE period IN (?, ?)", (window.day, window.hour)))
    return Spend(spent.get(window.day, 0), spent.get(window.hour, 0))


def _add_spend(db: sqlite3.Connection, window: SpendWindow, amount: int) -> None:
    db.executemany(_ADD_SPEND, [(window.day, amount), (window.hour, amount)])
