"""The verdict names what daily looks have settled: leaders, models that trail, and models that are as good."""

import math
from dataclasses import replace

import pytest

from service.statistics.intervals import MIN_VOTES, estimate
from service.statistics.samples import NOTHING, Groups, Sample
from service.statistics.verdicts import (
    ALPHA,
    MIN_SAYINGS,
    MIN_VOTERS,
    Record,
    Standing,
    can_be_compared,
    is_settled,
    ranking,
)
from tests.statistics.builders import even

FEW = Standing("too few votes", MIN_VOTES)
OPEN = Standing("too close to call", None)


def record(upvotes: int, votes: int, *, room: float = 1.0, voters: int = 500, sayings: int = 300) -> Record:
    """Votes that came in the last days as in those before."""
    lately, before = even(upvotes // 4, votes // 4), even(upvotes - upvotes // 4, votes - votes // 4)
    return Record(even(upvotes, votes), lately, before, voters, sayings, room)


def test_models_that_are_apart_lead_and_trail_with_nothing_left_open() -> None:
    found = ranking({"bad": record(600, 2_000), "good": record(1_600, 2_000), "middling": record(1_100, 2_000)})

    trails = Standing("trails", 0)
    assert found.standings == {"bad": trails, "good": Standing("leads", 0), "middling": trails}
    assert (found.leader, found.fallen) == ("good", None)
    assert found.settled == {("good", "bad"), ("good", "middling"), ("middling", "bad")}


def test_models_that_overlap_are_too_close_to_call() -> None:
    found = ranking({"one": record(1_200, 2_000), "other": record(1_180, 2_000), "last": record(400, 2_000)})

    assert found.standings == {"one": OPEN, "other": OPEN, "last": Standing("trails", 0)}
    assert (found.leader, found.decisive_votes) == (None, None)


def test_the_boundary_is_wider_than_an_interval() -> None:
    just_apart = estimate((1, even(1_100, 2_000)), (-1, even(1_020, 2_000)))

    assert just_apart.value > just_apart.reach(1.96)
    assert not is_settled(just_apart, ALPHA)
    assert is_settled(estimate((1, even(1_140, 2_000)), (-1, even(1_020, 2_000))), ALPHA)


@pytest.mark.parametrize("votes", [1_000, 10_000, 100_000])
def test_the_boundary_is_that_of_the_normal_mixture(votes: int) -> None:
    one, other = even(votes // 2, votes), even(votes // 2, votes)
    information = 1 / estimate((1, one), (-1, other)).variance
    tuning = 4000 / (2 * math.log(20) + math.log(1 + 2 * math.log(20)))
    bound = math.sqrt((1 + tuning / information) * math.log((information + tuning) / (tuning * ALPHA**2)))
    reach = bound / math.sqrt(information)

    inside, outside = (estimate((1, one), (-1, other)).plus(sign * reach) for sign in (0.999, 1.001))

    assert not is_settled(inside, ALPHA)
    assert is_settled(outside, ALPHA)


def test_models_that_hardly_differ_are_within_three_points() -> None:
    found = ranking({"one": record(60_000, 100_000), "other": record(59_700, 100_000), "last": record(500, 100_000)})

    within = Standing("within 3 points", 0)
    assert found.standings == {"one": within, "other": within, "last": Standing("trails", 0)}


def test_a_newcomer_with_luck_is_not_first() -> None:
    found = ranking({"old": record(13_200, 20_000), "new": record(90, MIN_VOTES)})

    assert found.leader is None
    assert found.standings == {"old": OPEN, "new": OPEN}


@pytest.mark.parametrize(
    ("votes", "voters", "sayings", "enough"),
    [
        (MIN_VOTES, MIN_VOTERS, MIN_SAYINGS, True),
        (MIN_VOTES - 1, 500, 500, False),
        (9_000, MIN_VOTERS - 1, 500, False),
        (9_000, 500, MIN_SAYINGS - 1, False),
    ],
)
def test_a_model_is_compared_from_enough_votes_voters_and_sayings_on(
    votes: int, voters: int, sayings: int, enough: bool
) -> None:
    assert can_be_compared(votes, voters, sayings) is enough


def test_too_few_votes_give_no_verdict_and_block_no_other() -> None:
    few = record(20, 20)
    unknown = record(1_900, 2_000, voters=3)

    found = ranking({"new": few, "none": record(0, 0), "few voters": unknown, "good": record(1_600, 2_000),
                     "bad": record(600, 2_000)})  # fmt: skip

    assert found.standings["new"] == Standing("too few votes", MIN_VOTES - 20)
    assert found.standings["none"] == FEW
    assert found.standings["few voters"] == Standing("too few votes", None)
    assert found.leader == "good"


def test_the_only_model_with_enough_votes_has_no_verdict() -> None:
    found = ranking({"one": record(1_600, 2_000), "other": record(0, 0)})

    assert found.standings == {"one": Standing("too few votes", None), "other": FEW}
    assert ranking({}).standings == {}


def test_a_leader_leads_only_where_it_is_better_than_each_other() -> None:
    found = ranking({"best": record(7_000, 10_000), "second": record(6_900, 10_000), "third": record(5_000, 10_000)})

    assert found.leader is None
    assert found.standings["third"] == Standing("trails", 0)


def test_voters_who_differ_make_a_lead_uncertain() -> None:
    fans = Groups([125] * 16, [120, 50] * 8)
    split = replace(record(1_360, 2_000), recent=Sample(fans, Groups([125] * 16, [85] * 16)))

    found = ranking({"split": split, "other": record(1_200, 2_000)})

    assert found.leader is None
    assert ranking({"split": record(1_360, 2_000), "other": record(1_200, 2_000)}).leader == "split"


def fell_to(upvotes: int) -> Record:
    """A model with 80 % of 6,000 votes, and so many upvotes of 1,000 in the last days."""
    recent = even(4_800 + upvotes, 7_000)
    return Record(recent, even(upvotes, 1_000), even(4_800, 6_000), 500, 300, 1.0)


def test_a_leader_that_falls_behind_leads_no_more() -> None:
    steady = record(4_200, 7_000)

    found = ranking({"fallen": fell_to(500), "steady": steady})

    assert (found.leader, found.fallen) == (None, "fallen")
    assert set(found.standings.values()) == {OPEN}
    assert ranking({"fallen": fell_to(650), "steady": steady}).leader == "fallen"


def test_a_few_bad_days_are_not_a_fall() -> None:
    unlucky = Record(even(4_850, 7_000), even(28, 50), even(4_822, 6_950), 500, 300, 1.0)

    assert ranking({"unlucky": unlucky, "steady": record(4_200, 7_000)}).leader == "unlucky"


def test_without_days_before_nothing_has_fallen() -> None:
    new = replace(record(1_600, 2_000), before=NOTHING, lately=even(1_600, 2_000))

    assert ranking({"new": new, "other": replace(record(600, 2_000), before=NOTHING)}).leader == "new"


@pytest.mark.parametrize(
    ("best", "other"), [((800, 1_000), (600, 1_000)), ((900, 1_000), (300, 400)), ((5_000, 9_000), (100, 300))]
)
def test_decisive_votes_are_the_fewest_that_change_the_leader(best: tuple[int, int], other: tuple[int, int]) -> None:
    (upvotes, votes), (its_upvotes, its_votes) = best, other

    found = ranking({"best": record(*best), "other": record(*other)})

    assert found.leader == "best"
    assert found.decisive_votes is not None

    def changes(number: int) -> bool:
        fewer = (upvotes - number) / votes < its_upvotes / its_votes
        return fewer or upvotes / votes < (its_upvotes + number) / its_votes

    assert changes(found.decisive_votes)
    assert not changes(found.decisive_votes - 1)


def test_votes_needed_settle_a_difference_that_is_smaller_than_it_appears() -> None:
    one, other = record(690, 1_000, room=30), record(630, 1_000, room=30)

    needed = ranking({"one": one, "other": other}).standings["other"].votes_needed

    assert needed is not None
    lead = estimate((1, one.recent), (-1, other.recent))
    cautious = lead.value - lead.reach(1.0)
    after = lead.scaled(1_000 / (1_000 + needed))
    short = lead.scaled(1_000 / (1_000 + needed - 1))
    alpha = 0.03
    assert is_settled(replace(after, value=cautious), alpha)
    assert not is_settled(replace(short, value=cautious), alpha)


def test_votes_needed_of_the_first_are_those_of_the_hardest_rival() -> None:
    models = {
        "best": record(690, 1_000, room=30), "near": record(630, 1_000, room=30), "far": record(500, 1_000, room=30)
    }  # fmt: skip

    found = ranking(models).standings

    assert found["far"] == Standing("trails", 0)
    assert found["best"].votes_needed is not None
    assert found["near"].votes_needed is not None
    assert 0 < found["best"].votes_needed <= found["near"].votes_needed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record(680, 1_000, room=30), record(640, 1_000, room=30)),  # hardly a difference
        (record(690, 1_000, room=1), record(630, 1_000, room=1)),  # the period holds no more votes
        (record(690, 1_000, room=30), record(630, 1_000, room=1.1)),  # not on the other
    ],
)
def test_no_number_of_votes_is_said_where_it_would_often_be_wrong(one: Record, other: Record) -> None:
    assert set(ranking({"one": one, "other": other}).standings.values()) == {OPEN}
