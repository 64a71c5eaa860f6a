"""Keeping the model calls that are billed: what the statistics of latency, tokens and cost are made of."""

from contextlib import suppress

from service.domain import Call
from service.errors import StoreError
from service.patience import patience
from service.store.base import Store
from telemetry.events import Listener

STORE_SECONDS = 1.0


class CallRecorder:
    """Writes calls to the store. One that cannot be written is missed by the statistics and by nobody else."""

    def __init__(self, store: Store, listener: Listener) -> None:
        self._store = store
        self._listener = listener

    async def record(self, call: Call) -> None:
        with suppress(StoreError):
            async with patience("record call", STORE_SECONDS, self._listener):
                await self._store.record_call(call)
