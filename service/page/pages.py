"""The addresses of single sayings and of their cards, and the page that browsers get in place of an error."""

import re
from collections.abc import Awaitable, Callable

from service.api.http import SECURITY_HEADERS, Handler, Request, Response, Route
from service.api.schemas import SAYING_ID_PATTERN
from service.domain import COLLECTION_SOURCE, Saying
from service.errors import HttpError, RouteNotFound, SayingNotFound, UnavailableError
from service.limits import RateClass
from service.page.address import PublicAddress
from service.page.cards import Cards
from service.page.document import HTML_HEADERS, NOT_HERE, SITE, VIEWS, Document, Head
from service.store.base import StoredSaying

# A card may be shown by the pages of others, and for up to a day after its saying was taken down.
CARD_HEADERS = SECURITY_HEADERS | {
    "Content-Type": "image/png",
    "Cache-Control": "public, max-age=86400",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_ERROR_HEADERS = HTML_HEADERS | {"Cache-Control": "no-store"}
_SAYINGS = "/s/"
_ID = re.compile(SAYING_ID_PATTERN)

# Finds a saying by its id. Raises SayingNotFound, SayingWithdrawn, or an UnavailableError when the store fails.
FindSaying = Callable[[str], Awaitable[StoredSaying]]


class Pages:
    """What of the page depends on the request. Its files are served by others: the aiohttp server, or S3."""

    def __init__(self, document: Document, find: FindSaying, cards: Cards, address: PublicAddress) -> None:
        self._document = document
        self._not_here = document.with_head(NOT_HERE)
        self._find = find
        self._cards = cards
        self._address = address
        self.routes = self._routes()

    def preload(self) -> None:
        """Begin to load, in a thread, what no page needs but a card does. Waits for nothing."""
        self._cards.preload()

    def error_page(self, request: Request, error: HttpError) -> Response | None:
        """The page with the error's status for a browser that looks for a page; None for clients of the API."""
        is_page = isinstance(error, RouteNotFound) or request.path.startswith(_SAYINGS)
        wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "").lower()
        if not (is_page and wants_page):
            return None
        nothing_here = error.status in (404, 410)
        return Response(error.status, self._not_here if nothing_here else self._document.plain, _ERROR_HEADERS)

    def _routes(self) -> tuple[Route, ...]:
        def route(path: str, operation: str, summary: str, handler: Handler, answer: type) -> Route:
            return Route("GET", path, operation, summary, handler, answer, limit=RateClass.READ)

        return (
            route(f"{_SAYINGS}{{sayingId}}.png", "getCard", "The card of a saying", self.get_card, bytes),
            route(f"{_SAYINGS}{{sayingId}}", "getSayingPage", "The page of a saying", self.get_saying_page, str),
            # Without a slash at the end these are files.
            *(route(f"{view}/", f"get{view[1:].title()}View", "A view", self.get_view, str) for view in VIEWS),
        )

    async def get_saying_page(self, request: Request) -> Response:
        try:
            saying = await self._saying(request)
        except UnavailableError:  # the page itself asks again, and says so if there is still no answer
            return Response(200, self._document.plain, HTML_HEADERS)
        return Response(200, self._document.with_head(self._head(saying, request)), HTML_HEADERS)

    async def get_card(self, request: Request) -> Response:
        return Response(200, await self._cards.of(await self._saying(request)), CARD_HEADERS)

    async def get_view(self, request: Request) -> Response:
        return Response(200, self._document.with_head(VIEWS[request.path.rstrip("/")]), HTML_HEADERS)

    async def _saying(self, request: Request) -> Saying:
        identity = request.parameters["sayingId"]
        if not _ID.fullmatch(identity):
            raise SayingNotFound
        return (await self._find(identity)).saying

    def _head(self, saying: Saying, request: Request) -> Head:
        services = ", ".join(saying.services)
        title = f"A saying about {services}" if saying.source == COLLECTION_SOURCE else f"{saying.author} on {services}"
        public = self._address.of(request)
        url = public and f"{public}{_SAYINGS}{saying.saying_id}"
        return Head(f"{title} · {SITE}", saying.text, url, url and f"{url}.png")
