"""What store/base.py promises of withdrawals and reports, on every backend."""

import random
from dataclasses import replace

import pytest

from service.domain import (
    Report,
    ReportReason,
    ReportStatus,
    Saying,
    VoteStatus,
    Withdrawal,
    WithdrawnBy,
    saying_id,
)
from service.store.base import ReportedSaying, ReportResult, Store, Withdrawals
from tests.store.builders import MODEL, collected, comparison, generated, shown, vote

SAYING = generated("words to take down")
BY_HAND = collected("words by hand to take down")
AT = 1_800_000_600.5
UNKNOWN = saying_id("words that nobody has written yet")
each_kind = pytest.mark.parametrize("saying", [SAYING, BY_HAND], ids=["of a model", "by hand"])


def withdrawal(
    identity: str = SAYING.saying_id, *, reason: str = "slander", by: WithdrawnBy = WithdrawnBy.OPERATOR, at: float = AT
) -> Withdrawal:
    return Withdrawal(identity, reason, by, at)


def report(number: int = 1, *, reason: ReportReason = ReportReason.OFFENSIVE, at: float = AT) -> Report:
    """The report of another reporter and network for each number."""
    return Report(SAYING.saying_id, f"reporter {number}", f"network {number}", reason, at)


async def drawn(store: Store, times: int = 20) -> set[Saying | None]:
    return {await store.random_saying() for _ in range(times)}


class TestWithdrawals:
    async def test_nothing_is_withdrawn_at_first(self, store: Store) -> None:
        assert await store.withdrawals() == Withdrawals(await store.withdrawal_revision(), {})

    async def test_a_withdrawal_is_kept_with_its_reason(self, store: Store) -> None:
        before = await store.withdrawal_revision()

        was_up = await store.withdraw_saying(withdrawal())

        after = await store.withdrawals()
        assert was_up
        assert after.sayings == {SAYING.saying_id: withdrawal()}
        assert before < after.revision == await store.withdrawal_revision()

    @each_kind
    async def test_a_withdrawn_saying_is_neither_drawn_nor_recent(self, store: Store, saying: Saying) -> None:
        other = generated("words that stay", created_at=1_800_000_001.0)
        await store.put_sayings([saying, other])

        await store.withdraw_saying(withdrawal(saying.saying_id))

        assert await drawn(store) == {other}
        assert await store.recent_sayings(MODEL, since=0.0, limit=9, simulated=False) == [other]

    async def test_the_rest_is_drawn_equally_often(self, store: Store) -> None:
        random.seed(20_261_129)
        sayings = [collected(f"saying {number}") for number in range(20)]
        await store.put_sayings(sayings)

        for saying in sayings[:10]:
            await store.withdraw_saying(withdrawal(saying.saying_id))

        draws = [await store.random_saying() for _ in range(300)]
        assert set(draws) == set(sayings[10:])
        assert max(map(draws.count, sayings[10:])) <= 2.5 * 30

    async def test_with_everything_withdrawn_there_is_nothing_to_draw(self, store: Store) -> None:
        await store.put_sayings([SAYING])

        await store.withdraw_saying(withdrawal())

        assert await store.random_saying() is None

    @each_kind
    async def test_a_withdrawn_saying_is_found_with_its_votes(self, store: Store, saying: Saying) -> None:
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        await store.withdraw_saying(withdrawal(saying.saying_id))

        assert await store.get_saying(saying.saying_id) == saying
        assert [(each.saying, each.upvotes) async for each in store.all_sayings()] == [(saying, 1)]
        assert [each.saying_id async for each in store.all_votes()] == [saying.saying_id]

    async def test_a_vote_on_a_withdrawn_saying_can_be_taken_back(self, store: Store) -> None:
        await store.put_sayings([SAYING])
        await store.vote(vote(SAYING))
        await store.withdraw_saying(withdrawal())

        result = await store.withdraw_vote(SAYING.saying_id, "ann")

        assert result is not None
        assert (result.status, result.upvotes) == (VoteStatus.WITHDRAWN, 0)

    @each_kind
    async def test_a_withdrawn_text_is_not_stored(self, store: Store, saying: Saying) -> None:
        await store.withdraw_saying(withdrawal(saying.saying_id))

        new = await store.put_sayings([saying, generated("other words")])

        assert new == {saying_id("other words")}
        assert await store.get_saying(saying.saying_id) is None
        assert [each.saying.text async for each in store.all_sayings()] == ["other words"]

    async def test_a_withdrawn_text_that_is_not_stored_takes_no_vote(self, store: Store) -> None:
        await store.withdraw_saying(withdrawal())

        assert await store.vote(vote(SAYING)) is None

    async def test_an_operator_replaces_what_visitors_did(self, store: Store) -> None:
        await store.withdraw_saying(withdrawal(by=WithdrawnBy.VISITORS))

        was_up = await store.withdraw_saying(withdrawal(reason="confirmed", at=AT + 1))

        assert not was_up
        assert (await store.withdrawals()).sayings == {SAYING.saying_id: withdrawal(reason="confirmed", at=AT + 1)}

    async def test_visitors_do_not_replace_what_an_operator_did(self, store: Store) -> None:
        await store.withdraw_saying(withdrawal())

        was_up = await store.withdraw_saying(withdrawal(by=WithdrawnBy.VISITORS, at=AT + 1))

        assert not was_up
        assert (await store.withdrawals()).sayings == {SAYING.saying_id: withdrawal()}

    async def test_a_comparison_with_a_withdrawn_text_is_not_drawn(self, store: Store) -> None:
        withdrawn, first, second = saying_id("first in slot A"), comparison("first"), comparison("second")
        for compared in (first, second):
            await store.put_comparison(compared, shown(compared, "ann"))

        found = [
            await store.unseen_comparison("bob", service=None, simulated=False, withdrawn={withdrawn})
            for _ in range(10)
        ]

        assert set(found) == {second}


