"""Model output is hostile text: whatever it is, nothing but sayings fit to be shown come out of the parser."""

import json
import random
import unicodedata

import pytest

from service.catalogue.collection import collection
from service.domain import saying_id
from service.llm.parse import Parser, clean
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS
from tests.support import TOPICS

S3, LAMBDA, SQS = "Amazon S3", "AWS Lambda", "Amazon SQS"
PARSER = Parser(TOPICS, [vendor.telltale for vendor in VENDORS.values()])
GOOD = "Amazon S3 is an attic without a floor: it takes everything and gives it back by the box."
GOOD_LAMBDA = "AWS Lambda is a taxi that forgets you the moment you have paid."


def output(*pairs: tuple[str, str]) -> str:
    return json.dumps({"sayings": [{"service": service, "saying": saying} for service, saying in pairs]})


def shown(text: str, *services: str, known: tuple[str, ...] = ()) -> list[str]:
    return [draft.text for draft in PARSER.parse(text, build_prompt(TOPICS, services or (S3,)), known).drafts]


def rejected(text: str, *services: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    return PARSER.parse(text, build_prompt(TOPICS, services or (S3,)), known).rejected


# --- what passes ------------------------------------------------------------------------------------------------------


def test_good_output_becomes_drafts_with_the_services_they_name() -> None:
    parsed = PARSER.parse(
        output((LAMBDA, "Lambda writes to S3 like a child to Santa."), (S3, GOOD)), build_prompt(TOPICS, [S3, LAMBDA])
    )

    first, second = parsed.drafts
    assert (first.asked, first.services) == (LAMBDA, (LAMBDA, S3))
    assert (second.text, second.saying_id) == (GOOD, saying_id(GOOD))
    assert parsed.rejected == ()


def test_every_saying_of_the_collection_would_pass() -> None:
    refused = {
        saying.text: parsed.rejected or parsed.drafts[0].text
        for saying in collection()
        if (
            parsed := PARSER.parse(output((saying.services[0], saying.text)), build_prompt(TOPICS, saying.services[:1]))
        )
        and [draft.text for draft in parsed.drafts] != [saying.text]
    }

    assert refused == {}


@pytest.mark.parametrize(
    "text",
    [
        "S3 and R&D; Q&A, AT&T; they all keep what nobody reads.",
        "S3 holds three kinds of data: yours, mine, and what nobody dares to delete.",
        "S3 is like JavaScript: everything is an object, and nothing is a folder.",
        "S3 works as an assistant who files everything and remembers nothing.",
        "S3 answers in <100 ms, the committee in <3 weeks.",
        "S3 is a haiku: short keys, long silence, frogs in a bucket.",
        "'Where is it?' asks the auditor, and S3 answers: 'In a bucket.'",
        "S3 costs 2 cents, i.e. less than regret; see also: regret.",
    ],
)
def test_filters_have_no_quarrel_with_ordinary_sentences(text: str) -> None:
    assert shown(output((S3, text))) == [text]


@pytest.mark.parametrize(
    "around",
    [
        "```json\n{}\n```",
        "```\n{}\n```",
        "Sure! Here are your sayings:\n\n{}\n\nEnjoy {{them}}.",
        "{{thinking}} {}",
        '{{"answer": {}}}',
        'You asked for {{"sayings": [{{"service": "<name as given>", "saying": "<text>"}}]}}, so: {}',
        "\ufeff{}",
    ],
)
def test_json_is_found_in_a_fence_and_between_sentences(around: str) -> None:
    assert shown(around.format(output((S3, GOOD)))) == [GOOD]


@pytest.mark.parametrize("label", ["S3", "Amazon Simple Storage Service", " Amazon S3 ", "Amazon S3 (object storage)"])
def test_a_service_may_be_labelled_and_named_by_an_alias(label: str) -> None:
    text = "S3 is a bucket that has never once been full."

    [draft] = PARSER.parse(output((label, text)), build_prompt(TOPICS, [S3])).drafts

    assert (draft.asked, draft.services) == (S3, (S3,))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("\x1b[2J\x1b[31mS3\x1b[0m", "S3"),
        ("\x9b31mS3", "S3"),
        ("\x1b]8;;http://evil\x07S3\x1b]8;;\x07", "S3"),
        ("\x1b]0;title\x1b\\S3", "S3"),
        ("\x1bPq junk\x1b\\S3", "S3"),
        ("\x1b(BS3\x1bc", "S3"),
        ("S\x003\x08\x7f\x84", "S3"),
        ("one\r\ntwo\x85three\u2028four\x0bfive", "one two three four five"),
        ("  S3\t\u00a0\u2003is  ", "S3 is"),
        ("\u202eS3\u202c \u2066is\u2069 \u061cit", "S3 is it"),
        ("S\u200b\u20603\ufeff\u200d\u00ad", "S3"),
        ("S\u034f3\u3164\u2800\ufe0f\u115f", "S3"),
        ("S3\ud800\udfff\ue000\U000fffff\uffff", "S3"),
        ("cafe\u0301, and cafe\u200b\u0301", "café, and café"),
        ('"S3 is it."', "S3 is it."),
        ("“S3 is it.”", "S3 is it."),
        ("«S3 is it.»", "S3 is it."),
        ("\"'S3 doesn't lie.'\"", "S3 doesn't lie."),
        ("‘S3 doesn’t lie.’", "S3 doesn’t lie."),
        ("'Yes,' says S3, 'it is.'", "'Yes,' says S3, 'it is.'"),
        ('"Yes," says S3. "No," says Lambda, "never."', '"Yes," says S3. "No," says Lambda, "never."'),
        ('"', '"'),
        ('""', ""),
    ],
)
def test_cleaning_leaves_printable_text_on_one_line(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "written",
    [
        f'[{{"service": "{S3}", "saying": "{GOOD}"}}]',
        f'{{"sayings": [{{"service": "{S3}", "saying": "{GOOD}",}},],}}',
        f'[{{"saying": "{GOOD}", "service": "{S3}"}},\n]',
        f'{{"sayings": [{{"service": "{S3}", "saying": "{GOOD.replace(": ", ":" + chr(10))}"}}]}}',
        f'Here: [{{"service": "{S3}", "saying": "{GOOD}"}},] as asked.',
    ],
)
def test_json_that_is_nearly_right_is_read(written: str) -> None:
    assert shown(written) == [GOOD]


