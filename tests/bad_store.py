"""A store that counts no money and keeps no calls: it raises, or never answers."""

import asyncio
from collections.abc import Iterable, Mapping

from service.domain import Call
from service.errors import StoreError
from service.store.base import Spend, SpendWindow


class BadStore:
    def __init__(self, *, hangs: bool = False) -> None:
        self._hangs = hangs

    async def time(self) -> float:
        return 0.0

    async def reserve_spend(
        self, window: SpendWindow, amount: int, *, caps: Spend, shares: Mapping[str, Spend]
    ) -> Spend | None:
        await self._fail()
        return None

    async def adjust_spend(self, window: SpendWindow, difference: int, *, shares: Iterable[str]) -> None:
        await self._fail()

    async def record_call(self, call: Call) -> None:
        await self._fail()

    async def _fail(self) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        raise StoreError("It is broken.")
