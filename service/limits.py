"""Timeouts and limits as values. The composition root passes them on, so that a test can construct its own."""

import re
from dataclasses import dataclass
from enum import StrEnum

_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour|day)")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each operation may take and how long the pauses between them are, all in seconds."""

    # Operations that a client waits for.
    saying_read: float = 1.0
    live_saying: float = 8.0
    # The model gets less time than the whole live saying. The gateway must give up first, so that it reports the call
    # and counts the failure in its breaker, and so that a response of the last moment can still be stored.
    live_model: float = 7.5
    # The models of a comparison have this long. All their answers are shown together, and a later one has failed.
    comparison: float = 12.0
    # An invocation of Lambda reserves this much of its time for storing the comparison.
    comparison_keeping: float = 2.5
    # A client that hangs up by then costs nothing.
    comparison_begin: float = 0.2
    comparison_open: float = 24 * 3600.0
    vote: float = 2.0
    statistics: float = 2.0
    readiness: float = 1.0
    # A check writes to the store, so that a client that asks all the time must not cause one each time.
    readiness_every: float = 2.0

    # Operations that only background work waits for.
    store_write: float = 1.0
    round_write: float = 5.0
    lease_update: float = 1.5
    # A pass that removes what has reached its end is interrupted after this long and goes on after the next round.
    pruning: float = 30.0
    pruning_page: float = 20.0
    # Ranking reads all sayings; half a million take about this long.
    ranking: float = 60.0
    pool_fill: float = 2.0
    serve_flush: float = 2.0
    # A pool that triggers a round is low, not empty, so a slow store or a slow Lambda can be asked again later.
    round_trigger: float = 3.0
    key_fetch: float = 3.0
    # Requests go on with valid credentials meanwhile. The SDK tries three times, with a second in between.
    credentials_fetch: float = 12.0
    credentials_check_every: float = 10.0
    # How long a request waits for new credentials where there are no valid ones; shorter than any operation may take.
    credentials_wait: float = 0.8
    aws_connect: float = 1.0
    aws_read: float = 2.0
    # How long a statement waits for another process's lock. It is shorter than a vote may take, so that a vote fails
    # with SQLite's error instead of its own timeout.
    sqlite_lock: float = 1.5

    # Connections.
    keep_alive: float = 75.0
    request_head: float = 5.0
    request_body: float = 5.0
    # After this long without a request, a connection may be closed to make room for another.
    idle_connection: float = 0.5
    # How long accepting rests when there is no file descriptor for another connection.
    accept_retry: float = 0.1
    # A client that reads nothing for this long is disconnected.
    unread_answer: float = 30.0
    # How long aiohttp goes on reading a body after the response has been sent.
    lingering_read: float = 1.0

    # The end of a process. A model call that is cut short still has to write to the store, and both must end before the
    # server stops waiting for its handlers. aiohttp waits twice the shutdown time.
    drain: float = 1.0
    shutdown: float = 3.0
    worker_grace: float = 6.0

    # Lambda: the time of an invocation that is reserved for sending its response, and how long a finished response
    # waits for the maintenance, and then for whatever else is under way, before that is cancelled. That is mostly the
    # books of model calls, which take `store_write` at most.
    invocation_reserve: float = 0.5
    maintenance: float = 1.0
    leftovers: float = 1.0
    warm_up: float = 10.0

    # Pauses.
    serve_flush_every: float = 10.0
    pool_fill_every: float = 15.0
    # Processes that do not know yet of a withdrawal go on serving the saying for this long, and for two reads.
    withdrawal_check_every: float = 3.0
    # What was read of the store is given to all who ask for the same within this time.
    shared_read: float = 3.0
    # The secrets of days are asked for a day ahead. This is how soon a store that has failed is asked again.
    secret_check_every: float = 10.0
    pool_measure_every: float = 30.0
    maintenance_every: float = 10.0
    round_check_every: float = 2.0
    worker_check_every: float = 15.0
    line_up_check_every: float = 60.0
    model_lifecycle: float = 5.0
    job_restart_after: float = 5.0
    module_check_every: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a process takes on, where the operator has no setting for it."""

    # Connections that wait to be accepted. Beyond that a client's connection attempt is retried only after a second.
    backlog: int = 1024
    # How much of a body may wait in memory to be read; more of it waits at the client.
    body_buffer: int = 16 * 1024
    target_bytes: int = 8 * 1024
    # Client addresses whose request counts are remembered, in a few megabytes. When a flood comes from more addresses,
    # the oldest are forgotten and begin afresh; against such a flood the limits of the process and the spend caps help.
    remembered_addresses: int = 20_000
    # Voters of whom a process remembers what they have been shown and how they voted, and how many sayings of each. Ten
    # sayings each take 8 MB in all, and as many as this 25 MB, and as much again for votes on all of them.
    remembered_voters: int = 20_000
    remembered_sayings: int = 200
    # Reports from this many networks set a saying aside. One person with many cookies is one network.
    reporting_networks: int = 5
    # Sayings that visitors set aside in a day without an operator's decision. More stay up, or else a few networks that
    # report everything could empty the page.
    set_aside_in_a_day: int = 10
    # Results of reads that are kept for others who ask for the same. A page of sayings takes about 40 kB.
    shared_reads: int = 200
    # Sayings of the pool whose rows are looked for at once, so that one deleted by hand leaves the pool.
    rows_checked: int = 20
    # Cards of sayings that are kept in memory, 100 kB each, and requests that may wait for one to be drawn.
    kept_cards: int = 50
    waiting_cards: int = 8
    # File descriptors for the store, logs and telemetry; each live model call has one more.
    reserved_descriptors: int = 64
    # Rows of a streamed SQLite table that are in memory at the same time, and rows that are forgotten in a transaction.
    sqlite_page: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days data are kept. What the page says about privacy must agree with this."""

    # The hash of a client address in a vote or ballot. Operators may look for a pattern of cheating until then.
    address_days: int = 30
    # A voter's id in a vote or ballot, and in the voter's cookie.
    voter_days: int = 365
    # A comparison that was shown to a voter who never voted on it.
    unvoted_days: int = 30
    # The reports of a saying, after the last of them.
    report_days: int = 30
    # A request to be forgotten is carried out within this time, which is several daily passes.
    request_days: int = 3
    # The statistics show the hours of one day.
    hour_days: int = 3
    # The headline of the statistics covers 30 days. The counts of earlier days are folded together.
    tally_days: int = 45
    # The secret of a day, and the counts of addresses on it. Votes may bring a token of the day before.
    secret_days: int = 3
    # A day's spend is kept for a while, so that the operator can check a bill.
    spend_days: int = 35
    # What clients have spent in a day, by the hashes of their addresses, after the end of that day.
    client_spend_days: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much of what one party casts can count in the comparison of the models.

    `address_votes` is for the verified votes of one address on one day, and also for its ballots. The other limits
    follow from what people do: the models are served in equal shares and half of the serves are blind, so an honest
    voter's votes spread over models and attributions.
    """

    address_votes: int = 24
    # The counted blind votes of one voter on one model, ever.
    voter_model_votes: int = 60
    # The ballots on one comparison. More of them would say more about its sayings, but little more about the models.
    comparison_ballots: int = 8

    @property
    def address_model_votes(self) -> int:
        """The votes of one address on one model on one day, for blind and for named votes each."""
        return max(1, self.address_votes // 8)


HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_LIMITS = Limits()
DEFAULT_RETENTION = Retention()
DEFAULT_QUOTAS = Quotas()


class RateClass(StrEnum):
    """The classes of requests that are counted and limited separately."""

    READ = "read"
    VOTE = "vote"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of `count` requests in `seconds` seconds."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> "Rate | None":
        """Parse a rate such as `60/minute`; `off` gives None. Raises ValueError for any other text."""
        if text == "off":
            return None
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is neither off nor a rate such as 60/minute")
        return cls(int(match[1]), _SECONDS[match[2]])
