"""The topics of the sayings: the AWS services, the prompt's nouns for them, and the search for them in a text."""

import re
from collections.abc import Sequence
from functools import cached_property

import msgspec

from service.catalogue.models import packaged


class Service(msgspec.Struct, frozen=True):
    """A service, with its official name and the other names in common use."""

    name: str
    aliases: list[str] = []


class Topics:
    """The services that sayings are about, and the nouns that the prompt uses for them.

    `singular` and `plural` are the nouns for a service ("AWS service", "AWS services"), and `audience` describes the
    readers. All three are part of the prompt, whose version must change with them.
    """

    def __init__(self, services: Sequence[Service], *, singular: str, plural: str, audience: str) -> None:
        self.names = tuple(service.name for service in services)
        self.singular = singular
        self.plural = plural
        self.audience = audience
        self._by_form = {form: service.name for service in services for form in (service.name, *service.aliases)}
        self._by_folded = {form.casefold(): name for form, name in self._by_form.items()}

    def mentions(self, text: str, service: str) -> bool:
        """Whether the text names this service, in whatever case: "aws lambda" does, where it was asked for."""
        found = self._pattern_of_any_case.finditer(text)
        return any(self._by_folded.get(match.group().casefold()) == service for match in found)

    def named_in(self, text: str) -> tuple[str, ...]:
        """The official names of the services that the text mentions, each once and in the order of appearance.

        The search is case-sensitive (an aurora is no database), respects word boundaries and prefers the longest name.
        """
        return tuple(dict.fromkeys(self._by_form[match.group()] for match in self._pattern.finditer(text)))

    def services_of(self, text: str, asked: str) -> tuple[str, ...]:
        """What the text names, and first what it was asked for if it names that in another case."""
        named = self.named_in(text)
        return named if asked in named else (asked, *named)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Any name of any service. Compiling it takes milliseconds, which a cold start saves by deferring it."""
        return self._compiled()

    @cached_property
    def _pattern_of_any_case(self) -> re.Pattern[str]:
        return self._compiled(re.IGNORECASE)

    def _compiled(self, flags: int = 0) -> re.Pattern[str]:
        forms = sorted(self._by_form, key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, forms))})(?![\w-])", flags)


def load_topics() -> Topics:
    """Load the AWS services that ship with the package."""
    return Topics(
        msgspec.json.decode(packaged("services.json"), type=list[Service]),
        singular="AWS service",
        plural="AWS services",
        audience="engineers who use AWS",
    )
