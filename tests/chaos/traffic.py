"""Visitors: they do what the plan says, well-behaved or not, and remember every answer and every vote."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

import aiohttp

from tests.chaos.contract import Contract, Operation
from tests.chaos.ledger import NEGATIVE, POSITIVE, SHOWN, Fate, Ledger, Line, pseudonym
from tests.chaos.plan import FLOOD, VOTERS, Act, Kind
from tests.http.wire import Answer, connected, read_answer, request

# Longer than anything may take: a comparison has 25 seconds.
PATIENCE_SECONDS = 40.0
# A slow sender is told so after five seconds.
RAW_PATIENCE_SECONDS = 15.0
DRIP_SECONDS = 0.5
# How many sayings and comparisons a visitor has in mind: few, so that many votes are repeated or changed.
SEEN = 4
DOUBLE_CLICKS = 0.15

JSON = {"Content-Type": "application/json"}
SAYINGS: Operation = ("GET", "/sayings")
FEEDBACK: Operation = ("POST", "/feedback")
WITHDRAWAL: Operation = ("DELETE", "/feedback/{sayingId}")
COMPARE: Operation = ("POST", "/compare")
BALLOT: Operation = ("POST", "/compare/{comparisonId}/vote")

NO_ID = "0" * 32
# What no client library would send is left to the tests of bad input; these are the commonest.
BAD_BODIES = (
    b"", b"{", b"null", b"[]", b"17", b"\xff\xfe{}", b"[" * 100_000, b'{"source": 1, "feedbackType": "POSITIVE"}',
    b'{"a": ' + b"1" * 5_000 + b"}", b'{"feedbackType": true}', b'{"sayingId": "x", "feedbackType": "positive"}',
    b" " * (1024 * 1024 + 1),
)  # fmt: skip
BAD_HEADERS: tuple[dict[str, str], ...] = (
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=bogus"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
)
BAD_TARGETS: tuple[tuple[str, str, Operation | None], ...] = (
    ("GET", "/nowhere", None),
    ("GET", "/sayings%00", None),
    ("PUT", "/sayings", None),
    ("GET", "/" + "x" * 9_000, None),
    ("DELETE", "/feedback/nonsense", WITHDRAWAL),
    ("DELETE", f"/feedback/{NO_ID}", WITHDRAWAL),
)


class End(StrEnum):
    """How a request ended."""

    GOOD = "good"
    DOCUMENTED = "documented error"
    UNDOCUMENTED = "undocumented error"
    UNANSWERED = "no answer"
    LEFT = "left by the visitor"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as it went, on the monotonic clock; `what` says more of an error."""

    kind: Kind
    started: float
    finished: float
    end: End
    what: str = ""


@dataclass
class Visitor:
    """One voter, at an address of their own: what they have seen last, and one thing at a time."""

    name: str
    address: str
    seen: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=SEEN))
    compared: deque[tuple[str, Sequence[str]]] = field(default_factory=lambda: deque(maxlen=SEEN))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": f"sayings_voter={self.name}", "X-Forwarded-For": self.address}


