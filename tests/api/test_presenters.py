"""A blind answer is the same whoever the author is."""

from dataclasses import replace

import msgspec
import pytest

from service.api.presenters import saying_answer
from service.domain import COLLECTION_SOURCE, Origin, Saying
from service.sayings.flow import Served
from service.voting.showing import Shown
from tests.support import NAMES, model_saying

TEXT, TRACE = "Amazon S3 is a cellar that never asks.", "1-5759e988-bd862e3fe1be46a994272793"


def by(model: str, latency_ms: float) -> Saying:
    saying = model_saying(TEXT, model=model, simulated=latency_ms > 2_000)
    assert saying.generation is not None
    return replace(saying, generation=replace(saying.generation, latency_ms=latency_ms))


AUTHORS = [by(model, 1_000.0 + 700.0 * number) for number, model in enumerate(NAMES)]
COLLECTED = replace(AUTHORS[0], source=COLLECTION_SOURCE, generation=None)


def encoded(saying: Saying, *, is_blind: bool, failed_call: float | None = None) -> bytes:
    served = Served(saying, Origin.DATABASE, 7, None, failed_call)
    return msgspec.json.encode(saying_answer(Shown(served, is_blind, "token"), 0.4, TRACE))


def test_blind_answers_differ_in_no_byte() -> None:
    answers = {encoded(saying, is_blind=True) for saying in [*AUTHORS, COLLECTED]}

    assert len(answers) == 1


def test_named_answers_differ() -> None:
    answers = {encoded(saying, is_blind=False) for saying in [*AUTHORS, COLLECTED]}

    assert len(answers) == len(NAMES) + 1


@pytest.mark.parametrize("saying", [*AUTHORS, COLLECTED], ids=lambda saying: saying.contributor)
def test_a_blind_answer_does_not_tell_of_a_call_that_failed_before(saying: Saying) -> None:
    assert encoded(saying, is_blind=True, failed_call=1_234.5) == encoded(saying, is_blind=True)
