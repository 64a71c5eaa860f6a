"""What this process remembers of voters: which sayings they have been shown, and how they have voted.

It is kept in memory only, so that a warm request needs no read. Another process knows nothing of it, and neither does
this one after a restart: a voter may then be shown a saying again, and may not be reminded of a vote.
"""

from array import array
from collections import OrderedDict

from service.domain import FeedbackType
from service.limits import DEFAULT_LIMITS, Limits
from service.sayings.wish import short_id

# The type of an array's elements: short ids have 32 bits.
_SHORT_IDS = "I"


class Remembered:
    """One voter, of whom the newest sayings and votes are remembered. An array needs four bytes for each of them."""

    __slots__ = ("_most", "_opinions", "_shown")

    def __init__(self, most: int) -> None:
        self._most = most
        self._shown = array(_SHORT_IDS)
        self._opinions: dict[FeedbackType, array[int]] = {}

    @property
    def seen(self) -> set[int]:
        """The short ids of the sayings that the voter has been shown."""
        return set(self._shown)

    def show(self, saying_id: str) -> None:
        self._append(self._shown, short_id(saying_id))

    def opinion(self, saying_id: str) -> FeedbackType | None:
        """How the voter has voted on the saying, or None when no vote is remembered."""
        if not self._opinions:
            return None
        short = short_id(saying_id)
        return next((opinion for opinion, shorts in self._opinions.items() if short in shorts), None)

    def vote(self, saying_id: str, opinion: FeedbackType | None) -> None:
        """Remember a vote, or with None that there is none any more."""
        short = short_id(saying_id)
        for shorts in self._opinions.values():
            if short in shorts:
                shorts.remove(short)
        if opinion is not None:
            self._append(self._opinions.setdefault(opinion, array(_SHORT_IDS)), short)

    def _append(self, shorts: "array[int]", short: int) -> None:
        if len(shorts) >= self._most:
            del shorts[: self._most // 2]
        shorts.append(short)


class VoterMemory:
    """The voters that were here last."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._voters: OrderedDict[str, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._voters)

    def of(self, voter: str) -> Remembered:
        """What is remembered of a voter, who is new to this process when that is nothing."""
        found = self._voters.get(voter)
        if found is None:
            found = self._voters[voter] = Remembered(self._limits.remembered_sayings)
            if len(self._voters) > self._limits.remembered_voters:
                self._voters.popitem(last=False)
        else:
            self._voters.move_to_end(voter)
        return found

    def forget(self, voter: str) -> None:
        self._voters.pop(voter, None)
