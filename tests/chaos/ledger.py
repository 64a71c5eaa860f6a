"""The ledger outside: what visitors were told, against what the server has in its books. No I/O."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SHOWN = "shown"
POSITIVE, NEGATIVE = "POSITIVE", "NEGATIVE"

# Who voted on what: the hash of a voter as the export has it, and a saying or a comparison.
Key = tuple[str, str]


class Fate(StrEnum):
    """What a voter knows of a vote."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # the request was wrong, nothing has happened
    UNSURE = "unsure"  # a 503: if it was stored after all, it was stored before that answer
    OPEN = "open"  # no answer: it may be stored at any time, or never


@dataclass(frozen=True, slots=True)
class Line:
    """A vote as it went: what for (None: taken back), and the server's `status` for it where that can be checked."""

    value: str | None
    fate: Fate
    status: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One vote in the server's books."""

    key: Key
    value: str


@dataclass(frozen=True, slots=True)
class Books:
    """What the server has: votes, ballots, upvotes and downvotes by saying, and what its statistics say in all."""

    votes: tuple[Stored, ...]
    ballots: tuple[Stored, ...]
    counters: Mapping[str, tuple[int, int]]
    totals: tuple[int, int]
    ballots_counted: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Nanodollars: what the vendors bill, what the server's books say, and what is allowed."""

    billed: int
    booked: int
    cap: int

    @property
    def overspent(self) -> int:
        return max(0, max(self.billed, self.booked) - self.cap)

    @property
    def unbooked(self) -> int:
        """What is billed and in no books."""
        return max(0, self.billed - self.booked)


@dataclass
class Ledger:
    """Every vote on sayings and every ballot on comparisons, by who cast it on what, in order."""

    votes: defaultdict[Key, list[Line]] = field(default_factory=lambda: defaultdict(list))
    ballots: defaultdict[Key, list[Line]] = field(default_factory=lambda: defaultdict(list))

    def lost(self, books: Books) -> list[str]:
        """Votes that are not what their voters were told, in words."""
        return [*_lost(self.votes, books.votes), *_lost(self.ballots, books.ballots)]

    def doubled(self, books: Books) -> list[str]:
        """Votes that are there, or are counted, more or less than once, in words."""
        return [
            *_twice(books.votes),
            *_twice(books.ballots),
            *_miscounted(books),
            *_off("statistics: up and down", books.totals, _up_and_down(vote.value for vote in books.votes)),
            *_off("statistics: ballots", books.ballots_counted, sum(each.value != SHOWN for each in books.ballots)),
        ]

    def contradictions(self) -> list[str]:
        """Statuses that what a voter was told before rules out, in words."""
        told = [*self.votes.items(), *self.ballots.items()]
        return [f"{_name(key)}: {what}" for key, history in told for what in contradictions(history)]

    @property
    def certain(self) -> tuple[int, int]:
        """Of how many votes the voter knows for sure what must be stored, and how many there are."""
        histories = [*self.votes.values(), *self.ballots.values()]
        return sum(len(possible(history)) == 1 for history in histories), len(histories)


def pseudonym(voter: str) -> str:
    """A voter as the export has them."""
    return hashlib.sha256(voter.encode()).hexdigest()[:32]


def possible(history: Iterable[Line]) -> set[str | None]:
    """What may be stored after all this."""
    settled: set[str | None] = {None}
    pending: set[str | None] = set()
    for line in history:
        match line.fate:
            case Fate.ACKNOWLEDGED:
                settled = {line.value}
            case Fate.UNSURE:
                settled.add(line.value)
            case Fate.OPEN:
                pending.add(line.value)
    return settled | pending


def contradictions(history: list[Line]) -> list[str]:
    """Statuses that what went before rules out."""
    found = []
    for position, line in enumerate(history):
        if line.status and line.fate is Fate.ACKNOWLEDGED:
            before = possible(history[:position])
            if line.status not in {_status(value, line.value) for value in before}:
                found.append(f"{line.status!r} for {line.value} after {_said(before)}")
    return found


def _status(before: str | None, after: str | None) -> str:
    if before == after:
        return "unchanged"
    if after is None:
        return "withdrawn"
    return "recorded" if before in (None, SHOWN) else "changed"


def _lost(told: Mapping[Key, list[Line]], stored: Iterable[Stored]) -> list[str]:
    values = {each.key: each.value for each in stored}
    found = [
        f"{_name(key)}: {_said({values.get(key)})} is stored, not {_said(possible(history))}"
        for key, history in told.items()
        if values.get(key) not in possible(history)
    ]
    # Shown is no vote: it is stored before the comparison is on its way, which may end before it has told its id.
    unknown = {key: value for key, value in values.items() if key not in told and value != SHOWN}
    return found + [f"{_name(key)}: {value} is stored, but nobody cast it" for key, value in unknown.items()]


def _twice(stored: Iterable[Stored]) -> list[str]:
    counts = Counter(each.key for each in stored)
    return [f"{_name(key)}: stored {count} times" for key, count in counts.items() if count > 1]


def _miscounted(books: Books) -> list[str]:
    cast: defaultdict[str, list[str]] = defaultdict(list)
    for vote in books.votes:
        cast[vote.key[1]].append(vote.value)
    sayings = cast.keys() | books.counters.keys()
    return [
        trouble
        for saying in sorted(sayings)
        for trouble in _off(f"saying {saying[:8]}", books.counters.get(saying, (0, 0)), _up_and_down(cast[saying]))
    ]


def _up_and_down(values: Iterable[str]) -> tuple[int, int]:
    counts = Counter(values)
    return counts[POSITIVE], counts[NEGATIVE]


def _off(what: str, counted: object, right: object) -> list[str]:
    return [] if counted == right else [f"{what}: {counted} counted, {right} cast"]


def _said(values: Iterable[str | None]) -> str:
    return " or ".join(sorted(value or "nothing" for value in values))


def _name(key: Key) -> str:
    return f"voter {key[0][:8]} on {key[1][:8]}"
