"""Whether the process should receive requests: whether votes can be stored, and what else an operator should know."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.errors import StoreError, cause_of
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from telemetry.events import Listener


@dataclass(frozen=True, slots=True)
class State:
    """Whether votes can be stored, the state of each dependency, and the library's name for what is wrong with it."""

    is_ready: bool
    dependencies: dict[str, str]
    causes: dict[str, str] = field(default_factory=dict)


_OK = "ok"


class Readiness:
    """Checks the store with `ping`, at most once every few seconds, however often it is asked.

    Overdue rounds and credentials that end do not decide whether the process is ready, because people still get sayings
    without rounds, and can vote until the credentials have ended. `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        listener: Listener,
        *,
        are_rounds_overdue: Callable[[], bool],
        are_credentials_ending: Callable[[], bool] = lambda: False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ping = ping
        self._listener = listener
        self._are_rounds_overdue = are_rounds_overdue
        self._are_credentials_ending = are_credentials_ending
        self._timeouts = timeouts
        self._clock = clock
        self._lock = asyncio.Lock()
        self._store, self._cause = "unknown", ""
        self._checked_at: float | None = None

    async def state(self) -> State:
        """The store is `ok`, or a word says what is wrong with it. Others are named only when something is wrong."""
        async with self._lock:
            if self._checked_at is None or self._clock() - self._checked_at >= self._timeouts.readiness_every:
                self._store, self._cause = await self._check()
                self._checked_at = self._clock()
        dependencies = {"store": self._store}
        if self._are_rounds_overdue():
            dependencies["rounds"] = "overdue"
        if self._are_credentials_ending():
            dependencies["credentials"] = "ending"
        return State(self._store == _OK, dependencies, {"store": self._cause} if self._cause else {})

    async def _check(self) -> tuple[str, str]:
        try:
            async with store_guard("check", within(self._timeouts.readiness), self._listener):
                await self._ping()
        except StoreError as error:
            return error.state, cause_of(error)
        return _OK, ""
