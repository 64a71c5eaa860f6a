"""The report of GET /stats for given counts."""

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from service.catalogue.line_up import LineUp
from service.domain import COLLECTION, NONE, TIE, CallKind, CallShape, Outcome
from service.statistics.intervals import MIN_VOTES, UNKNOWN, difference_interval, share_interval
from service.statistics.report import first_hour, report
from service.statistics.samples import sample
from service.statistics.schemas import (
    Analysis,
    Answered,
    DayStats,
    Headline,
    Interval,
    LatencyBucket,
    Mark,
    ModelStats,
    Refused,
    StatsAnswer,
    VoteCounts,
)
from service.store.base import Aggregates, CallTally, Cell, Counts, HourTally, OutcomeTally, Strand, VoteTally
from service.store.latency_buckets import bounds, bucket_of
from tests.fakes import the_line_up
from tests.statistics.builders import cells

HAIKU, SONNET, GPT, MINI = "claude-haiku-4-5", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini"
ALL = (HAIKU, SONNET, GPT, MINI)
# Sonnet 4.5 retires on the second.
TWO_DAYS = (date(2026, 11, 29), date(2026, 11, 30))
NOW = datetime(2026, 11, 20, 13, 5, 7, tzinfo=UTC).timestamp()
TODAY, YESTERDAY, CLOSED = "2026-11-20", "2026-11-19", "2026-11-18"
# The first of the last thirty days, and the day before it.
FIRST, BEFORE = "2026-10-22", "2026-10-21"
SINGLE, ROUND = CallShape.SINGLE, CallShape.ROUND


def the_report(
    aggregates: Aggregates | None = None, *, line_up: LineUp | None = None, simulated: bool = False
) -> StatsAnswer:
    return report(aggregates or Aggregates(), line_up or the_line_up(), simulated=simulated, now=NOW)


def of_model(answer: StatsAnswer, model: str = GPT) -> ModelStats:
    (found,) = (one for one in answer.models if one.model == model)
    return found


def votes(upvotes: int, count: int, *, voters: int = 99, sayings: int = 99) -> VoteTally:
    """Counted blind votes that do not resemble each other."""
    return VoteTally(blind=cells(upvotes, count), voters=voters, sayings=sayings)


def voted(tallies: Mapping[str, VoteTally], day: str = TODAY) -> dict[Strand, VoteTally]:
    return {Strand(name, day): tally for name, tally in tallies.items()}


def called(
    tally: CallTally, *, name: str = GPT, day: str = CLOSED, kind: CallKind = CallKind.ROUND, shape: CallShape = ROUND
) -> dict[tuple[Strand, CallKind, CallShape], CallTally]:
    return {(Strand(name, day), kind, shape): tally}


def balloted(counts: Mapping[Outcome, int], day: str = TODAY) -> dict[tuple[str, Outcome], OutcomeTally]:
    """So many ballots with each outcome, that do not resemble each other."""
    return {(day, outcome): OutcomeTally(_cells(count)) for outcome, count in counts.items()}


def _cells(count: int) -> dict[Cell, int]:
    return {cell: counts.votes for cell, counts in cells(0, count).items()}


