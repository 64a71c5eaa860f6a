"""Reports and take-downs over HTTP: for visitors always, for operators with their key, and without one not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from service.catalogue.collection import collection
from service.config import OPERATOR_KEY_VARIABLE, Settings
from service.domain import saying_id
from service.resources import open_resources
from service.server.app import listening
from telemetry.logs import LogListener
from tests.http.conftest import SIMULATED, Server
from tests.http.wire import Answer
from tests.logging_capture import captured_log
from tests.support import RecordingListener

ID = SIMULATED.saying_id
KEY = "operators-canary-5d1c"
WITHDRAW, RESTORE = f"/admin/sayings/{ID}/withdraw", f"/admin/sayings/{ID}/restore"


@pytest.fixture
async def operated(tmp_path: Path, simulator_url: str, events: RecordingListener) -> AsyncIterator[Server]:
    """A server with a key for operators."""
    settings = Settings(port=0, store=f"sqlite:///{tmp_path}/operated.db", simulator=simulator_url, trusted_proxies=1)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        open_resources(settings, {OPERATOR_KEY_VARIABLE: KEY}, events) as resources,
        listening(resources) as url,
    ):
        await resources.store.put_sayings([SIMULATED])
        yield Server(resources, events, url, client)


async def post(server: Server, path: str, body: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"Content-Type": "application/json"}
    return await server.ask("POST", path, data=msgspec.json.encode(body), headers=content | named)


class TestReports:
    async def test_a_report_is_recorded_with_or_without_a_reason(self, operated: Server) -> None:
        path = f"/sayings/{ID}/report"

        with_reason = await post(operated, path, {"reason": "offensive"}, X_Forwarded_For="192.0.2.1")
        without = await post(operated, path, {}, X_Forwarded_For="192.0.2.2")

        assert with_reason.json == without.json == {"sayingId": ID, "status": "recorded"}
        [reported] = await operated.resources.store.reported_sayings()
        assert reported.reasons == {"offensive": 1, "other": 1}

    async def test_addresses_of_one_ipv6_site_count_as_one(self, operated: Server) -> None:
        for number in range(6):
            await post(operated, f"/sayings/{ID}/report", {}, X_Forwarded_For=f"2001:db8:1:{number}::1")

        [reported] = await operated.resources.store.reported_sayings()
        assert reported.networks == 1

    async def test_enough_reports_take_it_down_for_everybody(self, operated: Server) -> None:
        answers = [
            await post(operated, f"/sayings/{ID}/report", {}, X_Forwarded_For=f"192.0.2.{number}")
            for number in range(6)
        ]

        assert [answer.status for answer in answers] == [200] * 5 + [410]
        assert answers[-1].json["error"]["code"] == "saying_withdrawn"

    @pytest.mark.parametrize(
        ("identity", "body", "status"),
        [
            ("0" * 32, {}, 404),
            ("nonsense", {}, 400),
            (ID, {"reason": "I do not like it"}, 400),
            (collection()[0].saying_id, {}, 200),
        ],
        ids=["unknown", "no id", "a reason of one's own", "of the collection"],
    )
    async def test_what_may_be_reported_and_why(
        self, operated: Server, identity: str, body: object, status: int
    ) -> None:
        assert (await post(operated, f"/sayings/{identity}/report", body)).status == status

    @pytest.mark.parametrize("settings", [{"vote_rate": "2/minute"}])
    async def test_reports_are_limited_like_votes(self, server: Server) -> None:
        answers = [await post(server, f"/sayings/{saying_id(str(number))}/report", {}) for number in range(3)]

        assert [answer.status for answer in answers] == [404, 404, 429]


class TestOperators:
    async def test_without_a_key_there_is_no_such_address(self, server: Server) -> None:
        answers = [
            await post(server, path, {"reason": "x"}, Authorization=f"Bearer {KEY}") for path in (WITHDRAW, RESTORE)
        ]

        assert [(answer.status, answer.json["error"]["code"]) for answer in answers] == [(404, "route_not_found")] * 2
        assert "/admin" not in (await server.ask("GET", "/openapi.json")).body.decode()

    async def test_an_operator_takes_down_and_restores(self, operated: Server) -> None:
        withdrawn = await post(operated, WITHDRAW, {"reason": "slander"}, Authorization=f"Bearer {KEY}")
        vote = await operated.post_vote({"sayingId": ID, "source": SIMULATED.source, "feedbackType": "POSITIVE"})
        restored = await post(operated, RESTORE, {}, Authorization=f"bearer {KEY}")

        assert withdrawn.json == {"sayingId": ID, "withdrawn": True, "changed": True}
        assert (vote.status, vote.json["error"]["code"]) == (410, "saying_withdrawn")
        assert restored.json == {"sayingId": ID, "withdrawn": False, "changed": True}
        assert await operated.resources.store.random_saying() is not None

    @pytest.mark.parametrize(
        "authorization",
        ["", KEY, "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Basic {KEY}", "Bearer ключ"],
    )
    async def test_anybody_else_is_turned_away(self, operated: Server, authorization: str) -> None:
        headers = {"Authorization": authorization} if authorization else {}

        answer = await post(operated, WITHDRAW, {"reason": "x"}, **headers)

        assert (answer.status, answer.json["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await operated.resources.store.withdrawals()).sayings == {}

    async def test_it_is_in_the_description_with_its_key(self, operated: Server) -> None:
        document = (await operated.ask("GET", "/openapi.json")).json

        operation = document["paths"]["/admin/sayings/{sayingId}/withdraw"]["post"]
        assert operation["security"] == [{"operators": []}]
        assert "401" in operation["responses"]
        assert document["components"]["securitySchemes"]["operators"]["scheme"] == "bearer"

    async def test_guesses_are_limited(self, operated: Server) -> None:
        answers = [await post(operated, WITHDRAW, {"reason": "x"}, Authorization="Bearer no") for _ in range(61)]

        assert {answer.status for answer in answers[:60]} == {401}
        assert answers[60].status == 429

    async def test_the_key_is_in_no_log_and_no_answer(self, operated: Server) -> None:
        with captured_log("DEBUG") as log:
            answers = [
                await post(operated, WITHDRAW, {"reason": reason}, Authorization=f"Bearer {KEY}{more}")
                for reason, more in (("x", ""), ("x", "wrong"), ("", ""))
            ]
            for event in operated.events.events:
                LogListener().emit(event)

        assert [answer.status for answer in answers] == [200, 401, 400]
        assert "a saying is taken down" in log.getvalue()
        assert KEY not in log.getvalue() + repr(operated.events.events)
        assert not [answer for answer in answers if KEY.encode() in answer.body]
