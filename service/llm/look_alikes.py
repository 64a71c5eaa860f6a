"""Folds letters that look alike into one, so that a word is found however it is disguised."""

import re
import unicodedata

# Letters of other alphabets, and unusual Latin ones, that readers take for a letter from a to z.
_LOOK_ALIKES = {
    "a": "АаΑαɑᴀ", "b": "ВвЬьΒβʙ", "c": "СсϹϲᴄ", "d": "ԀԁđĐᴅ", "e": "ЕеΕεєЄᴇ", "f": "ƒꜰϝ", "g": "ɡɢԍ",
    "h": "НнΗһҺʜ", "i": "ІіΙιıɪӀ", "j": "ЈјϳᴊΙͿ", "k": "КкΚκᴋĸ", "l": "ʟłŁⲓ", "m": "МмΜᴍ", "n": "ΝηɴոЍ",
    "o": "ОоΟοσօᴏøØ", "p": "РрΡρᴘ", "q": "Ԛԛգ", "r": "ʀг", "s": "ЅѕꜱՏ", "t": "ТтΤτᴛ", "u": "υսᴜμ", "v": "νѵѴᴠ",
    "w": "ԜԝωѡᴡՎ", "x": "ХхΧχ", "y": "УуΥүҮγʏ", "z": "Ζζᴢ", "ae": "æÆ", "oe": "œŒ",
}  # fmt: skip
# Emoji of letters: in circles, in squares, and as the halves of flags.
_LETTER_EMOJI = (0x1F150, 0x1F170, 0x1F1E6)
_FOLDING = {ord(like): letter for letter, likes in _LOOK_ALIKES.items() for like in likes} | {
    first + offset: chr(ord("a") + offset) for first in _LETTER_EMOJI for offset in range(26)
}
_LEET = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "€": "e"}
# A 1 stands for an i as often as for an l.
_LEET_FORMS = [str.maketrans(_LEET | dict.fromkeys("1!|", letter)) for letter in "il"]
# Such a sign next to a letter, except in the name of S3, which is in every other text.
_LEET_SIGNS = re.compile(r"[^\W\d_](?<!\bs(?=3\b))[0134578!@$€|]|(?<!\bs)[0134578@$€|][^\W\d_]")
# No word of the lexicon has a letter three times in a row.
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")

# The alphabets whose letters are taken for each other's. Others, such as Chinese next to Latin, stand in one word.
_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN"})
# Greek letters that engineers write as signs, as in "5 μs".
_SIGNS = frozenset("μλπΔΩ")
# Alphabets in which a model writes only because their capitals look like ours.
_DISGUISES = frozenset({"CHEROKEE", "LISU", "COPTIC", "DESERET", "CANADIAN"})
_LETTERS = re.compile(r"[^\W\d_]+")

# Real languages put at most two marks on a letter that has no composed form.
_MOST_MARKS = 2
# The marks that a reader may do without: not those of Indian scripts and Japanese, which tell words apart.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# Marks that strike a letter through, and those that enclose it, belong to no language.
_STRIKES = re.compile("[\u0334-\u0338\u20d2\u20d3\u20d8-\u20da\u20dd-\u20e0\u20e2-\u20e6\u20ea\u20eb]")


def folded(text: str) -> str:
    """The text without case, accents and disguise: look-alikes of other alphabets, full width and the like."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).translate(_FOLDING).casefold()
    return unicodedata.normalize("NFC", bare)  # which puts the syllables of Korean together again


def readings(text: str) -> tuple[str, ...]:
    """The folded text, and how it reads when signs stand for letters ("cl4ude") or letters are stretched ("baaad")."""
    plain = folded(text)
    forms = [plain]
    if _LEET_SIGNS.search(plain):
        forms += [plain.translate(form) for form in _LEET_FORMS]
    if _STRETCHED.search(plain):
        forms += [_STRETCHED.sub(letters, form) for form in forms for letters in (r"\1", r"\1\1")]
    return tuple(dict.fromkeys(forms))


def mixes_alphabets(text: str) -> bool:
    """Whether a word has letters of more than one alphabet, or of one that serves as a disguise only."""
    found = (_alphabets(word) for word in _LETTERS.findall(text) if not word.isascii())
    return any(len(names & _ALPHABETS) > 1 or names & _DISGUISES for names in found)


def _alphabets(word: str) -> set[str]:
    return {unicodedata.name(char, "").split(" ")[0] for char in set(word) - _SIGNS}


def is_overloaded(text: str) -> bool:
    """Whether a letter of the text (in NFC) has more combining marks than any language puts on one."""
    if text.isascii():
        return False
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks > _MOST_MARKS:
            return True
    return _STRIKES.search(text) is not None
