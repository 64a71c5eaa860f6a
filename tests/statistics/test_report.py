"""The report of GET /stats for given counts."""

import random
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from service.catalogue.line_up import LineUp
from service.domain import COLLECTION, NONE, TIE, CallShape, Outcome
from service.statistics.intervals import MIN_VOTES, approval
from service.statistics.report import first_hour, report
from service.statistics.schemas import (
    Interval,
    LatencyBucket,
    ModelStats,
    PairRecord,
    Refused,
    StatsAnswer,
    VoteCounts,
)
from service.store.base import Aggregates, CallTally, OutcomeTally, Tally
from service.store.latency_buckets import bounds, bucket_of
from tests.fakes import the_line_up

HAIKU, SONNET, GPT, MINI = "claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini"
ALL = (HAIKU, SONNET, GPT, MINI)
# Sonnet 4.5 retires on the second.
TWO_DAYS = (date(2026, 11, 29), date(2026, 11, 30))
NOW = datetime(2026, 11, 20, 13, 5, 7, tzinfo=UTC).timestamp()


def the_report(
    aggregates: Aggregates | None = None, *, line_up: LineUp | None = None, simulated: bool = False
) -> StatsAnswer:
    seats = line_up or the_line_up()
    return report(aggregates or Aggregates(), seats, simulated=simulated, now=NOW, burst_limit=100)


def of_model(answer: StatsAnswer, model: str = GPT) -> ModelStats:
    (found,) = (one for one in answer.models if one.model == model)
    return found


def test_without_counts_every_model_has_too_few_votes_and_no_values() -> None:
    answer = the_report()

    assert [one.model for one in answer.models] == list(ALL)
    sonnet = msgspec.to_builtins(of_model(answer, SONNET))
    nothing = {"votes": 0, "upvotes": 0, "downvotes": 0}
    no_calls: dict[str, object] = {"count": 0, "mean": None, "p50": None, "p90": None, "p99": None, "histogram": []}
    assert sonnet == {
        "model": SONNET, "source": "Claude Sonnet 4.5", "vendor": "anthropic", "leftOn": None,
        "successor": "claude-sonnet-5-5", "serves": 0, **nothing, "raw": nothing,
        "approval": {"value": None, "low": 0.0, "high": 1.0}, "latency": {"single": no_calls, "round": no_calls},
        "tokens": {"input": 0, "output": 0},
        "refused": {"count": 0, "share": None, "reasons": {}},
        "cost": 0.0, "costPer1000": None, "costPerNetUpvote": None,
        "costPerNetUpvoteInterval": {"low": None, "high": None},
        "strength": {"value": None, "low": None, "high": None},
        "verdict": "too few votes", "votesNeeded": MIN_VOTES,
    }  # fmt: skip
    assert answer.generated_at == "2026-11-20T13:05:07Z"
    assert (answer.stale, answer.simulated, answer.totals.burst_votes) == (False, False, 100)


def test_votes_that_came_in_bursts_are_in_the_raw_counts_alone() -> None:
    tally = Tally(serves=900, upvotes=500, downvotes=160, aside_upvotes=300, aside_downvotes=10)
    answer = the_report(Aggregates(contributors={GPT: tally, COLLECTION: Tally(50, 8, 2, 1, 0)}))

    model = of_model(answer)

    assert (model.raw, model.votes, model.upvotes, model.downvotes) == (VoteCounts(660, 500, 160), 350, 200, 150)
    assert model.approval == approval(200, 150)
    assert (answer.collection.serves, answer.collection.votes, answer.collection.upvotes) == (50, 9, 7)
    assert answer.totals.raw == VoteCounts(670, 508, 162)
    assert answer.totals.filtered == VoteCounts(359, 207, 152)
    assert answer.totals.serves == 950


def test_what_was_refused_is_a_share_of_all_that_was_written() -> None:
    single = CallTally(billed=5, sayings=3, rejected={"link": 1, "refusal": 1})
    round_ = CallTally(billed=2, sayings=4, rejected={"link": 1})
    answer = the_report(Aggregates(calls={(GPT, CallShape.SINGLE): single, (GPT, CallShape.ROUND): round_}))

    refused = of_model(answer).refused

    assert refused == Refused(3, 0.3, {"link": 2, "refusal": 1})


