"""What store/base.py promises of comparisons and ballots, on every backend."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from service.domain import NONE, TIE, BallotResult, BallotStatus, Comparison, NetworkDay, Outcome, Standing
from service.limits import Quotas
from service.store.base import OutcomeTally, Store, StoredBallot
from service.store.groups import item_group, voter_group
from tests.store.builders import CAST_AT, DAY, MODELS, ballot, comparison, effect, network, shown
from tests.store.conftest import OpenStore
from tests.store.counting import outcomes

COMPARISON = comparison(failed="D")
ID = COMPARISON.comparison_id
THREE = tuple(sorted(MODELS[:3]))
FAILED = (MODELS[3],)


class TestShowing:
    async def test_a_comparison_is_read_back_with_the_ballot_of_its_voter(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        assert await store.get_comparison(ID, "ann") == (COMPARISON, shown(COMPARISON))
        assert await store.get_comparison(ID, "bob") == (COMPARISON, None)

    @pytest.mark.parametrize("unknown", ["unknown", "", "x" * 10_000])
    async def test_an_unknown_one_is_nothing(self, store: Store, unknown: str) -> None:
        assert await store.get_comparison(unknown, "ann") is None

    async def test_it_may_be_shown_to_others(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        await store.show_comparison(shown(COMPARISON, "bob"))

        assert await store.get_comparison(ID, "bob") == (COMPARISON, shown(COMPARISON, "bob"))

    async def test_showing_it_again_changes_nothing(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(ID, "ann", "A", at=CAST_AT)

        await store.show_comparison(replace(shown(COMPARISON), shown_at=1.5))

        assert await store.get_comparison(ID, "ann") == (COMPARISON, ballot(COMPARISON))


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

    async def test_it_is_one_of_those_with_the_fewest_ballots(self, store: Store) -> None:
        random.seed(20_261_120)
        stored = [comparison(f"comparison {n}", created_at=1_800_000_000.0 + n) for n in range(5)]
        for one in stored:
            await store.put_comparison(one, shown(one))
        for one in stored[3:]:
            await store.cast_ballot(one.comparison_id, "ann", "A", at=CAST_AT)

        drawn = Counter([await store.unseen_comparison("bob", service=None, simulated=False) for _ in range(60)])

        assert set(drawn) == set(stored[:3])
        assert min(drawn.values()) >= 5

    async def test_one_with_all_its_ballots_is_not_drawn(self, open_store: OpenStore) -> None:
        store = await open_store(Quotas(comparison_ballots=2))
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        before = await store.unseen_comparison("dee", service=None, simulated=False)

        await vote_of_all(store, ["ann", "bob"])

        assert before == COMPARISON
        assert await store.unseen_comparison("dee", service=None, simulated=False) is None


class TestBallots:
    @pytest.mark.parametrize(
        ("winner", "result"), [("A", "gpt-4.1"), ("C", "gpt-4.1-mini"), (TIE, "tie"), (NONE, "none")]
    )
    async def test_the_first_is_stored_and_counted_by_its_outcome(self, store: Store, winner: str, result: str) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        cast = effect(await store.cast_ballot(ID, "ann", winner, at=CAST_AT, networks=[network()]))

        kept, cell = ballot(COMPARISON, winner=winner, network=f"{DAY}/street"), (voter_group("ann"), item_group(ID))
        assert cast == BallotResult(BallotStatus.RECORDED, kept, 1)
        assert await store.get_comparison(ID, "ann") == (COMPARISON, kept)
        assert (await store.aggregates(since_hour="")).outcomes == {
            (DAY, Outcome(THREE, result, FAILED)): OutcomeTally(counted={cell: 1})
        }

    async def test_what_was_never_shown_to_a_voter_cannot_be_voted_on(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        assert await store.cast_ballot(ID, "bob", "A", at=CAST_AT) is None
        assert await store.cast_ballot(comparison("unknown").comparison_id, "ann", "A", at=CAST_AT) is None

        assert await outcomes(store) == {}
        assert await store.get_comparison(ID, "bob") == (COMPARISON, None)

    async def test_the_same_choice_again_changes_nothing(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(ID, "ann", "A", at=CAST_AT)

        again = effect(await store.cast_ballot(ID, "ann", "A", at=CAST_AT + 60, networks=[network()]))

        assert again == BallotResult(BallotStatus.UNCHANGED, ballot(COMPARISON), 1)
        assert await store.get_comparison(ID, "ann") == (COMPARISON, ballot(COMPARISON))
        assert await outcomes(store) == {Outcome(THREE, "gpt-4.1", FAILED): (1, 0)}

    async def test_what_is_chosen_after_the_reveal_is_kept_and_does_not_count(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        await store.cast_ballot(ID, "ann", "A", at=CAST_AT)
        before = await store.aggregates(since_hour="")

        later = effect(await store.cast_ballot(ID, "ann", TIE, at=CAST_AT + 60, networks=[network()]))

        assert later == BallotResult(BallotStatus.AFTER_REVEAL, ballot(COMPARISON, later=TIE), 1)
        assert await store.get_comparison(ID, "ann") == (COMPARISON, ballot(COMPARISON, later=TIE))
        assert await store.aggregates(since_hour="") == before

    async def test_outcomes_are_counted_by_field_and_apart_for_the_simulator(self, store: Store) -> None:
        of_two, simulated = comparison("of two", failed="CD"), comparison("simulated", simulated=True)
        for one in (COMPARISON, of_two, simulated):
            await store.put_comparison(one, shown(one))
            await store.cast_ballot(one.comparison_id, "ann", "A", at=CAST_AT)

        assert await outcomes(store) == {
            Outcome(THREE, "gpt-4.1", FAILED): (1, 0),
            Outcome(tuple(sorted(MODELS[:2])), "gpt-4.1", tuple(sorted(MODELS[2:]))): (1, 0),
            Outcome(
                tuple(f"{model} (simulated)" for model in THREE),
                "gpt-4.1 (simulated)",
                (f"{MODELS[3]} (simulated)",),
            ): (1, 0),
        }

    async def test_of_many_choices_of_one_voter_at_once_the_first_counts(self, store: Store) -> None:
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        choices = (store.cast_ballot(ID, "ann", "AB"[n % 2], at=CAST_AT) for n in range(20))
        statuses = Counter(result.status for result in map(effect, await asyncio.gather(*choices)) if result)

        assert statuses == {"recorded": 1, "unchanged": 9, "after_reveal": 10}
        assert list((await outcomes(store)).values()) == [(1, 0)]

    async def test_many_voters_at_once_are_all_counted(self, open_store: OpenStore) -> None:
        store, voters = await open_store(Quotas(comparison_ballots=30)), [f"voter {n}" for n in range(30)]
        await store.put_comparison(COMPARISON, shown(COMPARISON))
        for voter in voters:
            await store.show_comparison(shown(COMPARISON, voter))

        casting = (store.cast_ballot(ID, one, "ABC"[n % 3], at=CAST_AT) for n, one in enumerate(voters))
        results = await asyncio.gather(*casting)

        # Those that are cast at the same moment may be given the same number, but somebody is the first.
        assert min(result.ballots for result in map(effect, results) if result) == 1
        assert await outcomes(store) == {Outcome(THREE, model, FAILED): (10, 0) for model in THREE}

    async def test_every_ballot_is_streamed_with_its_comparison_cast_or_not(self, store: Store) -> None:
        other = comparison("another")
        for one in (COMPARISON, other):
            await store.put_comparison(one, shown(one))
        await vote_of_all(store, ["bob"])

        stored = {(one.ballot.comparison_id, one.ballot.voter): one async for one in store.all_ballots()}

        assert stored == {
            (ID, "ann"): StoredBallot(shown(COMPARISON), COMPARISON),
            (ID, "bob"): StoredBallot(ballot(COMPARISON, "bob"), COMPARISON),
            (other.comparison_id, "ann"): StoredBallot(shown(other), other),
        }


class TestQuotas:
    async def test_an_address_has_so_many_ballots_a_day(self, open_store: OpenStore) -> None:
        store, compared = await open_store(Quotas(address_votes=2)), [comparison(f"comparison {n}") for n in range(3)]

        standings = [
            await first_standing(store, one, networks=[network(f"near {n}"), network()])
            for n, one in enumerate(compared)
        ]
        elsewhere = await first_standing(store, comparison("elsewhere"), networks=[network("office")])

        assert standings == [Standing.COUNTED, Standing.COUNTED, Standing.SET_ASIDE]
        assert elsewhere is Standing.COUNTED
        assert list((await outcomes(store)).values()) == [(3, 1)]

    async def test_a_comparison_has_so_many_ballots(self, open_store: OpenStore) -> None:
        store, voters = await open_store(Quotas(comparison_ballots=2)), ["ann", "bob", "cy", "dee"]
        await store.put_comparison(COMPARISON, shown(COMPARISON))

        standings = await vote_of_all(store, voters)

        assert standings == [Standing.COUNTED] * 2 + [Standing.SET_ASIDE] * 2
        assert list((await outcomes(store)).values()) == [(2, 2)]


async def first_standing(store: Store, compared: Comparison, *, networks: list[NetworkDay]) -> Standing | None:
    """The standing of a ballot on a new comparison."""
    await store.put_comparison(compared, shown(compared))
    result = effect(await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT, networks=networks))
    return result.ballot.standing if result else None


async def vote_of_all(store: Store, voters: list[str]) -> list[Standing | None]:
    """The standings of ballots that are cast on the comparison one after the other."""
    for voter in voters:
        await store.show_comparison(shown(COMPARISON, voter))
    results = [effect(await store.cast_ballot(ID, voter, "A", at=CAST_AT)) for voter in voters]
    return [result.ballot.standing if result else None for result in results]
