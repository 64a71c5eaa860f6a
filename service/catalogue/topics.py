"""What sayings are about: AWS services, how the prompt speaks of them, and which of them a text names."""

import re
from collections.abc import Sequence
from functools import cached_property

import msgspec

from service.catalogue.models import packaged


class Service(msgspec.Struct, frozen=True):
    """A service by its official name and the other names people write."""

    name: str
    aliases: list[str] = []


class Topics:
    """The services that sayings are about, and the nouns with which the prompt asks for them.

    `one` and `many` are what a service is called ("AWS service", "AWS services"), `audience` is who the sayings are
    for. All three are part of the prompt, whose version must change with them.
    """

    def __init__(self, services: Sequence[Service], *, one: str, many: str, audience: str) -> None:
        self.names = tuple(service.name for service in services)
        self.one = one
        self.many = many
        self.audience = audience
        self._by_form = {form: service.name for service in services for form in (service.name, *service.aliases)}
        self._by_folded = {form.casefold(): name for form, name in self._by_form.items()}

    def mentions(self, text: str, service: str) -> bool:
        """Whether the text names this service, in whatever case: "aws lambda" does, where it was asked for."""
        found = self._pattern_of_any_case.finditer(text)
        return any(self._by_folded.get(match.group().casefold()) == service for match in found)

    def named_in(self, text: str) -> tuple[str, ...]:
        """Official names of the services that the text names, in order of appearance, each once.

        Names are found case-sensitively (an aurora is no database), on word boundaries, the longest first.
        """
        return tuple(dict.fromkeys(self._by_form[match.group()] for match in self._pattern.finditer(text)))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Compiled when first needed, because that takes milliseconds that a cold start can do without."""
        return self._compiled()

    @cached_property
    def _pattern_of_any_case(self) -> re.Pattern[str]:
        return self._compiled(re.IGNORECASE)

    def _compiled(self, flags: int = 0) -> re.Pattern[str]:
        forms = sorted(self._by_form, key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, forms))})(?![\w-])", flags)


def load_topics() -> Topics:
    """The packaged AWS services."""
    return Topics(
        msgspec.json.decode(packaged("services.json"), type=list[Service]),
        one="AWS service",
        many="AWS services",
        audience="engineers who use AWS",
    )