def test_without_counts_every_model_has_too_few_votes_and_no_values() -> None:
    answer = the_report()

    assert [one.model for one in answer.models] == list(ALL)
    sonnet = msgspec.to_builtins(of_model(answer, SONNET))
    nothing, unknown = {"votes": 0, "upvotes": 0}, {"value": None, "low": None, "high": None}
    no_calls: dict[str, object] = {"asked": 0, "answered": 0, "p50": None, "p90": None, "p99": None, "histogram": []}
    not_asked = {"asked": 0, "answered": 0, "failed": {}, "share": unknown}
    figures = {
        "votes": nothing, "named": nothing, "open": nothing, "unverified": 0, "setAside": 0,
        "approval": {"value": None, "low": 0.0, "high": 1.0}, "designEffect": None, "brandEffect": unknown,
        "ballots": 0, "wins": 0, "picked": unknown, "pickedOfAsked": unknown,
        "answered": not_asked, "answeredByKind": {"live": not_asked, "round": not_asked, "compare": not_asked},
        "refused": {"count": 0, "share": None, "reasons": {}}, "latency": {"single": no_calls, "round": no_calls},
        "tokens": {"input": 0, "output": 0},
        "cost": {"total": 0.0, "per1000": None, "perNetUpvote": unknown, "perBlindWin": None},
    }  # fmt: skip
    assert sonnet == {
        "model": SONNET, "source": "Claude Sonnet 4.5", "vendor": "anthropic", "leftOn": None,
        "successor": "claude-sonnet-5-5", "serves": 0, "voters": 0, "sayings": 0, "verdict": "too few votes",
        "votesNeeded": MIN_VOTES, "recent": figures, "allTime": figures, "days": [], "marks": [],
    }  # fmt: skip
    assert answer.headline == Headline(None, None, None, disagree=False, fallen=None)
    assert (answer.generated_at, answer.recent_days) == ("2026-11-20T13:05:07Z", 30)
    assert (answer.stale, answer.simulated, answer.analysis) == (False, False, None)


def test_votes_are_counted_apart_by_what_the_voter_knew_and_by_standing() -> None:
    tally = VoteTally(cells(300, 400), cells(350, 410), Counts(7, 5), Counts(30, 30), Counts(8, 2), 40, 50)
    answer = the_report(
        Aggregates(votes=voted({GPT: tally, COLLECTION: votes(8, 10)}), serves={GPT: 900, COLLECTION: 50})
    )

    model, found = of_model(answer), of_model(answer).recent

    assert (found.votes, found.named, found.open) == (VoteCounts(400, 300), VoteCounts(410, 350), VoteCounts(7, 5))
    assert (found.unverified, found.set_aside) == (8, 30)
    assert (model.serves, model.voters, model.sayings) == (900, 40, 50)
    assert found.approval == share_interval(sample(tally.blind), named=True)
    assert found.brand_effect == difference_interval(sample(tally.named), sample(tally.blind))
    assert found.brand_effect.value == pytest.approx(350 / 410 - 0.75)
    assert (answer.collection.serves, answer.collection.votes) == (50, VoteCounts(10, 8))
    assert (answer.totals.serves, answer.totals.votes) == (950, VoteCounts(410, 308))
    assert (answer.totals.named, answer.totals.open) == (VoteCounts(410, 350), VoteCounts(7, 5))
    assert (answer.totals.unverified, answer.totals.set_aside) == (8, 30)


def test_the_last_thirty_days_are_beside_all_time() -> None:
    by_day = {TODAY: votes(50, 100), FIRST: votes(60, 100), BEFORE: votes(100, 100), "": votes(400, 400)}
    strands = {Strand(GPT, day, "v1"): tally for day, tally in by_day.items()} | {
        Strand(GPT, TODAY, "v2"): votes(10, 20)
    }

    model = of_model(the_report(Aggregates(votes=strands)))

    assert model.recent.votes == VoteCounts(220, 120)
    assert model.all_time.votes == VoteCounts(720, 620)
    assert model.days == [DayStats(FIRST, 100, 60), DayStats(TODAY, 120, 60)]


def test_changes_of_a_model_are_marked() -> None:
    calls = {
        (Strand(GPT, day, prompt), CallKind.ROUND, ROUND): CallTally(1)
        for day, prompt in ((FIRST, "v1"), (TODAY, "v2"))
    }

    assert of_model(the_report(Aggregates(calls=calls))).marks == [Mark(TODAY, "prompt", "v2")]