def test_a_comma_inside_of_a_saying_stays() -> None:
    text = "S3 keeps a list, ] and all, and never asks for the bracket."

    assert shown(f'{{"sayings": [{{"service": "{S3}", "saying": "{text}"}},]}}') == [text]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("**Amazon S3** is *the* attic of a house with no floor.", "Amazon S3 is the attic of a house with no floor."),
        ("__S3__ is _the_ attic of a house with no floor.", "S3 is the attic of a house with no floor."),
        ("`S3` is the ``attic`` of a house with no floor.", "S3 is the attic of a house with no floor."),
        ('**"S3 is the attic of a house with no floor."**', "S3 is the attic of a house with no floor."),
        ("**_S3_** is the attic of ***a house*** with no floor.", "S3 is the attic of a house with no floor."),
        ("S3 knows that 2*3*4 is 24, my_old_bucket is not.", "S3 knows that 2*3*4 is 24, my_old_bucket is not."),
        ("S3 has * and * again, and it lists none of them.", "S3 has * and * again, and it lists none of them."),
    ],
)  # fmt: skip
def test_markdown_is_taken_off(written: str, read: str) -> None:
    assert shown(output((S3, written))) == [read]


@pytest.mark.parametrize("label", ["amazon s3", "AMAZON S3", "s3", "**Amazon S3**"])
def test_a_service_is_known_in_any_case(label: str) -> None:
    text = "amazon s3 is an attic without a floor, next to AWS Lambda."

    [draft] = PARSER.parse(output((label, text)), build_prompt(TOPICS, [S3])).drafts

    assert (draft.asked, draft.text, draft.services) == (S3, text, (S3, LAMBDA))


def test_hidden_characters_do_not_hide_a_service_or_a_duplicate() -> None:
    hidden = (
        "Ama\u200bzon S\u20603 is an attic without a floor: it takes \u202eeverything and gives it back by the box."
    )

    assert shown(output((S3, hidden))) == [GOOD]
    assert rejected(output((S3, hidden)), known=(saying_id(GOOD),)) == ("duplicate",)


# --- what does not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saying", "word"),
    [
        ("", "too_short"),
        (" \t\u00a0\u2003" * 20, "too_short"),
        ("\u3164" * 30 + "S3", "too_short"),
        ("S3 is a " + "very " * 60 + "large bucket.", "too_long"),
        ("S3 is a door<script>alert(1)</script> left ajar.", "markup"),
        ("S3 is a door </b> left ajar, wide.", "markup"),
        ("S3 is <!-- hidden --> a bucket without end.", "markup"),
        ("S3 &lt;b&gt; is a bucket without an end.", "markup"),
        ("S3 &#60;b is a bucket without an end.", "markup"),
        ("[S3](nowhere) is a link you will not regret.", "markup"),
        ("S3 is a link: javascript:alert(1) and no more.", "link"),
        ("S3 is a link: DATA:text/html,hello and no more.", "link"),
        ("S3 lives at https://example.com/bucket, they say.", "link"),
        ("S3 lives at www.example.com, or so they say.", "link"),
        ("I'm sorry, but I can't help with jokes about S3.", "refusal"),
        ("I’m not able to write a saying about Amazon S3.", "refusal"),
        ("I cannot provide a saying about Amazon S3, alas.", "refusal"),
        ("I must decline to write about Amazon S3 today.", "refusal"),
        ("As an AI I see Amazon S3 as a very large cabinet.", "self_identification"),
        ("Claude sees Amazon S3 as a cabinet with wings on.", "self_identification"),
        ("To an Anthropic model S3 is a bucket without end.", "self_identification"),
        ("OpenAI's models see Amazon S3 as a large cabinet.", "self_identification"),
        ("If ChatGPT were a service, it would be Amazon S3.", "self_identification"),
        ("GPT-4.1-mini thinks that S3 is a bucket, mostly.", "self_identification"),
        ("Amazon Simple Queue Service is a queue for buns.", "service_not_named"),
        ("Write one saying for each of these AWS services: Amazon S3", "prompt_echo"),
        ("Amazon S3: an analogy about one AWS service, fresh.", "prompt_echo"),
    ],
)
def test_what_must_not_be_shown_is_turned_away_with_a_word(saying: str, word: str) -> None:
    assert rejected(output((S3, saying))) == (word,)
    assert shown(output((S3, saying))) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "Sure! Here are some thoughts, in no particular order.",
        "null",
        "[]",
        "42",
        '"sayings"',
        '{"sayings": null}',
        '{"sayings": "none"}',
        '{"sayings": [1]}',
        '{"sayings": [{"service": 1, "saying": null}]}',
        output((S3, GOOD))[:-5],
        "[" * 15_000,
        '{"sayings":' * 1_400,
        '{"sayings": [' + "9" * 6_000 + "]}",
        '{"sayings": [NaN]}',
        "\ud800",
        "\x00",
        output((S3, GOOD)) + " " * 16_000,
        "A" * 2**20,
        build_prompt(TOPICS, [S3]).user[:-70],
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_not_the_json_asked_for_is_not_json(text: str) -> None:
    assert rejected(text) == ("not_json",)


