"""`python -m service analyse`: how often models are picked at equal length, for the operator and for GET /stats."""

import math
import random
import statistics
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from statsmodels.discrete.conditional_models import ConditionalLogit  # type: ignore[import-untyped]

from service.cli.commands import carry_out, parse
from service.config import Settings
from service.domain import SLOTS, Ballot, Comparison, Entry, model_source
from service.errors import AnalysisImpossible
from service.statistics.analysis import Choice, analysis
from service.statistics.report import report
from service.statistics.schemas import Analysis, Interval
from service.store.base import Aggregates
from service.store.sqlite import SqliteStore
from tests.fakes import the_line_up
from tests.statistics.worlds import show
from tests.store.builders import CAST_AT
from tests.support import NAMES

# How much longer than the average each model writes, in characters. Equal models get what their lengths bring them.
LONGER = dict(zip(NAMES, (-52.0, -6.0, 16.0, 42.0), strict=True))
CHARACTERS, TASTE = 26.0, 0.5


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that name the database of the fixture `store`."""
    return Settings(store=f"sqlite:///{tmp_path}/sayings.db")


def written(number: int, chance: random.Random, models: tuple[str, ...] = tuple(NAMES)) -> Comparison:
    """A comparison of equal models that differ in the lengths of what they write."""
    order = chance.sample(models, len(models))
    entries = (
        Entry(slot, model, model_source(NAMES[model], simulated=False), text, None, chance.lognormvariate(7, 0.5), None)
        for slot, model in zip(SLOTS, order, strict=False)
        if (text := "x" * max(20, round(chance.gauss(150 + LONGER[model], CHARACTERS))))
    )
    return Comparison(f"{number:032x}", "Amazon S3", False, CAST_AT - 60, tuple(entries))


def preferred(comparison: Comparison, chance: random.Random) -> str:
    """The slot that is picked by somebody who likes longer sayings, and nothing else."""
    deviation = math.hypot(CHARACTERS, statistics.pstdev(LONGER.values()))
    appeal = [math.exp(TASTE * len(entry.saying or "") / deviation) for entry in comparison.entries]
    return chance.choices([entry.slot for entry in comparison.entries], appeal)[0]


def choices(count: int, models: tuple[str, ...] = tuple(NAMES)) -> list[Choice]:
    """Choices by a hundred voters, each on a comparison of its own."""
    chance = random.Random(count)
    made = [written(number, chance, models) for number in range(count)]
    return [
        Choice(f"voter {number % 100}", one.comparison_id, one.entries, preferred(one, chance))
        for number, one in enumerate(made)
    ]


async def vote(store: SqliteStore, *, comparisons: int) -> None:
    """Give each comparison six ballots by sixty voters; the last ballot is for none."""
    chance = random.Random(16)
    for number in range(comparisons):
        comparison = written(number, chance)
        *choosing, undecided = (f"voter {voter}" for voter in chance.sample(range(60), 6))
        await store.put_comparison(comparison, Ballot(comparison.comparison_id, undecided, CAST_AT - 60))
        await store.cast_ballot(comparison.comparison_id, undecided, "none", at=CAST_AT)
        for voter in choosing:
            await store.show_comparison(Ballot(comparison.comparison_id, voter, CAST_AT - 60))
            await store.cast_ballot(comparison.comparison_id, voter, preferred(comparison, chance), at=CAST_AT)


def strengths(shares: Iterable[Interval]) -> list[float]:
    """How often each is picked, relative to the (geometric) mean."""
    values = [share.value or 0.0 for share in shares]
    return [value / statistics.geometric_mean(values) for value in values]


def holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low < truth < interval.high


@pytest.mark.slow
async def test_equal_models_of_unequal_lengths_are_equal_at_equal_length(
    store: SqliteStore, settings: Settings
) -> None:
    await vote(store, comparisons=240)

    code = await carry_out(parse(["analyse"]), settings)

    found = msgspec.json.decode(await store.analysis() or "", type=Analysis)
    assert (code, found.ballots, found.voters, found.comparisons) == (0, 1200, 60, 240)
    before = strengths(model.picked for model in found.models)
    after = strengths(model.adjusted for model in found.models)
    show(f"strengths {min(before):.2f} to {max(before):.2f}, at equal length {min(after):.2f} to {max(after):.2f}")
    assert (min(before), max(before)) == pytest.approx((0.54, 1.60), abs=0.1)
    assert (min(after), max(after)) == pytest.approx((0.92, 1.11), abs=0.1)
    assert not any(holds(model.picked, 0.25) for model in found.models if abs(LONGER[model.model]) > 40)
    assert all(holds(model.adjusted, 0.25) for model in found.models)
    assert holds(found.length, math.exp(TASTE))
    assert all(holds(factor, 1.0) for factor in (found.arrival, *found.slots.values()))


async def test_the_result_is_shown_and_is_in_the_statistics(
    store: SqliteStore, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await vote(store, comparisons=45)

    code = await carry_out(parse(["analyse"]), settings)

    shown, stored = capsys.readouterr().out, await store.analysis()
    assert code == 0
    assert "From 225 ballots by " in shown
    assert all(model in shown for model in NAMES)
    assert in_the_report(stored) == msgspec.json.decode(stored or "", type=Analysis)
    assert in_the_report(stored, simulated=True) is None


@pytest.mark.parametrize("stored", [None, "", "{", "[]", '{"ballots": 3}'])
def test_what_is_no_analysis_of_this_version_is_not_in_the_statistics(stored: str | None) -> None:
    assert in_the_report(stored) is None


def in_the_report(stored: str | None, *, simulated: bool = False) -> Analysis | None:
    return report(Aggregates(), the_line_up(), simulated=simulated, now=CAST_AT, analysis=stored).analysis


async def test_too_few_ballots_are_said_to_be_too_few_and_nothing_is_stored(
    store: SqliteStore, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await vote(store, comparisons=39)

    code = await carry_out(parse(["analyse"]), settings)

    said = "There are 195 ballots that picked one of several models, and at least 200 are needed. Nothing is stored.\n"
    assert (code, capsys.readouterr().err) == (1, said)
    assert await store.analysis() is None


async def test_without_its_library_the_command_says_what_to_install(
    store: SqliteStore, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "service.statistics.analysis")
    monkeypatch.setitem(sys.modules, "statsmodels.base.model", None)

    code = await carry_out(parse(["analyse"]), settings)

    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (1, 1)
    assert "`pip install -r requirements/analyse.txt`" in said


def test_a_model_that_was_never_picked_is_named() -> None:
    last = [*NAMES][-1]
    without_wins = [replace(each, best=each.shown[0].slot) for each in choices(300) if each.shown[0].model != last]

    with pytest.raises(AnalysisImpossible, match=f"{last} has never been picked."):
        analysis(without_wins, simulated=False, now=CAST_AT)


def test_a_model_that_was_hardly_shown_is_left_out() -> None:
    others = [*NAMES][:-1]
    old = choices(300, tuple(others))

    found = analysis([*old, *choices(40)], simulated=False, now=CAST_AT)

    assert [model.model for model in found.models] == others
    assert 300 < found.ballots < 340


def test_the_values_are_those_of_statsmodels_own_conditional_logit() -> None:
    given = choices(250)
    entries = [(number, entry, choice.best) for number, choice in enumerate(given) for entry in choice.shown]
    lengths, latencies = (
        (values - values.mean()) / values.std()
        for values in (
            np.array([len(entry.saying or "") for _, entry, _ in entries]),
            np.log([entry.latency_ms or 0.0 for _, entry, _ in entries]),
        )
    )
    dummies = [[entry.model == name for name in sorted(NAMES)[1:]] for _, entry, _ in entries]
    slots = [[entry.slot == slot for slot in SLOTS[1:]] for _, entry, _ in entries]
    features = np.column_stack([dummies, lengths, latencies, slots]).astype(float)

    found = analysis(given, simulated=False, now=CAST_AT)

    picked = np.array([float(entry.slot == best) for _, entry, best in entries])
    groups = np.array([number for number, _, _ in entries])
    theirs = ConditionalLogit(picked, features, groups=groups).fit(disp=False).params
    ours = [found.length, found.arrival, *found.slots.values()]
    assert [factor.value for factor in ours] == pytest.approx(np.exp(theirs[3:]), rel=1e-3)
    strength = np.exp([0.0, *theirs[:3]])
    assert [model.adjusted.value for model in found.models] == pytest.approx(strength / strength.sum(), rel=1e-3)
