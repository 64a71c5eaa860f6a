"""The words and phrases that no saying may contain, each with its reason, from `service/data/refused.json`.

A phrase is a sequence of words. `word*` stands for every word that begins so, `one|other` for either, and `...` for up
to three words in between. Case, accents and punctuation do not matter. The longest phrase wins, so that a phrase under
`allowed` makes an exception from a shorter one. Phrases in Chinese, Japanese and Korean are found anywhere, because
their words are not separated.

A word that readers need not see is stored as `base64:…`.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

import msgspec

from service.llm.look_alikes import folded

ALLOWED = "allowed"
_ENCODED = "base64:"
_GAP = "..."
_JOINTS = re.compile(r"['’-]")
_MOST_SKIPPED = 3
# Vowels of Indian scripts and of Thai are marks, which Python takes for no part of a word.
_WORDS = re.compile(r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0dff\u0e00-\u0eff])+")
# The first character of the blocks in which Chinese, Japanese and Korean are written.
_FIRST_UNSEPARATED = "\u2e80"
# Letters that stand alone, as in "b.a.d", are read as words, from three letters on.
_FEWEST_SPELT = 3
_SPELT_WORDS = range(4, 17)


@dataclass(frozen=True, slots=True)
class _Part:
    """What may stand at one place of a phrase: some words, or any up to three of them in a gap."""

    words: frozenset[str] = frozenset()
    stems: tuple[str, ...] = ()
    is_gap: bool = False

    def matches(self, word: str) -> bool:
        return word in self.words or word.startswith(self.stems)


@dataclass(frozen=True, slots=True)
class _Phrase:
    """The parts of a phrase after its first word."""

    rest: tuple[_Part, ...]
    reason: str


class Lexicon:
    """Finds phrases in texts. `phrases` maps a reason to its phrases by language, and `allowed` to the exceptions."""

    def __init__(self, phrases: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self._by_word: defaultdict[str, list[_Phrase]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[_Phrase]] = defaultdict(list)
        self._unseparated: dict[str, str] = {}
        for reason, by_language in phrases.items():
            for phrase in (decoded(entry) for entries in by_language.values() for entry in entries):
                self._add(phrase, reason)
        self._stem_sizes = sorted({len(stem) for stem in self._by_stem})

    def reason(self, text: str) -> str | None:
        """The reason of the first phrase in a folded text, or None."""
        words = _WORDS.findall(text)
        found = self._in_words(words) or next(filter(None, map(self._in_letters, spelt(words))), None)
        return found or (None if text.isascii() else self._in_unseparated("".join(words)))

    def _add(self, phrase: str, reason: str) -> None:
        phrase = folded(phrase)
        if max(phrase) >= _FIRST_UNSEPARATED:
            self._unseparated["".join(_WORDS.findall(phrase))] = reason
            return
        first, *rest = _parts(phrase)
        entry = _Phrase(tuple(rest), reason)
        for word in first.words:
            self._by_word[word].append(entry)
        for stem in first.stems:
            self._by_stem[stem].append(entry)

    def _in_words(self, words: Sequence[str]) -> str | None:
        at = 0
        while at < len(words):
            end, reason = self._longest(words, at)
            if reason and reason != ALLOWED:
                return reason
            at = max(end, at + 1)
        return None

    def _longest(self, words: Sequence[str], at: int) -> tuple[int, str]:
        """The end and the reason of the longest phrase that begins here, or (-1, "")."""
        best = (-1, "")
        for phrase in self._beginning_with(words[at]):
            end = _end(phrase.rest, words, at + 1)
            if end > best[0]:
                best = (end, phrase.reason)
        return best

    def _beginning_with(self, word: str) -> Iterator[_Phrase]:
        """The phrases that begin with a word: those with the whole word first, because the first of equals wins."""
        yield from self._by_word.get(word, ())
        for size in self._stem_sizes:
            yield from self._by_stem.get(word[:size], ())

    def _in_letters(self, letters: str) -> str | None:
        """The reason of a single word within letters that are not separated into words."""
        places = product(range(len(letters)), _SPELT_WORDS)
        found = (self._longest([letters[start : start + size]], 0)[1] for start, size in places)
        return next((reason for reason in found if reason not in ("", ALLOWED)), None)

    def _in_unseparated(self, text: str) -> str | None:
        return next((reason for phrase, reason in self._unseparated.items() if phrase in text), None)


@cache
def lexicon() -> Lexicon:
    """The lexicon of the service. It takes some milliseconds to read, so it is read when it is first needed."""
    text = files("service").joinpath("data/refused.json").read_bytes()
    return Lexicon(msgspec.json.decode(text, type=dict[str, dict[str, list[str]]]))


def decoded(entry: str) -> str:
    """The phrase of an entry, which may be encoded."""
    return base64.b64decode(entry.removeprefix(_ENCODED)).decode() if entry.startswith(_ENCODED) else entry


def spelt(words: Sequence[str]) -> list[str]:
    """The words that are spelt in single letters, such as "bad" for "b a d", joined over their whole run."""
    alone = "".join(word if len(word) == 1 else " " for word in words)
    return [run for run in alone.split() if len(run) >= _FEWEST_SPELT]


def _parts(phrase: str) -> Iterator[_Part]:
    """The parts of a folded phrase. "can't" is two of them, as in a text."""
    for part in _JOINTS.sub(" ", phrase).split():
        choices = part.split("|")
        stems = tuple(choice.rstrip("*") for choice in choices if choice.endswith("*"))
        words = frozenset(choice for choice in choices if not choice.endswith("*"))
        yield _Part(is_gap=True) if part == _GAP else _Part(words, stems)


def _end(parts: Sequence[_Part], words: Sequence[str], at: int) -> int:
    """Where the parts end if they match the words from here, at the farthest, and -1 if they do not match."""
    for index, part in enumerate(parts):
        if part.is_gap:
            return max(_end(parts[index + 1 :], words, at + skipped) for skipped in range(_MOST_SKIPPED + 1))
        if at >= len(words) or not part.matches(words[at]):
            return -1
        at += 1
    return at
