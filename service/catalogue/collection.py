"""The collection of hand-written sayings. They ship with the package, so they can be served when all else fails."""

from functools import cache

import msgspec

from service.catalogue.models import packaged
from service.domain import COLLECTION_SOURCE, Saying, saying_id


class _Entry(msgspec.Struct, frozen=True):
    saying: str
    services: list[str]


@cache
def collection() -> tuple[Saying, ...]:
    """Every hand-written saying, in the order of the file.

    Like constants they are part of the code and never change. They are read when they are first needed, which on Lambda
    is only when everything else is down.
    """
    entries = msgspec.json.decode(packaged("collection.json"), type=list[_Entry])
    return tuple(
        Saying(saying_id(entry.saying), entry.saying, tuple(entry.services), COLLECTION_SOURCE) for entry in entries
    )


def builtin(identity: str) -> Saying | None:
    """The hand-written saying with that id, whether or not the store has it."""
    return next((saying for saying in collection() if saying.saying_id == identity), None)
