"""Comparisons over the wire: the real server and SDKs, the simulator for the models, SQLite for what is kept."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anthropic  # noqa: F401 - imported beforehand: it takes seconds
import openai  # noqa: F401
import pytest
from multidict import CIMultiDict

from service.catalogue.models import NANOS_PER_DOLLAR, Model
from service.domain import saying_id
from service.limits import DAY_SECONDS
from service.llm.adapter import Completion
from service.llm.billing import spend_window
from service.llm.openai import OpenAiAdapter
from service.server.app import listening
from service.simulator import Fault, FaultKind, Simulator
from service.statistics.report import report
from service.statistics.schemas import StatsAnswer
from service.store.base import StoredBallot
from service.store.sqlite import SqliteStore
from service.voting import comparisons
from service.voting.networks import VoterNetworks
from telemetry.events import BallotTaken, ComparisonFinished, ModelCalled, RequestServed, Unexpected
from tests.http.conftest import Server
from tests.http.wire import PATIENCE_SECONDS, Answer, connected, read_answer, request, until_told
from tests.support import NAMES, with_timeouts

pytestmark = pytest.mark.slow

JSON = {"Accept": "application/json"}
VOTER = {"Cookie": f"sayings_voter={'v' * 32}"}
OTHER = {"Cookie": f"sayings_voter={'w' * 32}"}
HAIKU, SONNET, GPT, MINI = NAMES
HIDDEN = ("claude", "haiku", "sonnet", "gpt", "anthropic", "openai", "latency", "cost", "tokens", "source", "model")


async def compare(server: Server, **headers: str) -> Answer:
    """A comparison as one JSON document, for `VOTER` unless `headers` name another."""
    return await server.ask("POST", "/compare", json={"service": "Amazon S3"}, headers=JSON | VOTER | headers)


async def vote(server: Server, compared: Answer, winner: str, **headers: str) -> Answer:
    path = f"/compare/{compared.json['comparisonId']}/vote"
    return await server.ask("POST", path, json={"winner": winner}, headers=VOTER | headers)


def events_in(body: bytes) -> list[tuple[str, Any]]:
    """The stream's events, which must be made of nothing else."""
    assert re.fullmatch(rb"(event: [a-z]+\ndata: [^\n]+\n\n)*", body)
    return [(name.decode(), json.loads(data)) for name, data in re.findall(rb"event: (.+)\ndata: (.+)\n", body)]


async def ballots(server: Server) -> list[StoredBallot]:
    return [ballot async for ballot in server.resources.store.all_ballots()]


