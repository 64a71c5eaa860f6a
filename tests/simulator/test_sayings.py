"""What the simulated models write: the hand-written sayings, and how they are dealt."""

from collections import Counter
from random import Random

import msgspec
import pytest

from service.catalogue.collection import collection
from service.catalogue.models import load_catalogue
from service.catalogue.topics import load_topics
from service.domain import saying_id
from service.llm.parse import Parser
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS
from service.simulator.deck import Dealer, load_script

SCRIPT = load_script()
TOPICS = load_topics()
PARSER = Parser(TOPICS, [vendor.telltale for vendor in VENDORS.values()])
MODELS = [model.id for model in load_catalogue(VENDORS)][:4]  # one for each voice
UNKNOWN = "Amazon WorkMail"


def rejected(service: str, saying: str) -> tuple[str, ...]:
    """Why the service would not show this saying."""
    output = msgspec.json.encode({"sayings": [{"service": service, "saying": saying}]}).decode()
    return PARSER.parse(output, build_prompt(TOPICS, [service])).rejected


def test_each_voice_has_a_saying_about_every_service() -> None:
    written = Counter((line.service, line.voice) for line in SCRIPT.sayings)

    assert written.keys() == {(service, voice) for service in TOPICS.names for voice in SCRIPT.voices}


def test_no_two_sayings_are_alike_nor_in_the_collection() -> None:
    ids = [saying_id(line.saying) for line in SCRIPT.sayings]

    assert len(set(ids)) == len(ids)
    assert not set(ids) & {saying.saying_id for saying in collection()}


@pytest.mark.parametrize("voice", SCRIPT.voices)
def test_every_saying_may_be_shown_also_behind_an_encore(voice: str) -> None:
    decks = {service: SCRIPT.deck(service, voice, Random(1)) for service in TOPICS.names}

    refused = {saying: why for service, deck in decks.items() for saying in deck if (why := rejected(service, saying))}

    assert refused == {}


@pytest.mark.parametrize("voice", SCRIPT.voices)
def test_every_encore_is_used(voice: str) -> None:
    told = [saying for service in TOPICS.names for saying in SCRIPT.deck(service, voice, Random(1))]

    assert len(SCRIPT.encores[voice]) == 8
    assert all(any(saying.startswith(f"{encore} ") for saying in told) for encore in SCRIPT.encores[voice])


def test_a_general_line_stands_in_for_a_service_without_sayings() -> None:
    dealer = Dealer(MODELS, 1)

    said = [dealer.deal(model, UNKNOWN) for model in MODELS]

    assert [each.service for each in said] == [UNKNOWN] * 4
    assert len({each.saying for each in said}) == 4
    assert all(UNKNOWN in each.saying and len(each.saying) < 200 for each in said)


@pytest.mark.parametrize("service", ["Amazon S3", UNKNOWN])
@pytest.mark.parametrize("model", MODELS)
def test_a_deck_repeats_nothing_before_it_is_through(model: str, service: str) -> None:
    dealer = Dealer(MODELS, 1)

    dealt = [dealer.deal(model, service).saying for _ in range(10)]

    assert len(set(dealt[:9])) == 9
    assert dealt[9] == dealt[0]  # and then it starts again
    assert all(saying.endswith(dealt[0]) for saying in dealt)


def test_a_saying_beyond_the_limit_is_left_out() -> None:
    service = "A service whose name is so long that few encores fit in front of it" * 3

    deck = SCRIPT.deck(service, "dry", Random(1))

    assert len(deck) == 1


def test_four_models_say_four_things_about_each_service() -> None:
    dealer = Dealer(MODELS, 1)

    alike = [
        service
        for service in TOPICS.names
        if len({dealer.deal(model, service).saying for model in MODELS}) < len(MODELS)
    ]

    assert alike == []


def test_models_that_share_a_voice_open_with_different_words() -> None:
    dealer = Dealer([*MODELS, "fifth", "sixth"], 1)

    first, fifth = dealer.deal(MODELS[0], "Amazon S3"), dealer.deal("fifth", "Amazon S3")

    assert fifth.saying != first.saying
    assert fifth.saying.endswith(first.saying)


@pytest.mark.parametrize("model", MODELS)
def test_sixty_sayings_about_random_services_never_repeat(model: str) -> None:
    dealer, rng = Dealer(MODELS, 1), Random(1)

    dealt = [dealer.deal(model, rng.choice(TOPICS.names)).saying for _ in range(60)]

    assert len(set(dealt)) == 60
