"""Encodes the types of the domain as rows of the tables, and decodes them. A damaged row decodes to None."""

from dataclasses import astuple
from typing import TypeVar

import msgspec

from service.domain import (
    Attribution,
    Ballot,
    Call,
    CallKind,
    Comparison,
    Entry,
    FeedbackType,
    Generation,
    Saying,
    Standing,
    Usage,
)
from service.store.base import StoredVote
from service.store.sqlite.database import Row

GENERATION_COLUMNS = (
    "generation_id, model, vendor, kind, simulated, prompt_version, llm_time_ms, input_tokens, output_tokens, "
    "cached_tokens, cache_write_tokens, thinking_tokens, cost_nanos, created_at, snapshot"
)
SAYING_COLUMNS = f"saying_id, saying, services, source, contributor, {GENERATION_COLUMNS}"
VOTE_COLUMNS = (
    "saying_id, voter, contributor, first, first_cast_at, opinion, cast_at, attribution, standing, network, "
    "claimed_execution_ms, claimed_cached"
)
COMPARISON_COLUMNS = "comparison_id, service, simulated, created_at, entries"
BALLOT_COLUMNS = "comparison_id, voter, shown_at, winner, cast_at, standing, network, later"
BALLOT_SIZE = BALLOT_COLUMNS.count(",") + 1
CALL_COLUMNS = f"{GENERATION_COLUMNS}, asked, sayings, error_type, rejected"
_GENERATION_SIZE = GENERATION_COLUMNS.count(",") + 1

T = TypeVar("T")


def placeholders(columns: str) -> str:
    """A question mark for each of the columns, for a VALUES clause."""
    return ", ".join("?" * (columns.count(",") + 1))


def to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def from_json(text: str, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=type_)
    except (ValueError, TypeError):
        return None


def saying_row(saying: Saying) -> Row:
    made = saying.generation
    head = (saying.saying_id, saying.text, to_json(saying.services), saying.source, saying.contributor)
    return (*head, *([None] * _GENERATION_SIZE if made is None else _generation_row(made)))


def to_saying(row: Row) -> Saying | None:
    identity, text, services, source, _contributor, *made = row
    named = to_services(services)
    try:
        generation = None if made[0] is None else _generation(*made)
    except ValueError:
        return None
    return None if named is None else Saying(identity, text, named, source, generation)


def to_services(text: str) -> tuple[str, ...] | None:
    return from_json(text, tuple[str, ...])


def vote_row(stored: StoredVote) -> Row:
    return astuple(stored)


def to_vote(row: Row) -> StoredVote | None:
    saying_id, voter, contributor, first, first_cast_at, opinion, cast_at, attribution, standing, network, *claims = row
    claimed_ms, claimed_cached = claims
    try:
        return StoredVote(
            saying_id, voter, contributor, FeedbackType(first), first_cast_at,
            None if opinion is None else FeedbackType(opinion), cast_at,
            None if attribution is None else Attribution(attribution), Standing(standing), network, claimed_ms,
            None if claimed_cached is None else bool(claimed_cached),
        )  # fmt: skip
    except ValueError:
        return None


def comparison_row(comparison: Comparison) -> Row:
    return (
        comparison.comparison_id, comparison.service, comparison.simulated, comparison.created_at,
        to_json(comparison.entries),
    )  # fmt: skip


def to_comparison(row: Row) -> Comparison | None:
    identity, service, simulated, created_at, text = row
    entries = from_json(text, tuple[Entry, ...])
    return None if entries is None else Comparison(identity, service, bool(simulated), created_at, entries)


def ballot_row(ballot: Ballot) -> Row:
    return astuple(ballot)


def to_ballot(row: Row) -> Ballot | None:
    comparison_id, voter, shown_at, winner, cast_at, standing, network, later = row
    try:
        cast_as = None if standing is None else Standing(standing)
    except ValueError:
        return None
    return Ballot(comparison_id, voter, shown_at, winner, cast_at, cast_as, network, later)


def call_row(call: Call) -> Row:
    return (*_generation_row(call.generation), call.asked, call.sayings, call.error_type, to_json(call.rejected))


def to_call(row: Row) -> Call | None:
    *made, asked, sayings, error_type, text = row
    rejected = from_json(text, dict[str, int])
    try:
        return None if rejected is None else Call(_generation(*made), asked, sayings, error_type, rejected)
    except ValueError:
        return None


def _generation_row(made: Generation) -> Row:
    return (
        made.generation_id, made.model, made.vendor, made.kind, made.simulated, made.prompt_version, made.latency_ms,
        made.usage.input_tokens, made.usage.output_tokens, made.usage.cached_input_tokens,
        made.usage.cache_write_tokens, made.usage.thinking_tokens, made.cost_nanos, made.created_at, made.snapshot,
    )  # fmt: skip


def _generation(
    generation_id: str, model: str, vendor: str, kind: str, simulated: int, version: str, llm_time_ms: float,
    input_tokens: int, output_tokens: int, cached_tokens: int, cache_write_tokens: int, thinking_tokens: int,
    cost_nanos: int | None, created_at: float, snapshot: str,
) -> Generation:  # fmt: skip
    return Generation(
        generation_id, model, vendor, CallKind(kind), bool(simulated), version, llm_time_ms,
        Usage(input_tokens, output_tokens, cached_tokens, cache_write_tokens, thinking_tokens), cost_nanos, created_at,
        snapshot,
    )  # fmt: skip
