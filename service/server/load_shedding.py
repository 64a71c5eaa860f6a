"""Whether the event loop keeps up. While it does not, the server answers nothing but questions after its health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# A request waits for its turn about twice as long as a beat is late. Health has to answer within half a second.
BEAT_SECONDS = 0.05
LATE_SECONDS = 0.15
# One late beat is an import or a collection of garbage and over by the time it is noticed; two are a queue.
BEATS_IN_A_ROW = 2
# That many in time, a second, before others are answered again: they would all be back at once.
BEATS_OF_RELIEF = 20


class LoopLoad:
    """Measures by a heartbeat how late the loop is."""

    def __init__(self) -> None:
        self.is_late = False
        self._late_beats = 0
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

    def measured(self, lag: float) -> None:
        """A beat was that many seconds late."""
        self._late_beats = self._late_beats + 1 if lag > LATE_SECONDS else 0
        if self._late_beats >= BEATS_IN_A_ROW:
            self._beats_to_go = BEATS_OF_RELIEF
        elif not self._late_beats:
            self._beats_to_go = max(0, self._beats_to_go - 1)
        self.is_late = self._beats_to_go > 0

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            self.measured(clock() - due)
