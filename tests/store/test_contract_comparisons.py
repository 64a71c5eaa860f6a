"""What store/base.py promises of comparisons and ballots, on every backend."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from service.domain import NONE, TIE, Outcome, VoteStatus
from service.store.base import OutcomeTally, Store, StoredBallot
from tests.store.builders import CAST_AT, MODELS, ballot, comparison, shown
from tests.store.counting import outcomes

COMPARISON = comparison(failed="D")
THREE = tuple(sorted(MODELS[:3]))


class TestShowing:
    async def test_a_comparison_is_read_back_with_the_ballot_of_its_voter(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        assert await store.get_comparison("comparison", "ann") == (COMPARISON, shown(COMPARISON))
        assert await store.get_comparison("comparison", "bob") == (COMPARISON, None)

    @pytest.mark.parametrize("unknown", ["unknown", "", "x" * 10_000])
    async def test_an_unknown_one_is_nothing(self, store: Store, unknown: str) -> None:
        assert await store.get_comparison(unknown, "ann") is None

    async def test_it_may_be_shown_to_others(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        await store.show_comparison(shown(COMPARISON, "bob"))

        assert await store.get_comparison("comparison", "bob") == (COMPARISON, shown(COMPARISON, "bob"))

    async def test_showing_it_again_changes_nothing(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(COMPARISON, ballot(COMPARISON))

        await store.show_comparison(replace(shown(COMPARISON), shown_at=1.5))

        assert await store.get_comparison("comparison", "ann") == (COMPARISON, ballot(COMPARISON))


class TestUnseen:
    async def test_an_empty_store_has_no_unseen_comparison(self, store: Store) -> None:
        assert await store.unseen_comparison("ann", service=None, simulated=False) is None

    async def test_what_was_shown_to_a_voter_is_not_drawn_for_them_again(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON, "ann"))

        assert await store.unseen_comparison("ann", service=None, simulated=False) is None
        assert await store.unseen_comparison("bob", service=None, simulated=False) == COMPARISON
        await store.show_comparison(shown(COMPARISON, "bob"))
        assert await store.unseen_comparison("bob", service=None, simulated=False) is None

    async def test_it_is_of_the_service_asked_for(self, store: Store) -> None:
        lambdas = comparison("of Lambda", service="AWS Lambda")
        for one in (COMPARISON, lambdas):
            await store.put_comparison(one, shown(one))

        drawn = {await store.unseen_comparison("bob", service="AWS Lambda", simulated=False) for _ in range(10)}

        assert drawn == {lambdas}
        assert await store.unseen_comparison("bob", service="Amazon SQS", simulated=False) is None

    @pytest.mark.parametrize("service", [None, "Amazon S3"])
    async def test_simulated_ones_are_kept_apart(self, store: Store, service: str | None) -> None:
        simulated = comparison("simulated", simulated=True)
        await store.put_comparison(simulated, shown(simulated))

        assert await store.unseen_comparison("bob", service=service, simulated=False) is None
        assert await store.unseen_comparison("bob", service=service, simulated=True) == simulated

    @pytest.mark.parametrize("failed", ["BCD", "ABCD"])
    async def test_what_leaves_nothing_to_compare_is_not_drawn(self, store: Store, failed: str) -> None:
        poor = comparison("poor", failed=failed)
        await store.put_comparison(poor, shown(poor))

        assert await store.unseen_comparison("bob", service=None, simulated=False) is None

    async def test_every_one_comes_up(self, store: Store) -> None:
        random.seed(20_261_120)
        stored = [comparison(f"comparison {n}", created_at=1_800_000_000.0 + n) for n in range(5)]
        for one in stored:
            await store.put_comparison(one, shown(one))

        drawn = Counter([await store.unseen_comparison("bob", service=None, simulated=False) for _ in range(60)])

        assert set(drawn) == set(stored)
        assert min(drawn.values()) >= 3


class TestBallots:
    @pytest.mark.parametrize(
        ("winner", "result"), [("A", "gpt-4.1"), ("C", "gpt-4.1-mini"), (TIE, "tie"), (NONE, "none")]
    )
    async def test_a_ballot_is_stored_and_counted_by_its_outcome(self, store: Store, winner: str, result: str) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        status = await store.cast_ballot(COMPARISON, ballot(COMPARISON, winner=winner))

        assert status is VoteStatus.RECORDED
        assert await store.get_comparison("comparison", "ann") == (COMPARISON, ballot(COMPARISON, winner=winner))
        assert await outcomes(store) == {Outcome(THREE, result): OutcomeTally(votes=1)}

    async def test_what_was_never_shown_to_a_voter_cannot_be_voted_on(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        assert await store.cast_ballot(COMPARISON, ballot(COMPARISON, "bob")) is None
        assert await store.cast_ballot(comparison("unknown"), ballot(comparison("unknown"))) is None

        assert await outcomes(store) == {}
        assert await store.get_comparison("comparison", "bob") == (COMPARISON, None)

    async def test_repeating_a_ballot_changes_nothing(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(COMPARISON, ballot(COMPARISON))

        again = await store.cast_ballot(COMPARISON, ballot(COMPARISON, at=CAST_AT + 60, burst="another"))

        assert again is VoteStatus.UNCHANGED
        assert await store.get_comparison("comparison", "ann") == (COMPARISON, ballot(COMPARISON))
        assert await outcomes(store) == {Outcome(THREE, "gpt-4.1"): OutcomeTally(votes=1)}

    async def test_changing_a_ballot_moves_the_outcome_and_keeps_its_burst(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(COMPARISON, ballot(COMPARISON, burst="first"))

        last = ballot(COMPARISON, winner=TIE, at=CAST_AT + 60, burst="second")
        changed = await store.cast_ballot(COMPARISON, last)

        assert changed is VoteStatus.CHANGED
        assert await store.get_comparison("comparison", "ann") == (COMPARISON, replace(last, burst="first"))
        assert await outcomes(store) == {Outcome(THREE, TIE): OutcomeTally(votes=1)}

    async def test_outcomes_are_counted_by_field_and_apart_for_the_simulator(self, store: Store) -> None:
        of_two, simulated = comparison("of two", failed="CD"), comparison("simulated", simulated=True)
        for one in (COMPARISON, of_two, simulated):
            await store.put_comparison(one, shown(one))
            await store.cast_ballot(one, ballot(one))

        once = OutcomeTally(votes=1)
        assert await outcomes(store) == {
            Outcome(THREE, "gpt-4.1"): once,
            Outcome(tuple(sorted(MODELS[:2])), "gpt-4.1"): once,
            Outcome(tuple(f"{model} (simulated)" for model in THREE), "gpt-4.1 (simulated)"): once,
        }

    async def test_one_voter_twenty_times_at_once_counts_once(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        statuses = await asyncio.gather(*(store.cast_ballot(COMPARISON, ballot(COMPARISON)) for _ in range(20)))

        assert Counter(statuses) == {VoteStatus.RECORDED: 1, VoteStatus.UNCHANGED: 19}
        assert await outcomes(store) == {Outcome(THREE, "gpt-4.1"): OutcomeTally(votes=1)}

    async def test_many_voters_at_once_are_all_counted(self, store: Store) -> None:
        voters = [f"voter {n}" for n in range(30)]
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await asyncio.gather(*(store.show_comparison(shown(COMPARISON, voter)) for voter in voters))

        ballots = [ballot(COMPARISON, voter, "ABC"[n % 3]) for n, voter in enumerate(voters)]
        await asyncio.gather(*(store.cast_ballot(COMPARISON, cast) for cast in ballots))

        assert await outcomes(store) == {Outcome(THREE, model): OutcomeTally(votes=10) for model in THREE}

    async def test_every_ballot_is_streamed_with_its_comparison_cast_or_not(self, store: Store) -> None:
        other = comparison("another")
        for one in (COMPARISON, other):
            await store.put_comparison(one, shown(one))
        await store.show_comparison(shown(COMPARISON, "bob"))
        await store.cast_ballot(COMPARISON, ballot(COMPARISON, "bob", burst="hour/address"))

        stored = {(one.ballot.comparison_id, one.ballot.voter): one async for one in store.all_ballots()}

        assert stored == {
            ("comparison", "ann"): StoredBallot(shown(COMPARISON), COMPARISON),
            ("comparison", "bob"): StoredBallot(ballot(COMPARISON, "bob", burst="hour/address"), COMPARISON),
            ("another", "ann"): StoredBallot(shown(other), other),
        }
