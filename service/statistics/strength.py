"""Bradley-Terry strengths of the models from the votes on comparisons, with intervals from a bootstrap of the votes.

The fit is our own because evalica, the library for it, brings numpy, pandas and scipy: 300 MB, more than a Lambda
function may unpack. The tests hold it to evalica's.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from service.domain import NONE, TIE, Outcome
from service.statistics.schemas import Interval

# Below it a model has no strength: from here on the intervals hold what they promise. Votes for NONE do not count, they
# say nothing of the order.
MIN_DECIDED = 100
RESAMPLES = 399  # with one more, the tails of 2.5 % would not be whole numbers of them

# The share of either tail.
_TAIL = 0.025
# The same counts give the same intervals.
_SEED = 1952
_PRECISION = 1e-9
_ITERATIONS = 500

Pair = tuple[str, str]
Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Cell:
    """An outcome: the votes for it, and what each of them adds to the wins: row, column, one or half a win."""

    votes: int
    wins: tuple[tuple[int, int, float], ...]


def pairwise(votes: Mapping[Outcome, int]) -> tuple[Counter[Pair], Counter[Pair]]:
    """Wins and ties by ordered pair: how often the first was preferred to the second, and found as good as it.

    A vote for one of several is a win over each of the others, TIE a tie of every two, NONE says nothing of the order.
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
    """The strength of each contributor with its 95 % interval; the strengths have the geometric mean 1.

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
    """The logarithms of the strengths that make these wins likeliest, with the mean 0.

    wins[i][j] is how often i won over j, a tie is half a win for each; the matrix must be strongly connected. By
    Newton's method: the usual iterations (Zermelo, Newman) hardly move where two circles of models have rarely met,
    as after an outage of one vendor. A step that moves no two apart by more than 1 is always one for the better.
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
    """The gradient of the log-likelihood, by its curvature."""
    size = len(strengths)
    gradient = [0.0] * size
    # Only differences have curvature: adding ones keeps the mean where it is and the equations solvable.
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
    """The solution of the equations, by elimination in place; a positive definite matrix needs no pivoting."""
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
    """Fits to the Bayesian bootstrap (Rubin 1981) of the votes.

    Votes are what is drawn, not the pair results, several of which hang on one vote. Each vote weighs Exp(1), so all of
    an outcome together weigh Gamma(votes): it costs as much for a million votes as for a hundred.
    """
    chance = random.Random(_SEED)
    for _ in range(resamples):
        weights = (chance.gammavariate(cell.votes, 1.0) for cell in cells)
        yield fit(_matrix(cells, weights, len(fitted)), fitted)


def _interval(value: float, draws: Sequence[float]) -> Interval:
    """The strength whose logarithm was fitted, between those that cut off the tails of what was drawn."""
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
    """What of the outcomes is about two of these contributors or more, always in the same order."""
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
    """Whether everybody has won over everybody else, if only by way of third ones; False for fewer than two."""
    everybody = set(range(len(wins)))
    reversed_ = list(zip(*wins, strict=True))
    return len(wins) > 1 and _reached(wins) == everybody == _reached(reversed_)


def _reached(wins: Matrix) -> set[int]:
    reached, new = {0}, [0]
    while new:
        row = wins[new.pop()]
        found = {column for column, count in enumerate(row) if count} - reached
        reached |= found
        new += found
    return reached
