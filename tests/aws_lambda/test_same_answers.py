"""One suite of requests against the server and the handler in both payloads: the same answers but for ids and times."""

import asyncio
import random
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - imported beforehand: it takes seconds, and a live call has only eight
import openai  # noqa: F401
import pytest

from service.api.http import BODY_BYTES
from service.aws_lambda.handler import Api
from service.aws_lambda.runtime import LambdaProcess
from service.config import Settings
from service.limits import DEFAULT_LIMITS
from service.resources import Resources, open_resources
from service.server.app import listening
from service.simulator import Simulator
from service.voting import comparisons as compare
from tests.aws_lambda.conftest import telemetry_to
from tests.aws_lambda.gateway import Asked, Remaining, answer
from tests.http import test_bad_input as bad_input
from tests.http.conftest import SIMULATED
from tests.http.wire import Answer, converse
from tests.support import NAMES, RecordingListener, model_saying

pytestmark = pytest.mark.slow

Ask = Callable[[Asked], Awaitable[Answer]]
VOTER = "v" * 32
VOTED = {"Content_Type": "application/json", "Cookie": f"a=b; sayings_voter={VOTER}; c=d"}
ORIGIN = "https://page.example"
# What the connection adds; API Gateway has its own.
OF_THE_CONNECTION = {"connection", "content-length", "date", "server"}


@pytest.fixture
def origins() -> str:
    """Pages that may call; tests override it."""
    return ""


@pytest.fixture
async def fronts(tmp_path: Path, origins: str) -> AsyncIterator[dict[str, Ask]]:
    """The server and the handler twice, each with a store, a pool and a simulator of its own, all alike."""
    async with AsyncExitStack() as stack:
        fronts = {}
        for name in ("server", "v1", "v2"):
            environ = {
                "SAYINGS_STORE": f"sqlite:///{tmp_path}/{name}.db",
                "SAYINGS_SIMULATOR": await stack.enter_async_context(Simulator(seed=1, speed=0).serve()),
                "SAYINGS_ALLOWED_ORIGINS": origins,
                "SAYINGS_PORT": "0",
                "SAYINGS_TRUSTED_PROXIES": "1",
                # Each front has a clock of its own, and a rate could end at one and not yet at another.
                "SAYINGS_VOTE_RATE": "off",
                "SAYINGS_COMPARE_RATE": "off",
            }
            open_front = _server if name == "server" else _function
            fronts[name] = await open_front(name, Settings.from_env(environ), environ, stack)
        yield fronts


async def _server(name: str, settings: Settings, environ: dict[str, str], stack: AsyncExitStack) -> Ask:
    resources = await stack.enter_async_context(open_resources(settings, environ, RecordingListener()))
    await _fill(resources)
    await resources.secrets.refresh()
    url = await stack.enter_async_context(listening(resources))
    port = int(url.rpartition(":")[2])

    async def ask(asked: Asked) -> Answer:
        over_https = Asked(asked.method, asked.target, asked.body, asked.headers | {"X_Forwarded_Proto": "https"})
        [found] = await converse(port, over_https.wire(), without_body=asked.method == "HEAD")
        return found

    return ask


async def _function(name: str, settings: Settings, environ: dict[str, str], stack: AsyncExitStack) -> Ask:
    process = await asyncio.to_thread(LambdaProcess, settings, environ, telemetry_to(RecordingListener()))
    stack.push_async_callback(asyncio.to_thread, process.close)
    await asyncio.to_thread(process.run, _fill(process.resources), Remaining())
    api = Api(process)

    async def ask(asked: Asked) -> Answer:
        event = asked.v1() if name == "v1" else asked.v2()
        return answer(await asyncio.to_thread(api.handle, event, Remaining()))

    return ask


async def _fill(resources: Resources) -> None:
    warm = model_saying("A warm saying on Amazon S3.", created_at=time.time(), simulated=True)
    await resources.store.put_sayings([SIMULATED, warm])
    random.seed(7)  # the same place in each pool
    resources.pool.add([warm])


