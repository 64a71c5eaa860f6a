"""The models that the simulated vendors know: every model of a catalogue, with how long it takes and how it answers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Self

from service.catalogue.models import Model

# The share of the time that does not depend on the length: three sayings take about 1.5 times as long as one.
FIXED_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Profile:
    """How one model of the catalogue behaves.

    `snapshot` is the dated name that vendors put into their answers. A call takes `median_seconds` for an answer of
    `tokens_of_one_saying` tokens, the envelope included; `spread` is the sigma of the log-normal distribution.
    """

    id: str
    vendor: str
    snapshot: str
    max_output: int
    tokens_of_one_saying: int
    median_seconds: float
    spread: float

    @classmethod
    def of(cls, model: Model) -> Self:
        """The profile of a model of the catalogue, with the usual figures if we know none of its own."""
        return cls(model.id, model.vendor, *_FIGURES.get(model.id, _usual(model)))

    def seconds(self, output_tokens: int, rng: Random) -> float:
        """How long the model takes this time to write so many tokens."""
        length = FIXED_SHARE + (1 - FIXED_SHARE) * output_tokens / self.tokens_of_one_saying
        return self.median_seconds * length * rng.lognormvariate(0.0, self.spread)


class _Figures(NamedTuple):
    snapshot: str
    max_output: int
    tokens_of_one_saying: int
    median_seconds: float
    spread: float


_FIGURES = {
    "claude-haiku-4-5": _Figures("claude-haiku-4-5-20251001", 64_000, 40, 0.9, 0.25),
    "claude-sonnet-4-5": _Figures("claude-sonnet-4-5-20250929", 64_000, 62, 1.8, 0.30),
    "gpt-4.1": _Figures("gpt-4.1-2025-04-14", 32_768, 59, 1.4, 0.35),
    "gpt-4.1-mini": _Figures("gpt-4.1-mini-2025-04-14", 32_768, 64, 0.8, 0.35),
}


def _usual(model: Model) -> _Figures:
    return _Figures(model.id, 32_768, 56, 1.2, 0.30)


class Profiles:
    """The profiles of a catalogue's models, in its order."""

    def __init__(self, models: Iterable[Model]) -> None:
        profiles = [Profile.of(model) for model in models]
        self._by_id = {profile.id: profile for profile in profiles}
        # An id goes before a dated name: a catalogue may list a dated model beside the one it stands for.
        self._by_name = {profile.snapshot: profile for profile in profiles} | self._by_id

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._by_id.values())

    def find(self, name: str) -> Profile | None:
        """The model with this id or this dated name."""
        return self._by_name.get(name)
