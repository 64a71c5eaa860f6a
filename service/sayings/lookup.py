"""One saying by its id, for its own address."""

from collections.abc import Container

from service.domain import Saying
from service.errors import NoSayingAvailable, SayingNotFound, SayingWithdrawn, StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.store.base import Store
from telemetry.events import Listener


class Lookup:
    """Looks sayings up in the store, which does not have those of a comparison that nobody has voted on yet.

    `withdrawn` has the ids of the sayings that are taken down.
    """

    def __init__(
        self, store: Store, listener: Listener, *, withdrawn: Container[str], timeouts: Timeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self._store = store
        self._listener = listener
        self._withdrawn = withdrawn
        self._timeouts = timeouts

    async def find(self, saying_id: str) -> Saying:
        """The saying. Raises SayingNotFound or SayingWithdrawn, or NoSayingAvailable when the store fails."""
        if saying_id in self._withdrawn:
            raise SayingWithdrawn
        try:
            async with store_guard("get saying", within(self._timeouts.saying_read), self._listener):
                saying = await self._store.get_saying(saying_id)
        except StoreError as error:
            raise NoSayingAvailable from error
        if saying is None:
            raise SayingNotFound
        return saying
