"""The server does what the model does, whatever people do in whatever order, also across restarts."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.config import Settings
from service.domain import Ballot, FeedbackType, Saying, Vote, VoteResult, burst_of
from service.resources import Resources, open_resources
from service.server.app import listening
from service.simulator import Simulator
from telemetry.events import RequestServed, Unexpected
from tests.http.wire import Answer
from tests.stateful.conftest import RunMachine
from tests.stateful.model import Key, Model, kept_by
from tests.store.builders import collected, generated
from tests.support import RecordingListener

pytestmark = pytest.mark.slow

T = TypeVar("T")

LIMIT = 2
KNOWN, UNKNOWN = [collected("by hand"), generated("made up", simulated=True)], collected("never stored")
SAYINGS = st.sampled_from([*KNOWN, UNKNOWN])
VOTERS = st.sampled_from([name * 8 for name in ("anna", "bert", "cleo")])
ADDRESSES = st.sampled_from(("203.0.113.7", "198.51.100.9"))
WINNERS = st.sampled_from(("A", "B", "tie", "none"))


class ServerMachine(RuleBasedStateMachine):
    """One server after another on the same file; in the model a burst is an address, and no time passes."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._runner = asyncio.Runner()
        self._around, self._server = AsyncExitStack(), AsyncExitStack()
        self._model = Model()
        self._told = RecordingListener()
        self._unflushed = Counter[str]()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    @initialize()
    def start(self) -> None:
        self._do(self._start())

    async def _start(self) -> None:
        self._simulator = await self._around.enter_async_context(Simulator(seed=1, speed=0).serve())
        self._client = await self._around.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        await self._open()
        self._model.put_sayings(KNOWN)
        await self._resources.store.put_sayings(KNOWN)

    async def _open(self) -> None:
        chosen = Settings(
            port=0, store=f"sqlite:///{self._file}", simulator=self._simulator, burst_votes=LIMIT, trusted_proxies=1,
            vote_rate="off", compare_rate="off", hourly_cap_usd=1e6, daily_cap_usd=1e6,
        )  # fmt: skip
        self._resources: Resources = await self._server.enter_async_context(open_resources(chosen, {}, self._told))
        self._url = await self._server.enter_async_context(listening(self._resources))

    def _ask(self, method: str, path: str, voter: str = "", address: str = "", **body: object) -> Answer:
        return self._do(self._answer(method, path, voter, address, body))

    async def _answer(self, method: str, path: str, voter: str, address: str, body: dict[str, object]) -> Answer:
        headers = {"Cookie": f"sayings_voter={voter}", "X-Forwarded-For": address, "Accept": "application/json"}
        async with self._client.request(method, self._url + path, json=body, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    @rule(saying=SAYINGS, voter=VOTERS, feedback=st.sampled_from(FeedbackType), address=ADDRESSES)
    def vote(self, saying: Saying, voter: str, feedback: FeedbackType, address: str) -> None:
        opinion = {"sayingId": saying.saying_id, "source": saying.source, "feedbackType": feedback}

        answer = self._ask("POST", "/feedback", voter, address, **opinion)

        assert _result(answer) == self._model.vote(Vote(saying.saying_id, voter, feedback, 0, address))

    @rule(saying=SAYINGS, voter=VOTERS)
    def withdraw(self, saying: Saying, voter: str) -> None:
        answer = self._ask("DELETE", f"/feedback/{saying.saying_id}", voter)

        assert _result(answer) == self._model.withdraw(saying.saying_id, voter)

    @rule()
    def read(self) -> None:
        answer = self._ask("GET", "/sayings").json

        contributor = f"{answer['model']} (simulated)" if answer["source"].endswith("(simulated)") else "collection"
        self._unflushed[contributor] += 1

    @rule(voter=VOTERS)
    def compare(self, voter: str) -> None:
        answer = self._ask("POST", "/compare", voter).json

        found = self._do(self._resources.store.get_comparison(answer["comparisonId"], voter))
        assert found is not None
        self._model.show(found[0], Ballot(answer["comparisonId"], voter, 0))

    @rule(number=st.integers(0, 2), voter=VOTERS, winner=WINNERS, address=ADDRESSES)
    def choose(self, number: int, voter: str, winner: str, address: str) -> None:
        identity = dict(enumerate(self._model.comparisons)).get(number, "0" * 32)

        answer = self._ask("POST", f"/compare/{identity}/vote", voter, address, winner=winner)

        status = self._model.cast(Ballot(identity, voter, 0, winner, 0, address))
        refusal = 409 if identity in self._model.comparisons else 404
        assert (answer.status, answer.json.get("status")) == ((200, status) if status else (refusal, None))

    @rule()
    def flush_serves(self) -> None:
        self._do(self._resources.serves.flush())
        self._count_served()

    @rule()
    def restart(self) -> None:
        self._do(self._server.aclose())
        self._count_served()
        self._do(self._open())

    def _count_served(self) -> None:
        self._model.serves.update({("", contributor): served for contributor, served in self._unflushed.items()})
        self._unflushed.clear()

    @invariant()
    def what_was_answered_is_kept_and_all_is_counted_right(self) -> None:
        kept = self._do(kept_by(self._resources.store))

        assert _opinions(kept.model) == _opinions(self._model)
        assert all(_is_from(address, burst) for address, burst in _addresses(self._model, kept.model))
        assert _serves(kept.model) == _serves(self._model)
        kept.assert_counted_right(LIMIT)

    @invariant()
    def nobody_met_a_defect(self) -> None:
        assert not self._told.of(Unexpected)
        assert all(event.status < 500 for event in self._told.of(RequestServed))

    def teardown(self) -> None:
        self._do(self._server.aclose())
        self._do(self._around.aclose())
        self._runner.close()


def _result(answer: Answer) -> VoteResult | None:
    """What a vote did; None when its saying is unknown."""
    if answer.status == 404:
        return None
    return VoteResult(answer.json["status"], answer.json["upvotes"], answer.json["downvotes"])


def _opinions(model: Model) -> dict[Key, str | None]:
    """What everybody thinks, of sayings and of comparisons."""
    of_sayings = {key: one.vote.feedback_type for key, one in model.votes.items()}
    return of_sayings | {key: ballot.winner for key, ballot in model.ballots.items()}


def _addresses(model: Model, kept: Model) -> Iterator[tuple[str, str]]:
    """Where each vote and ballot came from, and what is kept of that."""
    yield from ((model.votes[key].vote.burst, one.vote.burst) for key, one in kept.votes.items())
    yield from ((model.ballots[key].burst, ballot.burst) for key, ballot in kept.ballots.items())


def _is_from(address: str, burst: str) -> bool:
    hour, _, _ = burst.partition("/")
    return burst == (burst_of(address, datetime.fromisoformat(f"{hour}:00+00:00").timestamp()) if hour else address)


def _serves(model: Model) -> Counter[str]:
    """By contributor, of all hours."""
    served = Counter[str]()
    for (_, contributor), number in model.serves.items():
        served[contributor] += number
    return served


def test_the_server_answers_and_keeps_as_the_model_does(run_machine: RunMachine, tmp_path: Path) -> None:
    files = (tmp_path / f"{number}.db" for number in count())

    run_machine(lambda: ServerMachine(next(files)), 12, 25)
