"""What visitors and operators do against a saying: enough reports set it aside, and an operator decides about it."""

import time
from collections.abc import Callable

from service.catalogue.collection import builtin
from service.domain import Report, ReportReason, ReportStatus, WithdrawnBy, feedback_id, network_hash
from service.errors import NotStored, SayingNotFound, SayingWithdrawn
from service.limits import DAY_SECONDS, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Limits, Timeouts
from service.sayings.takedowns import Takedowns
from service.store.base import Store
from service.voting.guard import WriteGuard
from telemetry.events import Listener, SayingReported

SET_ASIDE_REASON = "reported by visitors"


class Moderation:
    """Stores reports, sets a saying aside when they are enough, and takes down or restores what an operator names."""

    def __init__(
        self,
        store: Store,
        takedowns: Takedowns,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._takedowns = takedowns
        self._listener = listener
        self._enough = limits.reporting_networks
        self._most_set_aside = limits.set_aside_in_a_day
        self._clock = clock
        self._guard = WriteGuard(listener, timeouts=timeouts, failure=NotStored)

    async def report(self, voter: str, identity: str, reason: ReportReason, network: str) -> ReportStatus:
        """Store a voter's report; `unchanged` when the voter or the network has reported this saying before.

        `network` is the largest network that is sure to belong to one client, or "" when it is unknown. All unknown
        ones count as one. Raises SayingNotFound, SayingWithdrawn, NotStored or StorageFull.
        """
        return await self._guard.accept(self._report(voter, identity, reason, network), "report")

    async def withdraw(self, identity: str, reason: str) -> bool:
        """Take a saying down in an operator's name; returns whether it was up until now.

        Raises NotStored or StorageFull.
        """
        work = self._takedowns.withdraw(identity, reason=reason, by=WithdrawnBy.OPERATOR)
        return await self._guard.accept(work, "withdraw saying")

    async def restore(self, identity: str) -> bool:
        """Restore a saying, or keep it in spite of its reports. False when there is nothing to do.

        Raises NotStored or StorageFull.
        """
        return await self._guard.accept(self._takedowns.restore(identity), "restore saying")

    async def close(self) -> None:
        """Wait for what is being stored."""
        await self._guard.close()

    async def _report(self, voter: str, identity: str, reason: ReportReason, network: str) -> ReportStatus:
        if identity in self._takedowns:
            raise SayingWithdrawn
        if not await self._is_known(identity):
            raise SayingNotFound
        report = Report(identity, feedback_id(voter, identity), network_hash(network, identity), reason, self._clock())
        result = await self._store.report_saying(report)
        self._listener.emit(SayingReported(identity, reason, result.status))
        if result.networks >= self._enough and await self._may_set_aside():
            await self._takedowns.withdraw(identity, reason=SET_ASIDE_REASON, by=WithdrawnBy.VISITORS)
        return result.status

    async def _may_set_aside(self) -> bool:
        """Whether visitors have not yet set aside all that they may in a day, in the whole fleet."""
        await self._takedowns.refresh()
        lately = self._takedowns.count(WithdrawnBy.VISITORS, since=self._clock() - DAY_SECONDS)
        return lately < self._most_set_aside

    async def _is_known(self, identity: str) -> bool:
        return builtin(identity) is not None or await self._store.get_saying(identity) is not None
