"""How often each model would be picked if all sayings were equally long: a conditional logit over the ballots.

People like longer sayings more, or less, and the models differ in how much they write. The logit takes the share of
the length, of the time of arrival and of the slot out of the preference for a model (McFadden 1974, Conditional Logit
Analysis of Qualitative Choice Behavior). Its libraries are far too large to ship, so that only the command
`python -m service analyse` imports this module.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from statsmodels.base.model import GenericLikelihoodModel  # type: ignore[import-untyped]
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups  # type: ignore[import-untyped]

from service.domain import SLOTS, Entry, Standing
from service.errors import AnalysisImpossible
from service.statistics.choices import MIN_BALLOTS
from service.statistics.schemas import AnalysedModel, Analysis, Interval
from service.store.base import StoredBallot
from service.store.wilson import SIGMAS

MIN_CHOICES = 200
# The variance is estimated from so many voters, and from so many comparisons, at least.
MIN_CLUSTERS = 30

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """A ballot that picked the saying in the slot `best` among all that were shown. `shown` has at least two."""

    voter: str
    comparison_id: str
    shown: tuple[Entry, ...]
    best: str

    @property
    def picked(self) -> Entry:
        return next(entry for entry in self.shown if entry.slot == self.best)


def choice(stored: StoredBallot) -> Choice | None:
    """The choice of a ballot, or None if it does not count or did not pick one of several sayings."""
    ballot, comparison = stored.ballot, stored.comparison
    shown = tuple(entry for entry in comparison.entries if entry.saying is not None and entry.latency_ms is not None)
    if ballot.standing is not Standing.COUNTED or ballot.winner is None:
        return None
    return _chosen(Choice(ballot.voter, comparison.comparison_id, shown, ballot.winner))


def analysis(choices: Sequence[Choice], *, simulated: bool, now: float) -> Analysis:
    """The analysis of the choices. `now` is in seconds since the epoch. Raises AnalysisImpossible.

    Models in fewer than MIN_BALLOTS choices are left out. The intervals allow for tastes of voters and for differences
    between comparisons.
    """
    choices = _of_models_with_enough(choices)
    _check(choices)
    models = sorted({entry.model for choice in choices for entry in choice.shown})
    table = _Table(choices, models)
    columns = len(models) - 1
    plain, full = _fit(table, table.features[:, :, :columns]), _fit(table, table.features)
    length, arrival, *slots = (full.factor(column) for column in range(columns, table.features.shape[2]))
    return Analysis(
        generated_at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}",
        simulated=simulated,
        ballots=len(choices),
        voters=len({choice.voter for choice in choices}),
        comparisons=len({choice.comparison_id for choice in choices}),
        models=[
            AnalysedModel(model, plain.picked(index, len(models)), full.picked(index, len(models)))
            for index, model in enumerate(models)
        ],
        length=length,
        length_deviation=table.length_deviation,
        arrival=arrival,
        slots=dict(zip(SLOTS[1:], slots, strict=True)),
    )


def _chosen(choice: Choice) -> Choice | None:
    """The choice, if it was one."""
    return choice if len(choice.shown) > 1 and choice.best in {entry.slot for entry in choice.shown} else None


def _of_models_with_enough(choices: Iterable[Choice]) -> list[Choice]:
    """The choices among the models that were shown in enough of them, as if there had been no others.

    That one may leave options out follows from the model: what is preferred to what does not depend on a third.
    """
    choices = list(choices)
    ballots = Counter(entry.model for choice in choices for entry in choice.shown)
    enough = {model for model, count in ballots.items() if count >= MIN_BALLOTS}
    among = (
        replace(choice, shown=tuple(entry for entry in choice.shown if entry.model in enough)) for choice in choices
    )
    return [choice for choice in map(_chosen, among) if choice is not None]


def _check(choices: Sequence[Choice]) -> None:
    for what, count, minimum in (
        ("ballots that picked one of several models", len(choices), MIN_CHOICES),
        ("voters", len({choice.voter for choice in choices}), MIN_CLUSTERS),
        ("comparisons", len({choice.comparison_id for choice in choices}), MIN_CLUSTERS),
    ):
        if count < minimum:
            raise AnalysisImpossible(f"There are {count} {what}, and at least {minimum} are needed.")
    shown = {entry.model for choice in choices for entry in choice.shown}
    never = shown - {choice.picked.model for choice in choices}
    if never:
        raise AnalysisImpossible(f"{', '.join(sorted(never))} has never been picked.")


class _Table:
    """The choices as arrays: `features` is of choices × slots × columns, and `shown` of choices × slots.

    The columns are the models except the first, the length and the logarithm of the latency, which are standardised,
    and the slots except the first.
    """

    def __init__(self, choices: Sequence[Choice], models: Sequence[str]) -> None:
        self.picked = np.array([SLOTS.index(choice.best) for choice in choices])
        self.voters = _numbers(choice.voter for choice in choices)
        self.comparisons = _numbers(choice.comparison_id for choice in choices)
        self.shown = np.zeros((len(choices), len(SLOTS)), bool)
        model = np.zeros((*self.shown.shape, len(models)))
        measures = np.zeros((*self.shown.shape, 2))
        for row, choice in enumerate(choices):
            for entry in choice.shown:
                cell = row, SLOTS.index(entry.slot)
                self.shown[cell] = True
                model[*cell, models.index(entry.model)] = 1
                measures[cell] = len(entry.saying or ""), math.log(max(entry.latency_ms or 0.0, 1e-3))
        mean, deviation = measures[self.shown].mean(axis=0), measures[self.shown].std(axis=0)
        self.length_deviation = float(deviation[0])
        standardised = (measures - mean) / np.where(deviation, deviation, 1.0)
        slot = np.broadcast_to(np.eye(len(SLOTS)), (len(choices), len(SLOTS), len(SLOTS)))
        self.features = np.concatenate([model[:, :, 1:], standardised, slot[:, :, 1:]], axis=2)
        self.features[~self.shown] = 0.0


class _ConditionalLogit(GenericLikelihoodModel):  # type: ignore[misc]
    """The chance to be picked is in proportion to the exponential of the sum of the features, each with its weight.

    statsmodels has a model of this name, which takes minutes for some thousand ballots.
    """

    def __init__(self, table: _Table, features: _Array) -> None:
        self._rows = np.arange(len(features))
        super().__init__(table.picked, features=features, shown=table.shown)

    def loglikeobs(self, params: _Array) -> _Array:
        appeal = np.where(self.shown, self.features @ params, -np.inf)
        chances: _Array = appeal[self._rows, self.endog.astype(int)] - np.logaddexp.reduce(appeal, axis=1)
        return chances


@dataclass(frozen=True, slots=True)
class _Fit:
    """The weights of the features, and their covariances by several clusterings, of which the largest counts."""

    weights: _Array
    covariances: tuple[_Array, ...]

    def factor(self, column: int) -> Interval:
        """The factor of the odds for a column that is larger by 1."""
        gradient = np.zeros_like(self.weights)
        gradient[column] = 1.0
        value, reach = self.weights[column], self._reach(gradient)
        return Interval(*(math.exp(end) for end in (value, value - reach, value + reach)))

    def picked(self, model: int, models: int) -> Interval:
        """How often the model is picked among all of the models, whose weights come first."""
        strengths = np.concatenate([[0.0], self.weights[: models - 1]])
        others = np.delete(strengths, model)
        value = strengths[model] - np.logaddexp.reduce(others)
        by_strength = np.insert(-np.exp(others - np.logaddexp.reduce(others)), model, 1.0)
        gradient = np.zeros_like(self.weights)
        gradient[: models - 1] = by_strength[1:]
        reach = self._reach(gradient)
        return Interval(*(float(1 / (1 + np.exp(-end))) for end in (value, value - reach, value + reach)))

    def _reach(self, gradient: _Array) -> float:
        return SIGMAS * math.sqrt(max(float(gradient @ covariance @ gradient) for covariance in self.covariances))


def _fit(table: _Table, features: _Array) -> _Fit:
    """The fit, with covariances clustered by voter, by comparison, and by both. Raises AnalysisImpossible."""
    within = (features - features.sum(axis=1, keepdims=True) / table.shown.sum(axis=1)[:, None, None])[table.shown]
    if np.linalg.matrix_rank(within) < features.shape[2]:
        raise AnalysisImpossible("Models, lengths, latencies and slots differ too little to be told apart.")
    found = _ConditionalLogit(table, features).fit(start_params=np.zeros(features.shape[2]), method="bfgs", disp=False)
    if not found.mle_retvals["converged"]:
        raise AnalysisImpossible("The fit to the ballots has not converged.")
    both, by_voter, by_comparison = cov_cluster_2groups(found, table.voters, table.comparisons)
    return _Fit(found.params, (both, by_voter, by_comparison, found.cov_params()))


def _numbers(names: Iterable[str]) -> _Array:
    """A number for each name, the same for the same one."""
    return np.unique(list(names), return_inverse=True)[1]
