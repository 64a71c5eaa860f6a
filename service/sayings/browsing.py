"""Sayings to look at by their address: a single one, and lists of the best and the newest, page by page.

A popular address costs each process one read in a few seconds. Whatever was read, a saying that is withdrawn is shown
no more as soon as the process knows of it. The sayings of an open comparison are in no list and cannot be looked up,
because they are not stored before its first vote (see voting/comparison_votes.py).
"""

from collections.abc import Container
from dataclasses import dataclass

from service.catalogue.collection import builtin
from service.catalogue.models import Catalogue
from service.catalogue.topics import Topics
from service.domain import SayingOrder
from service.errors import InvalidRequest, SayingNotFound, SayingsUnavailable, SayingWithdrawn, StoreError
from service.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from service.resilience.shared_read import SharedReads
from service.resilience.timeouts import store_guard, within
from service.sayings.wish import SHORT_DIGITS, check_service
from service.store.base import LONGEST_LIST, Listing, Store, StoredSaying
from telemetry.events import Listener

PAGE_SAYINGS = 24


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, and the cursor of the next page if there is one."""

    listing: Listing
    sayings: list[StoredSaying]
    next: str | None


class Browsing:
    """Reads sayings and lists of them. Must be closed.

    `simulated` is whether the lists are of simulated models, and `withdrawn` has the ids of the sayings that are never
    shown.
    """

    def __init__(
        self,
        store: Store,
        topics: Topics,
        catalogue: Catalogue,
        listener: Listener,
        *,
        simulated: bool,
        withdrawn: Container[str] = frozenset(),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._topics = topics
        self._catalogue = catalogue
        self._listener = listener
        self._simulated = simulated
        self._withdrawn = withdrawn
        self._seconds = timeouts.saying_read
        kept, most = timeouts.shared_read, limits.shared_reads
        self._lists = SharedReads(self._read_list, seconds=kept, most=most)
        self._sayings = SharedReads(self._read_sayings, seconds=kept, most=most)

    async def saying(self, saying_id: str) -> StoredSaying:
        """One saying with its counters. Raises SayingNotFound, SayingWithdrawn or SayingsUnavailable."""
        found = await self._sayings.get((saying_id,))
        if saying_id in self._withdrawn:
            raise SayingWithdrawn
        if saying_id in found:
            return found[saying_id]
        by_hand = builtin(saying_id)  # which is served even where the store does not have it
        if by_hand is None:
            raise SayingNotFound
        return StoredSaying(by_hand, 0, 0)

    async def page(
        self, order: SayingOrder, *, service: str | None = None, model: str | None = None, after: str = ""
    ) -> Page:
        """A page of a list, which begins after those with the cursor `after`.

        The cursor names all sayings that were on the pages so far, by the first digits of their ids. So none comes
        again, wherever votes have moved it meanwhile. Raises InvalidRequest or SayingsUnavailable.
        """
        self._check(service, model)
        listing = Listing(order, self._simulated, service, model)
        seen = [after[start : start + SHORT_DIGITS] for start in range(0, len(after), SHORT_DIGITS)]
        known = set(seen)
        left = [
            saying_id
            for saying_id in await self._lists.get(listing)
            if saying_id[:SHORT_DIGITS] not in known and saying_id not in self._withdrawn
        ]
        shown = left[:PAGE_SAYINGS]
        seen += [saying_id[:SHORT_DIGITS] for saying_id in shown]
        has_more = len(left) > len(shown) and len(seen) < LONGEST_LIST
        return Page(listing, await self._on_page(shown, order), "".join(seen) if has_more else None)

    async def close(self) -> None:
        """Wait for what is being read."""
        await self._lists.close()
        await self._sayings.close()

    def _check(self, service: str | None, model: str | None) -> None:
        if service is not None:
            check_service(service, self._topics)
        if model is not None and model not in self._catalogue:
            raise InvalidRequest("No model of that id is known.", details=["model: unknown"])

    async def _on_page(self, saying_ids: list[str], order: SayingOrder) -> list[StoredSaying]:
        """The sayings in this order, without those that are deleted or, in TOP, have lost their votes since."""
        if not saying_ids:
            return []
        found = await self._sayings.get(tuple(saying_ids))
        stored = (found[saying_id] for saying_id in saying_ids if saying_id in found)
        return [each for each in stored if order is SayingOrder.NEW or each.upvotes or each.downvotes]

    async def _read_list(self, listing: Listing) -> list[str]:
        try:
            async with store_guard("listed ids", within(self._seconds), self._listener):
                return await self._store.listed_ids(listing)
        except StoreError as error:
            raise SayingsUnavailable from error

    async def _read_sayings(self, saying_ids: tuple[str, ...]) -> dict[str, StoredSaying]:
        try:
            async with store_guard("stored sayings", within(self._seconds), self._listener):
                found = await self._store.stored_sayings(saying_ids)
        except StoreError as error:
            raise SayingsUnavailable from error
        return {each.saying.saying_id: each for each in found}
