"""Rates, places for live calls and the heartbeat, each on a clock of its own."""

from contextlib import suppress

import pytest

from service.api.rate_limits import RateLimiter
from service.errors import ModelsBusy, RateLimited
from service.limits import DEFAULT_TIMEOUTS, Limits, Rate
from service.llm.concurrency import LiveCalls
from telemetry.export_times import DEFAULT_EXPORT_TIMES
from tests.support import Clock

ANN, BEN = "192.0.2.1", "2001:db8::/64"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(limiter: RateLimiter, address: str, attempts: int) -> int:
    count = 0
    for _ in range(attempts):
        try:
            limiter.admit(address)
        except RateLimited:
            continue
        count += 1
    return count


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(60, 60.0)),
        ("1/second", Rate(1, 1.0)),
        ("500/hour", Rate(500, 3600.0)),
        ("9999999/day", Rate(9_999_999, 86_400.0)),
        ("off", None),
    ],
)
def test_rates_are_written_as_people_say_them(text: str, rate: Rate | None) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("rate", [Rate(1, 1.0), Rate(7, 60.0), Rate(60, 60.0), Rate(999, 3600.0)])
def test_an_address_gets_its_count_at_once_and_then_one_by_one(rate: Rate, clock: Clock) -> None:
    limiter = RateLimiter(rate, clock=clock)

    at_once = admitted(limiter, ANN, 2 * rate.count)
    clock.forward(rate.seconds / rate.count)
    one_later = admitted(limiter, ANN, rate.count)
    clock.forward(rate.seconds)
    much_later = admitted(limiter, ANN, 2 * rate.count)

    assert (at_once, one_later, much_later) == (rate.count, 1, rate.count)


@pytest.mark.parametrize("rate", [Rate(1, 60.0), Rate(7, 60.0), Rate(10, 1.0)])
def test_a_client_that_waits_for_retry_after_is_admitted(rate: Rate, clock: Clock) -> None:
    limiter = RateLimiter(rate, clock=clock)
    admitted(limiter, ANN, rate.count)

    with pytest.raises(RateLimited) as refused:
        limiter.admit(ANN)
    assert refused.value.retry_after is not None
    clock.forward(refused.value.retry_after)

    assert 1 <= refused.value.retry_after < rate.seconds / rate.count + 1
    assert admitted(limiter, ANN, 1) == 1


def test_one_address_does_not_use_up_anothers(clock: Clock) -> None:
    limiter = RateLimiter(Rate(2, 60.0), clock=clock)

    admitted(limiter, ANN, 100)

    assert admitted(limiter, BEN, 100) == 2


def test_the_networks_of_a_48_share_four_times_the_rate(clock: Clock) -> None:
    limiter = RateLimiter(Rate(5, 60.0), clock=clock)

    of_one = admitted(limiter, "2001:db8:0:1::/64", 100)
    of_the_site = sum(admitted(limiter, f"2001:db8:0:{number:x}::/64", 1) for number in range(2, 100))
    elsewhere = admitted(limiter, "2001:db8:1:1::/64", 100)

    assert (of_one, of_the_site, elsewhere) == (5, 15, 5)


def test_a_request_refused_for_its_48_is_not_counted_for_its_64(clock: Clock) -> None:
    limiter = RateLimiter(Rate(1, 60.0), clock=clock)
    for number in range(4):
        limiter.admit(f"2001:db8:0:{number:x}::/64")

    refused = admitted(limiter, "2001:db8:0:9::/64", 10)
    clock.forward(15)
    admitted_later = admitted(limiter, "2001:db8:0:9::/64", 10)

    assert (refused, admitted_later) == (0, 1)


def test_a_client_without_an_address_is_not_limited(clock: Clock) -> None:
    limiter = RateLimiter(Rate(2, 60.0), clock=clock)

    assert admitted(limiter, "", 100) == 100


def test_a_flood_of_addresses_takes_bounded_memory_for_a_while(clock: Clock) -> None:
    limiter = RateLimiter(Rate(1, 60.0), limits=Limits(remembered_addresses=50), clock=clock)

    for number in range(1000):
        limiter.admit(f"192.0.2.{number}")
    in_the_flood = len(limiter._empty_at)
    clock.forward(60)

    assert in_the_flood == 50
    assert len(limiter._empty_at) == 0


def test_a_place_is_free_again_when_its_call_is_over_however_it_ends() -> None:
    live_calls = LiveCalls(4)
    live_calls.take(3)

    with suppress(ZeroDivisionError), live_calls.holding(1):
        with pytest.raises(ModelsBusy):
            live_calls.take(1)
        _ = 1 / 0
    live_calls.give_back(3)

    live_calls.take(4)


def test_without_enough_places_none_is_taken() -> None:
    live_calls = LiveCalls(4)
    live_calls.take(1)

    with pytest.raises(ModelsBusy):
        live_calls.take(4)

    live_calls.take(3)


def test_the_waits_of_a_stop_add_up_to_less_than_ten_seconds() -> None:
    """Docker kills a container ten seconds after SIGTERM."""
    timeouts = DEFAULT_TIMEOUTS

    last = max(timeouts.drain + 2 * timeouts.shutdown, timeouts.worker_grace) + DEFAULT_EXPORT_TIMES.last_flush

    assert last < 10
