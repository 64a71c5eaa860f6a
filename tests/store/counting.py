"""What a store has counted, without the lines that have gone back to nothing."""

from collections.abc import Mapping
from typing import TypeVar

from service.domain import Outcome
from service.store.base import OutcomeTally, Store, Tally

K = TypeVar("K")
T = TypeVar("T", Tally, OutcomeTally)


async def totals(store: Store) -> dict[str, Tally]:
    """The tallies by contributor."""
    return without(Tally(), (await store.aggregates(since_hour="")).contributors)


async def outcomes(store: Store) -> dict[Outcome, OutcomeTally]:
    return without(OutcomeTally(), (await store.aggregates(since_hour="")).outcomes)


def without(nothing: T, tallies: Mapping[K, T]) -> dict[K, T]:
    return {key: tally for key, tally in tallies.items() if tally != nothing}
