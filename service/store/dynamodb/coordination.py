"""What a fleet agrees on: which process makes the round, and how much may still be spent."""

from collections.abc import Sequence

import msgspec

from service.catalogue.lifecycle import Lifecycle
from service.store.base import Lease, Spend, SpendWindow
from service.store.dynamodb import writes
from service.store.dynamodb.database import Database
from service.store.dynamodb.items import count


class DynamoCoordination(Database):
    """The part of the Store protocol that is about leases, spend and the lives of models."""

    async def acquire_lease(self, name: str, holder: str, *, now: float, seconds: float) -> Lease | None:
        # If DynamoDB carried out a first attempt but its response was lost, the retry finds the lease taken. No
        # process holds it then, and it simply expires.
        taken = await self._update(
            writes.take_lease(self._state, name, holder, now=now, until=now + seconds), repeatable=True
        )
        return None if taken is None else Lease(name, holder, count(taken, "token"), now + seconds)

    async def keep_lease(self, lease: Lease, *, until: float) -> bool:
        return await self._update(writes.prolong_lease(self._state, lease, until=until), repeatable=True) is not None

    async def reserve_spend(self, window: SpendWindow, amount: int, *, caps: Spend) -> Spend | None:
        day_room, hour_room = caps.day - amount, caps.hour - amount
        if min(day_room, hour_room) < 0:
            return None
        reservation = writes.add_spend_within(self._state, window, amount, day_room=day_room, hour_room=hour_room)
        # Not repeatable, because a retry could reserve twice. If the response is lost, the reservation stays: that is
        # the safe side.
        held = await self._update(reservation, repeatable=False)
        return None if held is None else Spend(count(held, "total"), count(held, writes.hour_attribute(window)))

    async def adjust_spend(self, window: SpendWindow, difference: int) -> None:
        # Not repeatable, because money that is given back twice would let the spend exceed the caps.
        await self._update(writes.add_spend(self._state, window, difference), repeatable=False)

    async def spend(self, window: SpendWindow) -> Spend:
        item = await self._get(self._state, writes.spend_key(window))
        return Spend(count(item, "total"), count(item, writes.hour_attribute(window)))

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
