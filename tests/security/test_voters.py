"""No client can act as another voter: the cookie is the only proof, it never leaks, and public ids prove nothing."""

from collections.abc import Iterable

import pytest

from service.cli.rows import Export, rows
from tests.http.conftest import SIMULATED, Server

pytestmark = pytest.mark.slow

FIRST, SECOND = "a" * 32, "b" * 32


def cookies(values: Iterable[str]) -> str:
    return "; ".join(f"sayings_voter={value}" for value in values)


async def withdrawn(server: Server, cookie: str) -> str:
    answer = await server.ask("DELETE", f"/feedback/{SIMULATED.saying_id}", headers={"Cookie": cookie})
    return str(answer.json["status"])


@pytest.mark.parametrize(
    "values",
    [
        (FIRST, SECOND),  # a cookie planted for a wider domain comes after the one of this host
        ("short", FIRST, SECOND),
        ("<script>", FIRST),
        ("x" * 7_000, FIRST),
        (FIRST, "", "x" * 65),
    ],
    ids=lambda values: ",".join(value[:9] for value in values),
)
async def test_of_several_cookies_the_first_that_may_be_ours_is_the_voter(
    server: Server, values: tuple[str, ...]
) -> None:
    await server.post_vote(await server.known(), Cookie=cookies(values))

    assert await withdrawn(server, cookies([SECOND])) == "unchanged"
    assert await withdrawn(server, cookies([FIRST])) == "withdrawn"


@pytest.mark.parametrize("changed", ["A" + FIRST[1:], FIRST[:-1], FIRST + "a", FIRST.upper(), f'"{FIRST}"'])
async def test_a_tampered_cookie_is_another_voter(server: Server, changed: str) -> None:
    await server.post_vote(await server.known(), Cookie=cookies([FIRST]))

    assert await withdrawn(server, cookies([changed])) == "unchanged"


async def test_no_published_id_of_a_voter_works_as_a_cookie(server: Server) -> None:
    voted = await server.post_vote(await server.known(), Cookie=cookies([FIRST]))
    [exported] = [row async for row in rows(server.resources.store, Export.VOTES)]

    told = [voted.json["feedbackId"], exported["voter"], str(exported["network"]).rpartition("/")[2].ljust(22, "0")]

    assert [await withdrawn(server, cookies([value])) for value in told] == ["unchanged"] * 3
    assert FIRST not in str([voted, exported])