def overdrawn(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reservation fail from now on, as over the budget."""
    budget = server.resources.gateway._budget
    monkeypatch.setattr(budget, "_caps", type(budget._caps)(day=0, hour=0))


# --- the stream -------------------------------------------------------------------------------------------------------


async def test_a_comparison_streams_all_slots_at_once(server: Server) -> None:
    answer = await server.ask("POST", "/compare", json={"service": "Amazon S3"})

    (first, started), *progress, (shown, slots), (last, done) = events_in(answer.body)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert answer.headers["Set-Cookie"].startswith("sayings_voter=")
    assert (first, {name for name, _ in progress}, shown, last) == ("comparison", {"progress"}, "slots", "done")
    identity = started["comparisonId"]
    assert started == {"comparisonId": identity, "service": "Amazon S3", "replayed": False, "reason": None}
    assert (progress[0][1], progress[-1][1]) == ({"landed": 0, "of": 4}, {"landed": 4, "of": 4})
    assert [slot["slot"] for slot in slots["slots"]] == list("ABCD")
    assert all(list(slot) == ["slot", "saying", "error"] and slot["saying"] for slot in slots["slots"])
    assert done == {"comparisonId": identity, "votable": True}


async def test_a_comparison_is_one_request_with_four_calls(server: Server) -> None:
    await server.ask("POST", "/compare", json={})

    [served], [finished] = server.events.of(RequestServed), server.events.of(ComparisonFinished)
    assert (served.operation, served.status, served.error_code, served.route) == ("postCompare", 200, "", "/compare")
    assert served.total_ms >= finished.total_ms
    assert {call.model for call in server.events.of(ModelCalled)} == set(NAMES)
    assert {call.kind for call in server.events.of(ModelCalled)} == {"compare"}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/event-stream"),
        ("*/*", "text/event-stream"),
        ("text/event-stream", "text/event-stream"),
        ("Text/Event-Stream, application/json", "text/event-stream"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
    ],
)
async def test_the_client_chooses_its_form(server: Server, accept: str | None, content_type: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    skipped = ["Accept"] if accept is None else []

    async with server.client.post(
        f"{server.url}/compare", json={}, headers=headers, skip_auto_headers=skipped
    ) as answer:
        assert answer.headers["Content-Type"] == content_type
        await answer.read()


async def test_one_connection_carries_a_stream_and_what_comes_after_it(server: Server) -> None:
    asked = request("POST", "/compare", b"{}", Content_Type="application/json")
    async with connected(server.port) as (reader, writer):
        writer.write(asked + request("GET", "/health/live"))

        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
        after = await read_answer(reader)

    assert b"Transfer-Encoding: chunked" in head
    assert body.count(b"event: slots") == body.count(b"event: done") == 1
    assert after.status == 200


@asynccontextmanager
async def streamed(server: Server, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of a comparison as they come; the client goes away at the end of the block."""
    connection = aiohttp.TCPConnector(force_close=True)
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        aiohttp.ClientSession(connector=connection) as client,
        client.post(f"{server.url}/compare", json={"service": "Amazon S3"}, headers=VOTER | headers) as answer,
    ):
        assert answer.status == 200
        yield _events_of(answer)


