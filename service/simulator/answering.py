"""Turns a request into the text that answers it, spoilt if a fault says so."""

from collections.abc import Sequence

import msgspec

from service.simulator import fault_effects
from service.simulator.deck import Dealer, DealtSaying
from service.simulator.faults import FaultKind
from service.simulator.json_schema import SAYINGS, SchemaError, conforming
from service.simulator.protocol import Answer, Ask, Ending, Problem, RefusedError, tokens

DEFAULT_SERVICE = "Amazon S3"

# What a model thinks before it writes a line, by its effort.
_THINKING_TOKENS = {"minimal": 80, "low": 250, "medium": 700, "high": 1_500, "xhigh": 3_000, "max": 6_000}


def answer(ask: Ask, kind: FaultKind | None, dealer: Dealer, serial: str) -> Answer:
    """The answer to a request. Raises RefusedError for a schema that no value can conform to."""
    thinking = min(_THINKING_TOKENS[ask.effort], ask.max_tokens) if ask.effort else 0
    text, ending = _ended(_text(ask, kind, dealer), kind, room=ask.max_tokens - thinking)
    # A vendor bills no more than the limit, even if a fault has made the text longer.
    output_tokens = min(thinking + tokens(len(text)), ask.max_tokens)
    return Answer(serial, text, ending, ask.input_tokens, output_tokens, thinking)


def _text(ask: Ask, kind: FaultKind | None, dealer: Dealer) -> str:
    model = ask.model.id
    good = [dealer.deal(model, service) for service in ask.services or [DEFAULT_SERVICE]]
    said = fault_effects.sayings(kind, good, model, dealer)
    return fault_effects.message_text(kind, _formatted(ask, said), ask.prompt)


def _formatted(ask: Ask, said: Sequence[DealtSaying]) -> str:
    if ask.schema is None and not ask.services:
        return said[0].saying
    try:
        return msgspec.json.encode(conforming(ask.schema or SAYINGS, said)).decode()
    except SchemaError as error:
        raise RefusedError(Problem(400, str(error))) from error


def _ended(text: str, kind: FaultKind | None, *, room: int) -> tuple[str, Ending]:
    ending = fault_effects.ENDINGS.get(kind, Ending.DONE) if kind else Ending.DONE
    if ending is Ending.LENGTH:
        return text[: len(text) // 2], ending
    if tokens(len(text)) > room and not (kind and kind.is_text):
        return text[: 4 * room], Ending.LENGTH  # which is nothing where the model has thought the limit away
    return text, ending
