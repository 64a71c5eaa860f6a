"""Both stores do what the model does, whatever happens in whatever order: people, operators, restarts and crashes."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.domain import Attribution, Call, Comparison, FeedbackType, NetworkDay, Saying, Vote
from service.limits import DAY_SECONDS, Quotas, Retention
from service.store.base import Store
from tests.stateful.backends import Backend, OnDynamo, OnSqlite
from tests.stateful.conftest import RunMachine
from tests.stateful.model import Model, kept_by
from tests.store.builders import (
    CAST_AT,
    HOUR,
    MODEL,
    call,
    collected,
    comparison,
    effect,
    generated,
    network,
    shown,
    vote,
)
from tests.store.conftest import Connect

pytestmark = pytest.mark.slow

T = TypeVar("T")

# Few of everything, so that they meet.
VOTERS = ("ann", "bob", "cy", "dee", "eve")
SOME_VOTERS = st.lists(st.sampled_from(VOTERS), min_size=1, unique=True)
MOMENTS = (CAST_AT, CAST_AT + 3_600)
LATER = CAST_AT + 2 * 3_600
# The hours are compared too, until the counts of old days are folded. Only one of the stores removes them at once.
KEEP = Retention(hour_days=1_000)
STREET, OFFICE, TOWN = network("street"), network("office"), network("town", share=2)
NETWORKS = ((STREET,), (STREET,), (STREET, TOWN), (OFFICE, TOWN), ())
QUOTAS = st.builds(
    Quotas,
    address_votes=st.sampled_from((24, 16, 2)),
    voter_model_votes=st.integers(1, 3),
    comparison_ballots=st.integers(1, 3),
)
BY_HAND, BY_A_MODEL, ANOTHER = collected("by hand"), generated("by a model"), generated("by it, too")
SAYINGS = (BY_HAND, BY_A_MODEL, ANOTHER, generated("not stored at first"))
WHOLE, TORN, ALONE = comparison("whole", failed=""), comparison("torn", failed="CD"), comparison("alone", failed="BCD")
COMPARISONS = st.sampled_from((WHOLE, TORN, ALONE))
# Most of the rules are about blind votes.
ATTRIBUTIONS = (*[Attribution.BLIND] * 5, Attribution.NAMED, Attribution.OPEN, None)
CALLS = st.builds(
    call,
    st.sampled_from(("first", "second", "third")),
    asked=st.sampled_from((1, 3)),
    latency_ms=st.integers(1, 9_000).map(float),
    cost=st.sampled_from((None, 1_234)),
    error_type=st.sampled_from(("", "refusal")),
    rejected=st.dictionaries(st.sampled_from(("link", "refusal", "too_long")), st.integers(1, 3)),
)


def votes_in_turn(dice: random.Random) -> list[Vote]:
    return [some_vote(dice, dice.choice(VOTERS), dice.choice(NETWORKS)) for _ in range(dice.randint(2, 6))]


def votes_of_a_campaign(dice: random.Random) -> list[Vote]:
    """Blind votes from one street, of which three on models cannot be honest."""
    votes = [some_vote(dice, dice.choice(VOTERS), dice.choice(((STREET,), (STREET, TOWN)))) for _ in range(4)]
    return [replace(each, attribution=Attribution.BLIND, models=10_000) for each in votes]


def votes_at_once(dice: random.Random) -> list[Vote]:
    """Votes of different voters from nowhere: what becomes of them does not depend on their order."""
    return [some_vote(dice, voter, ()) for voter in dice.sample(VOTERS, dice.randint(2, 4))]


def some_vote(dice: random.Random, voter: str, networks: Sequence[NetworkDay]) -> Vote:
    return vote(
        dice.choice(SAYINGS),
        voter,
        dice.choice(list(FeedbackType)),
        at=dice.choice(MOMENTS),
        attribution=dice.choice(ATTRIBUTIONS),
        networks=networks,
    )


class StoreMachine(RuleBasedStateMachine):
    """One store after another on the same data, and the model beside them."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._runner = asyncio.Runner()
        self._model = Model()
        self._passes = 0
        self._keeps_hours = True

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    @initialize(quotas=QUOTAS, seed=st.integers(0, 2**32))
    def start_with_something_to_vote_on(self, quotas: Quotas, seed: int) -> None:
        # Left to itself, Hypothesis would draw the same few votes again and again.
        self._dice = random.Random(seed)
        self._open(quotas)
        self.put_sayings([BY_HAND, BY_A_MODEL, ANOTHER])
        for compared in (WHOLE, TORN):
            self.show(compared, ["ann", "bob", "cy", "dee"])

    def _open(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._store: Store = self._do(self._backend.open(quotas))

    @rule(sayings=st.lists(st.sampled_from(SAYINGS), max_size=3))
    def put_sayings(self, sayings: list[Saying]) -> None:
        assert self._do(self._store.put_sayings(sayings)) == self._model.put_sayings(sayings)

    @rule()
    def vote(self) -> None:
        self._vote(votes_in_turn(self._dice))

    @rule()
    def campaign(self) -> None:
        self._vote(votes_of_a_campaign(self._dice))

    def _vote(self, votes: Sequence[Vote]) -> None:
        for each in votes:
            cast = replace(each, networks=self._as_known_now(each.networks))
            assert effect(self._do(self._store.vote(cast))) == self._model.vote(cast, self._quotas)

    @rule(saying=st.sampled_from(SAYINGS), voter=st.sampled_from(VOTERS))
    def withdraw(self, saying: Saying, voter: str) -> None:
        assert self._do(self._store.withdraw_vote(saying.saying_id, voter)) == self._model.withdraw(
            saying.saying_id, voter
        )

    @rule()
    def vote_at_once(self) -> None:
        votes = votes_at_once(self._dice)

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(self._store.vote, votes))

        statuses = [result and result.status for result in map(effect, self._do(all_of_them()))]
        expected = [self._model.vote(vote, self._quotas) for vote in votes]
        assert statuses == [result and result.status for result in expected]

    @rule(comparison=COMPARISONS, voters=SOME_VOTERS)
    def show(self, comparison: Comparison, voters: list[str]) -> None:
        for voter in voters:
            ballot = shown(comparison, voter)
            is_new = comparison.comparison_id not in self._model.comparisons | self._model.without_ballots
            put, show = self._store.put_comparison, self._store.show_comparison
            self._do(put(comparison, ballot) if is_new else show(ballot))
            self._model.show(comparison, ballot)

    @rule()
    def choose(self) -> None:
        dice = self._dice
        comparison, near = dice.choice((WHOLE, TORN, ALONE)), self._as_known_now(dice.choice(NETWORKS))
        answered = [entry.slot for entry in comparison.entries if entry.saying is not None]
        for voter in dice.sample(VOTERS, dice.randint(1, 3)):
            winner = dice.choice((*answered[:2], "tie", "none"))  # that there is such an answer is checked before
            cast = self._store.cast_ballot(comparison.comparison_id, voter, winner, at=CAST_AT, networks=near)
            expected = self._model.cast(comparison.comparison_id, voter, winner, CAST_AT, near, self._quotas)
            assert effect(self._do(cast)) == expected

    @rule(voter=st.sampled_from(VOTERS))
    def look_for_something_new(self, voter: str) -> None:
        found = self._do(self._store.unseen_comparison(voter, service=None, simulated=False))
        unseen = self._model.unseen(voter, self._quotas)
        assert found in unseen if unseen else found is None

    @rule(contributor=st.sampled_from((MODEL, "collection")), count=st.integers(1, 9))
    def flush_serves(self, contributor: str, count: int) -> None:
        self._do(self._store.add_serves({contributor: count}, hour=HOUR))
        self._model.serves[HOUR, contributor] += count

    @rule(call=CALLS)
    def record_call(self, call: Call) -> None:
        self._do(self._store.record_call(call))
        self._model.calls.setdefault(call.generation.generation_id, call)

    @rule(voter=st.sampled_from(VOTERS))
    def forget(self, voter: str) -> None:
        self._do(self._store.forget(voter, asked_at=LATER))
        self._do(self._prune(LATER + 3_600))
        self._model.forget(voter)

    @rule(days=st.sampled_from((32, 50)))
    def forget_addresses_and_fold(self, days: int) -> None:
        self._do(self._prune(LATER + days * DAY_SECONDS))
        self._model.forget_addresses()
        self._passes += 1
        self._keeps_hours &= days < KEEP.tally_days

    def _as_known_now(self, near: Sequence[NetworkDay]) -> tuple[NetworkDay, ...]:
        """Other networks after every pass, because it forgets them."""
        return tuple(replace(each, name=f"{each.name} {self._passes}") for each in near)

    async def _prune(self, now: float) -> None:
        async for _ in self._store.prune(KEEP, now=now):
            pass

    @rule(quotas=QUOTAS)
    def restart_with_quotas(self, quotas: Quotas) -> None:
        self._do(self._store.close())
        self._open(quotas)

    @rule(moment=st.integers(0, 9))
    def crash_while_voting(self, moment: int) -> None:
        possible = [vote for vote in votes_at_once(self._dice) if vote.saying_id in self._model.sayings]
        acknowledged = self._do(self._backend.kill(self._store, possible, moment))
        self._open(self._quotas)

        self._expect(possible, acknowledged)
        for repeated in possible:  # as clients do that got no response
            self._do(self._store.vote(repeated))

    def _expect(self, votes: Sequence[Vote], acknowledged: Sequence[Vote]) -> None:
        """Each vote is there or not, whole, but there for certain if it was acknowledged."""
        kept = self._do(kept_by(self._store)).model.votes
        for cast in votes:
            key = (cast.saying_id, cast.voter)
            before = self._model.votes.get(key)
            self._model.vote(cast, self._quotas)
            after = self._model.votes[key]
            assert kept.get(key) in ([after] if cast in acknowledged else [before, after])

    @invariant()
    def nothing_is_lost_or_made_up_and_all_is_counted_right(self) -> None:
        kept = self._do(kept_by(self._store))

        assert kept.model == self._model
        kept.assert_counted_right(hours=self._keeps_hours)

    def teardown(self) -> None:
        self._do(self._close())
        self._runner.close()

    async def _close(self) -> None:
        await self._store.close()
        await self._backend.close()


def test_sqlite_keeps_and_counts_as_the_model_does(run_machine: RunMachine, tmp_path: Path) -> None:
    files = (tmp_path / f"{number}.db" for number in count())

    run_machine(lambda: StoreMachine(OnSqlite(files)), 80, 30)


def test_dynamodb_keeps_and_counts_as_the_model_does(run_machine: RunMachine, connect: Connect, moto_url: str) -> None:
    run_machine(lambda: StoreMachine(OnDynamo(connect, moto_url)), 9, 25)
