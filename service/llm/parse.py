"""The parser that turns a model's output into sayings fit to be shown. Until then the output is hostile text."""

import asyncio
import html
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from service.catalogue.topics import Topics
from service.domain import MAX_SAYING_LENGTH, MIN_SAYING_LENGTH, Rejection, normalise, saying_id
from service.llm.content_filter import ContentFilter
from service.llm.lexicon import lexicon
from service.llm.prompt import Prompt

# Three sayings are far shorter. A longer text does not follow the prompt and is not worth parsing.
MAX_OUTPUT_CHARACTERS = 16_000

# Control sequences in their 7-bit and 8-bit forms: CSI, the strings (OSC and the like) with their content, and the
# short escape sequences.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*|\x1b[ -/]*[0-~]"
)
# Characters that Unicode classes as letters, marks or symbols although they are invisible.
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_MARKUP = re.compile(r"<[a-z!/]|\]\(", re.IGNORECASE)
_ECHO_WORDS = 6


# No more places are tried, so that hostile text cannot keep the event loop busy.
_MAX_STARTS = 4
# Where the JSON may begin that a model put into a code fence or between sentences.
_START = re.compile(r'\{\s*"sayings"|\[\s*\{\s*"(?:service|saying)"')
# A comma before a closing bracket; strings are matched whole, so that none inside of them is found.
_STRING_OR_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|,(?=\s*[}\]])', re.DOTALL)
# Markdown's emphasis around whole words, and its code. "2*3*4" has none.
_EMPHASIS = [
    re.compile(r"(?<![A-Za-z0-9])(\*{1,3})(?=\S)([^*]+)(?<=\S)\1(?![A-Za-z0-9])"),
    re.compile(r"(?<![A-Za-z0-9])(_{1,3})(?=\S)([^_]+)(?<=\S)\1(?![A-Za-z0-9])"),
    re.compile(r"(`{1,3})([^`]+)`{1,3}"),
]
# A quote inside a text; between two letters it is an apostrophe.
_QUOTES = {pair: re.compile(rf"(?<!\w)[{pair}]|[{pair}](?!\w)") for pair in ('""', "“”", "''", "‘’", "«»")}


class _Item(msgspec.Struct, frozen=True):
    service: str = ""
    saying: str = ""


class _Output(msgspec.Struct, frozen=True):
    sayings: list[_Item]


_DECODER = msgspec.json.Decoder(_Output)
_TOLERANT = json.JSONDecoder(strict=False)  # which takes raw line breaks in strings


@dataclass(frozen=True, slots=True)
class Draft:
    """A saying that passed every check. `asked` is the service it was written for, `services` are all that it names."""

    saying_id: str
    text: str
    asked: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The sayings that are fit to be shown, and the reason for each one that was rejected."""

    drafts: tuple[Draft, ...]
    rejected: tuple[Rejection, ...]


class Parser:
    """Reads sayings on the given topics out of the models' output. `telltales` are those of the `ContentFilter`."""

    def __init__(self, topics: Topics, telltales: Iterable[str]) -> None:
        self._topics = topics
        self._filter = ContentFilter(telltales)
        self._is_loaded = False

    def preload(self) -> None:
        """Begin to read the words of the filter in a thread. Waits for nothing."""
        asyncio.get_running_loop().run_in_executor(None, lexicon)

    async def load(self) -> None:
        """Read the words of the filter, which takes some milliseconds, beside the event loop and only once."""
        if not self._is_loaded:
            await asyncio.to_thread(lexicon)
            self._is_loaded = True

    def parse(self, output: str, prompt: Prompt, known: Iterable[str] = ()) -> Parsed:
        """Read the sayings out of a model's output. `known` are the ids of sayings that would be duplicates.

        Never raises an exception.
        """
        items = _items(output)
        if items is None:
            return Parsed((), (Rejection.NOT_JSON,))
        drafts: list[Draft] = []
        rejected: list[Rejection] = []
        seen = set(known)
        open_services = list(prompt.services)
        for item in items:
            asked = self._asked(plain(item.service), open_services)
            if asked is None:
                rejected.append(Rejection.SERVICE_NOT_ASKED)
                continue
            text = plain(item.saying)
            problem = self._problem(text, asked, prompt)
            identity = saying_id(text)
            if problem or identity in seen:
                rejected.append(problem or Rejection.DUPLICATE)
                continue
            seen.add(identity)
            open_services.remove(asked)
            drafts.append(Draft(identity, text, asked, self._topics.services_of(text, asked)))
        return Parsed(tuple(drafts), tuple(rejected))

    def _asked(self, name: str, open_services: list[str]) -> str | None:
        """The service among `open_services` that the model means, or None.

        Some models write "S3" when they were asked for "Amazon S3".
        """
        candidates = (name, *self._topics.named_in(name))
        exact = next((service for service in candidates if service in open_services), None)
        return exact or next((service for service in open_services if self._topics.mentions(name, service)), None)

    def _problem(self, text: str, service: str, prompt: Prompt) -> Rejection | None:
        """The reason why this text must not be shown, or None. Only a text of the right length is looked at closely."""
        if len(text) < MIN_SAYING_LENGTH:
            return Rejection.TOO_SHORT
        if len(text) > MAX_SAYING_LENGTH:
            return Rejection.TOO_LONG
        if _MARKUP.search(text) or html.unescape(text) != text:
            return Rejection.MARKUP
        return self._filter.reason(text) or self._off_topic(text, service, prompt)

    def _off_topic(self, text: str, service: str, prompt: Prompt) -> Rejection | None:
        if not self._topics.mentions(text, service):
            return Rejection.SERVICE_NOT_NAMED
        return Rejection.PROMPT_ECHO if _echoes(text, prompt) else None


