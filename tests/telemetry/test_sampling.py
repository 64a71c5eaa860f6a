"""Which traces are kept: no client decides it, and an outage does not keep them all."""

from collections.abc import Mapping

import pytest

from service.errors import StoreError
from service.store.sqlite import SqliteStore
from telemetry import traces
from telemetry.events import (
    DependencyFailed,
    Event,
    ModelCalled,
    RequestServed,
    RoundFinished,
    SayingServed,
    Unexpected,
)
from telemetry.notes import Finished, NoteTaker
from telemetry.otel_settings import read_otel_settings
from telemetry.sampling import BURST, Reservoir, Sampler, Trust
from telemetry.traces import Trace
from tests.telemetry.composition import SAMPLED, TRACE_ID, UNSAMPLED, Composition
from tests.telemetry.receiver import Receiver

SERVED = RequestServed("getSaying", 200, 1.5, method="GET", route="/sayings")
BROKEN = RequestServed("postFeedback", 503, 1.0, "store_unavailable")
LIVE = ModelCalled("gpt-4.1", "openai", "live", 1, 900.0)
FAILED_CALL = ModelCalled("gpt-4.1", "openai", "live", 1, 900.0, "ModelTimeout")
STORE_DOWN = DependencyFailed("store", "random saying", "StoreError", "Broken.")
# The smallest ids, which a sampler that decides by the id alone would always keep.
CHOSEN_ID = {"traceparent": "00-6a2b3c4d000000000000000000000001-53995c3f42cd8ad8-00"}


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sampler(trust: Trust = Trust.NOBODY, clock: Clock | None = None, name: str = "", share: str = "") -> Sampler:
    """By default one that keeps only what is remarkable or asked for."""
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": share or ("" if name else "0")}
    return Sampler(read_otel_settings(environ), trust, clock or Clock())


def kept(by: Sampler, *events: Event, headers: Mapping[str, str] | None = None) -> list[Finished]:
    """The traces handed over for a request with these events."""
    handed_over: list[Finished] = []
    notes = NoteTaker(by, keep=handed_over.append)
    traces.begin(headers or {})
    for event in events:
        notes.emit(event)
    return handed_over


def test_a_reservoir_lets_a_small_burst_through_and_then_one_a_second(clock: Clock) -> None:
    reservoir = Reservoir(clock=clock)

    burst = sum(reservoir.take() for _ in range(100))
    clock.now += 3.5
    later = sum(reservoir.take() for _ in range(100))
    clock.now += 3_600
    much_later = sum(reservoir.take() for _ in range(100))

    assert (burst, later, much_later) == (BURST, 3, BURST)


@pytest.mark.parametrize(
    ("environ", "least", "most"),
    [
        ({"OTEL_TRACES_SAMPLER_ARG": "0.05"}, 350, 650),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.05"}, 350, 650),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, 10_000, 10_000),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, 10_000, 10_000),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, 10_000, 10_000),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0, 0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0, 0),
        ({}, 350, 650),
    ],
)
def test_the_share_of_traces_that_begin_here(environ: dict[str, str], least: int, most: int) -> None:
    by = Sampler(read_otel_settings(environ))

    sampled = sum(by.samples(traces.new_trace()) for _ in range(10_000))

    assert least <= sampled <= most


def test_a_decision_is_made_once() -> None:
    by = sampler(share="0.5")

    for trace in (Trace(TRACE_ID, is_callers=True), traces.new_trace()):
        assert len({by.samples(trace) for _ in range(100)}) == 1


@pytest.mark.parametrize("headers", [SAMPLED, CHOSEN_ID])
def test_a_client_cannot_force_sampling(headers: Mapping[str, str]) -> None:
    by = sampler(share="0.05")

    sampled = sum(bool(kept(by, SERVED, headers=headers)) for _ in range(10_000))

    assert 350 < sampled < 650
    assert traces.begin(headers).trace_id in str(headers).replace("-", "")  # its id is continued all the same


def test_nor_can_it_prevent_sampling() -> None:
    assert kept(sampler(name="always_on"), SERVED, headers=UNSAMPLED)