@pytest.mark.parametrize("simulated", [False, True])
def test_real_and_simulated_models_are_never_mixed(simulated: bool) -> None:
    ours, theirs = (f"{GPT} (simulated)", GPT) if simulated else (GPT, f"{GPT} (simulated)")
    hour, service = "2026-11-20T13", "Amazon S3"
    aggregates = Aggregates(
        contributors={ours: Tally(1, 1, 0), theirs: Tally(70, 70, 70)},
        services={(service, ours): Tally(0, 1, 0), (service, theirs): Tally(0, 70, 70)},
        hours={(hour, ours): Tally(1, 1, 0), (hour, theirs): Tally(70, 70, 70)},
        calls={(ours, CallShape.SINGLE): CallTally(billed=1), (theirs, CallShape.SINGLE): CallTally(billed=70)},
        outcomes={Outcome((ours,), NONE): OutcomeTally(1), Outcome((theirs,), NONE): OutcomeTally(70)},
    )

    answer = the_report(aggregates, simulated=simulated)

    assert answer.simulated is simulated
    assert (of_model(answer).serves, of_model(answer).votes) == (1, 1)
    assert (answer.totals.serves, answer.totals.raw.votes, answer.totals.calls) == (1, 1, 1)
    assert (answer.services[0].votes, answer.hours[-1].votes, answer.comparisons.raw) == (1, 1, 1)


@pytest.mark.parametrize(
    "aggregates",
    [
        Aggregates(contributors={MINI: Tally(serves=1)}),
        Aggregates(calls={(MINI, CallShape.ROUND): CallTally(billed=1)}),
        Aggregates(outcomes={Outcome((HAIKU, MINI), TIE): OutcomeTally(1)}),
    ],
)
def test_a_model_without_a_key_stays_if_anything_is_counted_for_it(aggregates: Aggregates) -> None:
    answer = the_report(aggregates, line_up=the_line_up(keyed=[GPT, HAIKU]))

    assert [one.model for one in answer.models] == [HAIKU, GPT, MINI]


def test_a_retired_model_keeps_its_counts_outside_the_ranking() -> None:
    aggregates = Aggregates(
        contributors={SONNET: Tally(0, 900, 100), GPT: Tally(0, 700, 300), MINI: Tally(0, 300, 700)}
    )

    before, after = the_report(aggregates), the_report(aggregates, line_up=the_line_up(TWO_DAYS[1]))

    assert [of_model(before, model).verdict for model in (SONNET, GPT, MINI)] == ["leads", "trails", "trails"]
    assert [of_model(after, model).verdict for model in (SONNET, GPT, MINI)] == [None, "leads", "trails"]
    retired = of_model(after, SONNET)
    assert (retired.votes, retired.left_on, retired.successor) == (1000, "2026-11-30", "claude-sonnet-5-5")
    assert after.totals == before.totals


def test_a_model_that_retires_leaves_the_strengths_of_the_others_as_they_are() -> None:
    outcomes = {Outcome(ALL, winner): OutcomeTally(count) for winner, count in zip(ALL, (90, 150, 70, 60), strict=True)}

    before, after = (the_report(Aggregates(outcomes=outcomes), line_up=the_line_up(day)) for day in TWO_DAYS)

    assert {one.model: one.strength for one in before.models}.items() <= {
        one.model: one.strength for one in after.models
    }.items()
    assert after.comparisons.matrix[GPT][SONNET] == before.comparisons.matrix[GPT][SONNET]


