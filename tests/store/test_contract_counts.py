"""What store/base.py promises to count and to stream, on every backend."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import pytest

from service.domain import CallShape, Saying, Vote
from service.store.base import CallTally, Store, StoredSaying, StoredVote, Tally
from service.store.latency_buckets import bucket_of
from tests.store.builders import (
    CAST_AT,
    HOUR,
    MODEL,
    NEGATIVE,
    POSITIVE,
    ballot,
    call,
    collected,
    comparison,
    generated,
    shown,
    vote,
)
from tests.store.conftest import OpenStore
from tests.store.counting import totals, without

K = TypeVar("K")
AN_HOUR = 3_600
NEXT_HOUR = "2027-01-15T09"
SIMULATED = f"{MODEL} (simulated)"
ONE_UP, ONE_DOWN = Tally(upvotes=1), Tally(downvotes=1)


class TestServices:
    async def test_a_vote_counts_for_every_service_named_and_the_contributor(self, store: Store) -> None:
        by_hand, by_model = collected("by hand"), generated("by a model")
        await store.put_sayings([by_hand, by_model])

        await store.vote(vote(by_hand))
        await store.vote(vote(by_model, feedback=NEGATIVE))

        counted = await store.aggregates(since_hour="")
        assert counted.services == {
            ("Amazon S3", "collection"): ONE_UP,
            ("AWS Lambda", "collection"): ONE_UP,
            ("Amazon S3", MODEL): ONE_DOWN,
        }

    async def test_a_service_named_twice_counts_once(self, store: Store) -> None:
        saying = replace(generated("a saying"), services=("Amazon S3", "Amazon S3"))
        await store.put_sayings([saying])

        await store.vote(vote(saying))

        assert (await store.aggregates(since_hour="")).services == {("Amazon S3", MODEL): ONE_UP}

    async def test_changing_and_taking_back_a_vote_moves_them(self, store: Store) -> None:
        changed, withdrawn = generated("changed"), collected("withdrawn")
        await store.put_sayings([changed, withdrawn])
        for saying in (changed, withdrawn):
            await store.vote(vote(saying))

        await store.vote(vote(changed, feedback=NEGATIVE))
        await store.withdraw_vote(withdrawn.saying_id, "ann")

        services = without(Tally(), (await store.aggregates(since_hour="")).services)
        assert services == {("Amazon S3", MODEL): ONE_DOWN}


class TestHours:
    async def test_a_vote_counts_in_the_hour_it_was_first_cast_in(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        await store.vote(vote(saying, feedback=NEGATIVE, at=CAST_AT + AN_HOUR))

        assert (await store.aggregates(since_hour="")).hours == {(HOUR, MODEL): ONE_DOWN}

    async def test_a_vote_taken_back_and_cast_again_is_a_new_one(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        await store.withdraw_vote(saying.saying_id, "ann")
        await store.vote(vote(saying, at=CAST_AT + AN_HOUR))

        hours = without(Tally(), (await store.aggregates(since_hour="")).hours)
        assert hours == {(NEXT_HOUR, MODEL): ONE_UP}

    async def test_serves_count_in_the_hour_given_and_in_all(self, store: Store) -> None:
        await store.add_serves({MODEL: 2, "collection": 1}, hour=HOUR)
        await store.add_serves({MODEL: 3}, hour=NEXT_HOUR)

        counted = await store.aggregates(since_hour="")

        assert counted.contributors == {MODEL: Tally(serves=5), "collection": Tally(serves=1)}
        assert counted.hours == {
            (HOUR, MODEL): Tally(serves=2),
            (HOUR, "collection"): Tally(serves=1),
            (NEXT_HOUR, MODEL): Tally(serves=3),
        }

    async def test_hours_are_given_from_one_on(self, store: Store) -> None:
        for hour in ("2027-01-14T23", "2027-01-15T00", "2027-01-15T01"):
            await store.add_serves({MODEL: 1}, hour=hour)

        counted = await store.aggregates(since_hour="2027-01-15T00")

        assert set(counted.hours) == {("2027-01-15T00", MODEL), ("2027-01-15T01", MODEL)}
        assert counted.contributors == {MODEL: Tally(serves=3)}


class TestCalls:
    async def test_a_call_is_counted_with_all_it_cost_and_its_time(self, store: Store) -> None:
        await store.record_call(call(asked=3, sayings=2))

        assert (await store.aggregates(since_hour="")).calls == {
            (MODEL, CallShape.ROUND): CallTally(
                latencies={bucket_of(1204.2): 1},
                latency_ms=1204.2,
                billed=1,
                sayings=2,
                input_tokens=210,
                output_tokens=64,
                cost_nanos=1_234,
            )
        }

    async def test_calls_add_up_by_contributor_and_shape(self, store: Store) -> None:
        fast, slow = call("fast", latency_ms=100), call("slow", latency_ms=9_000)
        for made in (fast, slow, call("round", asked=3), call("simulated", simulated=True)):
            await store.record_call(made)

        calls = (await store.aggregates(since_hour="")).calls

        assert set(calls) == {(MODEL, CallShape.SINGLE), (MODEL, CallShape.ROUND), (SIMULATED, CallShape.SINGLE)}
        single = calls[MODEL, CallShape.SINGLE]
        assert single.latencies == {bucket_of(100): 1, bucket_of(9_000): 1}
        assert (single.latency_ms, single.billed, single.sayings) == (9_100, 2, 2)
        assert (single.input_tokens, single.output_tokens, single.cost_nanos) == (420, 128, 2_468)

    async def test_rejected_sayings_add_up_by_their_reasons(self, store: Store) -> None:
        calls = [call("one", rejected={"link": 1, "refusal": 2}), call("two", rejected={"link": 1}), call("three")]
        for made in calls:
            await store.record_call(made)

        (tally,) = (await store.aggregates(since_hour="")).calls.values()

        assert tally.rejected == {"link": 2, "refusal": 2}
        assert {made.generation.generation_id: made async for made in store.all_calls()} == {
            made.generation.generation_id: made for made in calls
        }

    async def test_recording_a_call_again_changes_nothing(self, store: Store) -> None:
        await store.record_call(call())
        once = (await store.aggregates(since_hour="")).calls

        await asyncio.gather(*(store.record_call(call()) for _ in range(10)))

        assert (await store.aggregates(since_hour="")).calls == once
        assert [made async for made in store.all_calls()] == [call()]

    async def test_the_time_of_a_call_that_failed_is_no_latency(self, store: Store) -> None:
        await store.record_call(call("refused", sayings=0, error_type="refusal"))

        (tally,) = (await store.aggregates(since_hour="")).calls.values()

        assert (tally.latencies, tally.latency_ms) == ({}, 0)
        assert (tally.billed, tally.sayings, tally.cost_nanos, tally.input_tokens) == (1, 0, 1_234, 210)

    async def test_a_call_without_a_price_is_counted_as_such(self, store: Store) -> None:
        await store.record_call(call("unpriced", cost=None))
        await store.record_call(call("priced"))

        (tally,) = (await store.aggregates(since_hour="")).calls.values()

        assert (tally.billed, tally.unpriced, tally.cost_nanos) == (2, 1, 1_234)

    async def test_many_at_once_are_all_counted(self, store: Store) -> None:
        await asyncio.gather(*(store.record_call(call(f"call {n}")) for n in range(30)))

        (tally,) = (await store.aggregates(since_hour="")).calls.values()
        assert (tally.billed, tally.cost_nanos, tally.latencies) == (30, 30 * 1_234, {bucket_of(1204.2): 30})
        assert tally.latency_ms == pytest.approx(30 * 1204.2)


class TestStreams:
    async def test_a_store_with_nothing_in_it_streams_nothing(self, store: Store) -> None:
        streams = (store.all_votes(), store.all_sayings(), store.all_ballots(), store.all_calls())

        assert [[row async for row in stream] for stream in streams] == [[], [], [], []]
        assert await store.sizes() == {"votes": 0, "sayings": 0, "comparisons": 0, "calls": 0}

    async def test_votes_are_read_as_last_cast_with_the_first_burst_and_time(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, burst="first"))

        last = vote(saying, feedback=NEGATIVE, at=CAST_AT + AN_HOUR, burst="second")
        await store.vote(last)

        expected = StoredVote(replace(last, burst="first"), MODEL, CAST_AT)
        assert [stored async for stored in store.all_votes()] == [expected]

    async def test_a_vote_repeated_later_stays_as_it_was_cast(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        first = vote(saying, at=CAST_AT, burst="first")
        await store.vote(first)

        await store.vote(vote(saying, at=CAST_AT + AN_HOUR, burst="second"))

        assert [stored.vote async for stored in store.all_votes()] == [first]

    async def test_a_vote_that_claims_nothing_comes_as_such(self, store: Store) -> None:
        saying = collected("a saying")
        await store.put_sayings([saying])
        silent = Vote(saying.saying_id, "ann", POSITIVE, CAST_AT)

        await store.vote(silent)

        assert [stored.vote async for stored in store.all_votes()] == [silent]

    async def test_sayings_come_with_their_counters(self, store: Store) -> None:
        by_hand, by_model = collected("by hand"), generated("by a model")
        await store.put_sayings([by_hand, by_model])
        await store.vote(vote(by_model, feedback=NEGATIVE))

        stored = [stored async for stored in store.all_sayings()]

        assert sorted(stored, key=lambda one: one.upvotes + one.downvotes) == [
            StoredSaying(by_hand, 0, 0),
            StoredSaying(by_model, 0, 1),
        ]

    async def test_sizes_tell_how_much_there_is(self, store: Store) -> None:
        sayings, shown_to = [collected(f"saying {n}") for n in range(3)], comparison()
        await store.put_sayings(sayings)
        for saying in sayings[:2]:
            await store.vote(vote(saying))
        await store.put_comparison(shown_to, shown(shown_to))
        await store.record_call(call())

        sizes = await store.sizes()
        assert sizes.pop("comparisons") in (1, 2)  # the ballot and, where they share a table, what it is about
        assert sizes == {"votes": 2, "sayings": 3, "calls": 1}


class TestBursts:
    async def test_one_vote_above_the_limit_sets_the_whole_burst_aside(self, open_store: OpenStore) -> None:
        store, sayings = await open_store(2), [generated("a saying"), collected("another"), collected("a third")]
        await store.put_sayings(sayings)

        await _votes(store, sayings[:2], burst="hour/address")
        up_to_the_limit = await totals(store)
        await _votes(store, sayings[2:], burst="hour/address")

        assert up_to_the_limit == {MODEL: ONE_UP, "collection": ONE_UP}
        assert await totals(store) == {
            MODEL: Tally(upvotes=1, aside_upvotes=1),
            "collection": Tally(upvotes=2, aside_upvotes=2),
        }

    async def test_services_and_hours_count_every_vote(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])

        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter, burst="hour/address"))

        counted = await store.aggregates(since_hour="")
        assert counted.services == {("Amazon S3", MODEL): Tally(upvotes=2)}
        assert counted.hours == {(HOUR, MODEL): Tally(upvotes=2)}

    async def test_other_bursts_and_votes_without_one_stay_counted(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])

        for voter, burst in enumerate(["", "", "", "big", "big", "small"]):
            await store.vote(vote(saying, str(voter), burst=burst))

        assert await totals(store) == {MODEL: Tally(upvotes=6, aside_upvotes=2)}

    async def test_a_repeated_vote_does_not_make_a_burst_larger(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])

        for feedback in (POSITIVE, POSITIVE, NEGATIVE):
            await store.vote(vote(saying, feedback=feedback, burst="hour/address"))

        assert await totals(store) == {MODEL: ONE_DOWN}

    async def test_a_vote_changed_in_a_burst_set_aside_stays_aside(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter, burst="hour/address"))

        await store.vote(vote(saying, "ann", NEGATIVE, burst="another"))

        assert await totals(store) == {MODEL: Tally(upvotes=1, downvotes=1, aside_upvotes=1, aside_downvotes=1)}

    async def test_when_votes_are_taken_back_the_others_count_again(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying, "ann", POSITIVE, burst="hour/address"))
        await store.vote(vote(saying, "bob", NEGATIVE, burst="hour/address"))

        await store.withdraw_vote(saying.saying_id, "ann")

        assert await totals(store) == {MODEL: ONE_DOWN}

    async def test_a_vote_cast_again_belongs_to_its_new_burst(self, open_store: OpenStore) -> None:
        store, saying = await open_store(1), generated("a saying")
        await store.put_sayings([saying])
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter, burst="hour/address"))

        await store.withdraw_vote(saying.saying_id, "ann")
        await store.vote(vote(saying, "ann", burst="next hour/address"))

        assert await totals(store) == {MODEL: Tally(upvotes=2)}

    async def test_ballots_and_votes_make_up_one_burst(self, open_store: OpenStore) -> None:
        store, saying, compared = await open_store(2), generated("a saying"), comparison()
        await store.put_sayings([saying])
        await store.put_comparison(compared, shown(compared))
        await store.cast_ballot(compared, ballot(compared, burst="hour/address"))
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter, burst="hour/address"))

        beyond = await store.aggregates(since_hour="")
        await store.withdraw_vote(saying.saying_id, "bob")
        within = await store.aggregates(since_hour="")

        assert [tally.aside for tally in beyond.outcomes.values()] == [1]
        assert beyond.contributors == {MODEL: Tally(upvotes=2, aside_upvotes=2)}
        assert [(tally.votes, tally.aside) for tally in within.outcomes.values()] == [(1, 0)]
        assert within.contributors == {MODEL: ONE_UP}

    async def test_a_burst_at_once_is_set_aside_whole(self, open_store: OpenStore) -> None:
        store, saying = await open_store(10), generated("a saying")
        await store.put_sayings([saying])

        await asyncio.gather(*(store.vote(vote(saying, f"voter {n}", burst="hour/address")) for n in range(20)))

        assert await totals(store) == {MODEL: Tally(upvotes=20, aside_upvotes=20)}

    async def test_a_review_applies_the_present_limit_to_what_is_stored(self, open_store: OpenStore) -> None:
        strict, saying = await open_store(1), generated("a saying")
        await strict.put_sayings([saying])
        for voter, burst in enumerate(["two", "two", "three", "three", "three", "one"]):
            await strict.vote(vote(saying, str(voter), burst=burst))

        lenient = await open_store(2)
        before, changed, after = await totals(lenient), await lenient.review_bursts(), await totals(lenient)

        assert before == {MODEL: Tally(upvotes=6, aside_upvotes=5)}
        assert (changed, after) == (1, {MODEL: Tally(upvotes=6, aside_upvotes=3)})
        assert await lenient.review_bursts() == 0
        assert await strict.review_bursts() == 1
        assert await totals(strict) == before

    @pytest.mark.parametrize(("first_limit", "then"), [(1, 100), (100, 1)])
    async def test_after_a_review_a_changed_limit_leaves_no_trace(
        self, open_store: OpenStore, first_limit: int, then: int
    ) -> None:
        first, saying, compared = await open_store(first_limit), generated("a saying"), comparison()
        await first.put_sayings([saying])
        await first.put_comparison(compared, shown(compared))
        await first.cast_ballot(compared, ballot(compared, burst="hour/address"))
        for voter in ("ann", "bob", "cy"):
            await first.vote(vote(saying, voter, burst="hour/address"))

        second = await open_store(then)
        await second.vote(vote(saying, "ann", NEGATIVE, burst="hour/address"))
        await second.withdraw_vote(saying.saying_id, "bob")
        await second.vote(vote(saying, "dee", burst="hour/address"))
        await second.cast_ballot(compared, ballot(compared, winner="tie"))
        await second.review_bursts()

        aside = {100: (0, 0, 0), 1: (2, 1, 1)}[then]
        counted = await second.aggregates(since_hour="")
        (outcome,) = (tally for tally in counted.outcomes.values() if tally.votes)
        assert counted.contributors == {MODEL: Tally(0, 2, 1, *aside[:2])}
        assert outcome.aside == aside[2]


async def _votes(store: Store, sayings: Iterable[Saying], *, burst: str) -> None:
    for saying in sayings:
        await store.vote(vote(saying, burst=burst))
