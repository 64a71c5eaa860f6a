"""The prompt. A change of a word here or in the topics needs a new version, which is stored with every saying."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.topics import Topics

PROMPT_VERSION = "2026-11-20.1"

# The schema for endpoints with structured output. Both vendors demand that every property is required and no other is
# allowed. Neither accepts limits on lengths, so the parser checks them.
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "sayings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"service": {"type": "string"}, "saying": {"type": "string"}},
                "required": ["service", "saying"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["sayings"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """The request for one saying on each of the services."""

    system: str
    user: str
    services: tuple[str, ...]
    version: str = PROMPT_VERSION


def build_prompt(topics: Topics, services: Sequence[str]) -> Prompt:
    """Build the request for one saying on each of the services."""
    wanted = "\n".join(f"- {service}" for service in services)
    return Prompt(
        system=(
            f"You write witty one-liners for {topics.audience}. Each one is an analogy about one {topics.singular}: "
            "fresh, specific to how that service really behaves, one or two sentences, between 40 and 240 characters. "
            "Name the service in the sentence. Plain text: no links, no markup, no emoji, no quotation marks around "
            "it. Do not mention yourself or who made you."
        ),
        user=(
            f"Write one saying for each of these {topics.plural}:\n{wanted}\n"
            'Answer with JSON only: {"sayings": [{"service": "<name as given>", "saying": "<text>"}]}'
        ),
        services=tuple(services),
    )