def test_hours_are_the_last_twenty_four_with_the_current_one_last() -> None:
    aggregates = Aggregates(
        hours={
            ("2026-11-19T13", GPT): Tally(99, 99, 99),
            ("2026-11-19T14", GPT): Tally(4, 2, 1),
            ("2026-11-20T13", COLLECTION): Tally(3, 1, 0),
            ("2026-11-20T13", HAIKU): Tally(2, 0, 1, 0, 1),
        }
    )

    hours = the_report(aggregates).hours

    assert first_hour(NOW) == "2026-11-19T14"
    assert len(hours) == 24
    assert (hours[0].hour, hours[0].serves, hours[0].votes) == ("2026-11-19T14:00:00Z", 4, 3)
    assert (hours[-1].hour, hours[-1].serves, hours[-1].votes) == ("2026-11-20T13:00:00Z", 5, 2)
    assert {hour.votes for hour in hours[1:-1]} == {0}


def test_services_with_votes_are_sorted_by_votes_and_then_by_name() -> None:
    aggregates = Aggregates(
        services={
            ("AWS Lambda", GPT): Tally(0, 2, 1),
            ("AWS Lambda", HAIKU): Tally(0, 1, 1),
            ("Amazon SQS", GPT): Tally(0, 1, 2),
            ("Amazon S3", GPT): Tally(0, 3, 0),
            ("Amazon EC2", GPT): Tally(7, 0, 0),
            ("Amazon SNS", COLLECTION): Tally(0, 9, 9),
        }
    )

    services = the_report(aggregates).services

    assert [(one.service, one.votes) for one in services] == [("AWS Lambda", 5), ("Amazon S3", 3), ("Amazon SQS", 3)]
    assert services[0].approval == approval(3, 2)


def test_latencies_of_single_calls_and_rounds_are_separate() -> None:
    single = CallTally(latencies={bucket_of(800.0): 1, bucket_of(1_200.0): 3}, latency_ms=4_400.0)
    aggregates = Aggregates(calls={(GPT, CallShape.SINGLE): single})

    latency = of_model(the_report(aggregates)).latency

    assert (latency.single.count, latency.single.mean) == (4, 1_100.0)
    assert (latency.single.p50, latency.single.p99) == pytest.approx((1_200, 1_200), rel=0.023)
    assert latency.single.histogram == [
        LatencyBucket(*bounds(bucket_of(800.0)), 1),
        LatencyBucket(*bounds(bucket_of(1_200.0)), 3),
    ]
    assert latency.round.count == 0


def test_costs_are_summed_in_nanodollars_and_then_converted() -> None:
    single = CallTally(billed=10, sayings=9, input_tokens=5, output_tokens=6, cost_nanos=100_000_001)
    round_ = CallTally(billed=2, sayings=6, input_tokens=70, output_tokens=80, cost_nanos=200_000_002)
    aggregates = Aggregates(
        contributors={GPT: Tally(0, 300, 100)},
        calls={(GPT, CallShape.SINGLE): single, (GPT, CallShape.ROUND): round_, (MINI, CallShape.ROUND): round_},
    )

    answer = the_report(aggregates)
    model = of_model(answer)

    assert model.cost == 0.300000003  # where 0.1 + 0.2 is 0.30000000000000004
    assert model.cost_per1000 == 20.0000002
    assert model.cost_per_net_upvote == 0.300000003 / 200
    assert (model.tokens.input, model.tokens.output) == (75, 86)
    assert (answer.totals.cost, answer.totals.calls, answer.totals.sayings) == (0.500000005, 14, 21)


@pytest.mark.parametrize(("unpriced", "cost"), [(2, None), (1, 0.5)])
def test_a_call_without_a_price_costs_nothing_that_could_be_divided(unpriced: int, cost: float | None) -> None:
    calls = CallTally(billed=2, unpriced=unpriced, sayings=2, cost_nanos=(2 - unpriced) * 500_000_000)
    aggregates = Aggregates(contributors={GPT: Tally(0, 300, 100)}, calls={(GPT, CallShape.SINGLE): calls})

    answer = the_report(aggregates)
    model = of_model(answer)

    assert model.cost == cost
    assert (model.cost_per1000, model.cost_per_net_upvote) == (None, None)
    assert answer.totals.unpriced_calls == unpriced


def test_without_counted_calls_the_cost_per_net_upvote_is_unknown() -> None:
    model = of_model(the_report(Aggregates(contributors={GPT: Tally(0, 300, 100)})))

    assert (model.approval.value, model.cost_per_net_upvote) == (0.75, None)


