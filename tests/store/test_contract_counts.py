"""What store/base.py promises to count and to stream, on every backend."""

import asyncio
from dataclasses import replace

import pytest

from service.domain import Call, CallKind, CallShape, Usage
from service.limits import DAY_SECONDS, DEFAULT_RETENTION
from service.store.base import CallTally, Counts, HourTally, Store, StoredSaying, Strand
from service.store.latency_buckets import bucket_of
from tests.store.builders import (
    CAST_AT,
    DAY,
    HOUR,
    MODEL,
    NEGATIVE,
    call,
    collected,
    comparison,
    generated,
    generation,
    shown,
    vote,
)
from tests.store.counting import outcomes, totals

AN_HOUR = 3_600
NEXT_HOUR = f"{DAY}T09"
SIMULATED = f"{MODEL} (simulated)"
STRAND = Strand(MODEL, DAY, "v1")
SINGLE, ROUND = (CallKind.ROUND, CallShape.SINGLE), (CallKind.ROUND, CallShape.ROUND)


class TestServices:
    async def test_a_vote_counts_for_every_service_named_and_the_contributor(self, store: Store) -> None:
        by_hand, by_model = collected("by hand"), generated("by a model")
        await store.put_sayings([by_hand, by_model])

        await store.vote(vote(by_hand))
        await store.vote(vote(by_model, feedback=NEGATIVE))

        counted = await store.aggregates(since_hour="")
        assert counted.services == {
            ("Amazon S3", "collection"): Counts(1, 1),
            ("AWS Lambda", "collection"): Counts(1, 1),
            ("Amazon S3", MODEL): Counts(1, 0),
        }

    async def test_a_service_named_twice_counts_once(self, store: Store) -> None:
        saying = replace(generated("a saying"), services=("Amazon S3", "Amazon S3"))
        await store.put_sayings([saying])

        await store.vote(vote(saying))

        assert (await store.aggregates(since_hour="")).services == {("Amazon S3", MODEL): Counts(1, 1)}


