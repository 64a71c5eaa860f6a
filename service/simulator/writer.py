"""What the simulated models write: sayings put together from phrases.json, a voice for each model."""

from collections.abc import Iterator
from functools import cache
from itertools import count
from math import gcd
from pathlib import Path
from random import Random

import msgspec


class Saying(msgspec.Struct, frozen=True):
    service: str
    saying: str


class Voice(msgspec.Struct, frozen=True):
    openings: list[str]
    twists: list[str]


class Phrases(msgspec.Struct, frozen=True):
    comparisons: list[str]
    voices: dict[str, Voice]


@cache
def phrases() -> Phrases:
    path = Path(__file__).with_name("phrases.json")
    return msgspec.json.decode(path.read_bytes(), type=Phrases)


def combinations(voice: Voice) -> int:
    return len(voice.openings) * len(phrases().comparisons) * len(voice.twists)


def compose(voice: Voice, service: str, index: int) -> str:
    """The saying with this number, out of `combinations(voice)`."""
    rest, opening = divmod(index, len(voice.openings))
    twist, comparison = divmod(rest, len(phrases().comparisons))
    start = voice.openings[opening].replace("{service}", service)
    return f"{start} {phrases().comparisons[comparison]}{voice.twists[twist]}"


class Writer:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._walks: dict[tuple[str, str], Iterator[int]] = {}

    def write(self, model: str, service: str) -> Saying:
        voice = phrases().voices[model]
        walk = self._walks.get((model, service))
        if walk is None:
            # One walk per model and service: what one model is asked never changes what another one writes.
            walk = _walk(combinations(voice), Random(f"{self._seed}/{model}/{service}"))
            self._walks[model, service] = walk
        return Saying(service, compose(voice, service, next(walk)))


def _walk(size: int, rng: Random) -> Iterator[int]:
    """Every number below `size` once before any comes again, because the stride has no factor in common with it."""
    stride = next(step for step in count(rng.randrange(size // 4, size // 2)) if gcd(step, size) == 1)
    index = rng.randrange(size)
    while True:
        yield index
        index = (index + stride) % size
