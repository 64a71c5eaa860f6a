"""Comparisons on fakes: blind, complete whatever fails, never for more money than there is, and nothing left behind."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack
from itertools import permutations
from typing import Any

import msgspec
import pytest

from service.domain import Ballot, BlindError, Entry, ReplayReason, saying_id
from service.errors import (
    BudgetExhausted,
    ComparisonNotFound,
    ComparisonUnavailable,
    HttpError,
    InvalidRequest,
    KeyNotFound,
    ModelBreakerOpen,
    ModelNotAsked,
    ModelRateLimited,
    ModelsBusy,
    ModelTimeout,
    NothingToCompare,
    StoreError,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.llm.billing import Advance
from service.resilience.timeouts import deadline
from service.voting.comparisons import BUSY_SECONDS, Closed, Comparisons, Opened, Progress, Slots, Step
from telemetry.events import ComparisonFinished, DependencyFailed, Unexpected
from tests.fakes import FakeGateway, FakeStore, the_models
from tests.support import TOPICS, Clock, RecordingListener, model_saying

MODELS = the_models()
HAIKU, MINI = "claude-haiku-4-5", "gpt-4.1-mini"
NOW = 1_800_000_000.0  # on the hour
EXHAUSTED = BudgetExhausted("There is no room.")


class Parts:
    """A Comparisons and its dependencies."""

    def __init__(self, events: RecordingListener) -> None:
        self.events = events
        self.store = FakeStore()
        self.gateway = FakeGateway()
        self.models = MODELS
        self.now = NOW
        self.timeouts = Timeouts(comparison_begin=0.0)
        self.withdrawn: set[str] = set()
        self.monotonic: Callable[[], float] = time.monotonic

    @property
    def compare(self) -> Comparisons:
        return Comparisons(
            gateway=self.gateway.as_gateway(),
            store=self.store.as_store(),
            listener=self.events,
            topics=TOPICS,
            models=self.models,
            simulated=False,
            withdrawn=self.withdrawn,
            timeouts=self.timeouts,
            clock=lambda: self.now,
            monotonic=self.monotonic,
        )

    async def steps(self, voter: str = "ann", wanted: str | None = "Amazon S3", *, stored: bool = False) -> list[Step]:
        """The steps of a comparison, which has ended then with all that it has begun."""
        compare = self.compare
        try:
            return [step async for step in compare.run(voter, wanted, stored=stored)]
        finally:
            await compare.close()

    async def entries(self) -> dict[str, Entry]:
        """The entry of each model."""
        return {entry.model: entry for entry in shown(await self.steps()).entries}


def shown(steps: list[Step]) -> Slots:
    [found] = [step for step in steps if isinstance(step, Slots)]
    return found


@pytest.fixture
def parts(events: RecordingListener) -> Parts:
    return Parts(events)


async def test_a_comparison_opens_shows_all_slots_at_once_and_closes(parts: Parts) -> None:
    opened, *progress, all_slots, closed = await parts.steps()

    [comparison], [ballot] = parts.store.comparisons, parts.store.ballots
    identity = comparison.comparison_id
    assert opened == Opened(identity, "Amazon S3")
    assert (progress[0], progress[-1]) == (Progress(0, 4), Progress(4, 4))
    assert all_slots == Slots(comparison.entries)
    assert closed == Closed(identity, votable=True)
    assert [entry.slot for entry in comparison.entries] == ["A", "B", "C", "D"]
    assert {entry.model for entry in comparison.entries} == {model.id for model in MODELS}
    assert ballot == Ballot(identity, "ann", shown_at=NOW)
    assert (len(identity), comparison.created_at, comparison.simulated) == (32, NOW, False)


async def test_each_model_is_called_once_in_time_and_from_one_reservation(
    parts: Parts,
) -> None:
    await parts.steps()

    assert sorted(model for model, _ in parts.gateway.asked) == sorted(model.id for model in MODELS)
    assert all(0 < timeout < DEFAULT_TIMEOUTS.comparison for _, timeout in parts.gateway.asked)
    assert [sorted(models) for models in parts.gateway.reserved] == [sorted(model.id for model in MODELS)]
    assert parts.gateway.released == [0]


async def test_what_was_written_is_not_kept_as_sayings_yet(parts: Parts) -> None:
    await parts.steps()

    assert parts.store.kept == []


async def test_every_order_of_the_models_comes_up(parts: Parts) -> None:
    for _ in range(600):
        await parts.steps()

    orders = {tuple(entry.model for entry in comparison.entries) for comparison in parts.store.comparisons}
    assert orders == set(permutations(model.id for model in MODELS))


async def test_of_many_models_any_four_take_part(parts: Parts) -> None:
    parts.models = [*MODELS, msgspec.structs.replace(MODELS[0], id="gpt-4.1", display_name="A fifth")]

    for _ in range(100):
        await parts.steps()

    sources = [{entry.source for entry in comparison.entries} for comparison in parts.store.comparisons]
    assert {len(comparison.entries) for comparison in parts.store.comparisons} == {4}
    assert len(set().union(*sources)) == len(MODELS)


@pytest.mark.parametrize("count", [0, 1])
async def test_one_model_alone_is_compared_with_nothing(parts: Parts, count: int) -> None:
    parts.models = MODELS[:count]

    with pytest.raises(NothingToCompare):
        await parts.steps()

    assert parts.gateway.reserved == []


async def test_two_models_are_enough(parts: Parts) -> None:
    parts.models = MODELS[:2]

    *_, all_slots, closed = await parts.steps()

    assert isinstance(all_slots, Slots)
    assert [entry.slot for entry in all_slots.entries] == ["A", "B"]
    assert closed == Closed(parts.store.comparisons[0].comparison_id, votable=True)


@pytest.mark.parametrize("service", ["Amazon S4", "S3", "amazon s3", " Amazon S3"])
async def test_an_unknown_service_is_refused_and_costs_nothing(parts: Parts, service: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await parts.steps(wanted=service)

    assert caught.value.details == ("service: unknown",)
    assert parts.gateway.reserved == []


async def test_without_a_wish_it_is_any_service(parts: Parts) -> None:
    for _ in range(30):
        await parts.steps(wanted=None)

    services = {comparison.service for comparison in parts.store.comparisons}
    assert len(services) > 1
    assert services <= set(TOPICS.names)


# --- failures ---------------------------------------------------------------------------------------------------------


def called(error: ModelTimeout | ModelRateLimited) -> ModelTimeout | ModelRateLimited:
    error.api_time_ms = 80.0
    return error


@pytest.mark.parametrize(
    ("trouble", "word", "latency_ms", "reported"),
    [
        (called(ModelTimeout("It is late.")), "timeout", 80.0, []),
        (called(ModelRateLimited("Slower.")), "rate_limited", 80.0, []),
        (ModelNotAsked("There was no time left."), "not_asked", None, ["ModelNotAsked"]),
        (ModelBreakerOpen("Not now."), "breaker_open", None, ["ModelBreakerOpen"]),
        (KeyNotFound("There is none."), "key_not_found", None, []),
        (EXHAUSTED, "budget", None, []),
        (StoreError("It is broken."), "database_error", None, []),
        (RuntimeError("a defect"), "unexpected", None, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_slot_that_fails_says_why_and_the_others_stand(
    parts: Parts, trouble: Exception, word: str, latency_ms: float | None, reported: list[str]
) -> None:
    parts.gateway.troubles[HAIKU] = trouble

    entries = await parts.entries()

    failed = entries.pop(HAIKU)
    assert (failed.saying, failed.error, failed.latency_ms, failed.generation) == (None, word, latency_ms, None)
    assert all(entry.saying and entry.error is None for entry in entries.values())
    assert [event.error_type for event in parts.events.of(DependencyFailed)] == reported
    assert [event.error for event in parts.events.of(Unexpected)] == [trouble] * (word == "unexpected")
    assert parts.gateway.released == [1]
    [finished] = parts.events.of(ComparisonFinished)
    assert (finished.answered, finished.failed, finished.replayed, finished.abandoned) == (3, 1, "", False)


async def test_what_may_not_be_shown_is_a_failure_that_cost_something(parts: Parts) -> None:
    parts.gateway.rejected = True

    entries = await parts.entries()

    assert {(entry.saying, entry.error) for entry in entries.values()} == {(None, "bad_response")}
    assert all(entry.generation and entry.latency_ms for entry in entries.values())


async def test_when_all_fail_there_is_nothing_to_vote_on(parts: Parts) -> None:
    parts.gateway.trouble = called(ModelTimeout("It is late."))

    steps = await parts.steps()

    assert steps[-1] == Closed(parts.store.comparisons[0].comparison_id, votable=False)


async def test_one_saying_alone_is_not_to_be_voted_on(parts: Parts) -> None:
    parts.gateway.troubles = {model.id: ModelBreakerOpen("Not now.") for model in MODELS[1:]}

    assert (await parts.steps())[-1] == Closed(parts.store.comparisons[0].comparison_id, votable=False)


async def test_two_models_may_write_the_same(parts: Parts) -> None:
    parts.gateway.text = "Amazon S3 is a cellar that never asks what you keep in it."

    entries = await parts.entries()

    assert {entry.saying for entry in entries.values()} == {parts.gateway.text}


@pytest.mark.parametrize("failure", ["fails", "hangs"])
async def test_a_comparison_that_cannot_be_stored_is_shown_but_not_votable(parts: Parts, failure: str) -> None:
    parts.timeouts = Timeouts(store_write=0.01, comparison_begin=0.0)
    parts.store.trouble = StoreError("It is broken.") if failure == "fails" else None
    parts.store.hangs = failure == "hangs"

    steps = await parts.steps()

    assert [entry.saying is not None for entry in shown(steps).entries] == [True] * 4
    assert isinstance(steps[-1], Closed)
    assert not steps[-1].votable
    assert [event.operation for event in parts.events.of(DependencyFailed)] == ["put comparison"]


# --- what must not tell the authors -----------------------------------------------------------------------------------


async def test_nothing_is_shown_before_the_last_has_landed(parts: Parts) -> None:
    parts.gateway.hanging = {HAIKU}
    run = parts.compare.run("ann")
    while (step := await anext(run)) != Progress(3, 4):
        assert isinstance(step, Opened | Progress)

    parts.gateway.late.set()

    assert [await anext(run) for _ in range(2)] == [Progress(4, 4), Slots(parts.store.comparisons[0].entries)]
    await run.aclose()


async def test_a_model_that_is_late_has_failed_and_its_call_goes_on(parts: Parts) -> None:
    parts.timeouts = Timeouts(comparison=0.05, comparison_begin=0.0)
    parts.gateway.hanging = {HAIKU}
    compare = parts.compare

    steps = [step async for step in compare.run("ann")]

    [late] = [entry for entry in shown(steps).entries if entry.model == HAIKU]
    assert (late.saying, late.error, late.latency_ms) == (None, "timeout", 50.0)
    assert (steps[-2:], parts.gateway.released) == (
        [Slots(parts.store.comparisons[0].entries), Closed(parts.store.comparisons[0].comparison_id, votable=True)],
        [],
    )
    parts.gateway.late.set()
    await compare.close()
    assert parts.gateway.released == [0]


async def test_a_call_may_last_as_long_as_its_model_may_take(parts: Parts) -> None:
    await parts.steps()

    timeouts = {model.id: model.timeout_seconds for model in MODELS}
    calls = zip(parts.gateway.asked, parts.gateway.lingering, strict=True)
    assert all(seconds + linger == pytest.approx(timeouts[model]) for (model, seconds), linger in calls)


async def test_a_client_that_reads_slowly_gives_no_model_more_time(parts: Parts) -> None:
    clock = parts.monotonic = Clock()
    parts.gateway.hanging = {HAIKU}
    compare = parts.compare
    run = compare.run("ann")
    while await anext(run) != Progress(3, 4):
        pass

    clock.forward(DEFAULT_TIMEOUTS.comparison + 1)
    parts.gateway.late.set()
    steps = [step async for step in run]
    await compare.close()

    assert [entry.error for entry in shown(steps).entries if entry.model == HAIKU] == ["timeout"]


async def test_a_text_that_is_stored_already_is_a_duplicate(parts: Parts) -> None:
    parts.store.kept = [model_saying("the 2th live saying")]

    steps = await parts.steps()

    assert [entry.error for entry in shown(steps).entries if entry.saying is None] == ["duplicate"]
    assert [entry.generation is not None for entry in shown(steps).entries] == [True] * 4  # it is paid for
    assert shown(steps).entries == parts.store.comparisons[0].entries
    assert [len(ids) for ids in parts.store.looked_for] == [4]  # in one question


@pytest.mark.parametrize(
    ("error", "blind"),
    [
        (None, None),
        ("timeout", BlindError.TIMEOUT),
        ("withdrawn", BlindError.WITHDRAWN),
        ("duplicate", BlindError.UNUSABLE),
        ("bad_response", BlindError.UNUSABLE),
        ("refused", BlindError.UNUSABLE),
        ("truncated", BlindError.UNUSABLE),
        ("key_not_found", BlindError.UNAVAILABLE),
        ("spend_limit", BlindError.UNAVAILABLE),
        ("of a later version", BlindError.UNAVAILABLE),
    ],
)
def test_before_the_vote_an_error_is_one_of_four_words(error: str | None, blind: BlindError | None) -> None:
    entry = Entry("A", HAIKU, "Generated by Claude Haiku 4.5", None, error, None, None)

    assert entry.blind_error is blind


# --- money and stored comparisons -------------------------------------------------------------------------------------

BUSY = ModelsBusy("There is no place.")


@pytest.mark.parametrize(
    ("obstacle", "reason", "none_left", "wait"),
    [
        (EXHAUSTED, ReplayReason.BUDGET, ComparisonUnavailable, 3600),
        (BUSY, ReplayReason.BUSY, ComparisonUnavailable, BUSY_SECONDS),
        (None, ReplayReason.ASKED, ComparisonNotFound, None),
    ],
)
async def test_a_comparison_new_to_the_voter_is_replayed_once(
    parts: Parts,
    obstacle: BudgetExhausted | ModelsBusy | None,
    reason: ReplayReason,
    none_left: type[HttpError],
    wait: int | None,
) -> None:
    await parts.steps("ann")
    parts.gateway.unreservable = obstacle

    replayed = await parts.steps("bob", stored=obstacle is None)

    [comparison] = parts.store.comparisons
    identity = comparison.comparison_id
    assert replayed == [
        Opened(identity, "Amazon S3", reason),
        Slots(comparison.entries),
        Closed(identity, votable=True),
    ]
    assert parts.store.ballots[-1] == Ballot(identity, "bob", shown_at=NOW)
    assert [event.replayed for event in parts.events.of(ComparisonFinished)] == ["", reason]
    for voter in ("ann", "bob"):
        with pytest.raises(none_left) as caught:
            await parts.steps(voter, stored=obstacle is None)
        assert caught.value.retry_after == wait


async def test_a_stored_comparison_needs_neither_money_nor_models(parts: Parts) -> None:
    await parts.steps("ann")
    parts.models, parts.gateway.unreservable = [], EXHAUSTED

    replayed = await parts.steps("bob", stored=True)

    assert replayed[0] == Opened(parts.store.comparisons[0].comparison_id, "Amazon S3", ReplayReason.ASKED)
    assert len(parts.gateway.reserved) == 1


async def test_a_stored_comparison_of_an_unknown_service_is_refused(parts: Parts) -> None:
    with pytest.raises(InvalidRequest):
        await parts.steps(wanted="Amazon S4", stored=True)


async def test_over_budget_only_the_service_that_is_wanted_is_shown(parts: Parts) -> None:
    await parts.steps(wanted="Amazon S3")
    parts.gateway.unreservable = EXHAUSTED

    with pytest.raises(ComparisonUnavailable):
        await parts.steps("bob", wanted="AWS Lambda")

    assert await parts.steps("bob", wanted=None)


@pytest.mark.parametrize(("past_the_hour", "wait"), [(0.0, 3600), (0.9, 3600), (3599.5, 1)])
async def test_with_nothing_left_to_replay_retry_after_is_the_next_hour(
    parts: Parts, past_the_hour: float, wait: int
) -> None:
    parts.gateway.unreservable = EXHAUSTED
    parts.now += past_the_hour

    with pytest.raises(ComparisonUnavailable) as caught:
        await parts.steps()

    assert caught.value.retry_after == wait


async def test_when_no_money_can_be_reserved_no_model_is_called(parts: Parts) -> None:
    parts.gateway.unreservable = StoreError("It is broken.")

    with pytest.raises(ComparisonUnavailable):
        await parts.steps()

    assert parts.gateway.asked == []


async def test_a_store_that_fails_has_nothing_to_replay(parts: Parts) -> None:
    parts.gateway.unreservable = EXHAUSTED
    parts.store.trouble = StoreError("It is broken.")

    with pytest.raises(ComparisonUnavailable) as caught:
        await parts.steps()

    assert (caught.value.retry_after or 0) > 0
    assert [event.operation for event in parts.events.of(DependencyFailed)] == ["replay comparison"]


# --- disconnects ------------------------------------------------------------------------------------------------------


def others() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def close_it(run: AsyncGenerator[Step, None]) -> None:
    await run.aclose()


async def cancel_it(run: AsyncGenerator[Step, None]) -> None:
    waiting = asyncio.ensure_future(anext(run))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()


@pytest.mark.parametrize("leave", [close_it, cancel_it])
async def test_what_has_begun_is_finished_for_others_when_the_caller_leaves(
    parts: Parts, leave: Callable[[AsyncGenerator[Step, None]], asyncio.Future[None]]
) -> None:
    parts.timeouts = Timeouts(drain=0.0, comparison_begin=0.0)
    parts.gateway.hanging = {MINI}
    compare = parts.compare
    run = compare.run("ann")
    while await anext(run) != Progress(3, 4):
        pass

    await leave(run)
    going_on = others()
    compare.drain()
    await compare.close()

    assert (going_on != set(), others()) == (True, set())
    [comparison] = parts.store.comparisons
    assert {entry.model for entry in comparison.entries if entry.saying} == {model.id for model in MODELS} - {MINI}
    assert parts.gateway.released == [0]
    [finished] = parts.events.of(ComparisonFinished)
    assert (finished.answered, finished.failed, finished.abandoned) == (3, 1, True)


async def test_draining_stores_what_has_landed_and_times_out_the_rest(parts: Parts) -> None:
    parts.timeouts = Timeouts(drain=0.0, comparison_begin=0.0)
    parts.gateway.hanging = {MINI}
    compare = parts.compare
    run = compare.run("ann")
    while await anext(run) != Progress(3, 4):
        pass

    compare.drain()
    async with asyncio.timeout(10):
        told = [step async for step in run]
        late = [step async for step in compare.run("bob")]
    await compare.close()

    [one, other] = parts.store.comparisons
    errors = {entry.model: entry.error for entry in one.entries}
    assert errors == {model.id: "timeout" if model.id == MINI else None for model in MODELS}
    assert told[-1] == Closed(one.comparison_id, votable=True)
    assert late[-1] == Closed(other.comparison_id, votable=True)


async def test_a_caller_that_leaves_at_once_costs_nothing(parts: Parts) -> None:
    parts.timeouts = Timeouts(comparison_begin=60.0)
    compare = parts.compare
    run = compare.run("ann")
    await anext(run)

    await cancel_it(run)
    await compare.close()

    assert (parts.gateway.asked, parts.gateway.released) == ([], [4])
    assert (others(), parts.store.comparisons) == (set(), [])


async def test_storing_goes_on_although_the_caller_is_cancelled(parts: Parts) -> None:
    parts.store.hangs = True
    compare = parts.compare
    run = compare.run("ann")
    while await anext(run) != Progress(4, 4):
        pass
    leaving = asyncio.ensure_future(run.aclose())
    await parts.store.until_asked()

    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert others() != set()
    await compare.close()

    assert others() == set()
    assert [event.abandoned for event in parts.events.of(ComparisonFinished)] == [True]


async def test_what_reserving_takes_is_not_the_models_time(parts: Parts) -> None:
    clock = parts.monotonic = Clock()
    reserve = parts.gateway.reserve

    async def reserve_slowly(*models: Any, **client: Any) -> Advance:
        clock.forward(10.0)  # a fresh process imports the SDKs
        return await reserve(*models, **client)

    parts.gateway.reserve = reserve_slowly  # type: ignore[method-assign]
    await parts.steps()

    assert {timeout for _, timeout in parts.gateway.asked} == {DEFAULT_TIMEOUTS.comparison}


# What a comparison needs of an invocation, and what showing an earlier one needs.
WHOLE = DEFAULT_TIMEOUTS.comparison + DEFAULT_TIMEOUTS.comparison_keeping
REPLAY = DEFAULT_TIMEOUTS.store_write


async def test_a_comparison_that_fits_the_invocation_gives_models_all_their_time(parts: Parts) -> None:
    parts.monotonic = Clock()

    with deadline(WHOLE + 60.0):
        await parts.steps()

    assert {timeout for _, timeout in parts.gateway.asked} == {DEFAULT_TIMEOUTS.comparison}


@pytest.mark.parametrize("left", [WHOLE - 0.1, REPLAY + 1.0])
async def test_a_comparison_that_does_not_fit_is_replaced_by_an_earlier_one(parts: Parts, left: float) -> None:
    await parts.steps("ann")

    with deadline(left):
        opened, *_ = await parts.steps("bob")

    [comparison] = parts.store.comparisons
    assert opened == Opened(comparison.comparison_id, "Amazon S3", ReplayReason.BUSY)
    assert len(parts.gateway.reserved) == 1


@pytest.mark.parametrize("left", [WHOLE - 0.1, REPLAY - 0.1, 0.0])
async def test_without_an_earlier_one_a_comparison_that_does_not_fit_is_refused(parts: Parts, left: float) -> None:
    with deadline(left), pytest.raises(ComparisonUnavailable) as refused:
        await parts.steps()

    assert refused.value.retry_after == BUSY_SECONDS
    assert (parts.gateway.reserved, parts.events.of(DependencyFailed)) == ([], [])


@pytest.mark.parametrize("stored", [False, True])
async def test_a_replay_that_does_not_fit_does_not_blame_the_store(parts: Parts, stored: bool) -> None:
    await parts.steps("ann")

    with deadline(REPLAY - 0.1), pytest.raises(ComparisonUnavailable):
        await parts.steps("bob", stored=stored)

    assert parts.events.of(DependencyFailed) == []


async def test_a_comparison_that_no_longer_fits_after_reserving_returns_the_money(parts: Parts) -> None:
    reserve = parts.gateway.reserve

    async def reserve_slowly(*models: Any, **client: Any) -> Advance:
        stack.enter_context(deadline(WHOLE - 0.1))  # a fresh process imports the SDKs
        return await reserve(*models, **client)

    parts.gateway.reserve = reserve_slowly  # type: ignore[method-assign]
    with ExitStack() as stack, deadline(WHOLE + 60.0), pytest.raises(ComparisonUnavailable):
        await parts.steps()

    assert (parts.gateway.asked, parts.gateway.released) == ([], [4])


async def test_in_an_invocation_no_call_lingers(parts: Parts) -> None:
    with deadline(29.0):
        await parts.steps()

    assert parts.gateway.lingering == [0.0] * 4


async def test_a_withdrawn_text_is_not_shown_when_a_model_writes_it_again(parts: Parts) -> None:
    parts.gateway.text = "slander"
    parts.withdrawn = {saying_id("slander")}

    entries = await parts.entries()

    assert {(entry.saying, entry.error) for entry in entries.values()} == {(None, "bad_response")}


async def test_a_comparison_with_a_withdrawn_text_is_not_replayed(parts: Parts) -> None:
    entries = await parts.entries()
    parts.withdrawn = {saying_id(entries[HAIKU].saying or "")}
    parts.gateway.unreservable = EXHAUSTED

    with pytest.raises(ComparisonUnavailable):
        await parts.steps("bob")
