"""What SQLite forgets: voters who ask for it, and what has reached its end.

A voter who asks is forgotten at once, page by page, as far as one request may take; a stored request brings the rest
to its end. The file then holds nothing of them either: what is deleted is overwritten, and the journal is emptied.
"""

import secrets
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict
from functools import partial

from service.domain import feedback_id
from service.limits import Retention
from service.store.retention import Cutoffs, Pruned, Pseudonyms
from service.store.sqlite import networks, tallies
from service.store.sqlite.comparisons import SqliteComparisons, remove_ballot
from service.store.sqlite.database import Row, fetch_one
from service.store.sqlite.votes import SqliteVotes, remove_vote

# How many pages of rows one request to be forgotten may change. Few voters have enough votes for a second one.
_PAGES_AT_ONCE = 5

_HAS_VOTED = """
SELECT EXISTS (SELECT 1 FROM saying_feedback WHERE voter = :voter)
    OR EXISTS (SELECT 1 FROM ballots WHERE voter = :voter)
"""
_ASK = "INSERT OR REPLACE INTO forgetting (voter, asked_at) VALUES (?, ?)"
_VOTES_OF = "SELECT saying_id FROM saying_feedback WHERE voter = ? LIMIT ?"
_BALLOTS_OF = "SELECT comparison_id FROM ballots WHERE voter = ? LIMIT ?"

_VOTES = """
SELECT saying_id, voter, network, first_cast_at FROM saying_feedback
WHERE (saying_id, voter) > (?, ?) ORDER BY saying_id, voter LIMIT ?
"""
_BALLOTS = """
SELECT comparison_id, voter, network, shown_at, winner FROM ballots
WHERE (comparison_id, voter) > (?, ?) ORDER BY comparison_id, voter LIMIT ?
"""
# A row that has changed since it was read is left to the next pass.
_RENAME_VOTE = """
UPDATE saying_feedback SET voter = ?, network = ?
WHERE saying_id = ? AND voter = ? AND network = ? AND first_cast_at = ?
"""
_RENAME_BALLOT = "UPDATE ballots SET voter = ?, network = ? WHERE comparison_id = ? AND voter = ? AND network = ?"
_REMOVE_UNVOTED = "DELETE FROM ballots WHERE comparison_id = ? AND voter = ? AND winner IS NULL"
_RENAME_REPORTER = "UPDATE reports SET reporter = ? WHERE saying_id = ? AND reporter = ?"
_OLD_REPORTS = "SELECT saying_id FROM reports GROUP BY saying_id HAVING max(reported_at) < :reports"
_EXPIRE = (
    f"DELETE FROM reports WHERE saying_id IN ({_OLD_REPORTS})",
    "DELETE FROM spend WHERE period < :spend",
    "DELETE FROM spend WHERE share LIKE 'client/%' AND period < :client_spend",
    "DELETE FROM hours WHERE hour < :hours",
    "DELETE FROM day_secrets WHERE day < :secrets",
)


class SqliteRetention(SqliteVotes, SqliteComparisons):
    """The part of the Store protocol that is about forgetting."""

    async def forget(self, voter: str, *, asked_at: float) -> bool:
        if not await self._write("forget", partial(_ask, voter, asked_at)):
            return True
        for _ in range(_PAGES_AT_ONCE):
            if not await self._forget_page(voter):
                await self._writer.run("forget", _empty_journal)
                return True
        return False

    async def prune(self, keep: Retention, *, now: float) -> AsyncGenerator[Pruned, None]:
        async for removed in self._forget_waiting():
            yield removed
        cutoffs, names = Cutoffs.at(now, keep), Pseudonyms()
        for query, work in ((_VOTES, _prune_votes), (_BALLOTS, _prune_ballots)):
            async for rows in self._pages(query):
                due = [row for row in rows if _is_due(row, cutoffs)]
                if due:
                    yield await self._write("prune", partial(work, due, cutoffs, names))
        while await self._write("prune", partial(networks.remove_before, cutoffs.secrets, self._page_rows)):
            yield Pruned()
        for day in await self._read("prune", partial(tallies.days_before, cutoffs.tallies)):
            await self._write("prune", partial(tallies.fold, day))
            yield Pruned()
        await self._write("prune", partial(_expire, cutoffs))
        await self._writer.run("prune", _empty_journal)

    async def _forget_waiting(self) -> AsyncIterator[Pruned]:
        waiting = await self._read("prune", lambda db: db.execute("SELECT voter FROM forgetting").fetchall())
        for (voter,) in waiting:
            while removed := await self._forget_page(voter):
                yield Pruned(taken_back=removed)

    async def _forget_page(self, voter: str) -> int:
        """Take some of the voter's votes and ballots back, and return how many. When it is none, they are forgotten."""
        return await self._write("forget", partial(_forget_some, voter, self._page_rows))

    async def _pages(self, query: str) -> AsyncIterator[list[Row]]:
        """The rows of a query in the order of their keys, in pages, so that other readers need not wait."""
        page: list[Row] | None = None
        while page is None or len(page) == self._page_rows:
            after = page[-1][:2] if page else ("", "")
            page = await self._read("prune", partial(_fetch, query, (*after, self._page_rows)))
            yield page