async def _events_of(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    while event := await answer.content.readuntil(b"\n\n"):
        [told] = events_in(event)
        yield told


# --- votes ------------------------------------------------------------------------------------------------------------


async def test_a_vote_reveals_everything(server: Server) -> None:
    compared = await compare(server)

    voted = await vote(server, compared, "B")

    [stored] = await ballots(server)
    entries = {entry.slot: entry for entry in stored.comparison.entries}
    assert compared.json == {
        "comparisonId": stored.comparison.comparison_id,
        "service": "Amazon S3",
        "replayed": False,
        "reason": None,
        "votable": True,
        "slots": [{"slot": slot, "saying": entry.saying, "error": None} for slot, entry in entries.items()],
    }
    assert voted.json == {
        "comparisonId": stored.comparison.comparison_id,
        "winner": "B",
        "status": "recorded",
        "slots": [
            {
                "slot": slot,
                "model": entry.model,
                "source": f"Generated by {NAMES[entry.model]} (simulated)",
                "saying": entry.saying,
                "apiLatency": entry.latency_ms,
                "tokensUsed": {
                    "input": entry.generation.usage.input_tokens, "output": entry.generation.usage.output_tokens,
                },
                "cost": pytest.approx((entry.generation.cost_nanos or 0) / NANOS_PER_DOLLAR),
                "error": None,
            }
            for slot, entry in entries.items()
            if entry.generation
        ],
    }  # fmt: skip
    assert {entry.model for entry in entries.values()} == set(NAMES)


async def test_the_first_vote_counts_and_a_later_one_moves_nothing(server: Server) -> None:
    compared = await compare(server)

    votes = [(await vote(server, compared, winner)).json for winner in ("B", "B", "tie", "none", "D")]

    assert [voted["status"] for voted in votes] == ["recorded", "unchanged", *["after_reveal"] * 3]
    assert {voted["winner"] for voted in votes} == {"B"}
    [stored] = await ballots(server)
    assert (stored.ballot.voter, stored.ballot.winner, stored.ballot.later) == ("v" * 32, "B", "D")
    assert [event.outcome for event in server.events.of(BallotTaken)] == ["winner", "winner", "tie", "none", "winner"]
    outcomes = (await server.resources.store.aggregates(since_hour="")).outcomes
    assert sum(sum(tally.counted.values()) for tally in outcomes.values()) == 1


async def test_a_new_voter_may_vote_with_the_cookie_of_the_comparison(server: Server) -> None:
    compared = await server.ask("POST", "/compare", json={}, headers=JSON)

    voted = await vote(server, compared, "A", Cookie=compared.headers["Set-Cookie"].partition(";")[0])

    assert voted.status == 200
    assert "Set-Cookie" not in voted.headers


async def test_a_client_cannot_vote_on_a_comparison_of_others(server: Server) -> None:
    voted = await vote(server, await compare(server), "A", **OTHER)

    assert voted.error == (409, "comparison_not_shown")
    assert not [word for word in NAMES if word in voted.body.decode()]


async def test_votes_without_a_cookie_are_unverified_count_for_nothing_and_reveal_nothing(server: Server) -> None:
    compared = await compare(server)

    votes = [await vote(server, compared, winner, Cookie="") for winner in ("A", "A", "tie")]

    assert [(voted.json["status"], voted.json["winner"]) for voted in votes] == [
        ("unverified", "A"), ("unverified", "A"), ("unverified", "tie"),
    ]  # fmt: skip
    assert not [word for word in NAMES if word in votes[0].body.decode()]
    assert not any("Set-Cookie" in voted.headers for voted in votes)
    [shown] = await ballots(server)
    assert (shown.ballot.voter, shown.ballot.winner) == ("v" * 32, None)
    assert not (await server.resources.store.aggregates(since_hour="")).outcomes


class TestBehindAProxy:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"trusted_proxies": 1}

    async def test_votes_are_counted_by_the_address_that_the_proxy_reports(self, server: Server) -> None:
        forged, told = ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "6.6.6.6, 2001:db8:1:2::7")
        identity = (await compare(server)).json["comparisonId"]
        headers = CIMultiDict([*VOTER.items(), forged, told])

        await server.ask("POST", f"/compare/{identity}/vote", json={"winner": "A"}, headers=headers)
        await server.ask("POST", "/feedback", json=await server.known(), headers=headers)

        [stored] = await ballots(server)
        [voted] = [each async for each in server.resources.store.all_votes()]
        assert stored.ballot.network == await network(server, "2001:db8:1:2::/64", stored.ballot.cast_at or 0)
        assert voted.network == await network(server, "2001:db8:1:2::/64", voted.cast_at)


async def test_without_a_proxy_votes_are_counted_by_the_peers_address(server: Server) -> None:
    await server.post_vote(await server.known(), X_Forwarded_For="6.6.6.6")

    [voted] = [each async for each in server.resources.store.all_votes()]
    assert voted.network == await network(server, "127.0.0.1", voted.cast_at)


async def network(server: Server, address: str, moment: float) -> str:
    """The name under which votes from the address are counted on the day of that moment."""
    return (await VoterNetworks(server.resources.secrets).on(address, moment))[0].name


# --- what must not tell the authors before the vote -------------------------------------------------------------------

SOURCES = [f"Generated by {name} (simulated)" for name in NAMES.values()]
NOT_FOUND = (404, "saying_not_found")


