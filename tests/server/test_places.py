"""Who gets a place, and who has to give one up, without any connection."""

import pytest

from service.resilience.networks import networks
from service.server.places import IDLE_CHECK_SECONDS, Doors, Networks, Places, Room
from tests.support import Clock

ANN, BEN, CAT = (networks(f"192.0.2.{number}") for number in (1, 2, 3))


class Guest:
    """A connection that has asked nothing yet, unless it is made busy."""

    def __init__(self, networks: Networks, *, is_spare: bool) -> None:
        self.networks = networks
        self.is_spare = is_spare
        self.is_idle = False
        self.is_waiting = True
        self.is_dismissed = False

    def dismiss(self) -> None:
        self.is_dismissed = True


class Entrance:
    """Doors that guests enter as connections do."""

    def __init__(self, most: int, per_address: int) -> None:
        self.clock = Clock()
        self.doors: Doors[Guest] = Doors(most, per_address, self.clock)

    def enter(self, networks: Networks, count: int = 1, *, waiting: bool = True) -> list[Guest]:
        """So many guests of these networks, of which only those are returned who were let in."""
        guests = []
        for _ in range(count):
            room = self.doors.make_room(networks)
            if room is not Room.NONE:
                guest = Guest(networks, is_spare=room is Room.SPARE)
                guest.is_waiting = waiting
                self.doors.enter(guest)
                guests.append(guest)
        return guests


def places_of(guests: list[Guest]) -> list[str]:
    return ["dismissed" if guest.is_dismissed else "spare" if guest.is_spare else "full" for guest in guests]


def test_an_address_has_its_bound_in_full_and_as_many_spare_places() -> None:
    entrance = Entrance(most=10, per_address=3)

    busy = entrance.enter(ANN, 10, waiting=False)
    other = entrance.enter(BEN)

    assert places_of(busy) == ["full"] * 3 + ["spare"] * 3
    assert places_of(other) == ["full"]


def test_no_network_has_more_than_half_of_the_places() -> None:
    entrance = Entrance(most=10, per_address=100)

    assert places_of(entrance.enter(ANN, 20, waiting=False)).count("full") == 5


@pytest.mark.parametrize("most", [1, 2, 3])
def test_every_address_can_have_a_place_of_the_smallest_server(most: int) -> None:
    entrance = Entrance(most, per_address=64)

    assert places_of(entrance.enter(ANN)) == ["full"]


def test_a_48_network_has_four_times_the_bound_of_a_64() -> None:
    entrance = Entrance(most=100, per_address=2)

    of_one = entrance.enter(networks("2001:db8:0:1::/64"), 9, waiting=False)
    of_the_site = [entrance.enter(networks(f"2001:db8:0:{n:x}::/64"), 1, waiting=False)[0] for n in range(2, 12)]
    elsewhere = entrance.enter(networks("2001:db8:1::/64"))

    assert places_of(of_one).count("full") == 2
    assert places_of(of_the_site) == ["full"] * 6 + ["spare"] * 4
    assert places_of(elsewhere) == ["full"]


def test_beyond_its_bound_an_address_pushes_out_its_own_oldest() -> None:
    entrance = Entrance(most=10, per_address=3)

    other = entrance.enter(BEN)
    flood = entrance.enter(ANN, 5)

    assert places_of(flood) == ["dismissed"] * 2 + ["full"] * 3
    assert places_of(other) == ["full"]


def test_in_a_full_server_the_greediest_address_gives_way() -> None:
    entrance = Entrance(most=5, per_address=3)
    greedy = entrance.enter(ANN, 2)
    others = entrance.enter(BEN, 2, waiting=False) + entrance.enter(CAT)

    newcomer = entrance.enter(networks("192.0.2.4"))

    assert places_of(greedy) == ["dismissed", "full"]
    assert places_of(others + newcomer) == ["full"] * 4


def test_addresses_with_as_little_as_the_newcomer_do_not_give_way() -> None:
    entrance = Entrance(most=3, per_address=3)
    others = entrance.enter(ANN) + entrance.enter(BEN) + entrance.enter(CAT)

    newcomer = entrance.enter(networks("192.0.2.4"))

    assert places_of(others) == ["full"] * 3
    assert places_of(newcomer) == ["spare"]


def test_an_idle_connection_gives_way_to_any_address() -> None:
    entrance = Entrance(most=3, per_address=3)
    others = entrance.enter(ANN) + entrance.enter(BEN) + entrance.enter(CAT)
    others[1].is_idle = True

    newcomer = entrance.enter(networks("192.0.2.4"))

    assert places_of(others) == ["full", "dismissed", "full"]
    assert places_of(newcomer) == ["full"]


def test_a_flood_does_not_have_all_connections_looked_at_each_time() -> None:
    entrance = Entrance(most=2, per_address=3)
    others = entrance.enter(ANN) + entrance.enter(BEN)
    entrance.enter(CAT)
    others[0].is_idle = True

    at_once = entrance.enter(networks("192.0.2.4"))
    entrance.clock.forward(IDLE_CHECK_SECONDS)
    later = entrance.enter(networks("192.0.2.5"))

    assert places_of(at_once) == ["spare"]
    assert places_of(later) == ["full"]


def test_a_pending_request_is_never_cut_off() -> None:
    entrance = Entrance(most=2, per_address=2)
    busy = [guest for address in (ANN, BEN, CAT) for guest in entrance.enter(address, 2, waiting=False)]

    assert entrance.enter(networks("192.0.2.4")) == []
    assert not any(guest.is_dismissed for guest in busy)
    assert places_of(busy) == ["full", "spare", "full", "spare"]


def test_the_newest_of_a_flood_from_many_addresses_can_ask() -> None:
    entrance = Entrance(most=3, per_address=3)

    flood = [entrance.enter(networks(f"192.0.2.{number}"))[0] for number in range(100)]

    assert places_of(flood) == ["full"] * 3 + ["dismissed"] * 94 + ["spare"] * 3


def test_clients_without_a_network_share_only_the_whole() -> None:
    entrance = Entrance(most=4, per_address=1)

    assert places_of(entrance.enter((), 6, waiting=False)) == ["full"] * 4 + ["spare"] * 2


def test_a_place_that_is_given_back_can_be_taken_again() -> None:
    entrance = Entrance(most=4, per_address=2)
    [first, second] = entrance.enter(ANN, 2, waiting=False)

    for _ in range(2):  # as a connection does that is dismissed first and then lost
        entrance.doors.leave(first)
    again = entrance.enter(ANN, 2, waiting=False)

    assert places_of([second, *again]) == ["full", "full", "spare"]


def test_one_connection_is_dismissed_a_spare_one_if_possible() -> None:
    entrance = Entrance(most=2, per_address=1)
    guests = [guest for address in (ANN, BEN, CAT) for guest in entrance.enter(address)]

    for _ in range(4):
        entrance.doors.dismiss_one()

    assert [(guest.is_spare, guest.is_dismissed) for guest in guests] == [(False, True), (False, True), (True, True)]


def test_nothing_is_remembered_of_networks_that_have_left() -> None:
    places: Places[Guest] = Places(10, 5)
    guests = [Guest(networks(f"2001:db8:{number:x}::/64"), is_spare=False) for number in range(5)]

    for guest in guests:
        places.take(guest)
    for guest in guests:
        places.leave(guest)

    assert places._by_network == {}