@pytest.mark.parametrize(("voters", "sayings"), [(29, 99), (99, 29)])
def test_a_model_with_few_voters_or_sayings_is_not_named(voters: int, sayings: int) -> None:
    tallies = {GPT: votes(800, 1_000, voters=voters, sayings=sayings), HAIKU: votes(600, 1_000)}

    answer = the_report(Aggregates(votes=voted(tallies)))

    assert of_model(answer).recent.approval.value is None
    assert of_model(answer).verdict == "too few votes"
    assert of_model(answer, HAIKU).recent.approval.value == 0.6


def test_the_headline_names_who_leads_by_votes_and_by_ballots() -> None:
    tallies = {GPT: votes(1_600, 2_000), HAIKU: votes(1_000, 2_000), SONNET: votes(900, 2_000)}
    ballots = {Outcome(ALL, name): count for name, count in zip(ALL, (90, 100, 500, 80), strict=True)}

    answer = the_report(Aggregates(votes=voted(tallies), outcomes=balloted(ballots)))

    assert answer.headline == Headline(GPT, 601, GPT, disagree=False, fallen=None)
    assert {one.model: (one.verdict, one.votes_needed) for one in answer.models} == {
        GPT: ("leads", 0), HAIKU: ("trails", 0), SONNET: ("trails", 0), MINI: ("too few votes", MIN_VOTES)
    }  # fmt: skip


def test_the_headline_says_where_votes_and_ballots_disagree() -> None:
    tallies = {GPT: votes(1_600, 2_000), HAIKU: votes(1_000, 2_000)}
    ballots = {Outcome(ALL, name): count for name, count in zip(ALL, (500, 90, 100, 80), strict=True)}

    headline = the_report(Aggregates(votes=voted(tallies), outcomes=balloted(ballots))).headline

    assert (headline.leader, headline.picked_leader, headline.disagree) == (GPT, HAIKU, True)


def test_a_leader_that_has_fallen_is_named_as_such() -> None:
    before = voted({GPT: votes(2_400, 3_000), HAIKU: votes(1_800, 3_000)}, "2026-11-01")
    lately = voted({GPT: votes(320, 800), HAIKU: votes(480, 800)}, "2026-11-15")

    headline = the_report(Aggregates(votes=before | lately)).headline

    assert (headline.leader, headline.fallen) == (None, GPT)


def test_models_are_in_the_order_of_their_lower_ends() -> None:
    tallies = {HAIKU: votes(600, 1_000), MINI: votes(100, 140), GPT: votes(700, 1_000)}

    answer = the_report(Aggregates(votes=voted(tallies)))

    assert [one.model for one in answer.models] == [GPT, MINI, HAIKU, SONNET]


def test_answers_are_a_share_of_all_that_was_asked() -> None:
    calls = called(CallTally(40, {"timeout": 3, "overloaded": 1})) | called(
        CallTally(60, {"timeout": 16}), kind=CallKind.COMPARE, shape=SINGLE
    )

    found = of_model(the_report(Aggregates(calls=calls))).recent

    failed = {"overloaded": 1, "timeout": 19}
    assert found.answered == Answered(100, 80, failed, Interval(0.8, 0.0, 1.0))  # one day says nothing of others
    assert found.answered_by_kind[CallKind.COMPARE].answered == 44
    assert found.answered_by_kind[CallKind.LIVE] == Answered(0, 0, {}, UNKNOWN)


def test_what_was_refused_is_a_share_of_all_that_was_written() -> None:
    single = CallTally(5, sayings=3, rejected={"link": 1, "refusal": 1})
    round_ = CallTally(2, sayings=4, rejected={"link": 1})
    answer = the_report(Aggregates(calls=called(single, shape=SINGLE) | called(round_)))

    refused = of_model(answer).recent.refused

    assert refused == Refused(3, 0.3, {"link": 2, "refusal": 1})


