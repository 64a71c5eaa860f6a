"""The hand-written sayings: enough of them, fit to be shown, and no two alike."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import msgspec
import pytest

from service.catalogue.collection import collection
from service.catalogue.models import packaged
from service.catalogue.topics import Service
from service.domain import COLLECTION_SOURCE
from tests.support import TOPICS

SAYINGS = [saying.text for saying in collection()]

# Of all pairs today the closest is at 0.21.
TOO_CLOSE = 0.25
# A word is rare when no more than four sayings have it; three of them in common are a scene in common.
RARE, TOO_MANY_IN_COMMON = 4, 3

_LIKENED_TO = re.compile(
    r"\b(?:is|are|was|were|like|as)(?: only| really)? (?:a|an|the|two|three) ((?:[\w'-]+ ?){1,2})", re.IGNORECASE
)
_STOP = {
    "of",
    "with",
    "that",
    "who",
    "whose",
    "which",
    "where",
    "before",
    "by",
    "in",
    "on",
    "for",
    "to",
    "at",
    "it",
    "one",
}
_SERVICE_WORDS = {
    word for service in TOPICS.names for word in re.findall(r"[a-z]+", service.lower())
}  # fmt: skip

Pair = tuple[str, str]


def content_words(text: str) -> set[str]:
    """The words that carry a saying's picture: no short ones, no names of services, nothing in capitals."""
    return {word.rstrip("s") for word in re.findall(r"\b[A-Z]?[a-z]{4,}\b", text) for word in [word.lower()]} - {
        word.rstrip("s") for word in _SERVICE_WORDS
    }


def near_duplicates(sayings: Sequence[str]) -> Iterator[Pair]:
    words = {saying: content_words(saying) for saying in sayings}
    for one, other in combinations(sayings, 2):
        if len(words[one] & words[other]) >= TOO_CLOSE * len(words[one] | words[other]):
            yield one, other


def same_thing(sayings: Sequence[str]) -> Iterator[Pair]:
    """Pairs of sayings with the same metaphor, as when both say "is a microwave"."""
    likened = {
        saying: {thing for match in _LIKENED_TO.finditer(saying) if (thing := _thing(match[1]))} for saying in sayings
    }
    return ((one, other) for one, other in combinations(sayings, 2) if likened[one] & likened[other])


def _thing(words: str) -> tuple[str, ...]:
    kept = words.lower().split()
    stop = next((position for position, word in enumerate(kept) if word in _STOP), len(kept))
    return tuple(kept[:stop])


def same_scene(sayings: Sequence[str]) -> Iterator[Pair]:
    """Pairs that have several rare words in common."""
    words = {saying: content_words(saying) for saying in sayings}
    sayings_with = Counter(word for found in words.values() for word in found)
    rare = {saying: {word for word in found if sayings_with[word] <= RARE} for saying, found in words.items()}
    return ((a, b) for a, b in combinations(sayings, 2) if len(rare[a] & rare[b]) >= TOO_MANY_IN_COMMON)


def test_there_are_enough_sayings_on_enough_services() -> None:
    services = {service for saying in collection() for service in saying.services}

    assert len(collection()) >= 240
    assert len(services) >= 60


def test_every_saying_has_a_valid_text_and_lists_its_services() -> None:
    wrong_length = [text for text in SAYINGS if not 20 <= len(text) <= 280]
    unprintable = [text for text in SAYINGS if not text.isprintable()]
    mislabelled = [saying.text for saying in collection() if set(saying.services) != set(TOPICS.named_in(saying.text))]

    assert (wrong_length, unprintable, mislabelled) == ([], [], [])
    assert {saying.source for saying in collection()} == {COLLECTION_SOURCE}


def test_no_saying_is_there_twice() -> None:
    ids = Counter(saying.saying_id for saying in collection())

    assert max(ids.values()) == 1


@pytest.mark.parametrize(
    ("alike", "planted"),
    [
        (
            near_duplicates,
            "AWS Batch is a dishwasher: nobody knows when it starts, happiest when full, one big pan blocking it.",
        ),
        (same_thing, "AWS Glue is the microwave of data: it hums, it turns, and the middle stays cold."),
        (same_scene, "Picture a stadium: sixty visitors, sixty tickets, and one gate. Kinesis calls it a shard."),
    ],
    ids=["near_duplicates", "same_thing", "same_scene"],
)
def test_no_two_sayings_make_the_same_comparison(
    alike: Callable[[Sequence[str]], Iterator[Pair]], planted: str
) -> None:
    assert list(alike(SAYINGS)) == []

    # And a comparison that is there already would be noticed.
    assert [new for _, new in alike([*SAYINGS, planted])] == [planted]


def test_services_are_sorted_and_no_name_means_two_of_them() -> None:
    services = msgspec.json.decode(packaged("services.json"), type=list[Service])
    names = [service.name for service in services]
    forms = Counter(form for service in services for form in (service.name, *service.aliases))

    assert names == sorted(names)
    assert max(forms.values()) == 1
    assert all(TOPICS.named_in(f"It is {form}, is it not?") == (s.name,) for s in services for form in s.aliases)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("S3's bill and Lambda's.", ("Amazon S3", "AWS Lambda")),
        ("Lambda, lambda and Lambda again", ("AWS Lambda",)),
        ("EC2 Auto Scaling is not EC2", ("Amazon EC2 Auto Scaling", "Amazon EC2")),
        ("IAM Identity Center", ("AWS IAM Identity Center",)),
        ("the S3-like, myS3 and S31", ()),
        ("a glue, a config and a batch", ()),
    ],
)
def test_services_are_found_by_whole_names_the_longest_first(text: str, named: tuple[str, ...]) -> None:
    assert TOPICS.named_in(text) == named
