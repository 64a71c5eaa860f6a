"""The names of networks: bounded by address and site, another one every day, and a riddle to whoever reads them."""

import pytest

from service.domain import NetworkDay
from service.errors import StoreError
from service.keys.secret import Secret
from service.limits import DAY_SECONDS
from service.voting.day_secrets import DaySecrets
from service.voting.networks import VoterNetworks
from tests.fakes import FakeStore
from tests.support import RecordingListener

NOON = 20_000.5 * DAY_SECONDS
IPV4, IPV6, NEIGHBOUR = "203.0.113.7", "2001:db8:1:2::/64", "2001:db8:1:3::/64"


@pytest.fixture
def networks(events: RecordingListener) -> VoterNetworks:
    return VoterNetworks(DaySecrets(FakeStore().as_store(), events))


async def test_an_ipv4_address_is_a_network_of_its_own(networks: VoterNetworks) -> None:
    [network] = await networks.on(IPV4, NOON)

    day, _, name = network.name.partition("/")
    assert (day, len(name), network.share) == ("2024-10-04", 32, 1)
    assert await networks.on("203.0.113.8", NOON) != (network,)


async def test_ipv6_networks_share_what_their_site_may_do(networks: VoterNetworks) -> None:
    network, site = await networks.on(IPV6, NOON)
    neighbour, same_site = await networks.on(NEIGHBOUR, NOON)

    assert network != neighbour
    assert site == same_site == NetworkDay(site.name, 4)


async def test_the_same_address_has_the_same_name_for_a_day_only(networks: VoterNetworks) -> None:
    names = [(await networks.on(IPV4, NOON + hours * 3_600))[0].name.partition("/") for hours in (0, 11, 13)]

    assert names[0] == names[1]
    assert names[2][0] == "2024-10-05"
    assert names[2][2] != names[0][2]


async def test_another_secret_gives_another_name(networks: VoterNetworks, events: RecordingListener) -> None:
    class Another(FakeStore):
        async def day_secret(self, day: str) -> Secret:
            return Secret("another")

    others = VoterNetworks(DaySecrets(Another().as_store(), events))

    assert await others.on(IPV4, NOON) != await networks.on(IPV4, NOON)


async def test_an_unknown_address_is_in_no_network(networks: VoterNetworks) -> None:
    assert await networks.on("", NOON) == ()


async def test_without_the_secret_no_network_is_named(events: RecordingListener) -> None:
    store = FakeStore()
    store.trouble = StoreError("It is out.")

    with pytest.raises(StoreError):
        await VoterNetworks(DaySecrets(store.as_store(), events)).on(IPV4, NOON)
