"""What a fleet agrees on: which process makes the round, and how much may still be spent."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.errors import StoreError
from service.keys.secret import Secret
from service.store.base import NO_SHARES, Lease, Spend, SpendWindow
from service.store.dynamodb import writes
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import count

if TYPE_CHECKING:
    from service.store.dynamodb.items import Item


class DynamoCoordination(Database):
    """The part of the Store protocol that is about leases, spend and the lives of models."""

    async def time(self) -> float:
        if not self._clock.is_set:  # by the first response of any kind
            await self._get(self._state, writes.lease_key("clock"))
        return self._clock.now()

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        # If DynamoDB carried out a first attempt but its response was lost, the retry finds the lease taken. No
        # process holds it then, and it simply expires.
        before = await self._update(
            writes.take_lease(self._state, name, holder, now=now, until=now + seconds), repeatable=True
        )
        if before is None:
            return None
        ended = float(before["expires_at"]["N"]) if before else 0.0
        return Lease(name, holder, count(before, "token") + 1, now + seconds, ended if ended > now else None)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        return await self._update(writes.prolong_lease(self._state, lease, until=until), repeatable=True) is not None

    async def reserve_spend(
        self, window: SpendWindow, amount: int, *, caps: Spend, shares: Mapping[str, Spend] = NO_SHARES
    ) -> Spend | None:
        if min(caps.day, caps.hour) < amount:
            return None
        apart = {share: own for share, own in shares.items() if writes.is_apart(share)}
        rooms = dict(zip(writes.spend_attributes(window), (caps.day - amount, caps.hour - amount), strict=True))
        for share in shares.keys() - apart.keys():
            rooms |= _rooms(window, share, amount, shares[share])
        held = await self._reserve_apart(window, amount, apart)
        if held is None:
            return None
        spent = await self._add_within(window, "", amount, rooms)
        if spent is None:
            await self._give_back(window, amount, held)
            return None
        day, hour = writes.spend_attributes(window)
        return Spend(count(spent, day), count(spent, hour))

    async def adjust_spend(self, window: SpendWindow, difference: int, *, shares: Iterable[str] = ()) -> None:
        shares = tuple(shares)
        names = [
            name
            for share in ("", *shares)
            if not writes.is_apart(share)
            for name in writes.spend_attributes(window, share)
        ]
        await asyncio.gather(
            self._add(window, "", dict.fromkeys(names, difference)),
            self._give_back(window, -difference, filter(writes.is_apart, shares)),
        )

    async def spend(self, window: SpendWindow, share: str = "") -> Spend:
        item = await self._get(self._state, writes.spend_key(window, share))
        day, hour = writes.spend_attributes(window, share)
        return Spend(count(item, day), count(item, hour))

    async def _reserve_apart(self, window: SpendWindow, amount: int, shares: Mapping[str, Spend]) -> list[str] | None:
        """Add to each share that has an item of its own; returns their names, or None when one has no room.

        The shares come before the caps, one after the other: a process that dies between them leaves a share too small,
        but never a cap too large.
        """
        held: list[str] = []
        for share, caps in shares.items():
            if await self._add_within(window, share, amount, _rooms(window, share, amount, caps)) is None:
                await self._give_back(window, amount, held)
                return None
            held.append(share)
        return held

    async def _give_back(self, window: SpendWindow, amount: int, shares: Iterable[str]) -> None:
        await asyncio.gather(
            *(
                self._add(window, share, dict.fromkeys(writes.spend_attributes(window, share), -amount))
                for share in shares
            )
        )

    async def _add(self, window: SpendWindow, share: str, amounts: Mapping[str, int]) -> None:
        # Not repeatable, because money that is given back twice would let the spend exceed the caps.
        add = writes.add_spend(self._state, writes.spend_key(window, share), window, amounts)
        await self._update(add, repeatable=False)

    async def _add_within(
        self, window: SpendWindow, share: str, amount: int, rooms: Mapping[str, int]
    ) -> "Item | None":
        # Not repeatable, because a retry could reserve twice. If the response is lost, the reservation stays: that is
        # the safe side.
        key = writes.spend_key(window, share)
        add = writes.add_spend_within(self._state, key, window, amount, rooms)
        return await self._update(add, repeatable=False)

    async def day_secret(self, day: str) -> Secret:
        item = await self._update(writes.keep_secret(self._state, day, secrets.token_hex(32)), repeatable=True)
        if item is None:
            raise StoreError("The database refused the request.")
        return Secret(item["secret"]["S"])

    async def put_analysis(self, analysis: str) -> None:
        await self._update(writes.put_analysis(self._state, analysis), repeatable=True)

    async def analysis(self) -> str | None:
        item = await self._get(self._state, writes.ANALYSIS_KEY)
        return item["analysis"]["S"] if item else None

    async def mark_gone(self, model: str, *, since: float) -> None:
        await self._update(writes.mark_gone(self._state, model, since=since), repeatable=True)

    async def gone_models(self) -> dict[str, float]:
        item = await self._get(self._state, writes.GONE_KEY)
        return {
            name.removeprefix(writes.MODEL_PREFIX): float(value["N"])
            for name, value in item.items()
            if name.startswith(writes.MODEL_PREFIX)
        }

    async def put_lifecycles(self, lifecycles: Sequence[Lifecycle]) -> None:
        await self._update(writes.put_lifecycles(self._state, lifecycles), repeatable=True)

    async def lifecycles(self) -> dict[str, Lifecycle]:
        item = await self._get(self._state, writes.LIFECYCLES_KEY)
        texts = (value["S"] for name, value in item.items() if name.startswith(writes.MODEL_PREFIX))
        said = [msgspec.json.decode(text, type=Lifecycle) for text in texts]
        return {each.model: each for each in said}


def _rooms(window: SpendWindow, share: str, amount: int, caps: Spend) -> dict[str, int]:
    """What a share's attributes may hold already. One without any spending has room for one amount of any size."""
    day, hour = writes.spend_attributes(window, share)
    return {day: max(0, caps.day - amount), hour: max(0, caps.hour - amount)}
