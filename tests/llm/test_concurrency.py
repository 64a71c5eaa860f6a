"""Model calls with a client waiting have a fixed number of places, of which one client gets half."""

import pytest

from service.errors import ModelsBusy
from service.llm.concurrency import LiveCalls
from service.resilience.networks import SITE_SHARE

ANN, BOB = "192.0.2.1", "192.0.2.2"


def test_there_are_no_more_places_than_there_are() -> None:
    calls = LiveCalls(6)
    calls.take(6)

    with pytest.raises(ModelsBusy):
        calls.take(1)

    calls.give_back(1)
    calls.take(1)


def test_one_client_leaves_half_to_others() -> None:
    calls = LiveCalls(16)
    calls.take(4, ANN)
    calls.take(4, ANN)

    with pytest.raises(ModelsBusy):
        calls.take(4, ANN)

    calls.take(4, BOB)
    calls.give_back(4, ANN)
    calls.take(4, ANN)


def test_a_client_without_a_place_may_always_have_one_comparison() -> None:
    calls = LiveCalls(4)

    calls.take(4, ANN)

    with pytest.raises(ModelsBusy):
        calls.take(1, ANN)


def test_networks_of_one_site_have_what_four_clients_have() -> None:
    calls = LiveCalls(100)
    site = [f"2001:db8:0:{number}::/64" for number in range(SITE_SHARE + 1)]
    calls.give_back(200)
    for network in site[:SITE_SHARE]:
        calls.take(50, network)

    with pytest.raises(ModelsBusy):
        calls.take(1, site[SITE_SHARE])


def test_what_was_given_back_is_forgotten() -> None:
    calls = LiveCalls(4)

    for number in range(100):
        with calls.holding(2, f"192.0.2.{number}"):
            pass

    assert not calls._held
