"""The whole deployment on one's own machine, end to end: API Gateway → Lambda → DynamoDB, Parameter Store and models.

`make deploy-local` brings it up once for all tests, in a folder and on a port of its own. The simulator is the tests',
so that they see the calls and take back keys.
"""

import asyncio
import hashlib
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aioboto3
import aiohttp
import msgspec
import pytest
import pytest_asyncio

from deploy.local import REGION, Addresses
from service.catalogue.collection import collection
from service.catalogue.line_up import LineUp
from service.catalogue.models import load_catalogue
from service.llm.vendors import VENDORS
from service.page.document import CONTENT_SECURITY_POLICY, NOT_HERE, VIEWS
from service.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[2]
CATALOGUE = load_catalogue(VENDORS)
# Those of today: the functions have the real date.
MODELS = {model.id for model in LineUp(CATALOGUE, [model.id for model in CATALOGUE])}
LIVE_EVERY = 10
PARAMETERS = (f"LiveEvery={LIVE_EVERY}", "RoundMinutes=10")
# Longer than anything takes, so that a hang becomes a failure; setting up MiniStack and the SAM CLI comes first.
PATIENCE_SECONDS = 60.0
SETUP_SECONDS = 600.0

# What is one's own and must not get in: without any of it the deployment is the same.
OWN_SETTINGS = {
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "SAYINGS_STORE": "sqlite:///own.db",
    "SAYINGS_LAST_RESORT": "junk",
    "CLAUDE_PARAMETER_NAME": "/own/key",
    "ANTHROPIC_API_KEY": "sk-ant-own",
    "HTTP_PROXY": "http://127.0.0.1:1",
}


