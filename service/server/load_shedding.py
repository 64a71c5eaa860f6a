"""Load shedding: while requests queue for the event loop, the server responds only to its health endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Health waits for its turn as long as every other request. It has to answer within half a second, and some of that
# passes before the server has read the request.
LATE_SECONDS = 0.2
# This many late requests in one beat are a queue. A browser opens six connections, so the requests of one visitor are
# not, however late a busy machine makes them.
QUEUE = 16
BEAT_SECONDS = 0.05
# The beats of one second. A single queue may come from an import or a garbage collection that many requests had to
# wait for. A second queue within this many beats comes from the requests themselves and starts the shedding. It ends
# after as many beats without a queue, and not earlier, because the refused clients all come back at once.
BEATS_OF_RELIEF = 20


class LoopLoad:
    """Counts the requests that have waited too long for the event loop.

    A wait is counted from when the server has read the request. A pause of the loop or of the whole process passes
    mostly before that, when only a few requests have been read, so lateness alone is not a queue.
    """

    def __init__(self) -> None:
        self.is_shedding = False
        self._late_requests = 0
        self._beats_to_go = 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Measure until the block is left."""
        task = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def began(self, waited: float) -> None:
        """Count a request that begins after it has waited for that many seconds."""
        if waited > LATE_SECONDS:
            self._late_requests += 1
            if self._late_requests == QUEUE:
                self.is_shedding = self._beats_to_go > 0
                self._beats_to_go = BEATS_OF_RELIEF

    def beat(self) -> None:
        """End a beat: the next one's late requests are counted anew."""
        if self._late_requests < QUEUE:
            self._beats_to_go = max(0, self._beats_to_go - 1)
            self.is_shedding = self.is_shedding and self._beats_to_go > 0
        self._late_requests = 0

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self.beat()
