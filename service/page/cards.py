"""The pictures of sayings that are shown where a link to one is previewed, drawn when first asked for."""

import asyncio
from collections.abc import Callable

from cachetools import LRUCache

from service.domain import Saying
from service.errors import Overloaded
from service.limits import DEFAULT_LIMITS, Limits
from service.page.document import PAGE_FOLDER

# The font of the sayings in web/src/theme.css. The build adds a digest to its name.
FONT = "assets/alegreya-latin-500-normal-*.woff2"


def card_of(saying: Saying) -> bytes:
    """Draw the saying's card. This takes a tenth of a second."""
    (font,) = PAGE_FOLDER.glob(FONT)
    return _pen()(saying.text, saying.author, font.read_bytes())


def _pen() -> Callable[[str, str, bytes], bytes]:
    from service.page.drawing import draw_card  # imports Pillow, which no other request needs

    return draw_card


class Cards:
    """Draws one card at a time, in a thread, and keeps the latest."""

    def __init__(self, draw: Callable[[Saying], bytes] = card_of, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._draw = draw
        self._most_waiting = limits.waiting_cards
        self._drawn: LRUCache[str, bytes] = LRUCache(limits.kept_cards)
        self._drawing = asyncio.Lock()
        self._waiting = 0

    def preload(self) -> None:
        """Begin to import what draws, in a thread. Waits for nothing."""
        asyncio.get_running_loop().run_in_executor(None, _pen)

    async def of(self, saying: Saying) -> bytes:
        """The saying's card, a PNG. Raises Overloaded when too many requests wait for a card already."""
        if card := self._drawn.get(saying.saying_id):
            return card
        if self._waiting >= self._most_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._drawing:
                if saying.saying_id not in self._drawn:
                    self._drawn[saying.saying_id] = await asyncio.to_thread(self._draw, saying)
                return self._drawn[saying.saying_id]
        finally:
            self._waiting -= 1
