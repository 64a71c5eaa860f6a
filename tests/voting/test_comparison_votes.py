"""Votes on comparisons: only by those they were shown to, only for what is in them, only for a day, never lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.domain import Ballot, VoteStatus, burst_of, saying_id
from service.errors import (
    ComparisonExpired,
    ComparisonNotFound,
    ComparisonNotShown,
    HttpError,
    SlotNotEligible,
    StorageFull,
    StoreError,
    VoteNotStored,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.store.sqlite import SqliteStore
from service.voting.comparison_votes import ComparisonVotes
from telemetry.events import BallotTaken, DependencyFailed
from tests.fakes import FakeStore
from tests.store.builders import comparison, shown
from tests.support import Clock, RecordingListener

COMPARED = comparison("a" * 32, failed="D")
IDENTITY = COMPARED.comparison_id
SHOWN_AT = shown(COMPARED).shown_at


@pytest.fixture
def clock() -> Clock:
    return Clock(SHOWN_AT + 60)


@pytest.fixture
async def ballots(store: SqliteStore, events: RecordingListener, clock: Clock) -> AsyncIterator[ComparisonVotes]:
    await store.put_comparison(COMPARED, shown(COMPARED, "ann"))
    ballots = ComparisonVotes(store, events, clock=clock)
    yield ballots
    await ballots.close()


async def cast(store: SqliteStore) -> list[Ballot]:
    return [each.ballot async for each in store.all_ballots() if each.ballot.winner is not None]


async def test_a_vote_is_recorded_then_unchanged_then_changed(
    ballots: ComparisonVotes, events: RecordingListener
) -> None:
    results = [await ballots.vote("ann", IDENTITY, winner) for winner in ("A", "A", "tie", "none")]

    assert [found for found, _ in results] == [COMPARED] * 4
    assert [status for _, status in results] == [
        VoteStatus.RECORDED, VoteStatus.UNCHANGED, VoteStatus.CHANGED, VoteStatus.CHANGED,
    ]  # fmt: skip
    assert [(event.outcome, event.status) for event in events.of(BallotTaken)] == [
        ("winner", "recorded"), ("winner", "unchanged"), ("tie", "changed"), ("none", "changed"),
    ]  # fmt: skip


async def test_a_vote_stores_its_time_and_hides_its_address(
    ballots: ComparisonVotes, store: SqliteStore, clock: Clock
) -> None:
    await ballots.vote("ann", IDENTITY, "B", "203.0.113.7")

    burst = burst_of("203.0.113.7", clock())
    assert await cast(store) == [Ballot(IDENTITY, "ann", SHOWN_AT, "B", clock(), burst)]


@pytest.mark.parametrize(
    ("voter", "identity", "winner", "error"),
    [
        ("ann", "0" * 32, "A", ComparisonNotFound),
        ("bob", IDENTITY, "A", ComparisonNotShown),
        ("ann", IDENTITY, "D", SlotNotEligible),
    ],
    ids=["unknown", "not shown", "a slot that failed"],
)
async def test_what_cannot_be_voted_on_is_refused_and_counts_nothing(
    ballots: ComparisonVotes, store: SqliteStore, voter: str, identity: str, winner: str, error: type[HttpError]
) -> None:
    with pytest.raises(error):
        await ballots.vote(voter, identity, winner)

    assert await cast(store) == []


@pytest.mark.parametrize(
    ("failed", "winner", "eligible"),
    [
        ("CD", "tie", True), ("CD", "none", True), ("CD", "B", True), ("CD", "C", False),
        ("BCD", "tie", False), ("BCD", "none", False), ("BCD", "A", False), ("BCD", "B", False),
        ("ABCD", "none", False), ("ABCD", "A", False),
    ],
)  # fmt: skip
async def test_a_vote_needs_two_eligible_slots(
    ballots: ComparisonVotes, store: SqliteStore, failed: str, winner: str, eligible: bool
) -> None:
    compared = comparison("b" * 32, failed=failed)
    await store.put_comparison(compared, shown(compared, "ann"))

    if eligible:
        assert (await ballots.vote("ann", compared.comparison_id, winner))[1] is VoteStatus.RECORDED
    else:
        with pytest.raises(SlotNotEligible):
            await ballots.vote("ann", compared.comparison_id, winner)


async def test_a_comparison_is_open_for_a_day_after_the_voter_saw_it(
    ballots: ComparisonVotes, store: SqliteStore, clock: Clock
) -> None:
    clock.now = SHOWN_AT + DEFAULT_TIMEOUTS.comparison_open
    await store.show_comparison(Ballot(IDENTITY, "bob", clock()))
    await ballots.vote("ann", IDENTITY, "A")
    clock.forward(1)

    with pytest.raises(ComparisonExpired):
        await ballots.vote("ann", IDENTITY, "B")

    assert (await ballots.vote("bob", IDENTITY, "B"))[1] is VoteStatus.RECORDED


async def test_a_ballot_that_has_gone_meanwhile_counts_as_not_shown(events: RecordingListener) -> None:
    class Forgetful(FakeStore):
        async def get_comparison(self, comparison_id: str, voter: str) -> tuple[object, Ballot]:  # type: ignore[override]
            return COMPARED, shown(COMPARED)

    ballots = ComparisonVotes(Forgetful().as_store(), events, clock=lambda: SHOWN_AT)

    with pytest.raises(ComparisonNotShown):
        await ballots.vote("ann", IDENTITY, "A")

    assert events.of(BallotTaken) == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(None, VoteNotStored), (StoreError("down"), VoteNotStored), (StorageFull(), StorageFull)],
    ids=["hangs", "fails", "is full"],
)
async def test_a_store_that_cannot_take_a_vote_gives_a_503_in_time(
    events: RecordingListener, trouble: Exception | None, error: type[HttpError]
) -> None:
    store = FakeStore()
    store.hangs, store.trouble = trouble is None, trouble
    votes = ComparisonVotes(store.as_store(), events, timeouts=Timeouts(vote=0.01))

    with pytest.raises(error) as caught:
        await votes.vote("ann", IDENTITY, "A")

    assert caught.value.status == 503
    assert caught.value.retry_after
    assert [event.operation for event in events.of(DependencyFailed)] == ["vote on comparison"]


async def test_a_vote_is_finished_although_its_voter_has_gone(ballots: ComparisonVotes, store: SqliteStore) -> None:
    voting = asyncio.create_task(ballots.vote("ann", IDENTITY, "A"))
    await asyncio.sleep(0)

    voting.cancel()
    await asyncio.gather(voting, return_exceptions=True)
    assert voting.cancelled()
    await ballots.close()

    assert [ballot.winner for ballot in await cast(store)] == ["A"]


async def test_a_text_withdrawn_since_is_not_revealed_but_its_vote_counts(
    store: SqliteStore, events: RecordingListener, clock: Clock
) -> None:
    await store.put_comparison(COMPARED, shown(COMPARED, "ann"))
    text = COMPARED.entries[0].saying or ""
    ballots = ComparisonVotes(store, events, withdrawn={saying_id(text)}, clock=clock)

    revealed, status = await ballots.vote("ann", IDENTITY, "A")

    assert status is VoteStatus.RECORDED
    assert [(entry.saying, entry.error) for entry in revealed.entries[:2]] == [
        (None, "withdrawn"), (COMPARED.entries[1].saying, None),
    ]  # fmt: skip
    assert [ballot.winner for ballot in await cast(store)] == ["A"]
