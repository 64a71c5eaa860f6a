"""Times and limits as values: the composition root hands them out, so that a test can construct its own."""

import re
from dataclasses import dataclass
from enum import StrEnum

_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long things may take and how long the pauses between them are, all in seconds."""

    # What a client waits for.
    saying_read: float = 1.0
    live_saying: float = 8.0
    # The model gets less than the whole live saying. The gateway gives up first, so that it reports the call and its
    # breaker learns of it, and an answer that comes at the last moment can still be stored.
    live_model: float = 7.5
    comparison: float = 25.0
    # The end of a comparison belongs to the bookkeeping, so that an answer of the last moment is stored as well.
    comparison_keeping: float = 2.5
    comparison_open: float = 24 * 3600.0
    vote: float = 2.0
    statistics: float = 2.0
    readiness: float = 1.0

    # What only our own work waits for.
    store_write: float = 1.0
    round_write: float = 5.0
    lease_update: float = 1.5
    pool_fill: float = 2.0
    serve_flush: float = 2.0
    # A pool that asks for a round is low, not empty: a store or Lambda that is slow today is asked another time.
    round_trigger: float = 3.0
    key_fetch: float = 3.0
    aws_connect: float = 1.0
    aws_read: float = 2.0
    # How long a statement waits for another process's lock. A vote may take longer, so it hears of the lock.
    sqlite_lock: float = 1.5

    # Connections.
    keep_alive: float = 75.0
    request_head: float = 5.0
    request_body: float = 5.0
    # After this long without a request a connection may be closed to make room for another.
    idle_connection: float = 5.0
    # A client that reads nothing for this long is disconnected.
    unread_answer: float = 30.0
    # How long aiohttp goes on reading a body after the answer has been sent.
    lingering_read: float = 1.0

    # The end of a process. A model call that is cut short still needs the database, and both must end before the
    # server stops waiting for its handlers. aiohttp waits twice the shutdown time.
    drain: float = 1.0
    shutdown: float = 3.0
    worker_grace: float = 6.0

    # Lambda: what is kept back of an invocation to send its answer, and how long events wait for the maintenance.
    invocation_reserve: float = 0.5
    maintenance: float = 0.25
    warm_up: float = 10.0

    # Pauses.
    serve_flush_every: float = 10.0
    pool_fill_every: float = 15.0
    pool_measure_every: float = 30.0
    maintenance_every: float = 10.0
    round_check_every: float = 2.0
    worker_check_every: float = 15.0
    line_up_check_every: float = 60.0
    job_restart_after: float = 5.0
    module_check_every: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken on, where no setting of the operator's says so."""

    # Connections that wait to be accepted. The client of one more tries again only after a second.
    backlog: int = 1024
    body_bytes: int = 1024 * 1024
    target_bytes: int = 8 * 1024
    # Client addresses whose rates are remembered, in a few megabytes. In a flood from more of them the oldest begin
    # afresh: such a flood is what the limits of the process and the spend caps are for.
    remembered_addresses: int = 20_000
    # Rows of a streamed SQLite table that are in memory at a time.
    sqlite_page: int = 1_000


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_LIMITS = Limits()


class RateClass(StrEnum):
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