def clean(text: str) -> str:
    """The text on one line, in printable characters only and without the quotation marks around it.

    Control characters, ANSI sequences, bidi and zero-width characters are removed.
    """
    text = _INVISIBLE.sub("", _ANSI.sub("", text))
    text = "".join(" " if char.isspace() else char for char in text if char.isspace() or _is_visible(char))
    return _unquoted(" ".join(unicodedata.normalize("NFC", text).split()))


def plain(text: str) -> str:
    """Clean text without Markdown's emphasis and code, which a page would show literally."""
    text = clean(text)
    for emphasis in _EMPHASIS:
        text = emphasis.sub(r"\2", text)
    return clean(text)


def _unquoted(text: str) -> str:
    """The text without the quotation marks around it, unless more of them are inside, as in "'A,' says B, 'C.'"."""
    for pair, inner in _QUOTES.items():
        if len(text) > 1 and text[0] == pair[0] and text[-1] == pair[1] and not inner.search(text, 1, len(text) - 1):
            return _unquoted(text[1:-1].strip())
    return text


def _is_visible(char: str) -> bool:
    # The categories are Cc (control), Cf (bidi and zero-width), Cs (lone surrogates), Co (private use) and Cn
    # (unassigned).
    return not unicodedata.category(char).startswith("C")


def _items(output: str) -> list[_Item] | None:
    if len(output) > MAX_OUTPUT_CHARACTERS:
        return None
    try:
        return _DECODER.decode(output).sayings
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _items_inside(output)


def _items_inside(output: str) -> list[_Item] | None:
    """The items of the last JSON of the right shape inside the output, for models without structured output.

    It is the last, because some models repeat the question before they answer it.
    """
    starts = [match.start() for match in _START.finditer(output)]
    for start in reversed(starts[-_MAX_STARTS:]):
        text = _STRING_OR_LAST_COMMA.sub(lambda match: match[1] or "", output[start:])
        try:
            found, _ = _TOLERANT.raw_decode(text)
            return msgspec.convert(found["sayings"] if isinstance(found, dict) else found, list[_Item])
        except (ValueError, RecursionError):
            continue
    return None


def _echoes(text: str, prompt: Prompt) -> bool:
    """Whether the text repeats several words of the prompt in a row."""
    asked = f" {_words(prompt.system)} {_words(prompt.user)} "
    words = _words(text).split()
    runs = (words[start : start + _ECHO_WORDS] for start in range(max(1, len(words) - _ECHO_WORDS + 1)))
    return any(f" {' '.join(run)} " in asked for run in runs)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalise(text)))
