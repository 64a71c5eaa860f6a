"""What a visitor would like to be served: something new to them, or something on one service."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from service.catalogue.topics import Topics
from service.domain import Saying
from service.errors import InvalidRequest

SHORT_DIGITS = 8


def short_id(saying_id: str) -> int:
    """The first 32 bits of a saying's id, by which the sayings that a visitor has seen are remembered.

    Two sayings of a thousand have the same with a chance of one in ten thousand, and then one of them counts as seen.
    """
    return int(saying_id[:SHORT_DIGITS], 16)


def check_service(service: str, topics: Topics) -> None:
    """Raise InvalidRequest for a service that no saying can be about."""
    if service not in topics.names:
        raise InvalidRequest("No AWS service of that name is known.", details=["service: unknown"])


@dataclass(frozen=True, slots=True)
class Wish:
    """The short ids of the sayings that the visitor has `seen`, and the `service` that the saying is to be about."""

    seen: Collection[int] = frozenset()
    service: str | None = None

    def allows(self, saying: Saying, short: int) -> bool:
        """Whether a saying with that short id will do."""
        return short not in self.seen and (self.service is None or self.service in saying.services)

    def and_less(self) -> Iterator["Wish"]:
        """The wish itself, and then those that ask for ever less of it; the last one asks for nothing."""
        yield self
        if self.seen:
            yield Wish(service=self.service)
        if self.service is not None:
            yield Wish(seen=self.seen)
            if self.seen:
                yield ANYTHING


ANYTHING = Wish()
