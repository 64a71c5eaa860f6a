"""The content filter refuses what a public page must not show, and lets technical humour pass."""

import json
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from service.domain import Rejection
from service.llm.content_filter import ContentFilter
from service.llm.lexicon import ALLOWED, Lexicon, decoded
from service.llm.look_alikes import folded
from service.llm.parse import Parser
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS
from tests.support import TOPICS

TELLTALES = [vendor.telltale for vendor in VENDORS.values()]
FILTER = ContentFilter(TELLTALES)
S3 = "Amazon S3"
# Its rows are a language, the reason for which a text is refused, or null for a text that passes, and the text. The
# worst ones are encoded, as in the filter's own data.
TEXTS = [
    (language, reason, decoded(text))
    for language, reason, text in json.loads(Path(__file__).with_name("filter_texts.json").read_text())
]


PARSER = Parser(TOPICS, TELLTALES)
FILTER_REASONS = set(Rejection) - {
    Rejection.NOT_JSON, Rejection.SERVICE_NOT_ASKED, Rejection.SERVICE_NOT_NAMED, Rejection.TOO_SHORT,
    Rejection.TOO_LONG, Rejection.MARKUP, Rejection.PROMPT_ECHO, Rejection.DUPLICATE,
}  # fmt: skip


def rejected(text: str) -> tuple[str, ...]:
    output = json.dumps({"sayings": [{"service": S3, "saying": text}]})
    return PARSER.parse(output, build_prompt(TOPICS, [S3])).rejected


def ids(row: tuple[str, str | None, str]) -> str:
    return f"{row[0]}-{row[1] or 'passes'}"


@pytest.mark.parametrize("row", [row for row in TEXTS if row[1] is None], ids=ids)
def test_what_is_legitimate_passes(row: tuple[str, str | None, str]) -> None:
    assert rejected(row[2]) == ()


@pytest.mark.parametrize("row", [row for row in TEXTS if row[1] is not None], ids=ids)
def test_what_must_not_be_shown_is_refused_for_its_reason(row: tuple[str, str | None, str]) -> None:
    assert rejected(row[2]) == (row[1],)


def test_the_texts_cover_every_reason_and_many_languages() -> None:
    refused = [row for row in TEXTS if row[1] is not None]

    assert {reason for _, reason, _ in refused} == FILTER_REASONS
    assert len({language for language, _, _ in refused}) >= 8
    assert (len(TEXTS) >= 200, len(TEXTS) - len(refused) >= 60) == (True, True)


def test_every_reason_of_the_data_is_one_of_the_closed_set() -> None:
    reasons = json.loads(files("service").joinpath("data/refused.json").read_text())

    assert set(reasons) - {ALLOWED} <= FILTER_REASONS


def test_the_worst_words_are_not_spelt_out_in_the_data() -> None:
    by_reason = json.loads(files("service").joinpath("data/refused.json").read_text())

    plain_entries = {
        entry
        for reason in ("slur", "harm", "profanity", "sexual")
        for entries in by_reason[reason].values()
        for entry in entries
        if decoded(entry) == entry
    }

    assert plain_entries == set()


# --- the lexicon ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "found", "passed"),
    [
        ("bad", "a BÁD one", "a badge"),
        ("bad*", "badges", "a forbad"),
        ("bad|ill will", "ill will", "bad, I will"),
        ("so ... bad", "so, at times, very bad", "so far away from being bad"),
        ("don't be bad", "Don’t be bad", "be bad"),
        ("悪い犬", "とても悪い 犬だ", "悪い猫"),
    ],
)
def test_a_phrase_finds_its_words(phrase: str, found: str, passed: str) -> None:
    lexicon = Lexicon({"insult": {"en": [phrase]}})

    reasons = [lexicon.reason(folded(text)) for text in (found, passed)]

    assert reasons == ["insult", None]


def test_a_longer_exception_wins_over_a_phrase() -> None:
    lexicon = Lexicon({"harm": {"en": ["break a leg"]}, ALLOWED: {"en": ["break a leg of lamb"]}})

    assert [lexicon.reason("break a leg"), lexicon.reason("break a leg of lamb")] == ["harm", None]


# --- the time it takes ------------------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[int], str]] = {
    "letters": lambda size: "a" * size,
    "single letters": lambda size: "a " * (size // 2),
    "dots": lambda size: "a." * (size // 2),
    "digits": lambda size: "1" * size,
    "groups of digits": lambda size: "1234 " * (size // 5),
    "hex": lambda size: "a1" * (size // 2) + "g",
    "marks": lambda size: "e\u0301\u0302" * (size // 3),
    "words that begin phrases": lambda size: "i am you are women as an " * (size // 25),
    "capitals": lambda size: "12 Aaa Bbb " * (size // 11),
    "leet": lambda size: "a1!" * (size // 3),
    "look-alikes": lambda size: "а" * size,
    "Chinese": lambda size: "我" * size,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_time_grows_with_the_length_only(make: Callable[[int], str]) -> None:
    FILTER.reason("warm")

    short, long = (min(seconds(make(size)) for _ in range(5)) for size in (500, 4_000))

    assert long < 32 * short  # linear would be eight times as long, quadratic 64 times


def seconds(text: str) -> float:
    started = time.thread_time()
    FILTER.reason(text)
    return time.thread_time() - started
