"""The clock of DynamoDB, by which all processes measure leases and spend whatever their own clocks say."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any


class ServerClock:
    """Tells the time by the Date header of the latest response. `clock` is the process's own, since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ahead: float | None = None

    @property
    def is_set(self) -> bool:
        return self._ahead is not None

    def observe(self, response: Mapping[str, Any]) -> None:
        """Set the clock. A response without a date leaves it as it is, by the process's own clock to begin with."""
        date = date_of(response)
        if date is not None:
            self._ahead = date.timestamp() - self._clock()
        elif self._ahead is None:
            self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the epoch, right to a second or so."""
        return self._clock() + (self._ahead or 0.0)


def date_of(response: Mapping[str, Any]) -> datetime | None:
    """The date of a response, None when it has none."""
    header = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None
