"""Luce's choice model: a fit of strengths to choices, by Newton's method.

Each choice picks one of the models shown, with a chance in proportion to its strength (Luce 1959, Individual Choice
Behavior). We fit it ourselves, because the libraries for it need numpy and scipy, which are larger than a Lambda
function may be. The tests compare the fit with theirs.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

# The models shown, as indices, and how often each of them was picked, in the same order.
Wins = Mapping[tuple[int, ...], Sequence[float]]

_PRECISION = 1e-9
_ITERATIONS = 100


def fit(wins: Wins, start: Sequence[float]) -> list[float]:
    """The logarithms of the strengths that make these wins most likely. Their mean stays that of `start`.

    Newton's method, because the usual iterations (Zermelo, Hunter) hardly move when two groups of models have rarely
    met, as after an outage of one vendor. A step that moves no two models apart by more than 1 improves the fit.
    """
    fitted = list(start)
    for _ in range(_ITERATIONS):
        step = _solved(_curvature(wins, fitted), _gradient(wins, fitted))
        reach = max(step) - min(step)
        fitted = [strength + change / max(1.0, reach) for strength, change in zip(fitted, step, strict=True)]
        if reach < _PRECISION:
            break
    return fitted


def log_odds(strengths: Sequence[float], model: int, rivals: Sequence[int]) -> float:
    """The logarithm of the odds that the model is picked when it is shown with these rivals."""
    return strengths[model] - math.log(math.fsum(math.exp(strengths[rival]) for rival in rivals))


def log_odds_variance(wins: Wins, strengths: Sequence[float], model: int, rivals: Sequence[int]) -> float:
    """The variance of the log odds if all choices are independent, from the curvature of the likelihood."""
    gradient = [0.0] * len(strengths)
    gradient[model] = 1.0
    for rival, chance in zip(rivals, _chances(strengths, rivals), strict=True):
        gradient[rival] = -chance
    solved = _solved(_curvature(wins, strengths), list(gradient))
    return math.fsum(one * other for one, other in zip(gradient, solved, strict=True))


def _chances(strengths: Sequence[float], shown: Sequence[int]) -> list[float]:
    """The chance of each of the models shown to be picked."""
    largest = max(strengths[model] for model in shown)
    weights = [math.exp(strengths[model] - largest) for model in shown]
    together = sum(weights)
    return [weight / together for weight in weights]


def _gradient(wins: Wins, strengths: Sequence[float]) -> list[float]:
    gradient = [0.0] * len(strengths)
    for shown, counts in wins.items():
        choices = sum(counts)
        for model, count, chance in zip(shown, counts, _chances(strengths, shown), strict=True):
            gradient[model] += count - choices * chance
    return gradient


def _curvature(wins: Wins, strengths: Sequence[float]) -> list[list[float]]:
    """The negative second derivatives of the log-likelihood.

    Only differences of strengths have any. Adding ones makes the equations solvable, and keeps the mean where it is.
    """
    size = len(strengths)
    curvature = [[1.0] * size for _ in range(size)]
    for shown, counts in wins.items():
        choices, expected = sum(counts), _chances(strengths, shown)
        for one, chance in zip(shown, expected, strict=True):
            curvature[one][one] += choices * chance
            for other, its_chance in zip(shown, expected, strict=True):
                curvature[one][other] -= choices * chance * its_chance
    return curvature


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve the linear equations by elimination in place. A positive definite matrix needs no pivoting."""
    size = len(right)
    for k, i in combinations(range(size), 2):
        factor = matrix[i][k] / matrix[k][k]
        right[i] -= factor * right[k]
        for j in range(k, size):
            matrix[i][j] -= factor * matrix[k][j]
    for i in reversed(range(size)):
        known = sum(matrix[i][j] * right[j] for j in range(i + 1, size))
        right[i] = (right[i] - known) / matrix[i][i]
    return right