@pytest.mark.parametrize("simulated", [False, True])
def test_real_and_simulated_models_are_never_mixed(simulated: bool) -> None:
    ours, theirs = (f"{GPT} (simulated)", GPT) if simulated else (GPT, f"{GPT} (simulated)")
    hour, service = "2026-11-20T13", "Amazon S3"
    aggregates = Aggregates(
        serves={ours: 1, theirs: 70},
        votes=voted({ours: votes(1, 1), theirs: votes(70, 70)}),
        services={(service, ours): Counts(1, 1), (service, theirs): Counts(70, 70)},
        hours={(hour, ours): HourTally(1, 1), (hour, theirs): HourTally(70, 70)},
        calls=called(CallTally(1), name=ours) | called(CallTally(70), name=theirs),
        outcomes=balloted({Outcome((ours,), NONE): 1, Outcome((theirs,), NONE): 70}),
    )

    answer = the_report(aggregates, simulated=simulated)

    assert answer.simulated is simulated
    assert (of_model(answer).serves, of_model(answer).recent.votes.votes) == (1, 1)
    assert (answer.totals.serves, answer.totals.votes.votes, answer.totals.calls) == (1, 1, 1)
    assert (answer.services[0].votes, answer.hours[-1].votes, answer.comparisons.recent.ballots) == (1, 1, 1)


@pytest.mark.parametrize(
    "aggregates",
    [
        Aggregates(serves={MINI: 1}),
        Aggregates(votes=voted({MINI: votes(1, 1)})),
        Aggregates(calls=called(CallTally(1), name=MINI)),
        Aggregates(outcomes=balloted({Outcome((HAIKU, MINI), TIE): 1})),
        Aggregates(outcomes=balloted({Outcome((HAIKU, GPT), TIE, (MINI,)): 1})),
    ],
)
def test_a_model_without_a_key_stays_if_anything_is_counted_for_it(aggregates: Aggregates) -> None:
    answer = the_report(aggregates, line_up=the_line_up(keyed=[GPT, HAIKU]))

    assert {one.model for one in answer.models} == {HAIKU, GPT, MINI}


def test_a_retired_model_keeps_its_counts_outside_the_ranking() -> None:
    tallies = {SONNET: votes(1_800, 2_000), GPT: votes(1_400, 2_000), MINI: votes(600, 2_000)}
    aggregates = Aggregates(votes=voted(tallies))

    before, after = the_report(aggregates), the_report(aggregates, line_up=the_line_up(TWO_DAYS[1]))

    assert [of_model(before, model).verdict for model in (SONNET, GPT, MINI)] == ["leads", "trails", "trails"]
    assert [of_model(after, model).verdict for model in (SONNET, GPT, MINI)] == [None, "leads", "trails"]
    retired = after.models[-1]
    assert (retired.model, retired.recent.votes.votes) == (SONNET, 2_000)
    assert (retired.left_on, retired.successor) == ("2026-11-30", "claude-sonnet-5-5")
    assert retired.marks == [Mark("2026-11-30", "left", "claude-sonnet-5-5")]
    assert after.totals == before.totals


def test_a_retired_model_is_compared_with_those_of_the_other_seats() -> None:
    ballots = {Outcome(ALL, name): count for name, count in zip(ALL, (90, 150, 70, 60), strict=True)}
    outcomes = balloted(ballots)

    before, after = (the_report(Aggregates(outcomes=outcomes), line_up=the_line_up(day)) for day in TWO_DAYS)

    shares = [one.recent.picked.value for one in (of_model(before, SONNET), of_model(after, SONNET))]
    assert shares == [pytest.approx(150 / 370, abs=0.002)] * 2
    assert of_model(after).recent.picked.value == pytest.approx(70 / 220, abs=0.002)
    matrix = [answer.comparisons.recent.matrix[GPT][SONNET] for answer in (before, after)]
    assert matrix[0].share == matrix[1].share