async def test_no_answer_tells_who_wrote_a_saying_of_an_open_comparison(server: Server) -> None:
    compared = await compare(server)
    texts = [slot["saying"] for slot in compared.json["slots"]]

    guesses = [
        await server.ask("POST", "/feedback", json={"saying": text, "source": source, "feedbackType": "POSITIVE"})
        for text in texts
        for source in SOURCES
    ]
    reports = [await server.ask("POST", f"/sayings/{saying_id(text)}/report", json={}) for text in texts]
    withdrawals = [await server.ask("DELETE", f"/feedback/{saying_id(text)}") for text in texts]

    assert [answer.error for answer in guesses] == [NOT_FOUND] * 16
    assert [answer.error for answer in reports + withdrawals] == [NOT_FOUND] * 8
    assert {without_request_id(answer) for answer in guesses} == {without_request_id(guesses[0])}
    assert {names_of_headers(answer) for answer in guesses} == {names_of_headers(guesses[0])}
    assert not server.resources.pool.ids & {saying_id(text) for text in texts}


def without_request_id(answer: Answer) -> bytes:
    return re.sub(rb'"requestId":"[0-9a-f]{32}"', b"", answer.body)


def names_of_headers(answer: Answer) -> tuple[str, ...]:
    return tuple(answer.headers)


async def test_the_first_vote_makes_the_sayings_known_to_all(server: Server) -> None:
    compared = await compare(server)

    revealed = (await vote(server, compared, "tie")).json["slots"]
    await server.resources.comparison_votes.close()

    for slot in revealed:
        claim = {"saying": slot["saying"], "feedbackType": "POSITIVE"}
        answers = [await server.ask("POST", "/feedback", json=claim | {"source": source}) for source in SOURCES]
        assert [answer.status for answer in answers] == [200 if source == slot["source"] else 409 for source in SOURCES]


async def test_a_text_whose_author_can_be_looked_up_is_not_compared(server: Server, simulator: Simulator) -> None:
    first = await compare(server)
    await vote(server, first, "A")
    await server.resources.comparison_votes.close()
    simulator.inject(GPT, Fault(FaultKind.TEXT_DUPLICATES, count=None))
    repeated = await compare(server, **OTHER)
    await vote(server, repeated, "none", **OTHER)
    await server.resources.comparison_votes.close()

    again = await compare(server)

    [stored] = [each.comparison for each in await ballots(server) if each.comparison.comparison_id == identity(again)]
    errors = {entry.model: entry.error for entry in stored.entries}
    assert errors == dict.fromkeys(NAMES) | {GPT: "duplicate"}
    assert [slot["error"] for slot in again.json["slots"] if slot["saying"] is None] == ["unusable"]


def identity(compared: Answer) -> str:
    return str(compared.json["comparisonId"])