class TestRestoring:
    @each_kind
    async def test_a_restored_saying_is_as_before(self, store: Store, saying: Saying) -> None:
        await store.put_sayings([saying])
        recent = await store.recent_sayings(MODEL, since=0.0, limit=9, simulated=False)
        await store.withdraw_saying(withdrawal(saying.saying_id))
        revision = await store.withdrawal_revision()

        assert await store.restore_saying(saying.saying_id, at=AT)

        assert (await store.withdrawals()).sayings == {}
        assert await store.withdrawal_revision() > revision
        assert await drawn(store, 3) == {saying}
        assert await store.recent_sayings(MODEL, since=0.0, limit=9, simulated=False) == recent
        assert await store.get_saying(saying.saying_id) == saying

    async def test_a_text_that_was_not_stored_may_be_stored_then(self, store: Store) -> None:
        await store.withdraw_saying(withdrawal())

        await store.restore_saying(SAYING.saying_id, at=AT)

        assert await store.put_sayings([SAYING]) == {SAYING.saying_id}
        assert await drawn(store, 3) == {SAYING}

    async def test_a_restored_saying_may_be_withdrawn_again(self, store: Store) -> None:
        await store.put_sayings([SAYING])
        for _ in range(2):
            assert await store.withdraw_saying(withdrawal())
            await store.restore_saying(SAYING.saying_id, at=AT)

        assert await store.withdraw_saying(withdrawal(by=WithdrawnBy.VISITORS))

        assert await store.random_saying() is None

    async def test_there_is_nothing_to_restore_twice_or_of_an_unknown(self, store: Store) -> None:
        await store.withdraw_saying(withdrawal())
        await store.restore_saying(SAYING.saying_id, at=AT)

        assert not await store.restore_saying(SAYING.saying_id, at=AT)
        assert not await store.restore_saying(UNKNOWN, at=AT)


class TestReports:
    async def test_a_report_counts_once_for_each_network(self, store: Store) -> None:
        results = [await store.report_saying(report(number)) for number in (1, 2, 2)]

        recorded, unchanged = ReportStatus.RECORDED, ReportStatus.UNCHANGED
        assert results == [ReportResult(recorded, 1), ReportResult(recorded, 2), ReportResult(unchanged, 2)]

    @pytest.mark.parametrize("again", [replace(report(2), reporter="reporter 1"), replace(report(1), reporter="other")])
    async def test_neither_another_network_nor_another_cookie_alone_is_enough(
        self, store: Store, again: Report
    ) -> None:
        await store.report_saying(report(1))

        assert await store.report_saying(again) == ReportResult(ReportStatus.UNCHANGED, 1)

    async def test_the_reported_are_listed_newest_first(self, store: Store) -> None:
        other = replace(report(1, reason=ReportReason.WRONG, at=AT + 5), saying_id=BY_HAND.saying_id)
        for each in (report(1), report(2), report(3, reason=ReportReason.PERSONAL, at=AT + 2), other):
            await store.report_saying(each)

        listed = await store.reported_sayings()

        assert listed == [
            ReportedSaying(BY_HAND.saying_id, {ReportReason.WRONG: 1}, 1, AT + 5),
            ReportedSaying(SAYING.saying_id, {ReportReason.OFFENSIVE: 2, ReportReason.PERSONAL: 1}, 3, AT + 2),
        ]

    async def test_after_a_restoration_only_new_reports_count(self, store: Store) -> None:
        for number in (1, 2):
            await store.report_saying(report(number))

        assert await store.restore_saying(SAYING.saying_id, at=AT)

        assert (await store.report_saying(report(1))).networks == 0
        assert (await store.report_saying(report(3))).networks == 1
        assert [each.networks for each in await store.reported_sayings()] == [1]

    async def test_reports_change_nothing_of_the_saying(self, store: Store) -> None:
        await store.put_sayings([SAYING])

        await store.report_saying(report())

        assert await store.random_saying() == SAYING


class TestStoredIds:
    async def test_tells_stored_sayings_from_others(self, store: Store) -> None:
        await store.put_sayings([SAYING, BY_HAND])

        assert await store.stored_ids([SAYING.saying_id, UNKNOWN]) == {SAYING.saying_id}
        assert await store.stored_ids([]) == frozenset()

    async def test_a_withdrawn_text_that_is_not_stored_is_not_among_them(self, store: Store) -> None:
        await store.put_sayings([BY_HAND])
        for identity in (BY_HAND.saying_id, UNKNOWN):
            await store.withdraw_saying(withdrawal(identity))

        assert await store.stored_ids([BY_HAND.saying_id, UNKNOWN]) == {BY_HAND.saying_id}
