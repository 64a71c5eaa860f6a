"""Cards: drawn once and one at a time, readable at every length, and a picture whatever the text is."""

import asyncio
import threading
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from service.domain import Saying
from service.errors import Overloaded
from service.limits import Limits
from service.page.cards import FONT, Cards
from service.page.drawing import draw_card
from tests.support import model_saying

FIRST, SECOND = model_saying("The first saying on Amazon S3."), model_saying("The second saying on Amazon S3.")
# Where a card has its saying, without the cloud and the names below.
ROOM = (0, 0, 640, 500)


class Pen:
    """Draws nothing, and only when it may. Counts what it has drawn, and how many cards at once."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.may_draw = threading.Event()
        self.at_once = self.most_at_once = 0

    def draw(self, saying: Saying) -> bytes:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.may_draw.wait(30)
        self.drawn.append(saying.saying_id)
        self.at_once -= 1
        return saying.text.encode()


async def test_cards_are_drawn_once_and_one_at_a_time() -> None:
    pen = Pen()
    cards = Cards(pen.draw)

    asked = [asyncio.create_task(cards.of(saying)) for saying in (FIRST, SECOND, FIRST, SECOND)]
    await asyncio.sleep(0)
    pen.may_draw.set()
    drawn = await asyncio.gather(*asked)

    assert drawn == [FIRST.text.encode(), SECOND.text.encode()] * 2
    assert pen.drawn == [FIRST.saying_id, SECOND.saying_id]
    assert pen.most_at_once == 1


async def test_too_many_that_wait_are_refused_and_drawn_cards_are_not() -> None:
    pen = Pen()
    pen.may_draw.set()
    cards = Cards(pen.draw, limits=Limits(waiting_cards=1))
    await cards.of(FIRST)

    pen.may_draw.clear()
    waiting = asyncio.create_task(cards.of(SECOND))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await cards.of(model_saying("The third saying on Amazon S3."))
    again = await cards.of(FIRST)
    pen.may_draw.set()

    assert again == FIRST.text.encode()
    assert await waiting == SECOND.text.encode()


async def test_only_the_latest_cards_are_kept() -> None:
    pen = Pen()
    pen.may_draw.set()
    cards = Cards(pen.draw, limits=Limits(kept_cards=1))

    for saying in (FIRST, SECOND, FIRST):
        await cards.of(saying)

    assert pen.drawn == [FIRST.saying_id, SECOND.saying_id, FIRST.saying_id]


async def test_a_drawing_that_fails_is_tried_again() -> None:
    def fail(_: Saying) -> bytes:
        raise OSError("no font")

    cards = Cards(fail, limits=Limits(waiting_cards=1))

    for _ in range(2):
        with pytest.raises(OSError, match="no font"):
            await cards.of(FIRST)


@pytest.fixture
def font(built_page: Path) -> bytes:
    (file,) = built_page.glob(FONT)
    return file.read_bytes()


def drawn(text: str, font: bytes) -> Image.Image:
    return Image.open(BytesIO(draw_card(text, "Claude Haiku 4.5", font)))


def ink(card: Image.Image) -> tuple[int, int, int, int] | None:
    """The part of the card that the saying is in, as far as the paper around it is plain."""
    room = card.crop(ROOM)
    return ImageChops.difference(room, Image.new("RGB", room.size, card.getpixel((0, 0)))).getbbox()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["Amazon S3 keeps it all", "Amazon S3 " + "is like an attic " * 15, "Amazon" + "i" * 274, "W" * 280, "W " * 140,
     "Amazon S3 \u2011 caf\u00e9 \u2192 “na\u00efve”", "a\u0301\u200b Amazon S3", "Amazon\nS3\tis"],
)  # fmt: skip
def test_a_card_has_its_size_and_the_saying_inside(text: str, font: bytes) -> None:
    card = drawn(text, font)

    found = ink(card)

    assert (card.format, card.size) == ("PNG", (1200, 630))
    assert found is not None
    left, top, _, bottom = found
    assert left > 20
    assert top > 20
    assert bottom < 495


@pytest.mark.slow
def test_nothing_is_written_beyond_the_right_edge(font: bytes) -> None:
    card = drawn("W" * 280, font)

    margin = card.crop((1200 - 40, 0, 1200, 200))

    assert len(margin.getcolors() or ()) == 1


@pytest.mark.slow
def test_a_short_saying_is_written_larger_than_a_long_one(font: bytes) -> None:
    short, long = ink(drawn("Ham", font)), ink(drawn("Ham " * 70, font))

    assert short is not None
    assert long is not None
    assert short[3] - short[1] > 60  # one line
    assert long[3] - long[1] < 440  # many lines


@pytest.mark.slow
@pytest.mark.parametrize("text", ["\u4e9a\u9a6c\u900a S3", "Amazon S3 \U0001f600", "\u0416 S3", "\ue000"])
def test_what_the_font_lacks_is_replaced_by_an_invitation(text: str, font: bytes) -> None:
    invited = draw_card("\u4e2d", "Claude Haiku 4.5", font)

    assert draw_card(text, "Claude Haiku 4.5", font) == invited
    assert draw_card("Amazon S3", "Claude Haiku 4.5", font) != invited
