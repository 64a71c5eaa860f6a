"""The plan comes from the seed alone."""

from tests.chaos.plan import FAULT_SHARE, Blow, Kind, draw

MISBEHAVED = {Kind.BAD_INPUT, Kind.LEAVE_VOTE, Kind.LEAVE_STREAM, Kind.DRIP, Kind.HALF_HEAD, Kind.FLOOD}


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert draw(1, 60, 40) == draw(1, 60, 40)
    assert draw(1, 60, 40).stormy != draw(2, 60, 40).stormy


def test_every_blow_falls_while_processes_may_be_killed_and_none_is_killed_later() -> None:
    plan = draw(3, 120, 40)

    assert {outage.blow for outage in plan.stormy.outages} == set(Blow)
    assert plan.warming.outages == ()
    assert {outage.blow for outage in plan.steady.outages} == {Blow.FREEZE}


def test_a_fifth_of_the_visitors_misbehave_and_for_a_fifth_of_the_time_the_store_is_locked() -> None:
    part = draw(4, 3_600, 10).stormy

    misbehaved = sum(act.kind in MISBEHAVED for act in part.acts) / len(part.acts)
    locked = sum(spell.seconds for spell in part.spells) / part.seconds

    assert abs(misbehaved - FAULT_SHARE) < 0.02
    assert abs(locked - FAULT_SHARE) < 0.02
    assert {act.kind for act in part.acts} == set(Kind)
