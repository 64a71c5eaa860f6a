"""The verdict names leaders and trailers, or a result too close to call and the votes that would settle it."""

import pytest

from service.statistics.intervals import MIN_VOTES, wilson
from service.statistics.verdicts import Poll, Standing, standings, votes_needed


def test_models_that_are_apart_lead_and_trail_with_nothing_left_open() -> None:
    found = standings({"good": Poll(800, 1_000), "bad": Poll(300, 1_000), "middling": Poll(550, 1_000)})

    assert found == {"good": Standing("leads", 0), "bad": Standing("trails", 0), "middling": Standing("trails", 0)}


def test_models_that_overlap_are_too_close_to_call() -> None:
    found = standings({"one": Poll(600, 1_000), "other": Poll(570, 1_000), "last": Poll(200, 1_000)})

    assert found["one"] == found["other"]
    assert found["one"].verdict == "too close to call"
    assert found["last"] == Standing("trails", 0)


@pytest.mark.parametrize(
    ("leader", "rival"), [(Poll(600, 1_000), Poll(570, 1_000)), (Poll(80, 130), Poll(5_000, 9_000))]
)
def test_votes_needed_is_the_fewest_that_separate_the_intervals(leader: Poll, rival: Poll) -> None:
    needed = votes_needed(leader, rival)

    assert needed
    assert wilson(leader.share, leader.votes + needed)[0] > wilson(rival.share, rival.votes + needed)[1]
    assert wilson(leader.share, leader.votes + needed - 1)[0] <= wilson(rival.share, rival.votes + needed - 1)[1]


@pytest.mark.parametrize("other", [Poll(6_000, 10_000), Poll(59_999, 100_000)])
def test_beyond_a_million_votes_needed_no_number_is_given(other: Poll) -> None:
    found = standings({"one": Poll(600, 1_000), "other": other})

    assert set(found.values()) == {Standing("too close to call", None)}


def test_too_few_votes_give_no_verdict_and_block_no_other() -> None:
    found = standings({"new": Poll(20, 20), "none": Poll(0, 0), "good": Poll(800, 1_000), "bad": Poll(300, 1_000)})

    assert found["new"] == Standing("too few votes", MIN_VOTES - 20)
    assert found["none"] == Standing("too few votes", MIN_VOTES)
    assert found["good"] == Standing("leads", 0)


def test_a_leader_leads_only_where_all_others_trail() -> None:
    wide, near = Poll(70, 120), Poll(5_900, 10_000)

    found = standings({"leader": Poll(6_400, 10_000), "runner-up": near, "unsure": wide})

    assert found["runner-up"] == Standing("trails", 0)
    assert found["leader"] == found["unsure"] == Standing("too close to call", votes_needed(Poll(6_400, 10_000), wide))


def test_the_only_model_with_enough_votes_has_no_verdict() -> None:
    assert standings({"one": Poll(600, 1_000), "other": Poll(5, 20)})["one"] == Standing("too few votes", 100)
    assert standings({"one": Poll(600, 1_000)}) == {"one": Standing("too few votes", None)}
    assert standings({}) == {}
