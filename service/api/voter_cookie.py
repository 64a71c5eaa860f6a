"""The cookie by which a voter is recognised, in the form that the client's browser keeps."""

import re

from service.api.http import Request
from service.limits import DAY_SECONDS, DEFAULT_RETENTION

NAME = "sayings_voter"
# A voter's id ends in the browser when it has ended in the store.
SECONDS = int(DEFAULT_RETENTION.voter_days * DAY_SECONDS)

_VOTER = re.compile(rf"(?:^|;)\s*{NAME}=([A-Za-z0-9_-]{{22,64}})\s*(?:;|$)")


class VoterCookie:
    """Reads the cookie of a request and sets that of its response.

    Browsers keep a cookie for a page on another site only if it says `SameSite=None`, which needs HTTPS. It gets that
    form for the pages of `allowed_origins` alone. `Partitioned` ties it to the page's site, so that no third site can
    send it, and browsers keep it that block other cookies of third parties.
    """

    def __init__(self, allowed_origins: frozenset[str] = frozenset()) -> None:
        self._allowed_origins = allowed_origins

    def read(self, request: Request) -> str | None:
        """The voter's random id, or None for a client that has not brought one."""
        match = _VOTER.search(request.headers.get("Cookie", ""))
        return match[1] if match else None

    def set(self, request: Request, voter: str) -> None:
        self._set(request, voter, SECONDS)

    def remove(self, request: Request) -> None:
        self._set(request, "", 0)

    def _set(self, request: Request, value: str, seconds: int) -> None:
        request.new_cookie = f"{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; {self._sites(request)}"

    def _sites(self, request: Request) -> str:
        """The attributes that say for which sites the browser keeps the cookie."""
        if not request.caller.is_secure:
            return "SameSite=Lax"
        return "SameSite=None; Secure; Partitioned" if self._is_for_another_site(request) else "SameSite=Lax; Secure"

    def _is_for_another_site(self, request: Request) -> bool:
        """Whether a page of an allowed origin on another site asks. No page can set this header (Fetch Metadata)."""
        headers = request.headers
        return headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Origin") in self._allowed_origins
