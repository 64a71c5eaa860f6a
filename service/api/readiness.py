"""Whether the process should receive requests: whether votes can be stored, and what else an operator should know."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from service.errors import StoreError
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from telemetry.events import Listener


class Readiness:
    """Checks the store with `ping`, at most once every few seconds, however often it is asked.

    `are_rounds_overdue` does not decide whether the process is ready, because people still get sayings without rounds.
    `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        are_rounds_overdue: Callable[[], bool],
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ping = ping
        self._are_rounds_overdue = are_rounds_overdue
        self._listener = listener
        self._timeouts = timeouts
        self._clock = clock
        self._lock = asyncio.Lock()
        self._store = "unknown"
        self._checked_at: float | None = None

    async def is_ready(self) -> tuple[bool, dict[str, str]]:
        """Whether votes can be stored, and the state of each dependency: `ok`, or a word for what is wrong with it.

        Rounds are named only when they are overdue.
        """
        async with self._lock:
            if self._checked_at is None or self._clock() - self._checked_at >= self._timeouts.readiness_every:
                self._store = await self._check()
                self._checked_at = self._clock()
        late = {"rounds": "overdue"} if self._are_rounds_overdue() else {}
        return self._store == "ok", {"store": self._store} | late

    async def _check(self) -> str:
        try:
            async with store_guard("check", within(self._timeouts.readiness), self._listener):
                await self._ping()
        except StoreError as error:
            return error.state
        return "ok"
