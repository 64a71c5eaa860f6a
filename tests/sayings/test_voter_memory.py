"""What a process remembers of voters, within its bounds."""

import pytest

from service.domain import FeedbackType, saying_id
from service.limits import Limits
from service.sayings.voter_memory import VoterMemory
from service.sayings.wish import short_id

UP, DOWN = FeedbackType.POSITIVE, FeedbackType.NEGATIVE
IDS = [saying_id(f"saying {number}") for number in range(30)]


@pytest.fixture
def memory() -> VoterMemory:
    return VoterMemory(Limits(remembered_voters=3, remembered_sayings=10))


def test_a_voter_has_seen_what_was_shown_to_them_and_to_nobody_else(memory: VoterMemory) -> None:
    for saying in IDS[:3]:
        memory.of("ann").show(saying)

    assert memory.of("ann").seen == {short_id(saying) for saying in IDS[:3]}
    assert memory.of("bob").seen == set()


def test_the_first_eight_digits_of_an_id_are_its_short_id() -> None:
    assert short_id(IDS[0]) == short_id(IDS[0][:8]) == int(IDS[0], 16) >> 96


def test_a_vote_is_remembered_until_it_is_changed_or_taken_back(memory: VoterMemory) -> None:
    ann, found = memory.of("ann"), []

    for opinion in (UP, DOWN, None):
        ann.vote(IDS[0], opinion)
        found.append(ann.opinion(IDS[0]))

    assert found == [UP, DOWN, None]
    assert ann.opinion(IDS[1]) is None


def test_of_many_sayings_and_votes_the_newest_are_remembered(memory: VoterMemory) -> None:
    ann = memory.of("ann")

    for saying in IDS:
        ann.show(saying)
        ann.vote(saying, UP)

    assert 5 <= len(ann.seen) <= 10
    assert {short_id(saying) for saying in IDS[-5:]} <= ann.seen
    assert (ann.opinion(IDS[-1]), ann.opinion(IDS[0])) == (UP, None)


def test_of_many_voters_those_that_were_here_last_are_remembered(memory: VoterMemory) -> None:
    for voter in ("ann", "bob", "cid"):
        memory.of(voter).show(IDS[0])

    memory.of("ann")
    memory.of("dan")

    assert len(memory) == 3
    assert [bool(memory.of(voter).seen) for voter in ("ann", "cid", "bob")] == [True, True, False]


def test_a_voter_who_is_forgotten_is_a_new_one(memory: VoterMemory) -> None:
    memory.of("ann").show(IDS[0])

    for _ in range(2):
        memory.forget("ann")

    assert memory.of("ann").seen == set()