def test_hours_are_the_last_twenty_four_with_the_current_one_last() -> None:
    aggregates = Aggregates(
        hours={
            ("2026-11-19T13", GPT): HourTally(99, 99),
            ("2026-11-19T14", GPT): HourTally(4, 3),
            ("2026-11-20T13", COLLECTION): HourTally(3, 1),
            ("2026-11-20T13", HAIKU): HourTally(2, 1),
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
            ("AWS Lambda", GPT): Counts(100, 60),
            ("AWS Lambda", HAIKU): Counts(50, 45),
            ("Amazon SQS", GPT): Counts(3, 1),
            ("Amazon S3", GPT): Counts(3, 3),
            ("Amazon EC2", GPT): Counts(),
            ("Amazon SNS", COLLECTION): Counts(18, 9),
        }
    )

    services = the_report(aggregates).services

    assert [(one.service, one.votes) for one in services] == [("AWS Lambda", 150), ("Amazon S3", 3), ("Amazon SQS", 3)]
    assert [one.approval for one in services] == [0.7, None, None]


def test_each_service_has_the_models_that_have_votes_on_it() -> None:
    aggregates = Aggregates(
        services={
            ("AWS Lambda", GPT): Counts(150, 90),
            ("AWS Lambda", HAIKU): Counts(50, 45),
            ("AWS Lambda", COLLECTION): Counts(500, 450),
            ("Amazon S3", GPT): Counts(3, 3),
        }
    )

    services = the_report(aggregates).services

    assert [[(one.model, one.votes, one.approval) for one in service.models] for service in services] == [
        [(HAIKU, 50, None), (GPT, 150, 0.6)],
        [(GPT, 3, None)],
    ]


def test_latencies_of_single_calls_and_rounds_are_separate() -> None:
    single = CallTally(4, latencies={bucket_of(800.0): 1, bucket_of(1_200.0): 3})
    aggregates = Aggregates(calls=called(single, shape=SINGLE))

    latency = of_model(the_report(aggregates)).recent.latency

    assert (latency.single.asked, latency.single.answered, latency.round.asked) == (4, 4, 0)
    assert (latency.single.p50, latency.single.p99) == pytest.approx((1_200, 1_200), rel=0.023)
    assert latency.single.histogram == [
        LatencyBucket(*bounds(bucket_of(800.0)), 1),
        LatencyBucket(*bounds(bucket_of(1_200.0)), 3),
    ]


def test_calls_that_failed_are_infinitely_late() -> None:
    calls = CallTally(20, {"timeout": 4}, {bucket_of(800.0): 12, bucket_of(1_200.0): 4})

    latency = of_model(the_report(Aggregates(calls=called(calls)))).recent.latency.round

    assert (latency.asked, latency.answered) == (20, 16)
    assert latency.p50 == pytest.approx(800, rel=0.023)
    assert (latency.p90, latency.p99) == (None, None)


def test_sayings_are_priced_without_comparisons_and_these_by_their_wins() -> None:
    live = CallTally(10, sayings=9, input_tokens=5, output_tokens=6, cost_nanos=100_000_001)
    round_ = CallTally(2, sayings=6, input_tokens=70, output_tokens=80, cost_nanos=200_000_002)
    compared = CallTally(50, sayings=50, cost_nanos=5_000_000_000)
    aggregates = Aggregates(
        votes=voted({GPT: votes(300, 400)}),
        calls=called(live, kind=CallKind.LIVE, shape=SINGLE)
        | called(round_)
        | called(compared, kind=CallKind.COMPARE, shape=SINGLE)
        | called(round_, name=MINI),
        outcomes=balloted({Outcome(ALL, GPT): 100, Outcome(ALL, HAIKU): 40}, CLOSED),
    )

    answer = the_report(aggregates)
    model, cost = of_model(answer), of_model(answer).recent.cost

    assert cost.total == 5.300000003
    assert cost.per1000 == pytest.approx(20.0000002)
    assert cost.per_blind_win == 0.05
    price, approval = 0.300000003 / 15, model.recent.approval
    assert approval.low is not None
    assert approval.high is not None
    assert msgspec.structs.astuple(cost.per_net_upvote) == pytest.approx(
        (price / 0.5, price / (2 * approval.high - 1), price / (2 * approval.low - 1))
    )
    assert (model.recent.tokens.input, model.recent.tokens.output) == (75, 86)
    assert (answer.totals.cost, answer.totals.calls, answer.totals.sayings) == (5.500000005, 64, 71)


