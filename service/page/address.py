"""The address that the public knows the service by, which links and previews need in full."""

import re

from service.api.http import Request

# A name or an address with an optional port. Anything else in a Host header is not one to repeat.
_HOST = re.compile(r"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.IGNORECASE)


class PublicAddress:
    """Tells a request's public address, such as `https://example.com`.

    `fixed` is the address that the operator has set, or "". Without it the client's own request tells: its host is
    what the proxies forward, if they are trusted, and else the Host header.
    """

    def __init__(self, fixed: str = "") -> None:
        self._fixed = fixed

    def of(self, request: Request) -> str:
        """The address without a path, or "" when the request does not name a valid host."""
        if self._fixed:
            return self._fixed
        host = request.caller.forwarded("X-Forwarded-Host") or request.headers.get("Host", "")
        if not _HOST.fullmatch(host):
            return ""
        return f"{'https' if request.caller.is_secure else 'http'}://{host.lower()}"
