"""Truths that votes can be drawn from: how votes on comparisons fall, and the strengths that follow."""

import math
from collections.abc import Mapping
from itertools import combinations

from service.domain import NONE, TIE, Outcome
from service.statistics.strength import fit, pairwise

TIES, NONES = 0.15, 0.1

Shares = dict[Outcome, float]


def luce(shown: tuple[str, ...], appeal: Mapping[str, float], *, ties: float, nones: float) -> Shares:
    """How votes on these models fall by Luce's choice axiom: the rest goes to each in proportion to its appeal."""
    rest = (1 - ties - nones) / sum(appeal[name] for name in shown)
    return {Outcome(shown, name): rest * appeal[name] for name in shown} | {
        Outcome(shown, TIE): ties,
        Outcome(shown, NONE): nones,
    }


def true_strengths(shares: Shares) -> dict[str, float]:
    """What is fitted to infinitely many votes."""
    wins, ties = pairwise({outcome: round(share * 10**12) for outcome, share in shares.items()})
    names = sorted({name for outcome in shares for name in outcome.contributors})
    matrix = [[wins[one, other] + ties[one, other] / 2 for other in names] for one in names]
    return {name: math.exp(value) for name, value in zip(names, fit(matrix, [0.0] * len(names)), strict=True)}


def whole_choices(appeal: Mapping[str, float]) -> Shares:
    return luce(tuple(sorted(appeal)), appeal, ties=TIES, nones=NONES)


def choices_with_failed_slots(appeal: Mapping[str, float]) -> Shares:
    return {
        outcome: weight * share
        for shown, weight in slots_that_failed(tuple(appeal)).items()
        for outcome, share in luce(shown, appeal, ties=TIES, nones=NONES).items()
    }


def slots_that_failed(names: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    """What share of the comparisons shows which of four models: one in five lacks a model, one in ten two of them."""
    everybody = tuple(sorted(names))
    threes, pairs = list(combinations(everybody, 3)), list(combinations(everybody, 2))
    return {everybody: 0.7} | dict.fromkeys(threes, 0.2 / len(threes)) | dict.fromkeys(pairs, 0.1 / len(pairs))
