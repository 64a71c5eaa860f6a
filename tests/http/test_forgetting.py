"""DELETE /me forgets whoever holds the cookie, and nobody else."""

import datetime
from typing import Any
from unittest.mock import AsyncMock

import pytest

from service.cli.rows import Export, rows
from service.errors import StoreError
from service.store.base import Counts
from service.store.sqlite import SqliteStore
from tests.http.conftest import SIMULATED, Server
from tests.http.test_contract import voter_cookie
from tests.store.counting import Total, totals

pytestmark = pytest.mark.slow

ME, OTHER = "m" * 32, "o" * 32


def cookie(voter: str) -> dict[str, str]:
    return {"Cookie": f"sayings_voter={voter}"}


async def voted(server: Server, *voters: str) -> None:
    vote = await server.known()
    for voter in voters:
        await server.post_vote(vote, **cookie(voter))


async def voters(server: Server) -> set[str]:
    return {stored.voter async for stored in server.resources.store.all_votes()}


async def test_votes_comparisons_and_the_cookie_are_gone(server: Server) -> None:
    await voted(server, ME, OTHER)
    headers = {"Content-Type": "application/json", "Accept": "application/json"} | cookie(ME)
    compared = await server.ask("POST", "/compare", data=b"{}", headers=headers)
    ballot = f"/compare/{compared.json['comparisonId']}/vote"
    await server.ask("POST", ballot, data=b'{"winner": "A"}', headers=headers)

    answer = await server.ask("DELETE", "/me", headers=cookie(ME))

    moment = datetime.datetime.fromisoformat(answer.json["forgottenBefore"])
    assert (answer.status, answer.json["status"]) == (200, "forgotten")
    assert moment <= datetime.datetime.now(datetime.UTC)
    assert voter_cookie(answer) == ["sayings_voter=", "Path=/", "Max-Age=0", "HttpOnly", "SameSite=Lax"]
    assert await voters(server) == {OTHER}
    assert await totals(server.resources.store) == {SIMULATED.contributor: Total(unverified=Counts(1, 1))}
    assert [row async for row in rows(server.resources.store, Export.COMPARISONS)] == []


async def test_it_can_be_repeated(server: Server) -> None:
    await voted(server, ME)

    answers = [await server.ask("DELETE", "/me", headers=cookie(ME)) for _ in range(3)]

    assert {(answer.status, answer.json["status"]) for answer in answers} == {(200, "forgotten")}


@pytest.mark.parametrize("headers", [{}, {"Cookie": "sayings_voter=short"}, {"Cookie": "other=1"}])
async def test_without_a_cookie_nothing_happens(server: Server, headers: dict[str, str]) -> None:
    await voted(server, OTHER)

    answer = await server.ask("DELETE", "/me", headers=headers)

    assert (answer.status, answer.json["status"]) == (200, "forgotten")
    assert "Set-Cookie" not in answer.headers
    assert await voters(server) == {OTHER}


async def test_what_is_left_for_later_is_promised(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteStore, "forget", AsyncMock(return_value=False))
    today = datetime.datetime.now(datetime.UTC)

    answer = await server.ask("DELETE", "/me", headers=cookie(ME))

    promised = datetime.datetime.fromisoformat(answer.json["forgottenBefore"])
    assert answer.json["status"] == "accepted"
    assert datetime.timedelta(days=2) < promised - today < datetime.timedelta(days=4)
    assert "Max-Age=0" in voter_cookie(answer)


async def test_a_store_that_fails_keeps_the_cookie_for_another_try(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteStore, "forget", AsyncMock(side_effect=StoreError("It is broken.")))

    answer = await server.ask("DELETE", "/me", headers=cookie(ME))

    assert answer.error == (503, "not_forgotten")
    assert int(answer.headers["Retry-After"]) > 0
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_else_is_done_at_this_address(server: Server, method: str) -> None:
    await voted(server, ME)

    answer = await server.ask(method, "/me", headers=cookie(ME))

    assert (answer.error, answer.headers["Allow"]) == ((405, "method_not_allowed"), "DELETE")
    assert await voters(server) == {ME}


class TestRate:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"vote_rate": "2/hour"}

    async def test_it_is_that_of_votes(self, server: Server) -> None:
        answers = [await server.ask("DELETE", "/me", headers=cookie(ME)) for _ in range(3)]

        assert [answer.status for answer in answers] == [200, 200, 429]