def test_one_megabyte_in_a_saying_is_not_even_parsed() -> None:
    assert rejected(output((S3, "S3 " * 350_000))) == ("not_json",)


def test_an_answer_that_echoes_the_prompt_brings_nothing() -> None:
    assert shown(build_prompt(TOPICS, [S3]).user) == []


def test_a_lone_surrogate_costs_itself_and_not_the_saying() -> None:
    escaped = output((S3, GOOD)).replace("attic", "at\\ud800tic")
    raw = escaped.replace("\\ud800", "\ud800")

    assert shown(escaped) == shown(raw) == [GOOD]


@pytest.mark.parametrize("item", [{}, {"service": S3}, {"saying": GOOD}])
def test_an_incomplete_item_does_not_spoil_the_others(item: dict[str, str]) -> None:
    text = json.dumps({"sayings": [item, {"service": LAMBDA, "saying": GOOD_LAMBDA}]})

    assert shown(text, S3, LAMBDA) == [GOOD_LAMBDA]


def test_a_service_that_was_not_requested_is_rejected() -> None:
    assert rejected(output((SQS, "SQS is a queue for buns, patiently."), ("S4", GOOD))) == ("service_not_asked",) * 2


def test_a_service_gets_one_saying_and_a_second_try_if_rejected() -> None:
    other = "S3 is the drawer that every house has, with lifecycle rules."

    text = output((S3, "S3 is short."), (S3, GOOD), (S3, other))

    assert shown(text, S3) == [GOOD]
    assert rejected(text, S3) == ("too_short", "service_not_asked")


def test_one_saying_for_two_services_is_a_duplicate_the_second_time() -> None:
    both = "Lambda and S3 are a juggler and a shelf: one drops, one keeps."

    text = output((S3, both), (LAMBDA, f"“{both}”"))

    assert (shown(text, S3, LAMBDA), rejected(text, S3, LAMBDA)) == ([both], ("duplicate",))


def test_what_is_known_is_a_duplicate_however_it_is_written() -> None:
    written_otherwise = (
        "\u201cAmazon S3 is an attic without  a floor: it takes EVERYTHING and gives it back by the box.\u201d"
    )

    assert rejected(output((S3, written_otherwise)), known=(saying_id(GOOD),)) == ("duplicate",)


# --- whatever comes ---------------------------------------------------------------------------------------------------

_PIECES = [
    *("{", "}", "[", "]", '"', "'", ":", ",", "\\", "\\u", "\\ud800", "```json\n", "null", "1e999", "<", "&", "://"),
    *(
        '{"sayings": [',
        '{"service": "Amazon S3", "saying": "',
        '"}',
        "]}",
        "Amazon S3",
        "S3 ",
        "is a bucket ",
        "Claude",
    ),
    *(
        "\x1b[31m",
        "\x1b]",
        "\x9b",
        "\x00",
        "\r\n",
        "\u202e",
        "\u200b",
        "\ud800",
        "\u2028",
        "\U0001f9a6",
        "e\u0301",
        "ﷺ",
    ),
]


def test_nothing_raises_and_all_that_passes_is_fit_to_be_shown() -> None:
    dice = random.Random(20)
    passed = 0

    for _ in range(3_000):
        junk = "".join(dice.choices(_PIECES, k=dice.randrange(40)))
        wrapped = output((S3, "Amazon S3 is a bucket " + junk))
        for text in (junk, wrapped, wrapped.replace("\\u", "\\", 1)):
            for draft in PARSER.parse(text, build_prompt(TOPICS, [S3])).drafts:
                passed += 1
                assert 20 <= len(draft.text) <= 280
                assert draft.text.isprintable()
                assert draft.text == unicodedata.normalize("NFC", draft.text) == draft.text.strip()
                assert S3 in draft.services == TOPICS.named_in(draft.text)

    assert passed > 100  # or the test would say nothing
