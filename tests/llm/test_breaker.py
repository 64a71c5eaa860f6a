"""The breaker against a clock that is moved by hand."""

from contextlib import suppress

import pytest

from service.errors import (
    ModelBadResponse,
    ModelBreakerOpen,
    ModelConnectionFailed,
    ModelError,
    ModelKeyRejected,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelSpendLimitReached,
    ModelTimeout,
    ModelTruncated,
)
from service.llm.breaker import COOL_DOWN_SECONDS, FAILURES_TO_OPEN, LONG_COOL_DOWN_SECONDS, Breaker
from tests.support import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, error: ModelError | None = None, *, times: int = 1) -> None:
    for _ in range(times):
        failure = error or ModelOverloaded("It failed.")
        with pytest.raises(type(failure)), breaker.guard():
            raise failure


def succeed(breaker: Breaker) -> None:
    with breaker.guard():
        pass


def wait_of(breaker: Breaker) -> float:
    """The seconds for which an open breaker refuses calls, as its error states."""
    with pytest.raises(ModelBreakerOpen) as turned_away, breaker.guard():
        raise AssertionError("an open breaker lets nothing through")
    assert turned_away.value.retry_after is not None
    return turned_away.value.retry_after


@pytest.mark.parametrize("kind", [ModelOverloaded, ModelTimeout, ModelBadResponse, ModelConnectionFailed])
def test_it_opens_after_three_failures_in_a_row(breaker: Breaker, kind: type[ModelError]) -> None:
    fail(breaker, kind("It failed."), times=FAILURES_TO_OPEN - 1)

    fail(breaker, kind("It failed."))  # not turned away yet

    assert wait_of(breaker) == COOL_DOWN_SECONDS


def test_a_success_starts_the_count_again(breaker: Breaker) -> None:
    fail(breaker, times=FAILURES_TO_OPEN - 1)

    succeed(breaker)
    fail(breaker, times=FAILURES_TO_OPEN - 1)

    succeed(breaker)


@pytest.mark.parametrize("kind", [ModelRefused, ModelTruncated])
def test_an_answer_that_is_no_use_is_an_answer(breaker: Breaker, kind: type[ModelError]) -> None:
    fail(breaker, times=FAILURES_TO_OPEN - 1)

    fail(breaker, kind("No use."), times=5)
    fail(breaker, times=FAILURES_TO_OPEN - 1)

    succeed(breaker)


def test_after_the_cool_down_one_call_probes_and_others_are_refused(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=FAILURES_TO_OPEN)
    clock.forward(COOL_DOWN_SECONDS - 0.1)
    assert wait_of(breaker) >= 0.1
    clock.forward(0.1)

    with breaker.guard():
        assert wait_of(breaker) > 0

    succeed(breaker)
    fail(breaker)  # closed: one failure does not open it
    succeed(breaker)


def test_a_failed_probe_reopens_it_after_few_failures_too(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, ModelRateLimited("It asked for patience.", retry_after=5.0))
    clock.forward(5)

    fail(breaker)

    assert wait_of(breaker) == COOL_DOWN_SECONDS


def test_a_probe_that_fails_opens_it_for_another_cool_down(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=FAILURES_TO_OPEN)
    clock.forward(COOL_DOWN_SECONDS)

    fail(breaker)

    assert wait_of(breaker) == COOL_DOWN_SECONDS


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, LookupError])
def test_a_probe_that_is_cut_off_frees_its_place(
    breaker: Breaker, clock: Clock, interruption: type[BaseException]
) -> None:
    fail(breaker, times=FAILURES_TO_OPEN)
    clock.forward(COOL_DOWN_SECONDS)

    with pytest.raises(interruption), breaker.guard():
        raise interruption

    succeed(breaker)


@pytest.mark.parametrize("kind", [ModelSpendLimitReached, ModelKeyRejected])
def test_what_only_a_person_can_mend_opens_it_at_once_and_for_longer(breaker: Breaker, kind: type[ModelError]) -> None:
    fail(breaker, kind("Somebody has to do something."))

    assert wait_of(breaker) == LONG_COOL_DOWN_SECONDS


@pytest.mark.parametrize("failures", [1, FAILURES_TO_OPEN])
def test_a_retry_after_is_honoured_from_the_first_failure_on(breaker: Breaker, failures: int) -> None:
    for _ in range(failures - 1):
        fail(breaker)

    fail(breaker, ModelRateLimited("Slow down.", retry_after=90.0))

    assert wait_of(breaker) == 90.0


def test_a_short_retry_after_opens_it_for_no_longer_than_asked(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, ModelRateLimited("Slow down.", retry_after=2.0))
    assert wait_of(breaker) == 2.0

    clock.forward(2.0)

    succeed(breaker)


def test_a_late_failure_does_not_shorten_the_wait(breaker: Breaker) -> None:
    with suppress(ModelOverloaded), breaker.guard():  # begun while it was closed
        fail(breaker, ModelSpendLimitReached("The end."))
        raise ModelOverloaded("Late.", retry_after=1.0)

    assert wait_of(breaker) == LONG_COOL_DOWN_SECONDS


def test_it_says_whether_it_is_open(breaker: Breaker, clock: Clock) -> None:
    said = [breaker.is_open]
    fail(breaker, times=FAILURES_TO_OPEN)
    said.append(breaker.is_open)
    clock.forward(COOL_DOWN_SECONDS)
    said.append(breaker.is_open)

    assert said == [False, True, False]
