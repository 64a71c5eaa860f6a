"""Votes on comparisons: by voters who have seen them, for what is in them, within a day, and only the first counts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.domain import Ballot, BallotStatus, Standing, saying_id
from service.errors import (
    ComparisonExpired,
    ComparisonNotFound,
    ComparisonNotShown,
    ComparisonUnavailable,
    HttpError,
    SlotNotEligible,
    StorageFull,
    StoreError,
    VoteNotStored,
)
from service.limits import DEFAULT_TIMEOUTS, Timeouts
from service.sayings.pool import Pool
from service.store.base import Store
from service.store.sqlite import SqliteStore
from service.voting.comparison_votes import ComparisonVotes, VoterView
from service.voting.day_secrets import DaySecrets
from service.voting.networks import VoterNetworks
from telemetry.events import BallotTaken, DependencyFailed
from tests.fakes import FakeStore
from tests.store.builders import collected, comparison, shown
from tests.support import TOPICS, Clock, RecordingListener

COMPARED = comparison("a" * 32, failed="D")
IDENTITY = COMPARED.comparison_id
SHOWN_AT = shown(COMPARED).shown_at
TEXTS = {entry.saying for entry in COMPARED.entries if entry.saying is not None}
IDS = frozenset(saying_id(text) for text in TEXTS)


@pytest.fixture
def clock() -> Clock:
    return Clock(SHOWN_AT + 60)


@pytest.fixture
def pool() -> Pool:
    return Pool(ttl=1e9)


def votes_in(
    store: Store, events: RecordingListener, clock: Clock, pool: Pool | None = None, **options: Any
) -> ComparisonVotes:
    networks = VoterNetworks(DaySecrets(store, events, clock=clock))
    pool = Pool(ttl=1e9) if pool is None else pool
    return ComparisonVotes(store, pool, TOPICS, networks, events, clock=clock, **options)


@pytest.fixture
async def ballots(
    store: SqliteStore, events: RecordingListener, clock: Clock, pool: Pool
) -> AsyncIterator[ComparisonVotes]:
    await store.put_comparison(COMPARED, shown(COMPARED, "ann"))
    ballots = votes_in(store, events, clock, pool)
    yield ballots
    await ballots.close()


async def cast(store: SqliteStore) -> list[Ballot]:
    return [each.ballot async for each in store.all_ballots() if each.ballot.winner is not None]


async def counted(store: Store) -> dict[str, int]:
    """The ballots that count, by what they were for."""
    outcomes = (await store.aggregates(since_hour="")).outcomes
    return {outcome.result: sum(tally.counted.values()) for (_, outcome), tally in outcomes.items()}


async def test_the_first_vote_counts_and_later_ones_come_after_the_reveal(
    ballots: ComparisonVotes, store: SqliteStore, events: RecordingListener
) -> None:
    results = [await ballots.vote("ann", IDENTITY, winner) for winner in ("A", "A", "tie", "none", "A")]

    assert [found for found, _ in results] == [COMPARED] * 5
    assert [(result.status, result.ballot.winner) for _, result in results] == [
        (BallotStatus.RECORDED, "A"), (BallotStatus.UNCHANGED, "A"), (BallotStatus.AFTER_REVEAL, "A"),
        (BallotStatus.AFTER_REVEAL, "A"), (BallotStatus.UNCHANGED, "A"),
    ]  # fmt: skip
    assert [(event.outcome, event.status) for event in events.of(BallotTaken)] == [
        ("winner", "recorded"), ("winner", "unchanged"), ("tie", "after_reveal"), ("none", "after_reveal"),
        ("winner", "unchanged"),
    ]  # fmt: skip
    assert await counted(store) == {COMPARED.entries[0].model: 1}


async def test_of_votes_at_the_same_time_one_counts(ballots: ComparisonVotes, store: SqliteStore) -> None:
    winners = ["A", "B", "C", "tie", "none"] * 4

    results = await asyncio.gather(*(ballots.vote("ann", IDENTITY, winner) for winner in winners))

    [first] = [result.ballot.winner for _, result in results if result.status is BallotStatus.RECORDED]
    expected = {True: BallotStatus.UNCHANGED, False: BallotStatus.AFTER_REVEAL}
    for winner, (_, result) in zip(winners, results, strict=True):
        assert result.ballot.winner == first
        assert result.status in (expected[winner == first], BallotStatus.RECORDED)
    assert sum((await counted(store)).values()) == 1


async def test_after_a_restart_the_first_vote_still_counts(
    tmp_path: Path, events: RecordingListener, clock: Clock
) -> None:
    statuses = []
    for winner in ("A", "B"):
        store = await SqliteStore.open(tmp_path / "restarted.db")
        await store.put_comparison(COMPARED, shown(COMPARED, "ann"))
        votes = votes_in(store, events, clock)
        statuses.append((await votes.vote("ann", IDENTITY, winner))[1].status)
        await votes.close()
        await store.close()

    assert statuses == [BallotStatus.RECORDED, BallotStatus.AFTER_REVEAL]


async def test_a_vote_stores_its_time_and_hides_its_address(
    ballots: ComparisonVotes, store: SqliteStore, events: RecordingListener, clock: Clock
) -> None:
    await ballots.vote("ann", IDENTITY, "B", "203.0.113.7")

    [network] = await VoterNetworks(DaySecrets(store, events, clock=clock)).on("203.0.113.7", clock())
    assert await cast(store) == [Ballot(IDENTITY, "ann", SHOWN_AT, "B", clock(), Standing.COUNTED, network.name)]
    assert "203" not in network.name.partition("/")[2]


# --- what is stored as sayings after the first vote -------------------------------------------------------------------


async def test_the_first_vote_makes_the_sayings_known(ballots: ComparisonVotes, store: SqliteStore, pool: Pool) -> None:
    before = (await store.stored_ids(IDS), pool.ids)

    await ballots.vote("ann", IDENTITY, "A")
    await ballots.close()

    assert before == (frozenset(), frozenset())
    assert (await store.stored_ids(IDS), pool.ids) == (IDS, IDS)
    stored = {each.saying.text: each.saying async for each in store.all_sayings()}
    assert {entry.saying: entry.generation for entry in COMPARED.entries if entry.saying} == {
        text: saying.generation for text, saying in stored.items()
    }
    assert {saying.services for saying in stored.values()} == {("Amazon S3",)}


async def test_only_the_first_of_all_votes_stores_the_sayings(
    ballots: ComparisonVotes, store: SqliteStore, pool: Pool, clock: Clock
) -> None:
    await ballots.vote("ann", IDENTITY, "A")
    await ballots.close()
    pool.drop(IDS)
    await store.show_comparison(Ballot(IDENTITY, "bob", clock()))

    await ballots.vote("bob", IDENTITY, "B")
    await ballots.vote("ann", IDENTITY, "B")
    await ballots.close()

    assert pool.ids == frozenset()


async def test_a_saying_of_another_author_keeps_it(ballots: ComparisonVotes, store: SqliteStore, pool: Pool) -> None:
    [text, *_] = TEXTS
    await store.put_sayings([collected(text)])

    await ballots.vote("ann", IDENTITY, "A")
    await ballots.close()

    assert pool.ids == IDS - {saying_id(text)}


async def test_sayings_that_cannot_be_stored_do_not_fail_the_vote(
    ballots: ComparisonVotes, pool: Pool, store: SqliteStore, events: RecordingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> frozenset[str]:
        raise StoreError("down")

    monkeypatch.setattr(store, "put_sayings", fail)

    _, result = await ballots.vote("ann", IDENTITY, "A")
    await ballots.close()

    assert result.status is BallotStatus.RECORDED
    assert pool.ids == frozenset()
    assert [event.operation for event in events.of(DependencyFailed)] == ["put sayings"]


# --- a comparison again -----------------------------------------------------------------------------------------------


async def test_a_comparison_is_given_back_with_the_vote_on_it(ballots: ComparisonVotes) -> None:
    before = await ballots.show("ann", IDENTITY)

    await ballots.vote("ann", IDENTITY, "tie")
    await ballots.vote("ann", IDENTITY, "B")

    assert before == VoterView(COMPARED, None, votable=True)
    assert await ballots.show("ann", IDENTITY) == VoterView(COMPARED, "tie", votable=False)


async def test_another_voter_is_shown_a_comparison_by_its_id(ballots: ComparisonVotes, clock: Clock) -> None:
    clock.forward(DEFAULT_TIMEOUTS.comparison_open)

    view = await ballots.show("bob", IDENTITY)
    clock.forward(DEFAULT_TIMEOUTS.comparison_open)
    _, voted = await ballots.vote("bob", IDENTITY, "A")

    assert view == VoterView(COMPARED, None, votable=True)
    assert (voted.status, voted.ballot.shown_at) == (
        BallotStatus.RECORDED, clock() - DEFAULT_TIMEOUTS.comparison_open,
    )  # fmt: skip


async def test_a_comparison_shown_a_day_ago_is_not_votable(ballots: ComparisonVotes, clock: Clock) -> None:
    clock.forward(DEFAULT_TIMEOUTS.comparison_open)

    assert await ballots.show("ann", IDENTITY) == VoterView(COMPARED, None, votable=False)


async def test_a_comparison_of_one_saying_is_not_votable(ballots: ComparisonVotes, store: SqliteStore) -> None:
    alone = comparison("alone", failed="BCD")
    await store.put_comparison(alone, shown(alone, "ann"))

    assert await ballots.show("ann", alone.comparison_id) == VoterView(alone, None, votable=False)


async def test_an_unknown_comparison_is_not_found(ballots: ComparisonVotes) -> None:
    with pytest.raises(ComparisonNotFound):
        await ballots.show("ann", "0" * 32)


async def test_a_store_that_cannot_be_read_gives_a_503(events: RecordingListener, clock: Clock) -> None:
    store = FakeStore()
    store.trouble = StoreError("down")

    with pytest.raises(ComparisonUnavailable):
        await votes_in(store.as_store(), events, clock).show("ann", IDENTITY)

    assert [event.operation for event in events.of(DependencyFailed)] == ["show comparison"]


async def test_an_unverified_vote_is_not_stored_and_ends_no_secret(
    ballots: ComparisonVotes, store: SqliteStore, pool: Pool, events: RecordingListener
) -> None:
    for winner in ("A", "none"):
        await ballots.take_unverified(IDENTITY, winner)
    await ballots.close()

    assert [(event.outcome, event.status) for event in events.of(BallotTaken)] == [
        ("winner", "unverified"), ("none", "unverified"),
    ]  # fmt: skip
    assert await cast(store) == []
    assert (await store.stored_ids(IDS), pool.ids) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("identity", "winner", "error"), [("0" * 32, "A", ComparisonNotFound), (IDENTITY, "D", SlotNotEligible)]
)
async def test_an_unverified_vote_is_checked_as_any_other(
    ballots: ComparisonVotes, identity: str, winner: str, error: type[HttpError]
) -> None:
    with pytest.raises(error):
        await ballots.take_unverified(identity, winner)


# --- votes that are refused -------------------------------------------------------------------------------------------


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
        assert (await ballots.vote("ann", compared.comparison_id, winner))[1].status is BallotStatus.RECORDED
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

    assert (await ballots.vote("bob", IDENTITY, "B"))[1].status is BallotStatus.RECORDED


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(None, VoteNotStored), (StoreError("down"), VoteNotStored), (StorageFull(), StorageFull)],
    ids=["hangs", "fails", "is full"],
)
async def test_a_store_that_cannot_take_a_vote_gives_a_503_in_time(
    events: RecordingListener, clock: Clock, trouble: Exception | None, error: type[HttpError]
) -> None:
    store = FakeStore()
    store.hangs, store.trouble = trouble is None, trouble
    votes = votes_in(store.as_store(), events, clock, timeouts=Timeouts(vote=0.01))

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
    ballots = votes_in(store, events, clock, withdrawn={saying_id(text)})

    revealed, result = await ballots.vote("ann", IDENTITY, "A")
    view = await ballots.show("ann", IDENTITY)
    await ballots.close()

    assert result.status is BallotStatus.RECORDED
    assert view == VoterView(revealed, "A", votable=False)
    assert [(entry.saying, entry.error) for entry in revealed.entries[:2]] == [
        (None, "withdrawn"), (COMPARED.entries[1].saying, None),
    ]  # fmt: skip
    assert [ballot.winner for ballot in await cast(store)] == ["A"]
