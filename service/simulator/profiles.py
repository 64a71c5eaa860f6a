"""The models that the simulated vendors know: every model of a catalogue, with how long it takes and how it answers."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Self

from service.catalogue import line_up
from service.catalogue.models import Model

# The share of the time that does not depend on the length: three sayings take about 1.5 times as long as one.
FIXED_SHARE = 0.75

_CLAUDE_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_GPT_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model thinks before it writes.

    It thinks with the effort `usual`, or not at all where that is None, unless one of the words in `off` says not to.
    It takes the `efforts` and, at Anthropic, the `types` of thinking, and refuses any other. Models that think also
    refuse what belongs to an earlier time: sampling parameters, the beginning of an answer, and `max_tokens` at OpenAI.
    """

    usual: str | None = None
    off: str = ""
    efforts: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """How one model of the catalogue behaves.

    `snapshot` is the dated name that vendors put into their answers. A call takes `median_seconds` for an answer of
    `tokens_of_one_saying` tokens, the envelope included; `spread` is the sigma of the log-normal distribution.
    `thinking` is None for a model that we know nothing of: it does not think, and takes everything.
    """

    model: Model
    snapshot: str
    max_output: int
    tokens_of_one_saying: int
    median_seconds: float
    spread: float
    thinking: Thinking | None

    @classmethod
    def of(cls, model: Model) -> Self:
        """The profile of a model of the catalogue, with the usual figures if we know none of its own."""
        return cls(model, *_FIGURES.get(model.vendors_name, _usual(model)))

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def vendor(self) -> str:
        return self.model.vendor

    def seconds(self, output_tokens: int, rng: Random) -> float:
        """How long the model takes this time to write so many tokens."""
        length = FIXED_SHARE + (1 - FIXED_SHARE) * output_tokens / self.tokens_of_one_saying
        return self.median_seconds * length * rng.lognormvariate(0.0, self.spread)

    def is_retired(self, day: datetime.date) -> bool:
        return self.model.retires is not None and self.model.retires <= day

    def is_served(self, day: datetime.date) -> bool:
        """Whether the vendor has the model on this day."""
        return not self.is_retired(day) and (self.model.arrives is None or self.model.arrives <= day)


class _Figures(NamedTuple):
    snapshot: str
    max_output: int
    tokens_of_one_saying: int
    median_seconds: float
    spread: float
    thinking: Thinking | None


_CLAUDE_4 = Thinking(types=frozenset({"enabled", "disabled"}))
_FIGURES = {
    "claude-haiku-4-5": _Figures("claude-haiku-4-5-20251001", 64_000, 40, 0.9, 0.25, _CLAUDE_4),
    "claude-sonnet-4-5": _Figures("claude-sonnet-4-5-20250929", 64_000, 62, 1.8, 0.30, _CLAUDE_4),
    "claude-haiku-5-5": _Figures(
        "claude-haiku-5-5", 64_000, 52, 0.7, 0.25,
        Thinking("medium", "disabled", _CLAUDE_EFFORTS, frozenset({"adaptive", "disabled"})),
    ),
    "claude-sonnet-5-5": _Figures(
        "claude-sonnet-5-5", 128_000, 80, 1.5, 0.30,
        Thinking("high", "between_tools", _CLAUDE_EFFORTS, frozenset({"adaptive", "between_tools"})),
    ),
    "gpt-4.1": _Figures("gpt-4.1-2025-04-14", 32_768, 59, 1.4, 0.35, Thinking()),
    "gpt-4.1-mini": _Figures("gpt-4.1-mini-2025-04-14", 32_768, 64, 0.8, 0.35, Thinking()),
    "gpt-6.1-terra": _Figures(
        "gpt-6.1-terra-2026-10-26", 128_000, 60, 1.2, 0.35, Thinking("medium", "none", _GPT_EFFORTS)
    ),
    "gpt-6-luna": _Figures(
        "gpt-6-luna-2026-09-22", 128_000, 58, 0.6, 0.35, Thinking("medium", "none", _GPT_EFFORTS)
    ),
}  # fmt: skip


def _usual(model: Model) -> _Figures:
    return _Figures(model.vendors_name, 32_768, 56, 1.2, 0.30, None)


class Profiles:
    """The profiles of a catalogue's models, in its order. `day` says which of them the vendors have today."""

    def __init__(self, models: Iterable[Model], day: Callable[[], datetime.date] | None = None) -> None:
        profiles = [Profile.of(model) for model in models]
        self._day = day
        self._by_id = {profile.id: profile for profile in profiles}
        self._by_name = {profile.snapshot: profile for profile in profiles}
        self._by_name |= {profile.model.vendors_name: profile for profile in reversed(profiles)}
        # An id goes before a dated name: a catalogue may list a dated model beside the one it stands for.
        self._by_name |= self._by_id

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._by_id.values())

    @property
    def day(self) -> datetime.date:
        return self._day() if self._day else line_up.today()

    def find(self, name: str) -> Profile | None:
        """The model with this id, this dated name, or the name that its vendor has for it."""
        return self._by_name.get(name)

    def served(self, name: str, vendor: str) -> Profile | None:
        """The model with this name, if this vendor has it today."""
        profile = self.find(name)
        return profile if profile and profile.vendor == vendor and profile.is_served(self.day) else None
