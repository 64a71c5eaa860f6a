"""What may be shown of values that are given: texts and numbers, but never the text of an exception."""

import logging
import re

_ARGUMENTS = re.compile(r"\(.+\)")


def harmless(value: object) -> object:
    """Keep texts and numbers; replace anything else, above all exceptions, by the name of its class."""
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def printable(text: str) -> str:
    """Replace unprintable characters, which could control a terminal or break an encoding."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def template(record: logging.LogRecord) -> str:
    """The first line of a record's message, before its arguments are put in.

    asyncio puts the `repr` of an exception into further lines, and the arguments of a callback into the first.
    """
    text = str(harmless(record.msg)).partition("\n")[0]
    return _ARGUMENTS.sub("(…)", text) if record.name == "asyncio" else text