@pytest.mark.parametrize(
    ("upvotes", "known"), [(800, (True, True, True)), (510, (True, True, False)), (490, (False, True, False)),
                           (200, (False, False, False))],
)  # fmt: skip
def test_where_upvotes_may_not_outnumber_downvotes_there_is_no_bound(
    upvotes: int, known: tuple[bool, bool, bool]
) -> None:
    calls = called(CallTally(1, sayings=3, cost_nanos=10**9))

    answer = the_report(Aggregates(votes=voted({GPT: votes(upvotes, 1_000)}), calls=calls))

    found = of_model(answer).recent.cost.per_net_upvote
    assert tuple(end is not None for end in msgspec.structs.astuple(found)) == known


@pytest.mark.parametrize(("unpriced", "total"), [(2, None), (1, 0.5)])
def test_a_call_without_a_price_costs_nothing_that_could_be_divided(unpriced: int, total: float | None) -> None:
    calls = CallTally(2, unpriced=unpriced, sayings=2, cost_nanos=(2 - unpriced) * 500_000_000)
    aggregates = Aggregates(votes=voted({GPT: votes(300, 400)}), calls=called(calls))

    answer = the_report(aggregates)
    cost = of_model(answer).recent.cost

    assert (cost.total, cost.per1000, cost.per_net_upvote) == (total, None, UNKNOWN)
    assert answer.totals.unpriced_calls == unpriced


def test_comparisons_are_counted_by_outcome_and_by_pairs() -> None:
    outcomes = balloted(
        {
            Outcome(ALL, GPT): 100,
            Outcome(ALL, HAIKU): 90,
            Outcome(ALL, SONNET): 70,
            Outcome(ALL, MINI): 20,
            Outcome((HAIKU, GPT), TIE): 20,
            Outcome(ALL, NONE): 10,
        }
    ) | {(TODAY, Outcome(ALL, TIE)): OutcomeTally({}, aside=50), (BEFORE, Outcome(ALL, GPT)): OutcomeTally({(1, 1): 5})}

    answer = the_report(Aggregates(outcomes=outcomes))

    found = answer.comparisons.recent
    assert (found.ballots, found.set_aside) == (310, 50)
    assert (found.tied.value, found.none.value) == (20 / 310, 10 / 310)
    assert answer.comparisons.all_time.ballots == 315
    pair = found.matrix[GPT][HAIKU]
    assert (pair.wins, pair.losses, pair.ties, pair.share.value) == (100, 90, 20, 100 / 190)
    assert (pair.verdict, found.matrix[HAIKU][GPT].verdict) == (None, None)
    assert (found.matrix[GPT][MINI].verdict, found.matrix[MINI][GPT].verdict) == ("ahead", "behind")
    assert found.matrix[MINI][SONNET].share.value is None  # of 90 ballots
    assert (of_model(answer).recent.ballots, of_model(answer).recent.wins) == (280, 100)


def test_counts_that_change_during_the_read_give_no_negative_votes() -> None:
    tallies = {GPT: VoteTally(blind={(0, 0): Counts(-1, -1), (1, 0): Counts(900, 901)}, voters=-1)}
    outcomes = {(TODAY, Outcome(ALL, GPT)): OutcomeTally({(0, 0): 900, (1, 1): -3}, aside=-1)}
    hours = {("2026-11-20T13", GPT): HourTally(4, -1)}

    answer = the_report(Aggregates(votes=voted(tallies), outcomes=outcomes, hours=hours))

    assert of_model(answer).recent.votes == VoteCounts(900, 900)
    assert (of_model(answer).voters, answer.hours[-1].votes) == (0, 0)
    assert (answer.comparisons.recent.ballots, answer.comparisons.recent.set_aside) == (900, 0)