async def local(command: str, folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run `python -m deploy.local`; its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local", command, "--folder", str(folder), *arguments),
        cwd=ROOT, env=os.environ | environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(SETUP_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


class Deployment:
    """A running deployment, and clients for it."""

    def __init__(self, folder: Path, said: str, simulator: Simulator, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.said = said
        self.simulator = simulator
        self.addresses = msgspec.json.decode((folder / "state.json").read_bytes(), type=Addresses)
        self._stack = stack
        self._session = aioboto3.Session("test", "test", region_name=REGION)

    async def open(self) -> "Deployment":
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def aws(self, service: Any) -> Any:
        opening = self._session.client(service, endpoint_url=self.addresses.aws)
        return await self._stack.enter_async_context(opening)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[aiohttp.ClientResponse, Any]:
        """Through API Gateway: the response and its JSON."""
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            self.http.request(method, self.addresses.api + path, **options) as response,
        ):
            return response, json.loads(await response.read())

    async def saying(self) -> Any:
        response, saying = await self.ask("GET", "/sayings")
        assert response.status == 200
        return saying

    async def vote(self, saying: Any, opinion: str, cookie: str = "", **changes: str) -> tuple[Any, Any]:
        body = {"sayingId": saying["sayingId"], "source": saying["source"], "feedbackType": opinion} | changes
        return await self.ask("POST", "/feedback", json=body, headers={"Cookie": cookie})

    async def items(self, table: str) -> list[dict[str, dict[str, Any]]]:
        tables = await self.aws("dynamodb")
        found: list[dict[str, dict[str, Any]]] = []
        async for page in tables.get_paginator("scan").paginate(TableName=f"sayings-{table}"):
            found += page["Items"]
        return found

    async def round(self) -> Any:
        """What the worker function reports; a mapping with `errorType` where it fails."""
        functions = await self.aws("lambda")
        answer = await functions.invoke(FunctionName="sayings-worker", Payload=b'{"source": "aws.scheduler"}')
        return json.loads(await answer["Payload"].read())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory, built_page: Path) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("machine") / "local"
    simulator = Simulator(seed=1, speed=0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    async with AsyncExitStack() as stack, simulator.serve() as url:
        stack.push_async_callback(local, "down", folder)
        code, said = await local("up", folder, "--simulator", url, *PARAMETERS, GATEWAY_PORT=port, **OWN_SETTINGS)
        assert code == 0, said
        yield await Deployment(folder, said, simulator, stack).open()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_round(deployment: Deployment) -> Any:
    """The report of the first round, made before any other test asks for one."""
    return await deployment.round()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_sayings(deployment: Deployment, first_round: Any) -> list[Any]:
    """The answers to the second, third and fourth request; the first one was the deployment's own."""
    return [await deployment.saying() for _ in range(3)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live_saying(deployment: Deployment, first_sayings: list[Any]) -> Any:
    """The fourth saying, or a later one whose turn it is, because a starved machine loads the SDKs too late for it."""
    saying = first_sayings[2]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while saying["degraded"] == "live_not_asked":
            while (saying := await deployment.saying())["requestNumber"] % LIVE_EVERY:
                pass
    return saying


async def test_it_says_what_it_did_and_where_everything_is(deployment: Deployment) -> None:
    addresses = deployment.addresses

    assert "From the collection, database" in deployment.said
    for address in (addresses.api, addresses.page, "make deploy-local-down"):
        assert address in deployment.said


async def test_the_worker_makes_a_round_and_the_fleet_one_at_a_time(deployment: Deployment, first_round: Any) -> None:
    models = first_round["round"]["models"]

    assert {(model["model"], model["sayings"], model["error_type"]) for model in models} == {(m, 3, "") for m in MODELS}
    assert await deployment.round() == {"round": None}


async def test_rounds_are_scheduled_as_the_parameter_says(deployment: Deployment) -> None:
    schedules = await deployment.aws("scheduler")
    (listed,) = (await schedules.list_schedules())["Schedules"]

    schedule = await schedules.get_schedule(Name=listed["Name"])

    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(10 minutes)", "ENABLED")
    assert schedule["Target"]["Arn"].endswith(":function:sayings-worker:live")


async def test_the_first_three_sayings_are_stored(first_sayings: list[Any]) -> None:
    second, third, _ = first_sayings

    assert [saying["requestNumber"] for saying in first_sayings] == [2, 3, 4]
    assert [(saying["origin"], saying["degraded"]) for saying in (second, third)] == [("database", None)] * 2


async def test_the_fourth_saying_is_written_live(live_saying: Any) -> None:
    assert (live_saying["origin"], live_saying["degraded"]) == ("live", None)
    assert live_saying["metrics"]["tokensUsed"]["output"] > 0
    assert live_saying["metrics"]["cost"] > 0
    assert live_saying["source"].endswith("(simulated)")


async def test_warm_sayings_come_from_all_four_models(deployment: Deployment, first_sayings: list[Any]) -> None:
    warm: list[Any] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while {saying["model"] for saying in warm} != MODELS:
            saying = await deployment.saying()
            warm += [saying] if saying["requestNumber"] % LIVE_EVERY else []

    assert {(saying["origin"], saying["isCached"], saying["degraded"]) for saying in warm} == {("cache", True, None)}


async def test_the_tables_hold_what_was_made(deployment: Deployment, live_saying: Any) -> None:
    sayings = {item["saying_id"]["S"]: item for item in await deployment.items("main_humor")}
    state = {item["name"]["S"].partition("#")[0] for item in await deployment.items("service_state")}

    assert {saying.saying_id for saying in collection()} <= sayings.keys()
    assert live_saying["sayingId"] in sayings
    assert len([item for item in sayings.values() if item.get("kind", {}).get("S") == "round"]) == 3 * len(MODELS)
    assert {"lease", "spend"} <= state


async def test_a_vote_is_recorded_repeated_changed_and_taken_back(
    deployment: Deployment, first_sayings: list[Any]
) -> None:
    saying = first_sayings[2]

    first, recorded = await deployment.vote(saying, "POSITIVE")
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    _, unchanged = await deployment.vote(saying, "POSITIVE", cookie)
    _, changed = await deployment.vote(saying, "NEGATIVE", cookie)
    [vote] = await deployment.items("saying_feedback")
    _, withdrawn = await deployment.ask("DELETE", f"/feedback/{saying['sayingId']}", headers={"Cookie": cookie})

    answers = [
        (each["status"], each["upvotes"], each["downvotes"]) for each in (recorded, unchanged, changed, withdrawn)
    ]
    assert answers == [("recorded", 1, 0), ("unchanged", 1, 0), ("changed", 0, 1), ("withdrawn", 0, 0)]
    assert (vote["saying_id"]["S"], vote["feedback_type"]["S"]) == (saying["sayingId"], "POSITIVE")
    [withdrawn_vote] = await deployment.items("saying_feedback")
    assert withdrawn_vote["opinion"] == {"S": "WITHDRAWN"}


async def test_a_comparison_is_made_voted_on_and_counted(deployment: Deployment) -> None:
    response, compared = await deployment.ask("POST", "/compare", json={})
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    path = f"/compare/{compared['comparisonId']}/vote"

    _, revealed = await deployment.ask("POST", path, json={"winner": "A"}, headers={"Cookie": cookie})
    _, stats = await deployment.ask("GET", "/stats")

    assert [bool(slot["saying"]) for slot in compared["slots"]] == [True] * 4
    assert (revealed["status"], {slot["model"] for slot in revealed["slots"]}) == ("recorded", MODELS)
    assert (stats["comparisons"]["allTime"]["ballots"], len(stats["models"])) == (1, 4)
    items = await deployment.items("saying_comparisons")
    assert sorted(item["part"]["S"].partition("#")[0] for item in items) == ["ballot", "ballots", "comparison"]


async def test_it_is_healthy(deployment: Deployment) -> None:
    _, live = await deployment.ask("GET", "/health/live")
    response, ready = await deployment.ask("GET", "/health/ready")

    assert live == {"status": "alive"}
    assert (response.status, ready) == (200, {"status": "ready", "dependencies": {"store": "ok"}})


async def test_page_and_api_share_a_domain(deployment: Deployment, built_page: Path) -> None:
    domain = {"Host": deployment.addresses.page.removeprefix("http://")}  # whatever the system makes of *.localhost

    async with deployment.http.get(deployment.addresses.aws + "/", headers=domain) as page:
        text = await page.text()
    (style,) = re.findall(r"/assets/\S+\.css", text)
    async with deployment.http.get(deployment.addresses.aws + style, headers=domain) as asset:
        kept = asset.headers["Cache-Control"]
    async with deployment.http.get(deployment.addresses.aws + "/sayings", headers=domain) as answer:
        saying = await answer.json()

    assert (page.status, page.content_type) == (200, "text/html")
    assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert text == (built_page / "index.html").read_text()
    assert kept == "public, max-age=31536000, immutable"
    assert saying["sayingId"]


async def test_a_saying_can_be_sent_to_others(deployment: Deployment, first_sayings: list[Any]) -> None:
    host = deployment.addresses.page.removeprefix("http://")
    path = f"/s/{first_sayings[0]['sayingId']}"

    page, text = await visit(deployment, path)
    card, picture = await visit(deployment, f"{path}.png", accept="image/avif,image/webp,*/*;q=0.8")

    assert (page.status, page.content_type) == (200, "text/html")
    assert f'property="og:image" content="https://{host}{path}.png"'.encode() in text
    assert (card.status, card.content_type, picture[:4]) == (200, "image/png", b"\x89PNG")


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_has_an_address(deployment: Deployment, view: str) -> None:
    page, text = await visit(deployment, view)

    assert page.status == 200
    assert f"<title>{VIEWS[view].title}</title>".encode() in text


@pytest.mark.parametrize("path", ["/nothing", "/nothing/here.js", f"/s/{'0' * 32}"])
async def test_where_nothing_is_a_browser_gets_the_page(deployment: Deployment, path: str) -> None:
    page, text = await visit(deployment, path)
    other, answer = await visit(deployment, path, accept="application/json")

    assert (page.status, page.content_type) == (404, "text/html")
    assert f"<title>{NOT_HERE.title}</title>".encode() in text
    assert (other.status, other.content_type) == (404, "application/json")
    assert "error" in json.loads(answer)


async def visit(deployment: Deployment, path: str, accept: str = "text/html") -> tuple[aiohttp.ClientResponse, bytes]:
    """Through CloudFront, as a browser: the response and its body."""
    headers = {"Host": deployment.addresses.page.removeprefix("http://"), "Accept": accept}
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        deployment.http.get(deployment.addresses.aws + path, headers=headers) as response,
    ):
        return response, await response.read()


async def test_keys_are_read_from_parameter_store_and_changed_there(deployment: Deployment, live_saying: Any) -> None:
    parameters, vendor, calls = await deployment.aws("ssm"), live_saying["vendor"], deployment.simulator.calls
    name, before = f"/sayings/api-key/{vendor}", len(calls)
    old = await parameters.get_parameter(Name=name, WithDecryption=True)
    new = {"Value": "sk-simulated-new", "Type": "SecureString", "KeyId": "alias/sayings-api-keys"}

    deployment.simulator.revoke(old["Parameter"]["Value"])
    await parameters.put_parameter(Name=name, Overwrite=True, **new)
    asked: list[Any] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(saying["origin"] == "live" and saying["vendor"] == vendor for saying in asked):
            asked.append(await deployment.saying())

    assert [call.status for call in list(calls)[before:] if call.vendor == vendor] == [401, 200]
    assert {saying["degraded"] for saying in asked} == {None}


async def test_the_roles_are_held_against_every_call(deployment: Deployment, first_round: Any) -> None:
    async with denied(deployment, "dynamodb:UpdateItem"):
        refused = await deployment.round()

    assert "errorType" in refused
    assert await deployment.round() == {"round": None}


@asynccontextmanager
async def denied(deployment: Deployment, action: str) -> AsyncIterator[None]:
    """Take an action away from the worker's role."""
    functions, roles = await deployment.aws("lambda"), await deployment.aws("iam")
    function = await functions.get_function_configuration(FunctionName="sayings-worker")
    policy = {"RoleName": function["Role"].rpartition("/")[2], "PolicyName": "denied"}
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    await roles.put_role_policy(
        **policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    yield
    await roles.delete_role_policy(**policy)


@pytest.mark.parametrize(
    ("through_cloudfront", "forwarded"),
    [
        (True, "6.6.6.{}"),
        (False, None),
        # MiniStack takes the first entry for the address that connects, which AWS does not. So the real one stands
        # there, and the forged one where a handler looks that trusts a proxy.
        (False, "127.0.0.1, 6.6.6.{}"),
    ],
    ids=["by CloudFront, with a forged address", "directly", "directly, with a forged address"],
)
async def test_no_way_gets_around_the_rate_of_votes(
    deployment: Deployment, through_cloudfront: bool, forwarded: str | None
) -> None:
    url = deployment.addresses.aws if through_cloudfront else deployment.addresses.api
    host = {"Host": deployment.addresses.page.removeprefix("http://")} if through_cloudfront else {}

    statuses = []
    for n in range(90):
        headers = host | ({"X-Forwarded-For": forwarded.format(n)} if forwarded else {})
        async with deployment.http.post(url + "/feedback", json={}, headers=headers) as response:
            statuses.append(response.status)

    assert set(statuses) <= {400, 429}
    assert statuses[-1] == 429


async def test_cloudfront_brings_a_secret_that_the_function_does_not_have(deployment: Deployment) -> None:
    functions, distributions = await deployment.aws("lambda"), await deployment.aws("cloudfront")
    (listed,) = (await distributions.list_distributions())["DistributionList"]["Items"]
    function = await functions.get_function_configuration(FunctionName="sayings-api")

    config = (await distributions.get_distribution_config(Id=listed["Id"]))["DistributionConfig"]
    (brought,) = [
        header["HeaderValue"]
        for origin in config["Origins"]["Items"]
        for header in origin.get("CustomHeaders", {}).get("Items", [])
    ]

    known = function["Environment"]["Variables"]["SAYINGS_ORIGIN_SECRET_SHA256"]
    assert known == hashlib.sha256(brought.encode()).hexdigest()
    assert brought not in json.dumps(function["Environment"])


async def test_logs_arrive_as_the_saved_queries_expect_them(deployment: Deployment, first_round: Any) -> None:
    logs = await deployment.aws("logs")
    found = await logs.filter_log_events(logGroupName="/aws/lambda/sayings-worker", filterPattern='"round finished"')

    line = json.loads(found["events"][0]["message"])
    assert (line["message"], line["error_type"], line["error_message"]) == ("round finished", "", "")


async def test_a_second_run_changes_nothing_that_is_up_to_date(deployment: Deployment) -> None:
    code, said = await local("up", deployment.folder, "--simulator", deployment.addresses.simulator, *PARAMETERS)

    assert code == 0, said
    assert "Packaging" not in said
    assert "No changes to deploy" in (deployment.folder / "deploy.log").read_text()
    assert deployment.addresses.api in said


async def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        code, said = await local("up", tmp_path, GATEWAY_PORT=port)

    assert (code, said) == (1, f"Cannot deploy. Port {port} is taken; choose another one by GATEWAY_PORT.\n")


async def test_a_changed_port_is_reported_while_it_runs(deployment: Deployment) -> None:
    code, said = await local("up", deployment.folder, GATEWAY_PORT="1")

    assert code == 1
    assert "`make deploy-local-down` first" in said


async def test_in_the_end_nothing_is_left(deployment: Deployment) -> None:
    code, said = await local("down", deployment.folder)

    assert (code, said) == (0, "Stopped MiniStack; nothing is left.\n")
    assert not deployment.folder.exists()
    with pytest.raises(aiohttp.ClientConnectorError):
        await deployment.http.get(deployment.addresses.aws)
