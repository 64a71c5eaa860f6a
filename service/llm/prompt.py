"""What the models are asked. A changed word here or in the topics needs a new version, which every saying keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.catalogue.topics import Topics

PROMPT_VERSION = "2026-11-20.1"

# The shape asked for where the vendor has structured output. Every property required and nothing else allowed, as
# both vendors demand; lengths are checked on our side because neither takes them.
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
    """One request for one saying on each of the services."""

    system: str
    user: str
    services: tuple[str, ...]
    version: str = PROMPT_VERSION


def build_prompt(topics: Topics, services: Sequence[str]) -> Prompt:
    """The request for one saying on each of the services."""
    wanted = "\n".join(f"- {service}" for service in services)
    return Prompt(
        system=(
            f"You write witty one-liners for {topics.audience}. Each one is an analogy about one {topics.one}: fresh, "
            "specific to how that service really behaves, one or two sentences, between 40 and 240 characters. "
            "Name the service in the sentence. Plain text: no links, no markup, no emoji, no quotation marks around "
            "it. Do not mention yourself or who made you."
        ),
        user=(
            f"Write one saying for each of these {topics.many}:\n{wanted}\n"
            'Answer with JSON only: {"sayings": [{"service": "<name as given>", "saying": "<text>"}]}'
        ),
        services=tuple(services),
    )