def analysis_of(*, simulated: bool) -> Analysis:
    nothing = Interval(1.0, 0.9, 1.1)
    return Analysis("2026-11-19T00:00:00Z", simulated, 900, 80, 90, [], nothing, 31.5, nothing, {"B": nothing})


def test_the_last_analysis_of_these_models_is_part_of_the_report() -> None:
    ours, theirs = (msgspec.json.encode(analysis_of(simulated=simulated)).decode() for simulated in (False, True))

    found = [
        report(Aggregates(), the_line_up(), simulated=False, now=NOW, analysis=stored).analysis
        for stored in (ours, theirs, '{"of": "another version"}', None)
    ]

    assert found == [analysis_of(simulated=False), None, None, None]


def test_calls_for_comparisons_that_are_still_open_tell_nothing() -> None:
    calls = CallTally(100, {"timeout": 7}, sayings=93, cost_nanos=10**9)
    days = {day: called(calls, day=day, kind=CallKind.COMPARE, shape=SINGLE) for day in (TODAY, YESTERDAY, CLOSED)}
    ballots = {day: balloted({Outcome(ALL, GPT): 10}, day) for day in days}

    found, nothing = (
        of_model(
            the_report(
                Aggregates(
                    calls={key: tally for day in chosen for key, tally in days[day].items()},
                    outcomes={key: tally for given in ballots.values() for key, tally in given.items()},
                )
            )
        ).recent
        for chosen in (days, (TODAY, YESTERDAY))
    )

    assert (found.answered.asked, found.cost.total, found.cost.per_blind_win) == (100, 1.0, 0.1)
    assert (nothing.answered.asked, nothing.cost.total, nothing.cost.per_blind_win) == (0, 0.0, None)


def random_aggregates(chance: random.Random) -> Aggregates:
    def tally() -> VoteTally:
        blind, named = (cells(chance.randint(0, count), count) for count in chance.choices([0, 3, 900], k=2))
        return VoteTally(blind, named, Counts(3, 1), Counts(2, 2), Counts(1, 0), chance.choice([0, 50]), 40)

    names = [name for name in (*ALL, COLLECTION, "a model of before") if chance.random() < 0.7]
    days = ["", BEFORE, FIRST, TODAY]
    calls = CallTally(chance.randint(3, 9), {"timeout": 2}, {5: 1, -3: 0}, 9.5, chance.randint(0, 3), 2)
    results = (*ALL, TIE, NONE)
    return Aggregates(
        serves={name: chance.randint(0, 9) for name in names},
        services={("Amazon S3", name): Counts(9, 4) for name in names},
        hours={("2026-11-20T13", name): HourTally(3, 2) for name in names},
        votes={Strand(name, chance.choice(days), "v1"): tally() for name in names for _ in range(3)},
        calls={(Strand(name, chance.choice(days)), CallKind.ROUND, ROUND): calls for name in names},
        outcomes=balloted({Outcome(ALL, result): chance.choice([0, 5, 500]) for result in results}),
    )


@pytest.mark.parametrize("seed", range(20))
def test_any_counts_make_a_report_that_fits_its_own_types(seed: int) -> None:
    answer = the_report(random_aggregates(random.Random(seed)))

    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))

    assert msgspec.convert(body, StatsAnswer, strict=True) == answer
    for one in answer.models:
        for found in (one.recent, one.all_time):
            assert found.approval.low is not None
            assert found.approval.high is not None
            assert 0 <= found.approval.low < found.approval.high <= 1
            assert found.votes.votes <= one.all_time.votes.votes
