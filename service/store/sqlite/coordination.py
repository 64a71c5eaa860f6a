"""Coordination of several processes through SQLite: leases, shared spend and shared secrets."""

import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.keys.secret import Secret
from service.store.base import (
    CLOCK_LEEWAY_SECONDS,
    LONGEST_LEASE_SECONDS,
    NO_SHARES,
    Lease,
    Spend,
    SpendWindow,
)
from service.store.sqlite.database import Database, fetch_one

_ACQUIRE_LEASE = """
INSERT INTO leases (name, holder, token, expires_at, taken_at) VALUES (:name, :holder, 1, :until, :now)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, token = token + 1, expires_at = excluded.expires_at, taken_at = excluded.taken_at
WHERE expires_at <= :now OR expires_at > :latest OR taken_at > :soon
RETURNING token
"""
_KEEP_LEASE = "UPDATE leases SET expires_at = ? WHERE name = ? AND token = ?"
_MARK_GONE = "INSERT OR REPLACE INTO gone_models (model, since) VALUES (?, ?)"
_PUT_LIFECYCLE = "INSERT OR REPLACE INTO lifecycles (model, said) VALUES (?, ?)"
_DRAW_FOR_DAY = "INSERT OR IGNORE INTO day_secrets (day, secret) VALUES (?, ?)"
_DRAWN_FOR_DAY = "SELECT secret FROM day_secrets WHERE day = ?"
_ADD_SPEND = """
INSERT INTO spend (share, unit, period, nanos) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET nanos = nanos + excluded.nanos
"""
_SPENT = "SELECT coalesce(sum(nanos), 0) FROM spend WHERE share = ? AND unit = ? AND period BETWEEN ? AND ?"
# What is booked up to a day ahead counts against a cap, too: it was spent while the clock was fast. What is further
# ahead does not count, because a clock that was wrong by a month would otherwise use up a month.
_LEEWAY = timedelta(days=1)
_HOUR_FORMAT = "%Y-%m-%dT%H"


class SqliteCoordination(Database):
    """The part of the Store protocol that is about leases, spend, secrets and the lives of models."""

    async def time(self) -> float:
        return self._clock()  # one file is on one machine, which has one clock

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        parameters = {
            "name": name,
            "holder": holder,
            "now": now,
            "until": now + seconds,
            "latest": now + LONGEST_LEASE_SECONDS + CLOCK_LEEWAY_SECONDS,
            "soon": now + CLOCK_LEEWAY_SECONDS,
        }

        def work(db: sqlite3.Connection) -> Lease | None:
            before = fetch_one(db, "SELECT expires_at FROM leases WHERE name = ?", name)
            taken = db.execute(_ACQUIRE_LEASE, parameters).fetchone()
            voided = before[0] if before and before[0] > now else None
            return None if taken is None else Lease(name, holder, taken[0], now + seconds, voided)

        return await self._write("acquire_lease", work)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        parameters = (until, lease.name, lease.token)
        return await self._write("keep_lease", lambda db: db.execute(_KEEP_LEASE, parameters).rowcount == 1)

    async def reserve_spend(
        self, window: SpendWindow, amount: int, *, caps: Spend, shares: Mapping[str, Spend] = NO_SHARES
    ) -> Spend | None:
        def work(db: sqlite3.Connection) -> Spend | None:
            until = _a_day_later(window)
            spent = _spend(db, window, "", until=until)
            if not _fits(spent, amount, caps):
                return None
            for share, own_caps in shares.items():
                if not _fits_share(_spend(db, window, share, until=until), amount, own_caps):
                    return None
            _add_spend(db, window, amount, shares)
            return Spend(spent.day + amount, spent.hour + amount)

        return await self._write("reserve_spend", work)

    async def adjust_spend(self, window: SpendWindow, difference: int, *, shares: Iterable[str] = ()) -> None:
        await self._write("adjust_spend", lambda db: _add_spend(db, window, difference, shares))

    async def spend(self, window: SpendWindow, share: str = "") -> Spend:
        return await self._read("spend", lambda db: _spend(db, window, share))

    async def day_secret(self, day: str) -> Secret:
        def work(db: sqlite3.Connection) -> str:
            db.execute(_DRAW_FOR_DAY, (day, secrets.token_hex(32)))
            secret: str = db.execute(_DRAWN_FOR_DAY, (day,)).fetchone()[0]
            return secret

        return Secret(await self._write("day_secret", work))

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


def _fits(spent: Spend, amount: int, caps: Spend) -> bool:
    return spent.day + amount <= caps.day and spent.hour + amount <= caps.hour


def _fits_share(spent: Spend, amount: int, caps: Spend) -> bool:
    """Whether each unit has room, where one without any spending has room for one amount of any size."""
    return (not spent.day or spent.day + amount <= caps.day) and (not spent.hour or spent.hour + amount <= caps.hour)


def _spend(db: sqlite3.Connection, window: SpendWindow, share: str, *, until: SpendWindow | None = None) -> Spend:
    """What has been spent in the window, or from it on until another one."""
    day = fetch_one(db, _SPENT, share, "day", window.day, (until or window).day)
    hour = fetch_one(db, _SPENT, share, "hour", window.hour, (until or window).hour)
    return Spend(day[0] if day else 0, hour[0] if hour else 0)


def _a_day_later(window: SpendWindow) -> SpendWindow:
    later = datetime.fromisoformat(f"{window.hour}:00").replace(tzinfo=UTC) + _LEEWAY
    return SpendWindow(f"{later:%Y-%m-%d}", f"{later:{_HOUR_FORMAT}}")


def _add_spend(db: sqlite3.Connection, window: SpendWindow, amount: int, shares: Iterable[str]) -> None:
    for share in ("", *shares):
        db.executemany(_ADD_SPEND, [(share, "day", window.day, amount), (share, "hour", window.hour, amount)])
