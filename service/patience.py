"""How long the store is waited for; what it does not do in time, or at all, is reported and a StoreError."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import StoreError
from telemetry.events import DependencyFailed, Listener


@asynccontextmanager
async def patience(operation: str, seconds: float, listener: Listener) -> AsyncIterator[None]:
    """Around what is asked of the store. Raises StoreError."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (StoreError, TimeoutError) as failure:
        error = failure if isinstance(failure, StoreError) else StoreError("The store did not answer in time.")
        listener.emit(DependencyFailed("store", operation, type(error).__name__, str(error)))
        raise error from failure.__cause__
