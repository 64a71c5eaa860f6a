"""Serves, calls, all counts, and the last analysis in SQLite."""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec

from service.domain import Call, CallKind, CallShape, Outcome, Standing
from service.store.base import Aggregates, CallTally, Cell, Counts, HourTally, OutcomeTally, Strand, VoteTally
from service.store.sqlite.database import Database, Row, fetch_one
from service.store.sqlite.rows import CALL_COLUMNS, call_row, from_json, placeholders, to_call
from service.store.sqlite.tallies import FOLDED, NO_CELL, Line, add_serves, add_to_hour, count_call

_KEEP_CALL = f"INSERT OR IGNORE INTO calls ({CALL_COLUMNS}) VALUES ({placeholders(CALL_COLUMNS)})"
_EVERY_CALL = f"SELECT {CALL_COLUMNS} FROM calls WHERE generation_id > ? ORDER BY generation_id LIMIT ?"
_PUT_ANALYSIS = "INSERT OR REPLACE INTO analysis (id, result) VALUES (1, ?)"
_STRAND = "contributor, day, prompt_version, snapshot"
_CALL_LINE = f"{_STRAND}, kind, shape"
_SIZES = {"votes": "saying_feedback", "sayings": "main_humor", "comparisons": "ballots", "calls": "calls"}


class SqliteCounts(Database):
    """The part of the Store protocol that is about serves, calls, aggregates and the analysis."""

    async def add_serves(self, serves: Mapping[str, int], *, hour: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            for contributor, count in serves.items():
                add_serves(db, contributor, count)
                add_to_hour(db, contributor, hour, serves=count)

        await self._write("add_serves", work)

    async def record_call(self, call: Call) -> None:
        def work(db: sqlite3.Connection) -> None:
            if db.execute(_KEEP_CALL, call_row(call)).rowcount:
                count_call(db, call)

        await self._write("record_call", work)

    async def all_calls(self) -> AsyncIterator[Call]:
        async for row in self._rows("all_calls", _EVERY_CALL, ("",)):
            if (call := self._damage.checked("call", to_call(row))) is not None:
                yield call

    async def aggregates(self, *, since_hour: str) -> Aggregates:
        return await self._read(
            "aggregates",
            lambda db: Aggregates(
                dict(db.execute("SELECT contributor, serves FROM serves")),
                _hours(db, since_hour),
                _services(db),
                _votes(db),
                _calls(db),
                _outcomes(db),
            ),
        )

    async def put_analysis(self, analysis: str) -> None:
        await self._write("put_analysis", lambda db: db.execute(_PUT_ANALYSIS, (analysis,)))

    async def analysis(self) -> str | None:
        row = await self._read("analysis", lambda db: fetch_one(db, "SELECT result FROM analysis"))
        return None if row is None else str(row[0])

    async def sizes(self) -> dict[str, int]:
        return await self._read("sizes", lambda db: {name: _size(db, table) for name, table in _SIZES.items()})


def _hours(db: sqlite3.Connection, since: str) -> dict[tuple[str, str], HourTally]:
    rows = db.execute("SELECT hour, contributor, serves, votes FROM hours WHERE hour >= ?", (since,))
    return {(hour, contributor): HourTally(*counts) for hour, contributor, *counts in rows}


def _services(db: sqlite3.Connection) -> dict[tuple[str, str], Counts]:
    rows = db.execute("SELECT service, contributor, votes, upvotes FROM service_votes")
    return {(service, contributor): Counts(*counts) for service, contributor, *counts in rows}


def _votes(db: sqlite3.Connection) -> dict[Strand, VoteTally]:
    lines: defaultdict[Strand, dict[str, dict[Cell, Counts]]] = defaultdict(dict)
    # In JSON, because a row for every cell takes twice as long.
    query = f"""
        SELECT {_STRAND}, line, json_group_array(json_array(voter_group, item_group, votes, upvotes)) FROM vote_tallies
        GROUP BY day, contributor, prompt_version, snapshot, line
    """
    for *strand, line, cells in db.execute(query):
        counts = msgspec.json.decode(cells, type=list[tuple[int, int, int, int]])
        lines[Strand(*strand)][line] = {(voters, items): Counts(votes, ups) for voters, items, votes, ups in counts}
    return {strand: _vote_tally(of_strand) for strand, of_strand in lines.items()}


def _vote_tally(lines: Mapping[str, Mapping[Cell, Counts]]) -> VoteTally:
    def single(line: Line) -> Counts:
        return lines.get(line, {}).get(NO_CELL, Counts())

    return VoteTally(
        blind=lines.get(Line.BLIND, {}),
        named=lines.get(Line.NAMED, {}),
        opened=single(Line.OPEN),
        aside=single(Line.SET_ASIDE),
        unverified=single(Line.UNVERIFIED),
        voters=single(Line.VOTERS).votes,
        sayings=single(Line.SAYINGS).votes,
    )


def _calls(db: sqlite3.Connection) -> dict[tuple[Strand, CallKind, CallShape], CallTally]:
    details: defaultdict[Row, defaultdict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for *line, detail, name, number in db.execute(f"SELECT {_CALL_LINE}, detail, name, number FROM call_details"):
        details[tuple(line)][detail][name] = number
    return {
        (Strand(*line[:4]), CallKind(line[4]), CallShape(line[5])): _call_tally(sums, details[line])
        for line, sums in _call_sums(db)
    }


def _call_sums(db: sqlite3.Connection) -> Iterator[tuple[Row, Row]]:
    """The line and the sums of each call tally."""
    for row in db.execute(f"SELECT {_CALL_LINE}, {', '.join(FOLDED['call_tallies'][1])} FROM call_tallies"):
        yield row[:6], row[6:]


def _call_tally(sums: Row, details: Mapping[str, Mapping[str, int]]) -> CallTally:
    calls, latency_ms, unpriced, sayings, input_tokens, output_tokens, cost_nanos = sums
    return CallTally(
        calls=calls,
        failed=details.get("failed", {}),
        latencies={int(bucket): number for bucket, number in details.get("latency", {}).items()},
        latency_ms=latency_ms,
        unpriced=unpriced,
        sayings=sayings,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_nanos=cost_nanos,
        rejected=details.get("rejected", {}),
    )


def _outcomes(db: sqlite3.Connection) -> dict[tuple[str, Outcome], OutcomeTally]:
    standings: defaultdict[tuple[str, str], dict[str, dict[Cell, int]]] = defaultdict(dict)
    query = """
        SELECT day, outcome, standing, json_group_array(json_array(voter_group, item_group, ballots)) FROM outcomes
        GROUP BY day, outcome, standing
    """
    for day, text, standing, cells in db.execute(query):
        counts = msgspec.json.decode(cells, type=list[tuple[int, int, int]])
        standings[day, text][standing] = {(voters, items): ballots for voters, items, ballots in counts}
    return {
        (day, outcome): OutcomeTally(lines.get(Standing.COUNTED, {}), lines.get(Standing.SET_ASIDE, {}).get(NO_CELL, 0))
        for (day, text), lines in standings.items()
        if (outcome := from_json(text, Outcome)) is not None
    }


def _size(db: sqlite3.Connection, table: str) -> int:
    count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count