class Traffic:
    """All visitors of a server on `port`. What they were told is in `visits` and in the `ledger`."""

    def __init__(self, port: int, contract: Contract, seed: int) -> None:
        self._port = port
        self._url = f"http://127.0.0.1:{port}"
        self._contract = contract
        self._visitors = [
            Visitor(f"voter-{seed % 10**10:010d}-{number:016d}", f"198.51.100.{number}") for number in range(VOTERS)
        ]
        self._acts = {
            Kind.SAYING: self._read, Kind.VOTE: self._vote, Kind.WITHDRAW: self._withdraw,
            Kind.COMPARE: self._compare, Kind.STREAM: self._stream, Kind.BALLOT: self._ballot,
            Kind.BAD_INPUT: self._send_rubbish, Kind.LEAVE_VOTE: self._leave_vote,
            Kind.LEAVE_STREAM: self._leave_stream, Kind.DRIP: self._drip, Kind.HALF_HEAD: self._half_head,
            Kind.FLOOD: self._flood,
        }  # fmt: skip
        self.ledger = Ledger()
        self.visits: list[Visit] = []

    async def run(self, acts: Sequence[Act]) -> None:
        """Each act at its moment, whether or not earlier ones are over; returns when all are, none connected."""
        beginning = time.monotonic()
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
            asyncio.TaskGroup() as visits,
        ):
            self._client = client
            for act in acts:
                await asyncio.sleep(beginning + act.at - time.monotonic())
                visits.create_task(self._act(act))

    async def _act(self, act: Act) -> None:
        visitor, rng = self._visitors[act.voter], Random(act.seed)
        if act.kind in self._acts:
            async with visitor.turn:
                await self._acts[act.kind](visitor, rng)
        else:
            method, path = act.kind.split()
            await self._ask(act.kind, (method, path), path)

    # --- well-behaved -------------------------------------------------------------------------------------------------

    async def _read(self, visitor: Visitor, _rng: Random) -> None:
        answer = await self._ask(Kind.SAYING, SAYINGS, "/sayings", headers=visitor.headers)
        if answer and answer.status == 200:
            visitor.seen.append(answer.json)

    async def _vote(self, visitor: Visitor, rng: Random) -> None:
        """On something seen lately, so that some votes are new, some repeat and some change an earlier one."""
        if not visitor.seen:
            return await self._read(visitor, rng)
        saying, opinion = rng.choice(visitor.seen), rng.choice((POSITIVE, NEGATIVE))
        return await self._click(visitor, saying, opinion, 2 if rng.random() < DOUBLE_CLICKS else 1)

    async def _click(self, visitor: Visitor, saying: Mapping[str, Any], opinion: str, times: int) -> None:
        vote, headers = _vote(saying, opinion), JSON | visitor.headers
        clicks = (self._ask(Kind.VOTE, FEEDBACK, "/feedback", data=vote, headers=headers) for _ in range(times))
        for answer in await asyncio.gather(*clicks):  # of those at the same time nobody knows which came first
            self._write(self.ledger.votes, visitor, saying["sayingId"], opinion, answer, check=times == 1)

    async def _withdraw(self, visitor: Visitor, rng: Random) -> None:
        if visitor.seen:
            saying = rng.choice(visitor.seen)["sayingId"]
            answer = await self._ask(Kind.WITHDRAW, WITHDRAWAL, f"/feedback/{saying}", headers=visitor.headers)
            self._write(self.ledger.votes, visitor, saying, None, answer)

    async def _compare(self, visitor: Visitor, _rng: Random) -> None:
        headers = JSON | {"Accept": "application/json"} | visitor.headers
        answer = await self._ask(Kind.COMPARE, COMPARE, "/compare", data=b"{}", headers=headers)
        if answer and answer.status == 200:
            told = answer.json
            self._remember(visitor, told["comparisonId"], told["slots"], votable=told["votable"])

    async def _stream(self, visitor: Visitor, _rng: Random) -> None:
        answer = await self._ask(Kind.STREAM, COMPARE, "/compare", data=b"{}", headers=JSON | visitor.headers)
        if answer and answer.status == 200:
            events = sse(answer.body)
            slots = [data for name, data in events if name == "slot"]
            votable = events[-1][1]["votable"]
            self._remember(visitor, events[0][1]["comparisonId"], slots, votable=votable)

    def _remember(self, visitor: Visitor, comparison: str, slots: Sequence[Any], *, votable: bool) -> None:
        if votable:
            self.ledger.ballots[pseudonym(visitor.name), comparison].append(Line(SHOWN, Fate.ACKNOWLEDGED))
            filled = [slot["slot"] for slot in slots if slot["saying"] is not None]
            visitor.compared.append((comparison, [*filled, "tie", "none"]))
        else:  # perhaps stored, and certainly never voted on
            self.ledger.ballots[pseudonym(visitor.name), comparison].append(Line(SHOWN, Fate.OPEN))

    async def _ballot(self, visitor: Visitor, rng: Random) -> None:
        if not visitor.compared:
            return await self._compare(visitor, rng)
        comparison, choices = rng.choice(visitor.compared)
        winner = rng.choice(choices)
        vote, headers = json.dumps({"winner": winner}), JSON | visitor.headers
        answer = await self._ask(Kind.BALLOT, BALLOT, f"/compare/{comparison}/vote", data=vote, headers=headers)
        return self._write(self.ledger.ballots, visitor, comparison, winner, answer)

    def _write(
        self,
        book: dict[tuple[str, str], list[Line]],
        visitor: Visitor,
        what: str,
        value: str | None,
        answer: Answer | None,
        *,
        check: bool = True,
    ) -> None:
        status = answer.json["status"] if check and answer and answer.status == 200 else ""
        book[pseudonym(visitor.name), what].append(Line(value, _fate(answer), status))

    # --- badly behaved ------------------------------------------------------------------------------------------------

    async def _send_rubbish(self, visitor: Visitor, rng: Random) -> None:
        if rng.random() < len(BAD_TARGETS) / (len(BAD_TARGETS) + len(BAD_BODIES) + len(BAD_HEADERS)):
            method, path, operation = rng.choice(BAD_TARGETS)
            await self._ask(Kind.BAD_INPUT, operation, path, method=method)
            return
        body: bytes | str
        body, headers = rng.choice([(body, JSON) for body in BAD_BODIES] + [(b"{}", each) for each in BAD_HEADERS])
        await self._ask(Kind.BAD_INPUT, FEEDBACK, "/feedback", data=body, headers=headers | visitor.headers)

    async def _leave_vote(self, visitor: Visitor, rng: Random) -> None:
        """The vote is sent whole, and nobody waits for the answer."""
        if not visitor.seen:
            return
        saying, opinion = rng.choice(visitor.seen), rng.choice((POSITIVE, NEGATIVE))
        headers = {name.replace("-", "_"): value for name, value in (JSON | visitor.headers).items()}
        self.ledger.votes[pseudonym(visitor.name), saying["sayingId"]].append(Line(opinion, Fate.OPEN))
        async with self._noted(Kind.LEAVE_VOTE), connected(self._port) as (_, writer):
            writer.write(request("POST", "/feedback", body=_vote(saying, opinion), **headers))
            await writer.drain()

    async def _leave_stream(self, visitor: Visitor, _rng: Random) -> None:
        """A comparison, left as soon as it has begun."""
        async with self._noted(Kind.LEAVE_STREAM):
            headers = JSON | visitor.headers
            async with self._client.post(f"{self._url}/compare", data=b"{}", headers=headers) as answer:
                first = await answer.content.readuntil(b"\n\n") if answer.status == 200 else b""
            for _, data in sse(first):
                self.ledger.ballots[pseudonym(visitor.name), data["comparisonId"]].append(Line(SHOWN, Fate.OPEN))

    async def _drip(self, _visitor: Visitor, _rng: Random) -> None:
        head = request("POST", "/feedback", Content_Length="1000", Content_Type="application/json")
        await self._trickle(Kind.DRIP, FEEDBACK, head, forever=b" ")

    async def _half_head(self, _visitor: Visitor, _rng: Random) -> None:
        await self._trickle(Kind.HALF_HEAD, None, request("GET", "/sayings").removesuffix(b"\r\n"), forever=b"")

    async def _trickle(self, kind: Kind, operation: Operation | None, head: bytes, *, forever: bytes) -> None:
        """Send the head, then byte after byte for as long as there is no answer."""
        started = time.monotonic()
        answer = None
        with suppress(OSError, EOFError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(RAW_PATIENCE_SECONDS), connected(self._port) as (reader, writer):
                writer.write(head)
                reading = asyncio.ensure_future(read_answer(reader))
                try:
                    while not (await asyncio.wait([reading], timeout=DRIP_SECONDS))[0]:
                        writer.write(forever)
                    answer = reading.result()
                finally:
                    reading.cancel()
        self._judge(kind, operation, started, answer)

    async def _flood(self, visitor: Visitor, rng: Random) -> None:
        """Of reading and of clicks on the same button."""
        voting = [self._click(visitor, visitor.seen[0], POSITIVE, FLOOD)] if visitor.seen else []
        await asyncio.gather(*voting, *(self._read(visitor, rng) for _ in range(FLOOD)))

    # --- what comes of it ---------------------------------------------------------------------------------------------

    async def _ask(
        self, kind: Kind, operation: Operation | None, path: str, *, method: str = "", **options: Any
    ) -> Answer | None:
        """The answer, already judged; None when there was none, or a success of another form than documented."""
        started = time.monotonic()
        answer = None
        with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
            verb = method or (operation[0] if operation else "GET")
            async with self._client.request(verb, self._url + path, **options) as response:
                answer = Answer(response.status, response.headers, await response.read())
        return self._judge(kind, operation, started, answer)

    def _judge(self, kind: Kind, operation: Operation | None, started: float, answer: Answer | None) -> Answer | None:
        end, what = self._end(operation, answer)
        self.visits.append(Visit(kind, started, time.monotonic(), end, what))
        return None if end is End.UNDOCUMENTED and answer and answer.status < 400 else answer

    def _end(self, operation: Operation | None, answer: Answer | None) -> tuple[End, str]:
        if answer is None:
            return End.UNANSWERED, ""
        if answer.status == 200:
            return (End.GOOD, "") if _is_whole(operation, answer) else (End.UNDOCUMENTED, f"200 {answer.body[-80:]!r}")
        code = self._contract.code(operation, answer.status, answer.headers, answer.body)
        if code is None:
            return End.UNDOCUMENTED, f"{answer.status} {answer.body[:80]!r}"
        return End.DOCUMENTED, f"{answer.status} {code}"

    @asynccontextmanager
    async def _noted(self, kind: Kind) -> AsyncIterator[None]:
        """A visit whose end the visitor does not wait for."""
        started = time.monotonic()
        with suppress(OSError, EOFError, ValueError, aiohttp.ClientError, TimeoutError):
            yield
        self.visits.append(Visit(kind, started, time.monotonic(), End.LEFT))


def sse(body: bytes) -> list[tuple[str, Any]]:
    """The events of a stream: their names and data. Raises ValueError for what is none."""
    pairs = [event.split(b"\ndata: ", 1) for event in body.split(b"\n\n") if event]
    return [(name.removeprefix(b"event: ").decode(), json.loads(data)) for name, data in pairs]


# What of an answer this traffic goes on with; the tests of the contract look at all of it.
_NEEDED: dict[Operation, tuple[str, ...]] = {
    SAYINGS: ("sayingId", "source"),
    FEEDBACK: ("status",),
    WITHDRAWAL: ("status",),
    COMPARE: ("comparisonId", "slots", "votable"),
    BALLOT: ("status",),
}


def _is_whole(operation: Operation | None, answer: Answer) -> bool:
    """Whether a success is what was asked for, to its end."""
    try:
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            events = sse(answer.body)
            return events[0][0] == "comparison" and events[-1][0] == "done"
        told = answer.json
        return operation is not None and all(name in told for name in _NEEDED.get(operation, ()))
    except (ValueError, LookupError, TypeError):
        return False


def _fate(answer: Answer | None) -> Fate:
    if answer is None:
        return Fate.OPEN
    if answer.status == 200:
        return Fate.ACKNOWLEDGED
    return Fate.REFUSED if answer.status < 500 else Fate.UNSURE


def _vote(saying: Mapping[str, Any], opinion: str) -> bytes:
    vote = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion}
    return json.dumps(vote).encode()
