"""Who may take sayings down over HTTP: operators, who prove it with a key that the service keeps like any other."""

import hashlib
import hmac

from service.errors import KeyStoreError, OperatorKeyUnavailable, Unauthorized
from service.keys.key_store import KeyStore

_SCHEME = "bearer "


class OperatorKey:
    """The operators' key. `name` is that of its parameter in the key store."""

    def __init__(self, keys: KeyStore, name: str) -> None:
        self._keys = keys
        self._name = name

    async def check(self, authorization: str) -> None:
        """Check an Authorization header. Raises Unauthorized, or OperatorKeyUnavailable when the key cannot be read."""
        if not authorization.lower().startswith(_SCHEME):
            raise Unauthorized
        try:
            expected = await self._keys.get(self._name)
        except KeyStoreError as error:
            raise OperatorKeyUnavailable from error
        if not hmac.compare_digest(_digest(authorization[len(_SCHEME) :].strip()), _digest(expected.reveal())):
            raise Unauthorized


def _digest(key: str) -> bytes:
    """The hash that is compared in place of the key, since texts of different lengths take different times."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