async def same_answer(fronts: dict[str, Ask], asked: Asked) -> Answer:
    """What all of them answer, the server's as it is."""
    answers = {}
    for name, ask in fronts.items():
        random.seed(7)  # the same draws for all
        answers[name] = await ask(asked)
    plain = {name: _plain(found) for name, found in answers.items()}
    assert plain["v1"] == plain["server"]
    assert plain["v2"] == plain["server"]
    return answers["server"]


def _plain(found: Answer) -> tuple[int, dict[str, str], bytes]:
    """An answer without its ids and times."""
    headers = {name.lower(): value for name, value in found.headers.items()}
    if "set-cookie" in headers:
        headers["set-cookie"] = re.sub("=[A-Za-z0-9_-]{32};", "=VOTER;", headers["set-cookie"], count=1)
    times = rb'"(executionTime|totalExecutionTime|apiLatency|originalLlmTime)":[0-9.]+'
    body = re.sub(times, rb'"\1":TIME', found.body)
    body = re.sub(rb'"(generatedAt|createdAt)":"[^"]+"', rb'"\1":TIME', body)
    body = re.sub(rb'"forgottenBefore":"[^"]+"', b'"forgottenBefore":TIME', body)
    body = re.sub(rb'"(requestId)":"[0-9a-f]{32}"', rb'"\1":ID', body)
    body = re.sub(rb'"(traceId)":"1-[0-9a-f]{8}-[0-9a-f]{24}"', rb'"\1":ID', body)
    if "set-cookie" in headers:
        body = re.sub(rb'"(feedbackId)":"[^"]+"', rb'"\1":ID', body)
    return found.status, {name: headers[name] for name in headers if name not in OF_THE_CONNECTION}, body


