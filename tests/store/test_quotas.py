"""Which votes and ballots count: what an address, a voter and a comparison may give, and what nobody gives honestly."""

from dataclasses import replace

import pytest

from service.domain import COLLECTION, Attribution, Standing
from service.limits import Quotas
from service.store.base import Counts
from service.store.quotas import NetworkTally, ballot_standing, is_implausible, vote_standing

BLIND, NAMED = Attribution.BLIND, Attribution.NAMED
QUOTAS = Quotas(address_votes=16, voter_model_votes=3, comparison_ballots=2)  # so two on one model, of each kind
FULL = NetworkTally(counted={(BLIND, f"model {n}"): 2 for n in range(8)})


@pytest.mark.parametrize(
    ("network", "standing"),
    [
        (NetworkTally(), Standing.COUNTED),
        (NetworkTally(counted={(BLIND, "ours"): 2}), Standing.SET_ASIDE),
        (NetworkTally(counted={(NAMED, "ours"): 2}), Standing.COUNTED),
        (NetworkTally(counted={(BLIND, "ours"): 2}, share=2), Standing.COUNTED),
        (FULL, Standing.SET_ASIDE),
        (replace(FULL, share=2), Standing.COUNTED),
        (NetworkTally(is_aside=True), Standing.SET_ASIDE),
    ],
)
def test_a_network_has_votes_for_each_model_and_for_all(network: NetworkTally, standing: Standing) -> None:
    assert vote_standing(BLIND, "ours", [NetworkTally(), network], 0, QUOTAS) is standing


def test_a_voter_has_few_votes_on_one_model() -> None:
    standings = [vote_standing(BLIND, "ours", [], votes, QUOTAS) for votes in (2, 3)]

    assert standings == [Standing.COUNTED, Standing.SET_ASIDE]


def test_a_vote_without_a_token_is_unverified_and_the_collection_has_no_limits() -> None:
    assert vote_standing(None, "ours", [FULL], 9, QUOTAS) is Standing.UNVERIFIED
    assert vote_standing(BLIND, COLLECTION, [FULL], 9, QUOTAS) is Standing.COUNTED


@pytest.mark.parametrize(
    ("network", "ballots", "standing"),
    [
        (NetworkTally(ballots=15), 1, Standing.COUNTED),
        (NetworkTally(ballots=16), 1, Standing.SET_ASIDE),
        (NetworkTally(), 2, Standing.SET_ASIDE),
        (NetworkTally(is_aside=True), 0, Standing.SET_ASIDE),
    ],
)
def test_a_network_and_a_comparison_have_ballots(network: NetworkTally, ballots: int, standing: Standing) -> None:
    assert ballot_standing([network], ballots, QUOTAS) is standing


@pytest.mark.parametrize(
    ("given", "implausible"),
    [
        ({"ours": Counts(10, 10)}, False),
        ({"ours": Counts(13, 13)}, True),
        ({"ours": Counts(10, 10), "b": Counts(10, 0), "c": Counts(10, 0)}, True),
        ({"ours": Counts(10, 0), "b": Counts(10, 10), "c": Counts(10, 10)}, True),
        ({name: Counts(8, 8) for name in "abcd"}, False),
        ({"a": Counts(8, 7), "b": Counts(8, 4), "c": Counts(8, 3), "d": Counts(8, 2)}, False),
        ({}, False),
    ],
)
def test_what_goes_by_the_author_is_implausible(given: dict[str, Counts], implausible: bool) -> None:
    assert is_implausible(given, models=4) is implausible


def test_an_unknown_number_of_models_is_that_of_those_voted_on() -> None:
    assert not is_implausible({"ours": Counts(100, 100)}, models=0)


def test_a_flood_is_not_judged() -> None:
    assert not is_implausible({"ours": Counts(100_000, 100_000)}, models=4)
