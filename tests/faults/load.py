"""A load of visitors that vote and read without a pause, and a ledger, outside the server, of its responses."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

PATIENCE_SECONDS = 120.0


@dataclass
class Load:
    """Every vote is a new voter's, on one saying. `acknowledged` are those answered 200, `sent` all of them."""

    url: str
    saying: dict[str, Any]
    sent: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=count)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _visitors: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> "Load":
        connector = aiohttp.TCPConnector(limit=0, force_close=True)  # so that no request meets a connection that ends
        self._client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        for visitor in self._visitors:
            visitor.cancel()
        await asyncio.gather(*self._visitors, return_exceptions=True)
        await self._client.close()

    def begin(self, *, voters: int = 0, readers: int = 0) -> None:
        """Start that many visitors at once; each goes on until the server can no longer be reached."""
        self._visitors += [asyncio.create_task(self._vote_on()) for _ in range(voters)]
        self._visitors += [asyncio.create_task(self._read_on()) for _ in range(readers)]

    async def until(self, acknowledged: int) -> None:
        """Wait until so many votes have been acknowledged. A machine too busy to store any fails the test."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.acknowledged) < acknowledged:
                self._changed.clear()
                await self._changed.wait()

    async def vote(self, voter: str) -> dict[str, Any]:
        """The answer, or its error. Raises aiohttp.ClientError where there is none."""
        vote = {"sayingId": self.saying["sayingId"], "source": self.saying["source"], "feedbackType": "POSITIVE"}
        cookie = {"Cookie": f"sayings_voter={voter}"}
        async with self._client.post(f"{self.url}/feedback", json=vote, headers=cookie) as answer:
            self._note(answer)
            told: dict[str, Any] = await answer.json()
            return told

    async def get(self, path: str) -> dict[str, Any]:
        async with self._client.get(self.url + path) as answer:
            self._note(answer)
            told: dict[str, Any] = await answer.json()
            return told

    def _note(self, answer: aiohttp.ClientResponse) -> None:
        self.statuses[answer.status] += 1
        assert answer.status != 503 or int(answer.headers["Retry-After"]) > 0

    async def _vote_on(self) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                voter = f"voter-{next(self._numbers):026d}"
                self.sent.append(voter)
                if "status" in await self.vote(voter):
                    self.acknowledged.append(voter)
                    self._changed.set()

    async def _read_on(self) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                await self.get("/sayings")