async def test_nothing_but_the_texts_differs_with_the_authors(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        monkeypatch.setattr(comparisons, "_random", Drawn(order))
        streams.append(await server.ask("POST", "/compare", json={"service": "Amazon S3"}, headers=VOTER))

    stored = {each.comparison.comparison_id: each.comparison for each in await ballots(server)}
    assert len({tuple(entry.model for entry in comparison.entries) for comparison in stored.values()}) == 3
    assert len({names_of_headers(answer) for answer in streams}) == 1
    assert len({masked(answer.body) for answer in streams}) == 1
    everything = b"".join(masked(answer.body) for answer in streams).decode()
    assert not [word for word in HIDDEN if word in everything.lower()]


def masked(stream: bytes) -> bytes:
    """The bytes of a stream without texts and ids, and without its progress, which comes in one event or in several."""
    names = {tuple(data) for name, data in events_in(stream) if name == "progress"}
    assert names == {("landed", "of")}
    without_texts = re.sub(rb'"(saying|comparisonId)":"[^"]*"', rb'"\1":""', stream)
    return re.sub(rb"event: progress\ndata: [^\n]+\n\n", b"", without_texts)


class Drawn:
    """Draws in a given order."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = order

    def sample(self, population: Sequence[Any], k: int) -> list[Any]:
        return [population[position] for position in self._order[:k]]


async def test_no_answer_is_shown_before_the_last_is_there(server: Server, simulator: Simulator) -> None:
    simulator.inject(GPT, Fault(FaultKind.HANG))

    async with streamed(server) as events:
        told = [await anext(events)]
        while told[-1] != ("progress", {"landed": 3, "of": 4}):
            told.append(await anext(events))

    assert {name for name, _ in told} == {"comparison", "progress"}


async def test_the_statistics_do_not_tell_what_an_open_comparison_took(server: Server) -> None:
    now = time.time()
    before = await statistics(server, now)

    await compare(server)

    assert await statistics(server, now) == before
    later = [await statistics(server, now + days * DAY_SECONDS) for days in (1, 2)]
    assert [answer.totals.calls for answer in later] == [0, 4]


async def statistics(server: Server, now: float) -> StatsAnswer:
    """The statistics at that moment, without waiting until those that are kept have become old."""
    counts = await server.resources.store.aggregates(since_hour="")
    return report(counts, server.resources.line_up, simulated=True, now=now)


# --- a comparison again -----------------------------------------------------------------------------------------------


async def test_a_comparison_is_given_back_and_reveals_itself_after_the_vote(server: Server) -> None:
    compared = await compare(server)
    path = f"/compare/{identity(compared)}"

    before = await server.ask("GET", path, headers=VOTER)
    voted = await vote(server, compared, "B")
    await vote(server, compared, "C")
    after = await server.ask("GET", path, headers=VOTER)

    expected = {name: compared.json[name] for name in ("comparisonId", "service", "slots")}
    assert before.json == expected | {"votable": True, "vote": None, "revealed": None}
    assert after.json == expected | {"votable": False, "vote": "B", "revealed": voted.json["slots"]}
    assert after.headers["Cache-Control"] == "no-store"


async def test_a_comparison_is_shown_to_whom_it_is_sent(server: Server) -> None:
    compared = await compare(server)
    await vote(server, compared, "B")

    shown = await server.ask("GET", f"/compare/{identity(compared)}")
    cookie = shown.headers["Set-Cookie"].partition(";")[0]
    voted = await vote(server, compared, "A", Cookie=cookie)

    assert (shown.json["vote"], shown.json["revealed"], shown.json["votable"]) == (None, None, True)
    assert (voted.status, voted.json["status"]) == (200, "recorded")


@pytest.mark.parametrize(
    ("name", "error"), [("0" * 32, (404, "comparison_not_found")), ("nonsense", (400, "invalid_request"))]
)
async def test_what_is_no_comparison_is_not_given_back(server: Server, name: str, error: tuple[int, str]) -> None:
    assert (await server.ask("GET", f"/compare/{name}")).error == error


# --- failures ---------------------------------------------------------------------------------------------------------

# What is said before the vote, and after it.
WORDS = {
    FaultKind.HANG: ("timeout", "timeout"),
    FaultKind.SLOW_DRIP: ("timeout", "timeout"),
    FaultKind.RESET: ("unavailable", "connection_failed"),
    FaultKind.RATE_LIMITED: ("unavailable", "rate_limited"),
    FaultKind.SPEND_LIMIT: ("unavailable", "spend_limit"),
    FaultKind.UNAUTHORIZED: ("unavailable", "key_rejected"),
    FaultKind.NOT_FOUND: ("unavailable", "request_rejected"),
    FaultKind.OVERLOADED: ("unavailable", "overloaded"),
    FaultKind.TRUNCATED_BODY: ("unusable", "bad_response"),
    FaultKind.BAD_JSON: ("unusable", "bad_response"),
    FaultKind.EMPTY_BODY: ("unusable", "bad_response"),
    FaultKind.REFUSAL: ("unusable", "refused"),
    FaultKind.MAX_TOKENS: ("unusable", "truncated"),
    FaultKind.TEXT_SCRIPT: ("unusable", "bad_response"),
    FaultKind.TEXT_SELF_IDENTIFICATION: ("unusable", "bad_response"),
}


@with_timeouts(comparison=2.0)
@pytest.mark.parametrize("kind", WORDS)
async def test_a_slot_that_fails_says_why_and_the_others_stand(
    server: Server, simulator: Simulator, kind: FaultKind
) -> None:
    simulator.inject(GPT, Fault(kind, count=None))

    compared = await compare(server)

    [stored] = await ballots(server)
    [failed] = [entry for entry in stored.comparison.entries if entry.model == GPT]
    before, after = WORDS[kind]
    assert {"slot": failed.slot, "saying": None, "error": before} in compared.json["slots"]
    assert (compared.json["votable"], sum(bool(slot["saying"]) for slot in compared.json["slots"])) == (True, 3)
    refused = await vote(server, compared, failed.slot)
    revealed = (await vote(server, compared, "tie")).json["slots"]
    assert refused.error == (409, "slot_not_eligible")
    assert [(slot["error"], slot["apiLatency"] > 0) for slot in revealed if slot["model"] == GPT] == [(after, True)]


@with_timeouts(comparison=2.0)
async def test_a_late_answer_is_paid_and_recorded_all_the_same(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, complete = asyncio.Event(), OpenAiAdapter.complete

    async def late(adapter: OpenAiAdapter, model: Model, *asked: Any) -> Completion:
        completion = await complete(adapter, model, *asked)
        if model.id == GPT:
            await let_go.wait()
        return completion

    monkeypatch.setattr(OpenAiAdapter, "complete", late)
    compared = await compare(server)
    before = {call.generation.model async for call in server.resources.store.all_calls()}
    let_go.set()
    await server.resources.endpoints._comparisons.close()

    calls = {call.generation.model: call async for call in server.resources.store.all_calls()}
    assert [slot["error"] for slot in compared.json["slots"] if slot["saying"] is None] == ["timeout"]
    assert (before, set(calls)) == (set(NAMES) - {GPT}, set(NAMES))
    assert (calls[GPT].error_type, calls[GPT].sayings) == ("", 1)
    spent = await server.resources.store.spend(spend_window(time.time()))
    assert spent.hour == sum(call.generation.cost_nanos or 0 for call in calls.values())


@pytest.mark.parametrize("kind", [FaultKind.TEXT_CRLF, FaultKind.TEXT_BIDI, FaultKind.TEXT_ANSI, FaultKind.TEXT_NUL])
async def test_no_text_of_a_model_breaks_out_of_its_event(
    server: Server, simulator: Simulator, kind: FaultKind
) -> None:
    simulator.inject("*", Fault(kind, count=4))

    answer = await server.ask("POST", "/compare", json={})

    names = [name for name, _ in events_in(answer.body) if name != "progress"]
    assert names == ["comparison", "slots", "done"]


async def test_a_defect_in_between_is_the_streams_last_event(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(SqliteStore, "put_comparison", fail)

    stream = await server.ask("POST", "/compare", json={})
    document = await compare(server)

    *_, (last, data) = events_in(stream.body)
    assert (stream.status, last, data["error"]["code"], len(data["requestId"])) == (200, "error", "internal_error", 32)
    assert document.error == (500, "internal_error")
    assert b"inside" not in stream.body + document.body
    assert [str(event.error) for event in server.events.of(Unexpected)] == ["the inside"] * 2
    told = [(event.status, event.error_code) for event in server.events.of(RequestServed)]
    assert told == [(500, "internal_error")] * 2


# --- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [JSON, {"Accept": "text/event-stream"}], ids=["document", "stream"])
async def test_over_budget_stored_comparisons_are_replayed_while_they_last(
    server: Server, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
) -> None:
    compared = await compare(server)
    overdrawn(server, monkeypatch)

    replayed = await server.ask("POST", "/compare", json={}, headers=OTHER | form)
    voted = await vote(server, compared, "A", **OTHER)
    none_left = await server.ask("POST", "/compare", json={}, headers=OTHER | form)

    assert replayed.status == 200
    if form == JSON:
        assert replayed.json == compared.json | {"replayed": True, "reason": "budget"}
    else:
        (_, started), (_, slots), (_, done) = events_in(replayed.body)
        assert (started["replayed"], started["reason"], slots["slots"]) == (True, "budget", compared.json["slots"])
        assert done == {"comparisonId": identity(compared), "votable": True}
    assert (voted.status, len(simulator.calls)) == (200, 4)
    assert none_left.error == (503, "comparison_unavailable")
    assert int(none_left.headers["Retry-After"]) > 0


@pytest.mark.parametrize("form", [JSON, {"Accept": "text/event-stream"}], ids=["document", "stream"])
async def test_a_stored_comparison_is_shown_to_clients_that_ask_for_one(
    server: Server, simulator: Simulator, form: dict[str, str]
) -> None:
    voted_on, untouched = await compare(server), await compare(server)
    await vote(server, voted_on, "A")
    spent = await server.resources.store.spend(spend_window(time.time()))

    shown, other = [
        await server.ask("POST", "/compare", json={"from": "stored"}, headers=OTHER | form) for _ in range(2)
    ]
    none_left = await server.ask("POST", "/compare", json={"from": "stored"}, headers=OTHER | form)

    document = untouched.json | {"replayed": True, "reason": "asked"}
    if form == JSON:
        assert shown.json == document
        assert identity(other) == identity(voted_on)
    else:
        assert [data for _, data in events_in(shown.body)] == [
            {name: document[name] for name in ("comparisonId", "service", "replayed", "reason")},
            {"slots": document["slots"]},
            {"comparisonId": identity(untouched), "votable": True},
        ]
    assert none_left.error == (404, "comparison_not_found")
    assert (len(simulator.calls), await server.resources.store.spend(spend_window(time.time()))) == (8, spent)


async def test_a_stored_comparison_may_be_of_a_wanted_service(server: Server) -> None:
    await compare(server)

    found, missing = [
        await server.ask("POST", "/compare", json={"from": "stored", "service": service}, headers=OTHER | JSON)
        for service in ("Amazon S3", "AWS Lambda")
    ]

    assert (found.status, missing.error) == (200, (404, "comparison_not_found"))


@pytest.mark.parametrize("origin", ["live", "", 1, ["stored"]])
async def test_a_comparison_comes_from_the_store_or_is_new(server: Server, origin: object) -> None:
    answer = await server.ask("POST", "/compare", json={"from": origin}, headers=JSON)

    assert answer.error == (400, "invalid_request")


# --- disconnects and shutdown -----------------------------------------------------------------------------------------


async def leave_a_stream(server: Server, others_run: Awaitable[None]) -> None:
    async with streamed(server) as events:
        assert [(await anext(events))[0] for _ in range(2)] == ["comparison", "progress"]
        await others_run


async def leave_a_document(server: Server, others_run: Awaitable[None]) -> None:
    body = b'{"service": "Amazon S3"}'
    async with connected(server.port) as (_, writer):
        writer.write(request("POST", "/compare", body, Content_Type="application/json", Accept="application/json"))
        await until_told(server.events, ModelCalled)
        await others_run


@with_timeouts(comparison=3.0)
@pytest.mark.parametrize("leave", [leave_a_stream, leave_a_document])
async def test_what_has_begun_is_finished_for_others_after_a_disconnect(
    server: Server, simulator: Simulator, leave: Callable[[Server, Awaitable[None]], Awaitable[None]]
) -> None:
    simulator.inject(MINI, Fault(FaultKind.HANG))
    await leave(server, simulator.until(lambda: simulator.in_flight == 1 and len(simulator.calls) == 3))

    served = await until_told(server.events, RequestServed)
    finished = await until_told(server.events, ComparisonFinished)

    assert (served.operation, served.status, served.error_code) == ("postCompare", 499, "broken_off")
    assert (finished.answered, finished.failed, finished.abandoned) == (3, 1, True)
    costs = [event.cost_nanos or 0 for event in server.events.of(ModelCalled) if not event.error_type]
    store, gateway = server.resources.store, server.resources.gateway
    spent = (await store.spend(spend_window(time.time()))).hour
    worst = await gateway.reserve([server.resources.catalogue[MINI]], ["Amazon S3"])
    assert spent == sum(costs) + worst.take_rest().amount
    assert await store.unseen_comparison("another voter", service=None, simulated=True) is not None
    assert not server.events.of(Unexpected)


class Held:
    """Holds an operation of the store until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.arrived, self.let_go = asyncio.Event(), asyncio.Event()
        original = getattr(SqliteStore, method)

        async def hold(*arguments: Any, **options: Any) -> Any:
            self.arrived.set()
            await self.let_go.wait()
            return await original(*arguments, **options)

        monkeypatch.setattr(SqliteStore, method, hold)


async def leave_during(held: Held, server: Server, **headers: str) -> None:
    """Request a comparison and disconnect while the operation is held, before the stream begins."""
    async with connected(server.port) as (_, writer):
        writer.write(request("POST", "/compare", b"{}", Content_Type="application/json", **headers))
        await held.arrived.wait()
    assert (await server.ask("GET", "/favicon.svg")).status == 200  # of the page: no event tells of it
    held.let_go.set()


@pytest.mark.usefixtures("built_page")
@pytest.mark.parametrize("form", [JSON, {}], ids=["document", "stream"])
async def test_a_client_that_is_gone_before_the_first_event_costs_nothing(
    server: Server, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
) -> None:
    await leave_during(Held(monkeypatch, "reserve_spend"), server, **form)

    finished = await until_told(server.events, ComparisonFinished)

    assert (finished.answered, finished.abandoned, list(simulator.calls)) == (0, True, [])
    assert (await server.resources.store.spend(spend_window(time.time()))).hour == 0


@pytest.mark.usefixtures("built_page")
async def test_a_disconnect_before_a_replay_is_not_an_internal_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compare(server)
    overdrawn(server, monkeypatch)
    server.events.events.clear()

    await leave_during(Held(monkeypatch, "show_comparison"), server)

    served = await until_told(server.events, RequestServed)
    assert (await server.ask("GET", "/health/live")).status == 200
    assert (served.status, served.error_code) == (499, "broken_off")
    assert [event.operation for event in server.events.of(RequestServed)] == ["postCompare", "getLive"]
    assert not server.events.of(Unexpected)


async def test_a_stream_that_runs_when_the_server_stops_comes_to_its_end(server: Server, simulator: Simulator) -> None:
    simulator.inject(GPT, Fault(FaultKind.HANG))

    async with listening(server.resources) as url:
        other = Server(server.resources, server.events, url, server.client)
        stream = streamed(other)
        events = await stream.__aenter__()
        assert (await anext(events))[0] == "comparison"

    names: list[str] = []
    while names[-1:] != ["done"]:
        names.append((await anext(events))[0])
    assert [name for name in names if name != "progress"] == ["slots", "done"]
    await stream.__aexit__(None, None, None)


@with_timeouts(shutdown=0.05)
async def test_an_unfinished_stream_is_cut_and_cleaned_up_at_shutdown(server: Server, simulator: Simulator) -> None:
    simulator.inject("*", Fault(FaultKind.HANG, count=4))

    async with listening(server.resources) as url:
        other = Server(server.resources, server.events, url, server.client)
        stream = streamed(other)
        events = await stream.__aenter__()
        assert (await anext(events))[0] == "comparison"
        await simulator.until(lambda: simulator.in_flight == 4)

    finished = await until_told(server.events, ComparisonFinished)
    assert finished.abandoned
    assert [event.error_code for event in server.events.of(RequestServed)] == ["broken_off"]
    with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
        await anext(events)
    await stream.__aexit__(None, None, None)