def _fetch(query: str, parameters: Row, db: sqlite3.Connection) -> list[Row]:
    return db.execute(query, parameters).fetchall()


def _forget_request(voter: str, db: sqlite3.Connection) -> int:
    return db.execute("DELETE FROM forgetting WHERE voter = ?", (voter,)).rowcount


def _forget_reporter(voter: str, db: sqlite3.Connection) -> int:
    """Keep the voter's reports, which say something of the sayings, under names that lead to nobody."""
    reported = db.execute("SELECT saying_id, reporter FROM reports").fetchall()
    own = [(saying_id, reporter) for saying_id, reporter in reported if reporter == feedback_id(voter, saying_id)]
    db.executemany(_RENAME_REPORTER, [(secrets.token_hex(16), *key) for key in own])
    return len(own)


# What forgets a voter in the rows that nothing counts, and returns how many there were.
_FORGET_UNCOUNTED = (_forget_request, _forget_reporter)


def _ask(voter: str, asked_at: float, db: sqlite3.Connection) -> bool:
    """Forget what nothing counts, and store the request if there are votes or ballots to take back.

    Returns whether there was anything of the voter.
    """
    removed = sum(forget(voter, db) for forget in _FORGET_UNCOUNTED)
    has_voted = bool(db.execute(_HAS_VOTED, {"voter": voter}).fetchone()[0])
    if has_voted:
        db.execute(_ASK, (voter, asked_at))
    return has_voted or removed > 0


def _forget_some(voter: str, most: int, db: sqlite3.Connection) -> int:
    votes = db.execute(_VOTES_OF, (voter, most)).fetchall()
    for (saying_id,) in votes:
        remove_vote(db, saying_id, voter)
    ballots = db.execute(_BALLOTS_OF, (voter, most)).fetchall()
    for (comparison_id,) in ballots:
        remove_ballot(db, comparison_id, voter)
    if not votes and not ballots:
        for forget in _FORGET_UNCOUNTED:
            forget(voter, db)
    return len(votes) + len(ballots)


def _is_due(row: Row, cutoffs: Cutoffs) -> bool:
    """Whether a vote or ballot has something in it that has reached its end."""
    _, voter, network, moment, *winner = row
    unvoted = winner == [None] and moment < cutoffs.unvoted
    return unvoted or cutoffs.ends_network(network) or cutoffs.ends_voter(voter, moment)


def _prune_votes(due: Sequence[Row], cutoffs: Cutoffs, names: Pseudonyms, db: sqlite3.Connection) -> Pruned:
    pruned = Pruned()
    for saying_id, voter, network, moment in due:
        kept, change = _pruned(voter, network, moment, cutoffs, names)
        if db.execute(_RENAME_VOTE, (*kept, saying_id, voter, network, moment)).rowcount:
            pruned += change
    return pruned


def _prune_ballots(due: Sequence[Row], cutoffs: Cutoffs, names: Pseudonyms, db: sqlite3.Connection) -> Pruned:
    pruned = Pruned()
    for comparison_id, voter, network, moment, winner in due:
        if winner is None and moment < cutoffs.unvoted:
            pruned += Pruned(unvoted=db.execute(_REMOVE_UNVOTED, (comparison_id, voter)).rowcount)
            continue
        kept, change = _pruned(voter, network, moment, cutoffs, names)
        if db.execute(_RENAME_BALLOT, (*kept, comparison_id, voter, network)).rowcount:
            pruned += change
    return pruned


def _pruned(
    voter: str, network: str, moment: float, cutoffs: Cutoffs, names: Pseudonyms
) -> tuple[tuple[str, str], Pruned]:
    """The voter and the network that a vote or ballot keeps, and what that forgets."""
    loses_address, loses_voter = cutoffs.ends_network(network), cutoffs.ends_voter(voter, moment)
    kept = (names.of(voter) if loses_voter else voter, "" if loses_address else network)
    return kept, Pruned(addresses=int(loses_address), voters=int(loses_voter))


def _expire(cutoffs: Cutoffs, db: sqlite3.Connection) -> None:
    """Remove what is counted nowhere. These are few rows."""
    for statement in _EXPIRE:
        db.execute(statement, asdict(cutoffs))


def _empty_journal(db: sqlite3.Connection) -> None:
    """Write the journal back into the file and cut it off, because it holds earlier versions of what was changed.

    It does nothing while another process reads; the journal is then emptied the next time.
    """
    fetch_one(db, "PRAGMA wal_checkpoint(TRUNCATE)")
