"""Bradley-Terry strengths of the models from the votes on comparisons, with intervals from a bootstrap of the votes.

We fit them ourselves, because the library for it, evalica, depends on numpy, pandas and scipy: 300 MB, more than a
Lambda function may unpack. The tests compare our fit with evalica's.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from service.domain import NONE, TIE, Outcome
from service.statistics.schemas import Interval

# A model with fewer votes has no strength, because its interval would not be reliable. Votes for NONE do not count
# here, because they do not say anything about the order.
MIN_DECIDED = 100
RESAMPLES = 399  # 2.5 % of one more, 400, is a whole number, so the ends of the interval are resamples

# The share of the distribution in each tail.
_TAIL = 0.025
# A fixed seed, so that the same counts give the same intervals.
_SEED = 1952
_PRECISION = 1e-9
_ITERATIONS = 500

Pair = tuple[str, str]
Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Cell:
    """An outcome: its votes, and what each vote adds to the matrix of wins as (row, column, one or half a win)."""

    votes: int
    wins: tuple[tuple[int, int, float], ...]


def pairwise(votes: Mapping[Outcome, int]) -> tuple[Counter[Pair], Counter[Pair]]:
    """Wins and ties by ordered pair: how often the first was preferred to the second, and how often they were tied.

    A vote for one model is a win over each of the others, TIE is a tie of every pair, and NONE counts for no pair.
    """
    wins: Counter[Pair] = Counter()
    ties: Counter[Pair] = Counter()
    for outcome, count in votes.items():
        for one, other in permutations(outcome.contributors, 2):
            if outcome.result == one:
                wins[one, other] += count
            elif outcome.result == TIE:
                ties[one, other] += count
    return wins, ties


def strengths(votes: Mapping[Outcome, int], *, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """The strength of each contributor with its 95 % interval. The geometric mean of the strengths is 1.

    A model with fewer than MIN_DECIDED votes is left out. Empty when no finite strengths fit the votes: when some
    contributors have never, not even by a tie, won anything from the others (Ford 1957).
    """
    names = _contenders(votes)
    cells = _cells(votes, names)
    wins = _matrix(cells, (cell.votes for cell in cells), len(names))
    if not _is_strongly_connected(wins):
        return {}
    fitted = fit(wins, [0.0] * len(names))
    drawn = zip(*_resampled(cells, fitted, resamples), strict=True)
    return {name: _interval(value, draws) for name, value, draws in zip(names, fitted, drawn, strict=True)}


def fit(wins: Matrix, start: Sequence[float]) -> list[float]:
    """The logarithms of the strengths that make these wins most likely. Their mean is 0.

    wins[i][j] is how often i won against j, where a tie is half a win for each. The matrix must be strongly connected.
    `start` holds the logarithms to begin with. We use Newton's method, because the usual iterations (Zermelo, Newman)
    hardly move when two groups of models have rarely met, as after an outage of one vendor. A step that moves no two
    models apart by more than 1 always improves the fit.
    """
    fitted = list(start)
    for _ in range(_ITERATIONS):
        step = _newton_step(wins, fitted)
        reach = max(step) - min(step)
        fitted = [strength + change / max(1.0, reach) for strength, change in zip(fitted, step, strict=True)]
        if reach < _PRECISION:
            break
    return fitted


def _newton_step(wins: Matrix, strengths: Sequence[float]) -> list[float]:
    """The gradient of the log-likelihood, divided by its curvature."""
    size = len(strengths)
    gradient = [0.0] * size
    # Only differences have curvature. Adding ones makes the equations solvable and keeps the mean where it is.
    curvature = [[1.0] * size for _ in range(size)]
    for i, j in combinations(range(size), 2):
        ratio = math.exp(strengths[j] - strengths[i])
        share, rest = 1 / (1 + ratio), ratio / (1 + ratio)
        surplus = wins[i][j] * rest - wins[j][i] * share
        gradient[i] += surplus
        gradient[j] -= surplus
        bend = (wins[i][j] + wins[j][i]) * share * rest
        curvature[i][i] += bend
        curvature[j][j] += bend
        curvature[i][j] -= bend
        curvature[j][i] -= bend
    return _solved(curvature, gradient)


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


def _resampled(cells: Sequence[_Cell], fitted: Sequence[float], resamples: int) -> Iterable[list[float]]:
    """Fits to resamples of the votes by the Bayesian bootstrap (Rubin 1981).

    It resamples votes and not the results of pairs, because several of these depend on one vote. Each vote has a weight
    from Exp(1), so all votes for an outcome together have a weight from Gamma(votes). That costs as much for a million
    votes as for a hundred.
    """
    chance = random.Random(_SEED)
    for _ in range(resamples):
        weights = (chance.gammavariate(cell.votes, 1.0) for cell in cells)
        yield fit(_matrix(cells, weights, len(fitted)), fitted)


def _interval(value: float, draws: Sequence[float]) -> Interval:
    """The strength with the given logarithm, and as its interval the resampled strengths that cut off the two tails."""
    ordered = sorted(draws)
    tail = round(_TAIL * (len(ordered) + 1))
    return Interval(math.exp(value), math.exp(ordered[tail - 1]), math.exp(ordered[-tail]))


def _contenders(votes: Mapping[Outcome, int]) -> list[str]:
    decided: Counter[str] = Counter()
    for outcome, count in votes.items():
        if outcome.result != NONE and len(outcome.contributors) > 1:
            decided.update(dict.fromkeys(outcome.contributors, count))
    return sorted(name for name, count in decided.items() if count >= MIN_DECIDED)


def _cells(votes: Mapping[Outcome, int], names: Sequence[str]) -> list[_Cell]:
    """The outcomes that concern at least two of these contributors, always in the same order."""
    index = {name: number for number, name in enumerate(names)}
    cells = []
    for outcome, count in sorted(votes.items()):
        wins, ties = pairwise({outcome: 1})
        pairs = [(a, b) for a, b in wins | ties if a in index and b in index]
        if count and pairs:
            entries = ((index[a], index[b], wins[a, b] + ties[a, b] / 2) for a, b in pairs)
            cells.append(_Cell(count, tuple(entries)))
    return cells


def _matrix(cells: Iterable[_Cell], weights: Iterable[float], size: int) -> Matrix:
    matrix = [[0.0] * size for _ in range(size)]
    for cell, weight in zip(cells, weights, strict=True):
        for row, column, wins in cell.wins:
            matrix[row][column] += weight * wins
    return matrix


def _is_strongly_connected(wins: Matrix) -> bool:
    """Whether every model has won against every other, directly or by a chain of wins. False for fewer than two."""
    models = set(range(len(wins)))
    losses = list(zip(*wins, strict=True))
    return len(wins) > 1 and _reached(wins) == models == _reached(losses)


def _reached(wins: Matrix) -> set[int]:
    """The models that the first model reaches by a chain of wins, itself included."""
    reached, new = {0}, [0]
    while new:
        row = wins[new.pop()]
        found = {column for column, count in enumerate(row) if count} - reached
        reached |= found
        new += found
    return reached
