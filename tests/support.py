"""Small things that many tests need."""

import copy
import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from service.catalogue.models import packaged
from service.catalogue.topics import load_topics
from service.domain import CallKind, Generation, Saying, Usage, model_source, saying_id
from service.limits import Timeouts
from telemetry.events import Event

E = TypeVar("E", bound=Event)

TOPICS = load_topics()
# For tests that say nothing of how long an answer takes. moto answers one call after the other, its first answer takes
# seconds, as does the import of an SDK, and any answer may where other processes compute without end.
PATIENT = Timeouts(
    saying_read=60.0, live_saying=60.0, live_model=60.0, comparison=60.0, vote=60.0, statistics=60.0, readiness=60.0,
    store_write=60.0, round_write=60.0, lease_update=60.0, pool_fill=60.0, serve_flush=60.0, round_trigger=60.0,
    key_fetch=60.0, aws_connect=60.0, aws_read=60.0,
)  # fmt: skip
# A day on which the four original models hold the seats, and a setting that keeps them there in other processes.
ORIGINAL_DAY = datetime.date(2026, 11, 28)
ORIGINAL_LINE_UP = {"SAYINGS_LINE_UP": "claude-haiku-4-5,claude-sonnet-4-5,gpt-4.1,gpt-4.1-mini"}


def timeless_entries() -> list[dict[str, Any]]:
    """The catalogue's entries for the four original models, which always take part, because they have no seats."""
    entries = json.loads(packaged("catalogue.json"))["models"]
    original = (entry for entry in entries if entry["id"] in NAMES)
    return [entry | {"seat": None, "successor": None, "retires": None} for entry in original]


class RecordingListener:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


def with_timeouts(**seconds: float) -> pytest.MarkDecorator:
    """Give the `timeouts` of a test's server these values, and patience beside them."""
    return pytest.mark.parametrize("timeouts", [replace(PATIENT, **seconds)], ids=["timeouts"])


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


S = TypeVar("S")


def clocked(store: S, clock: Callable[[], float]) -> S:
    """The same store with the time of another clock."""

    async def time() -> float:
        return clock()

    same: Any = copy.copy(store)
    same.time = time
    return cast("S", same)


NAMES = {
    "claude-haiku-4-5": "Claude Haiku 4.5",
    "claude-sonnet-4-5": "Claude Sonnet 4.5",
    "gpt-4.1": "GPT-4.1",
    "gpt-4.1-mini": "GPT-4.1-mini",
}


def model_saying(
    text: str,
    *,
    model: str = "gpt-4.1",
    created_at: float = 1_000_000.0,
    simulated: bool = False,
    services: tuple[str, ...] = ("Amazon S3",),
) -> Saying:
    """A saying that a model wrote."""
    generation = Generation(
        generation_id=f"generation of {text}",
        model=model,
        vendor="openai" if model.startswith("gpt") else "anthropic",
        kind=CallKind.ROUND,
        simulated=simulated,
        prompt_version="test",
        latency_ms=1200.0,
        usage=Usage(200, 50),
        cost_nanos=800_000,
        created_at=created_at,
    )
    return Saying(saying_id(text), text, services, model_source(NAMES[model], simulated=simulated), generation)
