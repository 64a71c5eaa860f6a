"""Work that is done to its end, whether or not the one who asked for it is still there."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Undertakings:
    """Holds the work, so that it can be awaited when everything stops."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Whoever is cancelled while waiting for it leaves it running."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for the work under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
