"""The secrets of the UTC days, which the fleet shares by way of the store, as far as this process has them."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress

from service.domain import day_of
from service.errors import StoreError
from service.keys.secret import Secret
from service.limits import DAY_SECONDS, DEFAULT_TIMEOUTS, Timeouts
from service.resilience.timeouts import store_guard, within
from service.store.base import Store
from telemetry.events import Listener

SIGNATURE_BYTES = 16


class DayKeys:
    """Keyed hashes under the secret of one day, which are different for each purpose.

    BLAKE2b takes a key itself. `hmac.digest` proves the same and takes four times as long.
    """

    __slots__ = ("_lot", "_network", "_token")

    def __init__(self, secret: Secret) -> None:
        key = hashlib.sha256(secret.reveal().encode()).digest()
        self._token, self._lot, self._network = (
            hashlib.blake2b(key=key, digest_size=SIGNATURE_BYTES, person=purpose)
            for purpose in (b"vote token", b"blind by lot", b"network")
        )

    def token(self, content: bytes) -> bytes:
        return _digest(self._token, content)

    def lot(self, content: bytes) -> bytes:
        return _digest(self._lot, content)

    def network(self, content: bytes) -> bytes:
        return _digest(self._network, content)


def _digest(keyed: "hashlib.blake2b", content: bytes) -> bytes:
    digest = keyed.copy()  # hashing the key anew takes longer than the rest
    digest.update(content)
    return digest.digest()


class DaySecrets:
    """The keys of yesterday, today and tomorrow, so that no request has to wait for one at midnight.

    `clock` is seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        listener: Listener,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._listener = listener
        self._timeouts = timeouts
        self._clock = clock
        self._keys: dict[int, DayKeys] = {}
        self._ask_again_at = 0.0

    def known(self, moment: float) -> DayKeys | None:
        """The keys of the day of a moment, in seconds since the epoch, or None when this process does not have them."""
        return self._keys.get(int(moment // DAY_SECONDS))

    async def at(self, moment: float) -> DayKeys:
        """The same, but the store is asked for keys that this process does not have. Raises StoreError."""
        day = int(moment // DAY_SECONDS)
        keys = self._keys.get(day)
        if keys is None:
            keys = self._keys[day] = DayKeys(await self._store.day_secret(day_of(moment)))
        return keys

    async def refresh(self) -> None:
        """Get the keys that are missing. A failure of the store is reported, and the keys that are there stay."""
        now = self._clock()
        await self._get(now, now + DAY_SECONDS, now - DAY_SECONDS)
        yesterday = int(now // DAY_SECONDS) - 1
        self._keys = {day: keys for day, keys in self._keys.items() if day >= yesterday}

    async def refresh_if_due(self) -> None:
        """Get the keys of today if they are missing. For Lambda, whose environments sleep over midnight."""
        now = self._clock()
        if self.known(now) is None and now >= self._ask_again_at:
            self._ask_again_at = now + self._timeouts.secret_check_every
            await self._get(now)

    async def run(self) -> None:
        """Refresh at intervals until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._timeouts.secret_check_every)

    async def _get(self, *moments: float) -> None:
        with suppress(StoreError):
            async with store_guard("day secret", within(self._timeouts.saying_read), self._listener):
                for moment in moments:
                    await self.at(moment)
