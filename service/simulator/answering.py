"""From a request to the text that answers it, damaged as ordered."""

from collections.abc import Sequence

import msgspec

from service.simulator import damage
from service.simulator.faults import FaultKind
from service.simulator.schema import SAYINGS, SchemaError, conforming
from service.simulator.wire import Answer, Ask, Ending, Problem, RefusedError, tokens
from service.simulator.writer import Saying, Writer

DEFAULT_SERVICE = "Amazon S3"


def answer(ask: Ask, kind: FaultKind | None, writer: Writer, serial: str) -> Answer:
    """Raises RefusedError for a schema that nothing conforms to."""
    text, ending = _ended(_text(ask, kind, writer), ask, kind)
    # Nobody is billed beyond the limit, not even for a text that a fault made longer.
    output_tokens = min(tokens(len(text)), ask.max_tokens)
    return Answer(serial, text, ending, ask.input_tokens, output_tokens)


def _text(ask: Ask, kind: FaultKind | None, writer: Writer) -> str:
    model = ask.model.id
    good = [writer.write(model, service) for service in ask.services or [DEFAULT_SERVICE]]
    said = damage.sayings(kind, good, model, writer)
    return damage.message_text(kind, _worded(ask, said), ask.prompt)


def _worded(ask: Ask, said: Sequence[Saying]) -> str:
    if ask.schema is None and not ask.services:
        return said[0].saying
    try:
        return msgspec.json.encode(conforming(ask.schema or SAYINGS, said)).decode()
    except SchemaError as error:
        raise RefusedError(Problem(400, str(error))) from error


def _ended(text: str, ask: Ask, kind: FaultKind | None) -> tuple[str, Ending]:
    ending = damage.ENDINGS.get(kind, Ending.DONE) if kind else Ending.DONE
    if ending is Ending.LENGTH:
        return text[: len(text) // 2], ending
    if tokens(len(text)) > ask.max_tokens and not (kind and kind.is_text):
        return text[: 4 * ask.max_tokens], Ending.LENGTH
    return text, ending
