"""Bradley-Terry strengths equal the reference implementation's, and are absent where no finite ones exist."""

import random
from collections.abc import Iterator
from itertools import combinations

import pytest
from evalica import Winner, bradley_terry

from service.domain import NONE, TIE, Outcome
from service.statistics.strength import MIN_DECIDED, pairwise, strengths

ALL = ("a", "b", "c", "d")


def votes_on_all(*wins: int, ties: int) -> dict[Outcome, int]:
    return {Outcome(ALL, result): count for result, count in zip((*ALL, TIE), (*wins, ties), strict=True)}


def random_votes(chance: random.Random) -> dict[Outcome, int]:
    """Votes on comparisons of all or some of up to six models, some liked far more than others."""
    names = "abcdef"[: chance.randint(2, 6)]
    appeal = {name: chance.lognormvariate(0, 1) for name in names}
    shown = [found for size in (2, 3, 4) for found in combinations(names, size) if size < 3 or chance.random() < 0.7]
    return {
        Outcome(some, result): 30 + int(500 * chance.random() * appeal.get(result, 0.3))
        for some in shown
        for result in (*some, TIE, NONE)
    }


def as_pairs(votes: dict[Outcome, int]) -> Iterator[tuple[str, str, Winner, float]]:
    for outcome, count in votes.items():
        for one, other in combinations(outcome.contributors, 2):
            if outcome.result in (one, other, TIE):
                winner = {one: Winner.X, other: Winner.Y, TIE: Winner.Draw}[outcome.result]
                yield one, other, winner, float(count)


@pytest.mark.parametrize("seed", range(20))
def test_strengths_are_those_of_evalica(seed: int) -> None:
    votes = random_votes(random.Random(seed))
    xs, ys, winners, weights = zip(*as_pairs(votes), strict=True)
    reference = bradley_terry(
        xs, ys, winners, weights=list(weights), win_weight=1, tie_weight=0.5, tolerance=1e-10, limit=10_000
    )

    ours = {name: interval.value for name, interval in strengths(votes, resamples=39).items()}

    assert ours == pytest.approx(reference.scores.to_dict(), rel=1e-6)


def test_a_choice_beats_every_other_and_a_tie_ties_every_pair() -> None:
    wins, ties = pairwise({Outcome(ALL, "b"): 5, Outcome(("a", "b", "c"), TIE): 3, Outcome(("a", "b"), NONE): 7})

    assert wins == {("b", "a"): 5, ("b", "c"): 5, ("b", "d"): 5}
    assert ties == dict.fromkeys([("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")], 3)


def test_the_same_counts_give_the_same_intervals_in_whatever_order() -> None:
    votes = votes_on_all(90, 70, 50, 30, ties=20) | {Outcome(ALL, NONE): 10}

    found = strengths(votes)

    assert found == strengths(dict(reversed(votes.items())))
    assert all(one.low < one.value < one.high for one in found.values() if one.low and one.value and one.high)
    assert len(found) == 4


def test_intervals_shrink_with_the_square_root_of_the_votes() -> None:
    votes = votes_on_all(90, 70, 50, 30, ties=20)
    more = {outcome: 10_000 * count for outcome, count in votes.items()}

    widths = [one.high - one.low for one in strengths(votes).values() if one.high and one.low]
    narrower = [one.high - one.low for one in strengths(more).values() if one.high and one.low]

    assert [wide / narrow for wide, narrow in zip(widths, narrower, strict=True)] == pytest.approx([100] * 4, rel=0.25)


@pytest.mark.parametrize(
    "votes",
    [
        {},
        {Outcome(("a", "b"), "a"): 500},  # b has never won
        {Outcome(("a", "b"), NONE): 500},
        {Outcome(("a",), "a"): 500},
        {Outcome(("a", "b"), TIE): 500, Outcome(("c", "d"), TIE): 500},  # two circles that never met
        {Outcome(("a", "b"), TIE): 500, Outcome(("b", "c"), "b"): 500},  # c has never won
        {Outcome(("a", "b"), "a"): 50, Outcome(("a", "b"), "b"): MIN_DECIDED - 51, Outcome(("a", "b"), NONE): 99},
    ],
)
def test_without_a_finite_fit_or_enough_votes_there_are_no_strengths(votes: dict[Outcome, int]) -> None:
    assert strengths(votes) == {}


def test_a_cycle_of_wins_has_strengths_however_little_each_has_lost() -> None:
    votes = {Outcome(("a", "b"), "a"): 100, Outcome(("b", "c"), "b"): 100, Outcome(("a", "c"), "c"): 100}

    values = [one.value for one in strengths(votes).values()]

    assert values == pytest.approx([1.0, 1.0, 1.0])


def test_two_circles_that_rarely_met_are_compared_by_how_they_met() -> None:
    within = {Outcome(pair, name): 5_000 for pair in (("a", "b"), ("c", "d")) for name in pair}
    between = {Outcome(("b", "c"), "b"): 9, Outcome(("b", "c"), "c"): 1}

    found = strengths(within | between)

    assert [one.value for one in found.values()] == pytest.approx([3, 3, 1 / 3, 1 / 3])
    assert found["a"].high == pytest.approx(found["b"].high, rel=0.05)
    assert found["a"].high
    assert found["a"].high > 6  # ten votes are all there is to say how far apart they are


def test_strengths_that_are_worlds_apart_are_found() -> None:
    votes = {Outcome(("a", "b"), "a"): 10**6, Outcome(("a", "b"), "b"): 1, Outcome(("b", "c"), "b"): 10**6}

    found = strengths(votes | {Outcome(("b", "c"), TIE): 2})

    assert [one.value for one in found.values()] == pytest.approx([1e6, 1.0, 1e-6], rel=1e-5)


def test_only_the_model_with_few_votes_lacks_a_strength() -> None:
    votes = {Outcome(("a", "b"), "a"): 100, Outcome(("a", "b"), "b"): 100, Outcome(("a", "b", "c"), "a"): 99}

    found = strengths(votes)

    assert set(found) == {"a", "b"}
    assert found["a"].value == pytest.approx((199 / 100) ** 0.5)  # what c's comparisons say of a and b counts
