"""All votes, sayings, comparisons and calls as rows for analysts: `python -m service export votes --format csv`.

The statistics can be computed again from these rows. The rows are streamed, so the use of memory does not grow with
their number. Voters appear as hashes, because a voter's id would allow its reader to vote in the voter's name.
"""

import csv
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TextIO

import msgspec

from service.domain import Call, Generation, Withdrawal
from service.store.base import Store, StoredBallot, StoredSaying, StoredVote
from service.store.groups import item_group, voter_group

# A spreadsheet takes a cell that begins with one of these for a formula, and the text of a saying cannot be trusted.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


class Export(StrEnum):
    """The kinds of rows. A comparison has one row for each voter that it was shown to."""

    VOTES = "votes"
    SAYINGS = "sayings"
    COMPARISONS = "comparisons"
    CALLS = "calls"


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


class Writer(Protocol):
    """Writes one row at a time."""

    def __call__(self, row: Row) -> None: ...


def rows(store: Store, what: Export) -> AsyncIterator[Row]:
    """All rows of one kind.

    Points in time are in ISO 8601 and UTC, durations in milliseconds and costs in billionths of a US dollar.
    """
    match what:
        case Export.VOTES:
            return _converted(store.all_votes(), _vote_row)
        case Export.SAYINGS:
            return _with_withdrawals(store, store.all_sayings(), _saying_row)
        case Export.COMPARISONS:
            return _with_withdrawals(store, store.all_ballots(), _ballot_row)
        case Export.CALLS:
            return _converted(store.all_calls(), _call_row)


def writer(out: TextIO, form: Format) -> Writer:
    """A writer to a text file. In CSV, a line of column names comes before the first row."""
    return _csv_writer(out) if form is Format.CSV else _jsonl_writer(out)


def _jsonl_writer(out: TextIO) -> Writer:
    encode = msgspec.json.Encoder().encode

    def write(row: Row) -> None:
        out.write(encode(row).decode() + "\n")

    return write


def _csv_writer(out: TextIO) -> Writer:
    table = csv.writer(out)
    has_head = False

    def write(row: Row) -> None:
        nonlocal has_head
        if not has_head:
            table.writerow(row)
            has_head = True
        table.writerow(map(_cell, row.values()))

    return write


def _cell(value: Any) -> Any:
    """The value for a spreadsheet's cell. Lists and objects become JSON; a text like a formula gets an apostrophe."""
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


async def _converted(items: AsyncIterator[Any], to_row: Callable[[Any], Row]) -> AsyncIterator[Row]:
    async for item in items:
        yield to_row(item)


async def _with_withdrawals(
    store: Store, items: AsyncIterator[Any], to_row: Callable[[Any, Mapping[str, Withdrawal]], Row]
) -> AsyncIterator[Row]:
    withdrawn = (await store.withdrawals()).sayings
    async for item in items:
        yield to_row(item, withdrawn)


def _vote_row(stored: StoredVote) -> Row:
    return {
        "saying_id": stored.saying_id,
        "saying_group": item_group(stored.saying_id),
        "voter": _pseudonym(stored.voter),
        "voter_group": voter_group(stored.voter),
        "contributor": stored.contributor,
        "first": stored.first,
        "first_cast_at": _moment(stored.first_cast_at),
        "opinion": stored.opinion,
        "cast_at": _moment(stored.cast_at),
        "attribution": stored.attribution,
        "standing": stored.standing,
        "network": stored.network,
        "claimed_execution_ms": stored.claimed_execution_ms,
        "claimed_cached": stored.claimed_cached,
    }


def _saying_row(stored: StoredSaying, withdrawn: Mapping[str, Withdrawal]) -> Row:
    """A row for every saying. A withdrawn one keeps its figures, but its text is left out."""
    saying = stored.saying
    withdrawal = withdrawn.get(saying.saying_id)
    return {
        "saying_id": saying.saying_id,
        "saying": None if withdrawal else saying.text,
        "services": list(saying.services),
        "source": saying.source,
        "contributor": saying.contributor,
        "upvotes": stored.upvotes,
        "downvotes": stored.downvotes,
        **_generation_columns(saying.generation),
        "withdrawn": withdrawal is not None,
        "withdrawn_at": withdrawal and _moment(withdrawal.withdrawn_at),
    }


def _ballot_row(stored: StoredBallot, withdrawn: Mapping[str, Withdrawal]) -> Row:
    ballot, comparison = stored.ballot, stored.comparison
    outcome = comparison.outcome(ballot.winner or "")
    return {
        "comparison_id": comparison.comparison_id,
        "comparison_group": item_group(comparison.comparison_id),
        "service": comparison.service,
        "simulated": comparison.simulated,
        "created_at": _moment(comparison.created_at),
        "voter": _pseudonym(ballot.voter),
        "voter_group": voter_group(ballot.voter),
        "shown_at": _moment(ballot.shown_at),
        "cast_at": _moment(ballot.cast_at),
        "winner": ballot.winner,
        "later": ballot.later,
        "standing": ballot.standing,
        "network": ballot.network,
        "result": outcome.result or None,
        "contributors": list(outcome.contributors),
        "failed": list(outcome.failed),
        "slots": msgspec.to_builtins(list(comparison.without(withdrawn).entries)),
    }


def _call_row(call: Call) -> Row:
    return {
        "contributor": call.contributor,
        "asked": call.asked,
        "sayings": call.sayings,
        "error_type": call.error_type,
        "rejected": dict(call.rejected),
        **_generation_columns(call.generation),
    }


def _generation_columns(made: Generation | None) -> Row:
    """The columns of a generation, which are all empty for a hand-written saying."""
    usage = made and made.usage
    return {
        "generation_id": made and made.generation_id,
        "model": made and made.model,
        "vendor": made and made.vendor,
        "kind": made and made.kind,
        "simulated": made and made.simulated,
        "prompt_version": made and made.prompt_version,
        "created_at": made and _moment(made.created_at),
        "latency_ms": made and made.latency_ms,
        "input_tokens": usage and usage.input_tokens,
        "output_tokens": usage and usage.output_tokens,
        "cached_input_tokens": usage and usage.cached_input_tokens,
        "cache_write_tokens": usage and usage.cache_write_tokens,
        "thinking_tokens": usage and usage.thinking_tokens,
        "cost_nanos": made and made.cost_nanos,
        "snapshot": made and made.snapshot,
    }


def _pseudonym(voter: str) -> str:
    return hashlib.sha256(voter.encode()).hexdigest()[:32]


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
