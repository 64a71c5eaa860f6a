"""The pictures of sayings that are shown where a link to one is previewed, drawn when first asked for."""

import asyncio
from pathlib import Path

from cachetools import LRUCache

from service.domain import Saying
from service.errors import Overloaded
from service.limits import DEFAULT_LIMITS, Limits
from service.page.document import PAGE_FOLDER

# The font of the sayings in web/src/theme.css. The build adds a digest to its name.
FONT = "assets/alegreya-latin-500-normal-*.woff2"


class Cards:
    """Draws one card at a time, in a thread, and keeps the latest."""

    def __init__(self, folder: Path = PAGE_FOLDER, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._folder = folder
        self._most_waiting = limits.waiting_cards
        self._drawn: LRUCache[str, bytes] = LRUCache(limits.kept_cards)
        self._drawing = asyncio.Lock()
        self._waiting = 0

    async def of(self, saying: Saying) -> bytes:
        """The saying's card, a PNG. Raises Overloaded when too many requests wait for a card already."""
        if card := self._drawn.get(saying.saying_id):
            return card
        if self._waiting >= self._most_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._drawing:
                return self._drawn.get(saying.saying_id) or await self._draw(saying)
        finally:
            self._waiting -= 1

    async def _draw(self, saying: Saying) -> bytes:
        card = await asyncio.to_thread(self._drawn_in_thread, saying)
        self._drawn[saying.saying_id] = card
        return card

    def _drawn_in_thread(self, saying: Saying) -> bytes:
        from service.page.drawing import draw_card  # Pillow takes a tenth of a second to import

        (font,) = self._folder.glob(FONT)
        return draw_card(saying.text, saying.author, font.read_bytes())
