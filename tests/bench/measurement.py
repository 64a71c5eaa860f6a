"""What a row yields, and how much of everything it does."""

import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

K = TypeVar("K")
T = TypeVar("T")

# Reports progress: called with what is being measured.
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done; ratios need several rounds, counts do not. `seconds` are those of one burst of requests."""

    rounds: int
    seconds: float
    connections: tuple[int, ...]
    starts: int
    round_speed: float
    key_hits: int
    stats_votes: tuple[int, ...]
    compares: int
    requests: int
    idle_connections: int


FULL = Size(
    rounds=5, seconds=1.0, connections=(1, 32, 256), starts=5, round_speed=1.0, key_hits=100_000,
    stats_votes=(1_000, 100_000, 1_000_000), compares=10_000, requests=100_000, idle_connections=1_000,
)  # fmt: skip
QUICK = Size(
    rounds=1, seconds=0.25, connections=(32,), starts=1, round_speed=0.2, key_hits=5_000,
    stats_votes=(1_000, 10_000), compares=100, requests=5_000, idle_connections=200,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    """The figure to hold: of the ratio where there is one, of the value otherwise."""

    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def is_held_by(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table. `ratio` is the value's to that of `baseline`; `details` are further figures, by name."""

    name: str
    value: float
    unit: str
    baseline: str = ""
    ratio: float | None = None
    bar: Bar | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool | None:
        """Whether the bar is held; None without one."""
        return None if self.bar is None else self.bar.is_held_by(self.value if self.ratio is None else self.ratio)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "bar": None if self.bar is None else str(self.bar),
            "held": self.held,
            "details": dict(self.details),
        }


async def alternating(contestants: Mapping[K, Callable[[], Awaitable[T]]], rounds: int) -> dict[K, list[T]]:
    """What each brings in every round: they take turns, so that a busy moment of the machine meets them all."""
    found: dict[K, list[T]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            found[name].append(await run())
    return found


def median_ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """The median over the rounds of the ratio within a round."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
