"""The networks that votes and ballots come from, under names that nobody can lead back to an address."""

from service.domain import NetworkDay, day_of
from service.resilience.networks import networks
from service.voting.day_secrets import DaySecrets


class VoterNetworks:
    """Names networks by the day and a hash under the day's secret.

    The hash of a network is another one on every day. When the secret is forgotten, nobody can find out by trying which
    address a name stands for.
    """

    def __init__(self, secrets: DaySecrets) -> None:
        self._secrets = secrets

    async def on(self, address: str, moment: float) -> tuple[NetworkDay, ...]:
        """The networks that a client is in on the day of that moment, in seconds since the epoch, the smallest first.

        `address` is the result of `client_address`; an unknown one has no networks. Raises StoreError.
        """
        found = networks(address)
        if not found:
            return ()
        day, keys = day_of(moment), await self._secrets.at(moment)
        return tuple(NetworkDay(f"{day}/{keys.network(network.encode()).hex()}", share) for network, share in found)