class TestServesAndHours:
    async def test_a_vote_counts_in_the_hour_it_was_first_cast_in(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        await store.vote(vote(saying, feedback=NEGATIVE, at=CAST_AT + AN_HOUR))

        assert (await store.aggregates(since_hour="")).hours == {(HOUR, MODEL): HourTally(votes=1)}

    async def test_serves_count_in_the_hour_given_and_in_all(self, store: Store) -> None:
        await store.add_serves({MODEL: 2, "collection": 1}, hour=HOUR)
        await store.add_serves({MODEL: 3}, hour=NEXT_HOUR)

        counted = await store.aggregates(since_hour="")

        assert counted.serves == {MODEL: 5, "collection": 1}
        assert counted.hours == {
            (HOUR, MODEL): HourTally(serves=2),
            (HOUR, "collection"): HourTally(serves=1),
            (NEXT_HOUR, MODEL): HourTally(serves=3),
        }

    async def test_serves_at_once_add_up_and_leave_votes_alone(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        await store.vote(vote(saying))

        await asyncio.gather(*(store.add_serves({MODEL: 2, "collection": 1}, hour=HOUR) for _ in range(20)))

        counted = await store.aggregates(since_hour="")
        assert counted.serves == {MODEL: 40, "collection": 20}
        assert counted.hours[HOUR, MODEL] == HourTally(serves=40, votes=1)

    async def test_hours_are_given_from_one_on(self, store: Store) -> None:
        for hour in ("2027-01-14T23", "2027-01-15T00", "2027-01-15T01"):
            await store.add_serves({MODEL: 1}, hour=hour)

        counted = await store.aggregates(since_hour="2027-01-15T00")

        assert set(counted.hours) == {("2027-01-15T00", MODEL), ("2027-01-15T01", MODEL)}
        assert counted.serves == {MODEL: 3}


class TestCalls:
    async def test_a_call_is_counted_with_all_it_cost_and_its_time(self, store: Store) -> None:
        await store.record_call(call(asked=3, sayings=2))

        assert (await store.aggregates(since_hour="")).calls == {
            (STRAND, *ROUND): CallTally(
                calls=1,
                latencies={bucket_of(1204.2): 1},
                latency_ms=1204.2,
                sayings=2,
                input_tokens=210,
                output_tokens=64,
                cost_nanos=1_234,
            )
        }

    async def test_calls_add_up_by_strand_kind_and_shape(self, store: Store) -> None:
        fast, slow = call("fast", latency_ms=100), call("slow", latency_ms=9_000)
        others = [call("round", asked=3), call("simulated", simulated=True), call("live", kind=CallKind.LIVE)]
        dated = Call(replace(generation(snapshot="gpt-4.1-2027-01-01"), generation_id="dated"), 1, 1)
        tomorrow = Call(generation(created_at=CAST_AT + DAY_SECONDS), 1, 1)
        for made in (fast, slow, *others, dated, tomorrow):
            await store.record_call(made)

        calls = (await store.aggregates(since_hour="")).calls

        assert set(calls) == {
            (STRAND, *SINGLE),
            (STRAND, *ROUND),
            (STRAND, CallKind.LIVE, CallShape.SINGLE),
            (replace(STRAND, contributor=SIMULATED), *SINGLE),
            (replace(STRAND, snapshot="gpt-4.1-2027-01-01"), *SINGLE),
            (replace(STRAND, day="2027-01-16"), *SINGLE),
        }
        single = calls[STRAND, *SINGLE]
        assert single.latencies == {bucket_of(100): 1, bucket_of(9_000): 1}
        assert (single.latency_ms, single.calls, single.sayings) == (9_100, 2, 2)
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

    async def test_calls_that_failed_are_counted_by_their_errors_and_not_as_latencies(self, store: Store) -> None:
        nothing = replace(generation(cost=0), generation_id="timeout", usage=Usage(0, 0))
        refused = call("refused", sayings=0, error_type="ModelRefused")
        for made in (refused, Call(nothing, 1, 0, "ModelTimeout"), call("answered", latency_ms=100)):
            await store.record_call(made)

        (tally,) = (await store.aggregates(since_hour="")).calls.values()

        assert (tally.calls, tally.failed) == (3, {"ModelRefused": 1, "ModelTimeout": 1})
        assert (tally.latencies, tally.latency_ms) == ({bucket_of(100): 1}, 100)
        assert (tally.sayings, tally.cost_nanos, tally.input_tokens) == (1, 2 * 1_234, 2 * 210)

    async def test_a_call_without_a_price_is_counted_as_such(self, store: Store) -> None:
        await store.record_call(call("unpriced", cost=None))
        await store.record_call(call("priced"))

        (tally,) = (await store.aggregates(since_hour="")).calls.values()

        assert (tally.calls, tally.unpriced, tally.cost_nanos) == (2, 1, 1_234)

    async def test_many_at_once_are_all_counted(self, store: Store) -> None:
        await asyncio.gather(*(store.record_call(call(f"call {n}")) for n in range(30)))

        (tally,) = (await store.aggregates(since_hour="")).calls.values()
        assert (tally.calls, tally.cost_nanos, tally.latencies) == (30, 30 * 1_234, {bucket_of(1204.2): 30})
        assert tally.latency_ms == pytest.approx(30 * 1204.2)


class TestFolding:
    async def test_the_counts_of_old_days_are_folded_together(self, store: Store) -> None:
        sayings, compared = [generated(f"saying {n}") for n in range(3)], comparison()
        await store.put_sayings(sayings)
        await store.put_comparison(compared, shown(compared))
        await store.cast_ballot(compared.comparison_id, "ann", "A", at=CAST_AT)
        await store.record_call(call(rejected={"link": 1}))
        for day, saying in enumerate(sayings):
            await store.vote(vote(saying, at=CAST_AT + day * DAY_SECONDS))
        before = await totals(store), await outcomes(store)
        calls = list((await store.aggregates(since_hour="")).calls.values())

        await prune(store, CAST_AT + (DEFAULT_RETENTION.tally_days + 2) * DAY_SECONDS)

        counted = await store.aggregates(since_hour="")
        assert (await totals(store), await outcomes(store)) == before
        assert {strand.day for strand in counted.votes} == {"", "2027-01-17"}
        assert {day for day, _ in counted.outcomes} == {""}
        assert {(strand.day, *which): tally for (strand, *which), tally in counted.calls.items()} == {
            ("", *SINGLE): calls[0]
        }

    async def test_what_is_taken_back_from_a_folded_day_goes_with_the_next_pass(self, store: Store) -> None:
        saying = generated("a saying")
        await store.put_sayings([saying])
        for voter in ("ann", "bob"):
            await store.vote(vote(saying, voter))
        await prune(store, CAST_AT + 60 * DAY_SECONDS)

        await store.forget("ann", asked_at=CAST_AT + 60 * DAY_SECONDS)
        await prune(store, CAST_AT + 61 * DAY_SECONDS)

        (tally,) = (await store.aggregates(since_hour="")).votes.values()
        assert sum(counts.votes for counts in tally.blind.values()) == 1
        assert (tally.voters, tally.sayings) == (1, 1)


class TestStreams:
    async def test_a_store_with_nothing_in_it_streams_nothing(self, store: Store) -> None:
        streams = (store.all_votes(), store.all_sayings(), store.all_ballots(), store.all_calls())

        assert [[row async for row in stream] for stream in streams] == [[], [], [], []]
        assert await store.sizes() == {"votes": 0, "sayings": 0, "comparisons": 0, "calls": 0}

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


async def prune(store: Store, now: float) -> None:
    async for _ in store.prune(DEFAULT_RETENTION, now=now):
        pass
