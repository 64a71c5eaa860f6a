"""What will be asked and what will fail, and when: drawn from a seed and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from service.simulator import Fault, FaultKind, Simulator
from service.simulator.faults import EVERY_MODEL

# Of the model calls, of the store's time or calls, and of the visitors.
FAULT_SHARE = 0.2
VOTERS = 40
FLOOD = 60
SECONDS_PER_OUTAGE = 12.0
# Processes are killed in the first part of a run; in the second they warm up, and in the last what grows can be seen.
STORMY_SHARE = 0.55
WARMING_SHARE, LEAST_WARMING_SECONDS = 0.15, 10.0


class Kind(StrEnum):
    """What a visitor does."""

    SAYING = "GET /sayings"
    VOTE = "POST /feedback"
    WITHDRAW = "DELETE /feedback"
    COMPARE = "POST /compare, JSON"
    STREAM = "POST /compare, stream"
    BALLOT = "POST /compare/vote"
    STATS = "GET /stats"
    MODELS = "GET /models"
    LIVE = "GET /health/live"
    READY = "GET /health/ready"

    BAD_INPUT = "bad input"
    LEAVE_VOTE = "a vote, then gone"
    LEAVE_STREAM = "a stream, then gone"
    DRIP = "a body that drips"
    HALF_HEAD = "half a head"
    FLOOD = "a flood"


_GOOD = {
    Kind.SAYING: 38, Kind.VOTE: 30, Kind.WITHDRAW: 5, Kind.COMPARE: 2, Kind.STREAM: 2, Kind.BALLOT: 7, Kind.STATS: 4,
    Kind.MODELS: 2, Kind.LIVE: 6, Kind.READY: 4,
}  # fmt: skip
_BAD = {
    Kind.BAD_INPUT: 60, Kind.LEAVE_VOTE: 20, Kind.LEAVE_STREAM: 4, Kind.DRIP: 8, Kind.HALF_HEAD: 7, Kind.FLOOD: 1,
}  # fmt: skip


class Blow(StrEnum):
    """What hits a process."""

    KILL = "SIGKILL"
    STOP = "SIGTERM"
    FREEZE = "SIGSTOP"


@dataclass(frozen=True, slots=True)
class Act:
    """One visit, `at` seconds from the beginning of its part; `seed` settles what else there is to choose."""

    at: float
    voter: int
    kind: Kind
    seed: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A blow at a moment; it keeps a process down, or frozen, for so many seconds at least."""

    at: float
    blow: Blow
    seconds: float


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which the store cannot be written to."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some time with all that happens in it, each in order."""

    seconds: float
    acts: tuple[Act, ...]
    outages: tuple[Outage, ...]
    spells: tuple[Spell, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    stormy: Part
    warming: Part
    steady: Part

    @property
    def seconds(self) -> float:
        return self.stormy.seconds + self.warming.seconds + self.steady.seconds


def draw(seed: int, seconds: float, per_second: float) -> Plan:
    """The plan of that seed for so many seconds (more where these are too few to warm up) and visits per second."""
    stormy, warming = seconds * STORMY_SHARE, seconds * WARMING_SHARE
    return Plan(
        seed,
        _part(Random(f"{seed}/stormy"), stormy, per_second, tuple(Blow)),
        _part(Random(f"{seed}/warming"), max(warming, LEAST_WARMING_SECONDS), per_second, ()),
        _part(Random(f"{seed}/steady"), seconds - stormy - warming, per_second, (Blow.FREEZE,)),
    )


def order_model_faults(simulator: Simulator) -> None:
    """Let a share of all calls fail, each kind of fault being as likely as the next."""
    kinds = list(FaultKind)
    rate = 1 - (1 - FAULT_SHARE) ** (1 / len(kinds))  # each has its own throw of the dice
    for kind in kinds:
        retry_after = "1" if kind is FaultKind.RATE_LIMITED else None
        simulator.inject(EVERY_MODEL, Fault(kind, rate=rate, retry_after=retry_after))


def _part(rng: Random, seconds: float, per_second: float, blows: tuple[Blow, ...]) -> Part:
    return Part(
        seconds,
        tuple(_acts(rng, seconds, per_second)),
        tuple(_outages(rng, seconds, blows)),
        tuple(_spells(rng, seconds)),
    )


def _acts(rng: Random, seconds: float, per_second: float) -> Iterator[Act]:
    at = rng.expovariate(per_second)
    while at < seconds:
        weights = _BAD if rng.random() < FAULT_SHARE else _GOOD
        [kind] = rng.choices(list(weights), list(weights.values()))
        yield Act(at, rng.randrange(VOTERS), kind, rng.getrandbits(64))
        at += rng.expovariate(per_second)


def _outages(rng: Random, seconds: float, blows: tuple[Blow, ...]) -> Iterator[Outage]:
    """Every blow in turn, in an order drawn anew; none so late that there is no time to come back."""
    count = max(1, round(seconds / SECONDS_PER_OUTAGE)) if blows else 0
    moments = sorted(rng.uniform(0.1, 0.8) * seconds for _ in range(count))
    order = [blow for _ in range(count) for blow in rng.sample(blows, len(blows))]
    for moment, blow in zip(moments, order, strict=False):
        yield Outage(moment, blow, rng.uniform(0.5, 3.0))


def _spells(rng: Random, seconds: float) -> Iterator[Spell]:
    at = 0.0
    while True:
        length = rng.uniform(0.05, 2.5)
        at += length * (1 / FAULT_SHARE - 1) * rng.uniform(0.5, 1.5)
        if at + length > seconds:
            return
        yield Spell(at, length)
        at += length