def cases(test: Callable[..., object]) -> list[Any]:
    """The table that a test of tests/http is parametrised with."""
    [mark] = [mark for mark in test.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    return list(mark.args[1])


def vote(feedback: str = "POSITIVE", **headers: str) -> Asked:
    body = bad_input.with_more(b"").replace(b"POSITIVE", feedback.encode())
    return Asked("POST", "/feedback", body, {"Content_Type": "application/json"} | headers)


async def test_the_first_five_sayings(fronts: dict[str, Ask]) -> None:
    answers = [await same_answer(fronts, Asked("GET", "/sayings")) for _ in range(5)]

    assert [each.json["origin"] for each in answers] == ["database", "database", "database", "live", "cache"]


@pytest.mark.parametrize("path", ["/models", "/stats", "/health/live", "/health/ready", "/openapi.json"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_there_to_read(fronts: dict[str, Ask], method: str, path: str) -> None:
    found = await same_answer(fronts, Asked(method, path))

    assert found.status == 200
    assert (method == "HEAD") == (found.body == b"")


@pytest.mark.parametrize(
    "path",
    [
        f"/sayings/{SIMULATED.saying_id}", "/sayings/best", "/sayings/best?order=new&service=Amazon%20S3",
        "/sayings/best?model=gpt-4.1", "/sayings/best?order=new&after=01234567",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_sayings_to_look_at(fronts: dict[str, Ask], method: str, path: str) -> None:
    await same_answer(fronts, vote(**VOTED))

    found = await same_answer(fronts, Asked(method, path))

    assert found.status == 200
    assert (method == "HEAD") == (found.body == b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/sayings/{'0' * 32}", 404), ("/sayings/nonsense", 400), ("/sayings/best?order=worst", 400),
        ("/sayings/best?service=Amazon%20S4", 400), ("/sayings/best?model=", 400), ("/sayings/best?after=xyz", 400),
    ],
)  # fmt: skip
async def test_sayings_that_are_not_there(fronts: dict[str, Ask], path: str, status: int) -> None:
    found = await same_answer(fronts, Asked("GET", path))

    assert found.status == status


async def test_the_life_of_a_vote(fronts: dict[str, Ask]) -> None:
    withdrawal = Asked("DELETE", f"/feedback/{SIMULATED.saying_id}", headers={"Cookie": VOTED["Cookie"]})

    answers = [
        await same_answer(fronts, vote(**VOTED)),
        await same_answer(fronts, vote(**VOTED)),
        await same_answer(fronts, vote("NEGATIVE", **VOTED)),
        await same_answer(fronts, withdrawal),
    ]

    assert [each.json["status"] for each in answers] == ["recorded", "unchanged", "changed", "withdrawn"]
    assert not any("Set-Cookie" in each.headers for each in answers)


async def test_a_voter_who_is_forgotten(fronts: dict[str, Ask]) -> None:
    await same_answer(fronts, vote(**VOTED))

    answers = [
        await same_answer(fronts, Asked("DELETE", "/me", headers={"Cookie": VOTED["Cookie"]})),
        await same_answer(fronts, Asked("DELETE", "/me")),
    ]

    assert [each.json["status"] for each in answers] == ["forgotten", "forgotten"]
    assert ["Set-Cookie" in each.headers for each in answers] == [True, False]


async def test_a_new_voters_cookie(fronts: dict[str, Ask]) -> None:
    found = await same_answer(fronts, vote())

    attributes = found.headers["Set-Cookie"].split("; ")[1:]
    assert attributes == ["Path=/", "Max-Age=31536000", "HttpOnly", "SameSite=Lax", "Secure"]


async def test_the_life_of_a_comparison(fronts: dict[str, Ask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_random", Unshuffled())
    monkeypatch.setattr(secrets, "token_hex", lambda size: "c" * 2 * size)  # of each front's own
    compare_s3 = Asked("POST", "/compare", b'{"service": "Amazon S3"}', VOTED | {"Accept": "application/json"})

    compared = await same_answer(fronts, compare_s3)
    answers = [
        await same_answer(fronts, Asked("POST", f"/compare/{'c' * 32}/vote", b'{"winner": "%b"}' % winner, headers))
        for winner, headers in [
            (b"A", VOTED), (b"A", VOTED), (b"tie", VOTED), (b"E", VOTED), (b"A", VOTED | {"Cookie": ""}),
        ]
    ]  # fmt: skip

    assert (compared.json["comparisonId"], len(compared.json["slots"])) == ("c" * 32, 4)
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 409]
    assert [answer.json["status"] for answer in answers[:3]] == ["recorded", "unchanged", "after_reveal"]
    assert [slot["model"] for slot in answers[0].json["slots"]] == list(NAMES)


class Unshuffled:
    """Draws the first ones in their order."""

    def sample(self, population: Sequence[Any], k: int) -> list[Any]:
        return list(population[:k])


@pytest.mark.usefixtures("built_page")
async def test_the_page_and_the_card_of_a_saying(fronts: dict[str, Ask]) -> None:
    forwarded = {"Host": "origin.example", "X_Forwarded_Host": "public.example"}
    path = f"/s/{SIMULATED.saying_id}"

    page = await same_answer(fronts, Asked("GET", path, headers=forwarded))
    card = await same_answer(fronts, Asked("GET", f"{path}.png"))
    without_body = [await same_answer(fronts, Asked("HEAD", each)) for each in (path, f"{path}.png")]

    assert f'"https://public.example{path}.png"'.encode() in page.body
    assert card.body.startswith(b"\x89PNG")
    assert [(each.status, each.body) for each in without_body] == [(200, b"")] * 2


@pytest.mark.usefixtures("built_page")
@pytest.mark.parametrize("path", ["/nowhere", f"/s/{'0' * 32}", "/s/x.png", "/best/", "/sayings/nowhere", "/compare"])
async def test_what_a_browser_gets_where_nothing_is(fronts: dict[str, Ask], path: str) -> None:
    found = await same_answer(fronts, Asked("GET", path, headers={"Accept": "text/html"}))

    assert found.status == {"/best/": 200, "/compare": 405, "/sayings/nowhere": 400}.get(path, 404)
    of_the_api = path in ("/compare", "/sayings/nowhere")
    assert found.headers["Content-Type"].startswith("application/json" if of_the_api else "text/html")


async def test_text_beyond_ascii(fronts: dict[str, Ask]) -> None:
    # The id is of the normalised text: the three must read the bytes alike to find the saying.
    text = SIMULATED.text.replace("Amazon S3", "Amazon\u00a0S3").upper().encode()
    body = vote().body.replace(SIMULATED.text.encode(), b"\xe2\x80\x9c" + text + b"\xe2\x80\x9d")

    found = await same_answer(fronts, Asked("POST", "/feedback", body, VOTED))

    assert found.json["status"] == "recorded"


# What API Gateway itself lets through: methods that it knows, addresses in ASCII. One that is too long the server's
# parser refuses, in other words.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ADDRESSES = [
    Asked(method, target)
    for method, target, _ in cases(bad_input.test_a_bad_address_gets_a_documented_error)
    if method in METHODS and target.isascii() and target.startswith("/") and len(target) <= DEFAULT_LIMITS.target_bytes
]
WRONG_METHODS = [
    Asked(method, path)
    for path, method in cases(bad_input.test_a_wrong_method_is_refused_with_the_allowed_ones)
    if method in METHODS and path not in ("/", "/favicon.svg")  # the page is CloudFront's
]
WRONG_METHODS.append(Asked("POST", "/sayings", b"{}", VOTED))
ENCODED = [
    Asked("GET", "/%73ayings"), Asked("GET", "/health%2Flive"), Asked("GET", "/%E2%98%83"),
    Asked("GET", "/say%20ings"), Asked("DELETE", "/feedback/%30" + "0" * 31),
    *(Asked("GET", f"/models{query}") for query in cases(bad_input.test_unknown_parameters_are_ignored)),
]  # fmt: skip
BODIES = [
    *(Asked("POST", "/feedback", body, VOTED) for body in cases(bad_input.test_a_body_that_is_no_vote_is_refused)),
    *(Asked("POST", path, body, VOTED) for path, body in bad_input.WRONG_BODIES),
    Asked("POST", "/feedback", bad_input.padded(BODY_BYTES), VOTED),
    Asked("POST", "/feedback", bad_input.padded(BODY_BYTES + 1), VOTED),
]
SOURCES = [
    Asked("POST", "/feedback", bad_input.with_more(b"").replace(SIMULATED.source.encode(), source), VOTED)
    for source, _ in cases(bad_input.test_a_source_that_names_another_is_a_conflict)
]
KINDS = [
    Asked("POST", path, bad_input.with_more(b""), headers)
    for path in ("/feedback", bad_input.COMPARE, bad_input.COMPARE_VOTE)
    for headers in bad_input.OTHER_KINDS
] + [
    Asked("POST", "/feedback", bad_input.with_more(b""), {"Content_Type": kind, "Cookie": VOTED["Cookie"]})
    for kind in cases(bad_input.test_json_in_utf8_is_taken_however_it_is_announced)
]
EVERYTHING_WRONG = {
    "addresses": ADDRESSES,
    "methods": WRONG_METHODS,
    "encoded addresses": ENCODED,
    "bodies": BODIES,
    "sources": SOURCES,
    "kinds of bodies": KINDS,
}


@pytest.mark.parametrize("group", EVERYTHING_WRONG)
async def test_wrong_and_odd_requests_get_the_same_answers(fronts: dict[str, Ask], group: str) -> None:
    statuses = {str(asked): (await same_answer(fronts, asked)).status for asked in EVERYTHING_WRONG[group]}

    assert all(status < 500 for status in statuses.values()), statuses
    assert any(status >= 400 for status in statuses.values())


class TestWithAllowedOrigins:
    @pytest.fixture
    def origins(self) -> str:
        return ORIGIN

    @pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", "null", ""])
    async def test_other_pages(self, fronts: dict[str, Ask], origin: str) -> None:
        asked_for = {"Origin": origin, "Access_Control_Request_Method": "POST"}

        preflight = await same_answer(fronts, Asked("OPTIONS", "/feedback", headers=asked_for))
        nowhere = await same_answer(fronts, Asked("OPTIONS", "/nowhere", headers=asked_for))
        read = await same_answer(fronts, Asked("GET", "/models", headers={"Origin": origin}))
        lost = await same_answer(fronts, Asked("GET", "/nowhere", headers={"Origin": origin}))
        voted = await same_answer(fronts, vote(Origin=origin))

        assert [preflight.status, nowhere.status] == [204 if origin == ORIGIN else 405, 404]
        assert [read.status, lost.status, voted.status] == [200, 404, 200]
        allowed = {each.headers.get("Access-Control-Allow-Origin") for each in (preflight, read, lost, voted)}
        assert allowed == {origin if origin == ORIGIN else None}
