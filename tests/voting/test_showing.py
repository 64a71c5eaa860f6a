"""What a voter is shown with a saying: new ones first, the author as the lot falls, a token, and an earlier vote."""

from typing import Any

import pytest

from service.domain import Attribution, FeedbackType, Origin, Saying
from service.errors import InvalidRequest
from service.limits import DAY_SECONDS
from service.sayings.flow import Served
from service.sayings.voter_memory import VoterMemory
from service.sayings.wish import ANYTHING, Wish, short_id
from service.voting.day_secrets import DaySecrets
from service.voting.showing import Showing, Shown
from service.voting.tokens import VoteTokens
from telemetry.events import SILENCE
from tests.fakes import FakeStore
from tests.support import TOPICS, Clock, model_saying

SAYINGS = [model_saying(f"saying {number}") for number in range(40)]
ANN = "a" * 32


class Stage:
    """A showing of the sayings in their order, which remembers what was wished for."""

    def __init__(self, *, origin: Origin = Origin.CACHE) -> None:
        self.clock = Clock(20_000 * DAY_SECONDS + 60)
        self.secrets = DaySecrets(FakeStore().as_store(), SILENCE, clock=self.clock)
        self.tokens = VoteTokens(self.secrets, clock=self.clock)
        self.memory = VoterMemory()
        self.showing = Showing(self.memory, self.tokens, TOPICS)
        self.origin = origin
        self.left = list(SAYINGS)
        self.wishes: list[Wish] = []

    async def shown(self, count: int, voter: str | None = ANN, *, by_lot: bool = False, **asked: Any) -> list[Shown]:
        await self.secrets.refresh()
        return [self.show(voter, by_lot=by_lot, **asked) for _ in range(count)]

    def show(self, voter: str | None = ANN, *, by_lot: bool = False, **asked: Any) -> Shown:
        self.wishes.append(self.showing.wish(voter, **asked))
        return self.showing.show(Served(self.left.pop(0), self.origin, 1), voter, by_lot=by_lot)

    async def proven(self, shown: Shown) -> Attribution | None:
        return await self.tokens.read(shown.token or "", shown.served.saying.saying_id, ANN)


def shorts(*sayings: Saying) -> set[int]:
    return {short_id(saying.saying_id) for saying in sayings}


async def test_a_lot_decides_and_the_token_says_how_it_fell() -> None:
    stage = Stage()

    shown = await stage.shown(40, by_lot=True)

    assert 8 < sum(each.is_blind for each in shown) < 32
    assert {(each.is_blind, await stage.proven(each)) for each in shown} == {
        (True, Attribution.BLIND),
        (False, Attribution.NAMED),
    }


async def test_without_a_lot_the_author_is_shown_and_the_token_says_so() -> None:
    stage = Stage()

    shown = await stage.shown(40)

    assert {(each.is_blind, await stage.proven(each)) for each in shown} == {(False, Attribution.OPEN)}


async def test_a_saying_that_was_written_just_now_is_never_blind() -> None:
    stage = Stage(origin=Origin.LIVE)

    shown = await stage.shown(40, by_lot=True)

    assert {(each.is_blind, await stage.proven(each)) for each in shown} == {(False, Attribution.OPEN)}


async def test_an_unknown_client_gets_no_token_and_is_not_remembered() -> None:
    stage = Stage()

    [shown] = await stage.shown(1, voter=None)

    assert (shown.token, shown.is_blind, len(stage.memory)) == (None, False, 0)
    assert stage.wishes == [ANYTHING]


async def test_while_the_secret_is_missing_the_author_is_shown() -> None:
    stage = Stage()

    shown = [stage.show(by_lot=True) for _ in range(20)]

    assert {(each.token, each.is_blind) for each in shown} == {(None, False)}


async def test_what_a_voter_has_been_shown_or_names_is_to_come_last() -> None:
    stage = Stage()

    await stage.shown(2)
    await stage.shown(1, after=f"{SAYINGS[8].saying_id},{SAYINGS[9].saying_id[:8]}")
    await stage.shown(1, voter=None, after=SAYINGS[9].saying_id)

    assert [wish.seen for wish in stage.wishes] == [
        set(),
        shorts(SAYINGS[0]),
        shorts(*SAYINGS[:2], *SAYINGS[8:10]),
        shorts(SAYINGS[9]),
    ]


async def test_a_vote_is_remembered_and_ends_the_secret_of_its_author() -> None:
    stage = Stage()
    shown = await stage.shown(40, by_lot=True)
    blind = next(each.served.saying for each in shown if each.is_blind)
    stage.memory.of(ANN).vote(blind.saying_id, FeedbackType.NEGATIVE)

    stage.left = [blind]
    [again] = await stage.shown(1, by_lot=True)

    assert (again.opinion, again.is_blind) == (FeedbackType.NEGATIVE, False)


async def test_a_saying_that_comes_again_is_shown_as_the_first_time() -> None:
    stage = Stage()
    first = await stage.shown(40, by_lot=True)

    stage.left = list(SAYINGS)
    again = await stage.shown(40, by_lot=True)

    assert [each.is_blind for each in again] == [each.is_blind for each in first]


async def test_a_service_is_passed_on_if_there_is_one_of_that_name() -> None:
    stage = Stage()

    await stage.shown(1, service="Amazon S3")

    assert stage.wishes[0].service == "Amazon S3"
    with pytest.raises(InvalidRequest):
        await stage.shown(1, service="Amazon S4")
