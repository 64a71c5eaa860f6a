"""How much is taken on, as values."""

import re
from dataclasses import dataclass
from enum import StrEnum

_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


class Limit(StrEnum):
    """What a client's requests are counted as."""

    READ = "read"
    VOTE = "vote"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Rate | None":
        """`60/minute` as a rate; None for `off`. Raises ValueError."""
        if text == "off":
            return None
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is neither off nor a rate such as 60/minute")
        return cls(int(match[1]), _SECONDS[match[2]])
