"""Draws a saying's card with Pillow: the saying in large type on the page's light colours, and below it its author.

Pillow takes a tenth of a second to import and a card as long to draw, so this belongs in a thread.
"""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from service.page.document import CARD_HEIGHT, CARD_WIDTH, SITE

# The light colours of web/src/theme.css, and the logo's own.
_PAPER, _SKY, _INK, _SOFT, _LOGO = "#f6f4ee", "#d9e6f0", "#17202a", "#50606e", "#c84f16"

_MARGIN = 84
_TOP, _BOTTOM = 64, 486  # where the saying may be
_FOOT = 560  # the base line of the author and the name of the site
_WIDTH = CARD_WIDTH - 2 * _MARGIN
_SIZES = range(100, 23, -4)
_MEASURED_SIZE = 100  # widths grow with the size, so words are measured once
_LONGEST_WORD = 26  # the characters that a line has room for, whatever they are and whatever the size
_LINE_HEIGHT = 1.2
_LINING = ["lnum"]  # figures as tall as capitals, as in "4.5"

# The logo of web/public/favicon.svg, 32 units wide, as circles (x, y, radius) with a base between two of them.
_CIRCLES = ((9.0, 19.5, 7.5), (16.5, 14.5, 9.0), (23.6, 19.1, 7.9))
_BASE = (9.0, 17.0, 23.6, 27.0)

# Shown in place of a text that the font cannot write, which is hardly ever one of a model's.
_UNWRITABLE = "Some sayings do not fit on a card. Come and read this one."
# Characters that the font lacks and others replace without a loss.
_REPLACED = str.maketrans({"\u2010": "-", "\u2011": "-", "\u202f": " ", "\u2192": ">"})
_NO_CHARACTER = "\uffff"


def draw_card(text: str, author: str, font_file: bytes) -> bytes:
    """The card as a PNG of CARD_WIDTH × CARD_HEIGHT. The font is a file that FreeType reads, such as WOFF2."""
    text, author = (" ".join(each.translate(_REPLACED).split()) for each in (text, author))
    font = _font(font_file, 40)
    image = Image.new("RGB", (CARD_WIDTH, CARD_HEIGHT), _PAPER)
    _paint_cloud(image, _SKY, left=640, top=150, unit=21)
    _paint_cloud(image, _LOGO, left=CARD_WIDTH - _MARGIN - 318, top=_FOOT - 43, unit=1.9)
    draw = ImageDraw.Draw(image)
    if _has_all(font, text):
        _write_saying(draw, f"{text}”", font_file, mark="“")
    else:
        _write_saying(draw, _UNWRITABLE, font_file)
    draw.text((_MARGIN, _FOOT), author, _SOFT, font, anchor="ls", features=_LINING)
    draw.text((CARD_WIDTH - _MARGIN, _FOOT), SITE, _INK, font, anchor="rs", features=_LINING)
    card = BytesIO()
    image.save(card, "PNG")
    return card.getvalue()


def _write_saying(draw: ImageDraw.ImageDraw, text: str, font_file: bytes, mark: str = "") -> None:
    """Write the text as large as it fits, in the middle of its room, with the mark in the margin before it."""
    words = list(_words(_font(font_file, _MEASURED_SIZE), text))
    for size in _SIZES:
        lines, height = _balanced(words, _WIDTH * _MEASURED_SIZE / size), size * _LINE_HEIGHT
        if len(lines) * height <= _BOTTOM - _TOP:
            break
    font = _font(font_file, size)
    top = _TOP + (_BOTTOM - _TOP - len(lines) * height) / 2
    for number, line in enumerate(lines):
        base = top + number * height + size * 0.95
        draw.text((_MARGIN, base), line, _INK, font, anchor="ls", features=_LINING)
    draw.text((_MARGIN, top + size * 0.95), mark, _INK, font, anchor="rs")


def _words(font: ImageFont.FreeTypeFont, text: str) -> Iterator[tuple[str, float]]:
    """The words and their widths with a space. One that no line has room for becomes several."""
    for word in text.split():
        for start in range(0, len(word), _LONGEST_WORD):
            part = word[start : start + _LONGEST_WORD]
            yield part, font.getlength(part + " ", features=_LINING)


def _balanced(words: list[tuple[str, float]], width: float) -> list[str]:
    """The words in as few lines as fit, none much longer than the others."""
    lines = _lines(words, width)
    for narrower in (0.95, 0.9, 0.85, 0.8, 0.75, 0.7):
        fewer = _lines(words, width * narrower)
        if len(fewer) > len(lines):
            break
        lines = fewer
    return lines


def _lines(words: list[tuple[str, float]], width: float) -> list[str]:
    lines: list[list[str]] = []
    room = 0.0
    for word, needed in words:
        if needed > room:
            lines.append([])
            room = width
        lines[-1].append(word)
        room -= needed
    return [" ".join(line) for line in lines]


def _font(font_file: bytes, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(font_file), size)


def _has_all(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether the font has every character. What it lacks looks like a character that does not exist."""
    missing = bytes(font.getmask(_NO_CHARACTER))
    return all(bytes(font.getmask(character)) != missing for character in set(text))


def _paint_cloud(image: Image.Image, colour: str, *, left: float, top: float, unit: float) -> None:
    """Paint the cloud of the logo, whose 32 units a side are as large as told."""
    finer = 2  # Pillow's shapes have hard edges, and shrinking makes them smooth
    mask = Image.new("L", (round(33 * unit) * finer, round(28 * unit) * finer))
    draw, scale = ImageDraw.Draw(mask), unit * finer
    for x, y, radius in _CIRCLES:
        draw.ellipse([scale * each for each in (x - radius, y - radius, x + radius, y + radius)], 255)
    draw.rectangle([scale * each for each in _BASE], 255)
    mask = mask.resize((mask.width // finer, mask.height // finer), Image.Resampling.LANCZOS)
    image.paste(colour, (round(left), round(top)), mask)
