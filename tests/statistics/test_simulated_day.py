"""A day whose truth is known, on a small scale: GET /stats finds the truth."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.catalogue.models import NANOS_PER_DOLLAR
from service.store.sqlite import SqliteStore
from tests.statistics.simulated_day import BURST_LIMIT, TRUTHS, figures, percentiles, played

NOW = datetime(2026, 11, 20, 13, 5, tzinfo=UTC).timestamp()

pytestmark = pytest.mark.slow


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[SqliteStore]]:
    """Two, each in a file of its own."""
    stores = [await SqliteStore.open(tmp_path / f"{number}.db", burst_limit=BURST_LIMIT) for number in range(2)]
    yield stores
    for store in stores:
        await store.close()


async def test_the_truth_lies_in_the_intervals(stores: list[SqliteStore]) -> None:
    day = await played(stores[0], votes=2_400, ballots=800, singles=150, burst=300, now=NOW)

    answer = await day.report()

    assert [figure for figure in figures(day, answer) if figure.said.value is None] == []
    assert [figure for figure in figures(day, answer) if not figure.is_covered] == []
    for one in answer.models:
        assert one.cost == day.cost_nanos[one.model] / NANOS_PER_DOLLAR
        for _name, truth, said in percentiles(one):
            assert said == pytest.approx(truth, rel=0.25)  # chance, among 150 calls
    assert (answer.totals.filtered.votes, answer.totals.raw.votes) == (2_400, 2_700)
    assert sum(hour.votes for hour in answer.hours) == 2_700
    assert (answer.comparisons.count, len(answer.models)) == (800, len(TRUTHS))


async def test_repeating_changing_and_withdrawing_votes_leaves_the_same_truth(stores: list[SqliteStore]) -> None:
    plain, fussy = [
        await (
            await played(store, votes=600, ballots=80, singles=0, burst=BURST_LIMIT + 1, now=NOW, fuss=fuss)
        ).report()
        for store, fuss in zip(stores, (False, True), strict=True)
    ]

    assert fussy == plain
