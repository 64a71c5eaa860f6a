"""Sayings that are taken down in SQLite, and the reports of visitors that ask for it."""

import sqlite3
from collections import Counter, defaultdict
from dataclasses import astuple

from service.domain import Report, ReportReason, ReportStatus, Withdrawal, WithdrawnBy
from service.store.base import ReportedSaying, ReportResult, Withdrawals
from service.store.sqlite.database import Database, fetch_one

TAKEDOWN_TABLES = """
CREATE TABLE IF NOT EXISTS withdrawals (
    saying_id    TEXT PRIMARY KEY,       -- also of a text that is not stored
    reason       TEXT NOT NULL,
    withdrawn_by TEXT NOT NULL,          -- operator or visitors
    withdrawn_at REAL NOT NULL,
    restored_at  REAL,                   -- null while the saying is withdrawn
    revision     INTEGER NOT NULL        -- the highest one is that of the whole table
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS withdrawals_by_revision ON withdrawals (revision);

CREATE TABLE IF NOT EXISTS reports (
    saying_id   TEXT NOT NULL,
    reporter    TEXT NOT NULL,           -- hashes, see domain.Report
    network     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    reported_at REAL NOT NULL,
    counts      INTEGER NOT NULL DEFAULT 1,  -- 0 once an operator has restored the saying
    PRIMARY KEY (saying_id, reporter),
    UNIQUE (saying_id, network)
) WITHOUT ROWID;
"""

_NEXT_REVISION = "(SELECT coalesce(max(revision), 0) + 1 FROM withdrawals)"
_WITHDRAW = f"""
INSERT INTO withdrawals (saying_id, reason, withdrawn_by, withdrawn_at, revision) VALUES (?, ?, ?, ?, {_NEXT_REVISION})
ON CONFLICT DO UPDATE SET reason = excluded.reason, withdrawn_by = excluded.withdrawn_by,
    withdrawn_at = excluded.withdrawn_at, restored_at = NULL, revision = excluded.revision
"""
_RESTORE = f"""
UPDATE withdrawals SET restored_at = ?, revision = {_NEXT_REVISION} WHERE saying_id = ? AND restored_at IS NULL
"""
_WITHDRAWN = "SELECT 1 FROM withdrawals WHERE saying_id = ? AND restored_at IS NULL"
_ALL_WITHDRAWN = "SELECT saying_id, reason, withdrawn_by, withdrawn_at FROM withdrawals WHERE restored_at IS NULL"
_REVISION = "SELECT coalesce(max(revision), 0) FROM withdrawals"
_REPORT = "INSERT OR IGNORE INTO reports (saying_id, reporter, network, reason, reported_at) VALUES (?, ?, ?, ?, ?)"
_COUNTED = "SELECT count(*) FROM reports WHERE saying_id = ? AND counts"
_COUNT_NO_MORE = "UPDATE reports SET counts = 0 WHERE saying_id = ?"
_REPORTED = "SELECT saying_id, reason, count(*), sum(counts), max(reported_at) FROM reports GROUP BY saying_id, reason"


class SqliteTakedowns(Database):
    """The part of the Store protocol that is about withdrawals and reports."""

    async def withdraw_saying(self, withdrawal: Withdrawal) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            was_up = not is_withdrawn(db, withdrawal.saying_id)
            if was_up or withdrawal.withdrawn_by is not WithdrawnBy.VISITORS:
                db.execute(_WITHDRAW, astuple(withdrawal))
            return was_up

        return await self._write("withdraw_saying", work)

    async def restore_saying(self, saying_id: str, *, at: float) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            restored = db.execute(_RESTORE, (at, saying_id)).rowcount
            return bool(restored + db.execute(_COUNT_NO_MORE, (saying_id,)).rowcount)

        return await self._write("restore_saying", work)

    async def withdrawal_revision(self) -> int:
        return await self._read("withdrawal_revision", _revision)

    async def withdrawals(self) -> Withdrawals:
        def work(db: sqlite3.Connection) -> Withdrawals:
            rows = db.execute(_ALL_WITHDRAWN).fetchall()
            return Withdrawals(_revision(db), {row[0]: _withdrawal(*row) for row in rows})

        return await self._read("withdrawals", work)

    async def report_saying(self, report: Report) -> ReportResult:
        def work(db: sqlite3.Connection) -> ReportResult:
            is_new = db.execute(_REPORT, astuple(report)).rowcount
            counted = fetch_one(db, _COUNTED, report.saying_id) or (0,)
            return ReportResult(ReportStatus.RECORDED if is_new else ReportStatus.UNCHANGED, counted[0])

        return await self._write("report_saying", work)

    async def reported_sayings(self) -> list[ReportedSaying]:
        rows = await self._read("reported_sayings", lambda db: db.execute(_REPORTED).fetchall())
        reasons: defaultdict[str, dict[ReportReason, int]] = defaultdict(dict)
        counted: Counter[str] = Counter()
        last: dict[str, float] = {}
        for saying_id, reason, count, counts, last_at in rows:
            reasons[saying_id][ReportReason(reason)] = count
            counted[saying_id] += counts
            last[saying_id] = max(last_at, last.get(saying_id, 0.0))
        found = (ReportedSaying(each, reasons[each], counted[each], last[each]) for each in reasons)
        return sorted(found, key=lambda reported: reported.last_at, reverse=True)


def is_withdrawn(db: sqlite3.Connection, saying_id: str) -> bool:
    return fetch_one(db, _WITHDRAWN, saying_id) is not None


def _revision(db: sqlite3.Connection) -> int:
    revision: int = db.execute(_REVISION).fetchone()[0]
    return revision


def _withdrawal(saying_id: str, reason: str, withdrawn_by: str, withdrawn_at: float) -> Withdrawal:
    return Withdrawal(saying_id, reason, WithdrawnBy(withdrawn_by), withdrawn_at)