def test_what_comes_by_proxies_is_followed_at_a_rate(clock: Clock) -> None:
    by = sampler(Trust.PROXIES, clock)

    first = sum(bool(kept(by, SERVED, headers=SAMPLED)) for _ in range(400))
    clock.now += 2
    later = sum(bool(kept(by, SERVED, headers=SAMPLED)) for _ in range(400))

    assert (first, later) == (BURST, 2)
    assert not kept(sampler(Trust.PROXIES, name="parentbased_always_on"), SERVED, headers=UNSAMPLED)


def test_what_lambda_decides_is_followed_always() -> None:
    by = sampler(Trust.PLATFORM)

    assert sum(bool(kept(by, SERVED, headers=SAMPLED)) for _ in range(400)) == 400


@pytest.mark.parametrize(("name", "share"), [("traceidratio", "0"), ("always_off", "")])
def test_a_sampler_without_parents_follows_nobody(name: str, share: str) -> None:
    assert not kept(sampler(Trust.PLATFORM, name=name, share=share), SERVED, headers=SAMPLED)


@pytest.mark.parametrize(
    ("events", "is_kept"),
    [
        ([SERVED], False),
        ([SayingServed("cache", 5, None), SERVED], False),
        ([SayingServed("cache", 5, "pool_empty"), SERVED], False),
        ([RequestServed("none", 404, 1.0, "route_not_found")], False),
        ([LIVE, SERVED], True),
        ([FAILED_CALL, SERVED], True),
        ([STORE_DOWN, SERVED], True),
        ([Unexpected("getSaying", ValueError()), SERVED], True),
        ([BROKEN], True),
        ([RoundFinished((), 1.0, 1)], True),
    ],
)
def test_unsampled_traces_are_kept_when_they_are_remarkable(events: list[Event], is_kept: bool) -> None:
    assert bool(kept(sampler(), *events)) is is_kept
    assert bool(kept(sampler(Trust.PROXIES), *events, headers=UNSAMPLED)) is is_kept
    assert kept(sampler(share="1"), *events)
    assert not kept(sampler(name="always_off"), *events)
    assert not kept(sampler(name="parentbased_always_off"), *events)


@pytest.mark.parametrize("events", [[STORE_DOWN, SERVED], [BROKEN], [FAILED_CALL, SERVED], [LIVE, SERVED]])
def test_an_outage_is_traced_at_a_rate_and_the_first_failures_are_kept(clock: Clock, events: list[Event]) -> None:
    by = sampler(clock=clock)

    found = [bool(kept(by, *events)) for _ in range(400)]
    clock.now += 10
    found_later = [bool(kept(by, *events)) for _ in range(400)]

    assert all(found[:BURST])
    assert (sum(found), sum(found_later)) == (BURST, BURST)


def test_many_live_calls_leave_room_for_the_failures(clock: Clock) -> None:
    by = sampler(clock=clock)

    for _ in range(400):
        kept(by, LIVE, SERVED)

    assert kept(by, STORE_DOWN, SERVED)


@pytest.mark.slow
@pytest.mark.parametrize(("behind_proxies", "most"), [(False, 0), (True, 30)])
async def test_a_client_over_http_gets_few_traces_or_none(
    composition: Composition, receiver: Receiver, behind_proxies: bool, most: int
) -> None:
    composition.behind_proxies = behind_proxies

    async with composition.running() as service:
        answers = [await service.ask("GET", "/nowhere", headers=SAMPLED) for _ in range(60)]

    roots = receiver.roots()
    assert len(roots) <= most
    assert bool(roots) is behind_proxies
    assert {answer.json["requestId"] for answer in answers} == {TRACE_ID}


@pytest.mark.slow
async def test_an_outage_over_http_is_not_traced_request_by_request(
    composition: Composition, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("The database is broken.")

    async with composition.running() as service:
        saying = await service.saying()
        monkeypatch.setattr(SqliteStore, "vote", fail)
        answers = [await service.vote(saying) for _ in range(50)]

    assert {answer.status for answer in answers} == {503}
    assert BURST <= len(receiver.roots()) < 50
    assert receiver.totals("Errors")["store_unavailable", "postFeedback"] == 50