def test_comparisons_are_counted_without_bursts_and_by_pairs() -> None:
    outcomes = {
        Outcome(ALL, GPT): OutcomeTally(votes=150, aside=50),
        Outcome(ALL, HAIKU): OutcomeTally(90),
        Outcome(ALL, SONNET): OutcomeTally(70),
        Outcome(ALL, MINI): OutcomeTally(60),
        Outcome((HAIKU, GPT), TIE): OutcomeTally(20),
        Outcome(ALL, NONE): OutcomeTally(10),
    }

    answer = the_report(Aggregates(outcomes=outcomes))

    found = answer.comparisons
    assert (found.count, found.raw, found.ties, found.none) == (350, 400, 20, 10)
    assert found.matrix[GPT][HAIKU] == PairRecord(wins=100, losses=90, ties=20)
    assert found.matrix[HAIKU][GPT] == PairRecord(wins=90, losses=100, ties=20)
    assert found.matrix[MINI][SONNET] == PairRecord(wins=60, losses=70, ties=0)
    assert set(found.matrix) == set(ALL)
    strength = of_model(answer).strength
    assert strength != Interval(None, None, None)
    assert strength == max((one.strength for one in answer.models), key=lambda interval: interval.value or 0)


def test_a_verdict_is_about_votes_that_did_not_come_in_bursts() -> None:
    tallies = {GPT: Tally(0, 900, 100), HAIKU: Tally(0, 300, 700), MINI: Tally(0, 1_000, 0, 990, 0)}

    answer = the_report(Aggregates(contributors=tallies))

    verdicts = {one.model: (one.verdict, one.votes_needed) for one in answer.models}
    few = ("too few votes", MIN_VOTES)
    assert verdicts == {
        GPT: ("leads", 0),
        HAIKU: ("trails", 0),
        SONNET: few,
        MINI: ("too few votes", MIN_VOTES - 10),
    }


def test_counts_that_change_during_the_read_give_no_negative_votes() -> None:
    tallies = {GPT: Tally(0, -1, 900, 0, 0), HAIKU: Tally(0, 500, 500, 501, 500)}
    outcomes = {Outcome(ALL, GPT): OutcomeTally(900, 0), Outcome(ALL, TIE): OutcomeTally(5, 6)}

    answer = the_report(Aggregates(contributors=tallies, outcomes=outcomes))

    assert (of_model(answer).raw.upvotes, of_model(answer).approval.value) == (0, 0.0)
    assert of_model(answer, HAIKU).votes == 0
    assert (answer.comparisons.count, answer.comparisons.ties) == (900, 0)


def random_aggregates(chance: random.Random) -> Aggregates:
    def tally() -> Tally:
        up, down = chance.choice([0, 3, 900]), chance.choice([0, 2, 800])
        return Tally(chance.randint(0, 9_000), up, down, chance.randint(0, up), chance.randint(0, down))

    names = [*ALL, COLLECTION, "a model of before"]
    return Aggregates(
        contributors={name: tally() for name in names if chance.random() < 0.7},
        services={("Amazon S3", name): tally() for name in names},
        hours={("2026-11-20T13", name): tally() for name in names},
        calls={(name, CallShape.ROUND): CallTally({5: 2, -3: 0}, 9.5, 3, chance.randint(0, 3), 2) for name in names},
        outcomes={Outcome(ALL, result): OutcomeTally(chance.choice([0, 5, 5_000])) for result in (*ALL, TIE, NONE)},
    )


@pytest.mark.parametrize("seed", range(10))
def test_any_counts_make_a_report_that_fits_its_own_types(seed: int) -> None:
    answer = the_report(random_aggregates(random.Random(seed)))

    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))

    assert msgspec.convert(body, StatsAnswer, strict=True) == answer
    assert sum(one.raw.votes for one in answer.models) <= answer.totals.raw.votes
    for one in answer.models:
        assert one.approval.low is not None
        assert one.approval.high is not None
        assert 0 <= one.approval.low < one.approval.high <= 1
