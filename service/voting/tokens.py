"""Tokens that prove, with a vote, that its saying was served to this voter, when, and whether the author was shown."""

import base64
import binascii
import hmac
import struct
import time
from collections.abc import Callable

from service.domain import Attribution
from service.limits import DAY_SECONDS
from service.store.base import CLOCK_LEEWAY_SECONDS
from service.voting.day_secrets import SIGNATURE_BYTES, DaySecrets

# The second of the serve and the attribution, before the signature. Together they are 21 bytes, which base64 writes
# without padding.
_HEAD = struct.Struct(">IB")
TOKEN_LENGTH = (_HEAD.size + SIGNATURE_BYTES) * 4 // 3

_ATTRIBUTIONS = tuple(Attribution)
_CODES = {attribution: code for code, attribution in enumerate(_ATTRIBUTIONS)}


class VoteTokens:
    """Makes and reads tokens, and draws the lot on which sayings are shown blindly. `clock` is seconds since the epoch.

    A serve does not wait for the secret of the day: without it there is neither a token nor a lot.
    """

    def __init__(self, secrets: DaySecrets, *, clock: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._clock = clock

    def make(self, saying_id: str, voter: str, attribution: Attribution) -> str | None:
        """A token for a saying that is served to this voter now: TOKEN_LENGTH characters that are safe in URLs."""
        now = self._clock()
        keys = self._secrets.known(now)
        if keys is None:
            return None
        head = _HEAD.pack(int(now), _CODES[attribution])
        return base64.urlsafe_b64encode(head + keys.token(_content(head, saying_id, voter))).decode()

    async def read(self, token: str, saying_id: str, voter: str) -> Attribution | None:
        """What the token proves, or None if it is older than a day, of another saying or voter, or not a token.

        The store is asked for a secret that this process does not have, as after a start. Raises StoreError.
        """
        try:
            raw = binascii.a2b_base64(token.replace("-", "+").replace("_", "/"), strict_mode=True)
            moment, code = _HEAD.unpack_from(raw)
        except (ValueError, struct.error):
            return None
        if not -CLOCK_LEEWAY_SECONDS <= self._clock() - moment <= DAY_SECONDS:
            return None
        keys = await self._secrets.at(moment)
        right = keys.token(_content(raw[: _HEAD.size], saying_id, voter))
        return _ATTRIBUTIONS[code] if hmac.compare_digest(raw[_HEAD.size :], right) else None

    def draw_blind(self, saying_id: str, voter: str) -> bool | None:
        """Whether this voter is shown this saying blindly, which is as likely as not.

        The lot is drawn with the secret of the day. It stays the same until midnight and in all processes, so that
        nobody who is shown a saying again is told what the first time was to be left open.
        """
        keys = self._secrets.known(self._clock())
        return None if keys is None else bool(keys.lot(_content(b"", saying_id, voter))[0] & 1)


def _content(head: bytes, saying_id: str, voter: str) -> bytes:
    """What is signed. It has one meaning only, because the heads are of one length, and so are the ids of sayings."""
    return head + f"{saying_id}{voter}".encode()
