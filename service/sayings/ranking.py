"""The hourly pass that brings the lists of sayings up to date, in a store that does not do so with every vote."""

from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.store.base import Store
from telemetry.events import Listener


class Ranking:
    """Ranks the sayings of simulated models, or of real ones."""

    def __init__(
        self, store: Store, listener: Listener, *, simulated: bool, timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self._store = store
        self._listener = listener
        self._simulated = simulated
        self._seconds = timeouts.ranking

    async def run(self) -> bool:
        """Rank all sayings, and return whether that is finished. A failure of the store is reported."""
        try:
            async with store_guard("rank sayings", within(self._seconds), self._listener):
                await self._store.rank_sayings(simulated=self._simulated)
        except StoreError:
            return False
        return True
