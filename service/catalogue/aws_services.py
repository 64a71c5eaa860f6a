"""The AWS services that sayings are about, and which of them a text names."""

import re
from functools import cache

import msgspec

from service.catalogue.models import packaged


class AwsService(msgspec.Struct, frozen=True):
    """A service by its official name and the other names people write."""

    name: str
    aliases: list[str] = []


class AwsServices:
    """Finds services in texts: case-sensitive, on word boundaries, the longest name first."""

    def __init__(self, services: list[AwsService]) -> None:
        self.names = tuple(service.name for service in services)
        self._by_form = {form: service.name for service in services for form in (service.name, *service.aliases)}
        forms = sorted(self._by_form, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, forms))})(?![\w-])")

    def named_in(self, text: str) -> tuple[str, ...]:
        """Official names of the services the text names, in order of appearance, each once."""
        return tuple(dict.fromkeys(self._by_form[match.group()] for match in self._pattern.finditer(text)))


@cache
def aws_services() -> AwsServices:
    """The packaged list."""
    return AwsServices(msgspec.json.decode(packaged("services.json"), type=list[AwsService]))
