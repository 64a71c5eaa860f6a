"""Credentials that end, as a container's do: they are renewed apart from any request, and used as long as they hold."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from deploy.environments import DeploymentFailed
from deploy.restore import Restoration
from deploy.stack import Stack
from service.aws.clients import AwsClients
from service.aws.worker_function import WorkerFunction
from service.cli.commands import carry_out, parse
from service.cli.stores import opened
from service.config import Settings
from service.errors import ConfigError, KeyStoreUnavailable, WorkerNotAsked
from service.keys.sources import SsmKeySource
from service.limits import Timeouts
from telemetry.events import DependencyFailed
from tests.aws import REGION
from tests.faults.conftest import LONG, Start
from tests.faults.places import Tables
from tests.http.conftest import SIMULATED, Server
from tests.logging_capture import Log, captured_log
from tests.support import RecordingListener

SECRET = "not-for-any-log"
REFUSED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not this role.</Message></Error></ErrorResponse>"
PROFILES = f"""
[default]
role_arn = arn:aws:iam::123456789012:role/visitor
source_profile = somebody
[profile somebody]
aws_access_key_id = somebody
aws_secret_access_key = {SECRET}
"""
# No pause between two fetches, and no request waits for long.
HASTY = replace(LONG, credentials_check_every=0.0, credentials_wait=0.1)


@dataclass
class Source:
    """The endpoint that a container gets its credentials from. `asked` counts its requests."""

    minutes: float = 14
    fails: bool = False
    asked: int = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.fails:
            return web.Response(status=500)
        end = datetime.now(UTC) + timedelta(minutes=self.minutes)
        credentials = {"AccessKeyId": f"key-{self.asked}", "SecretAccessKey": SECRET, "Token": SECRET}
        return web.json_response(credentials | {"Expiration": end.isoformat(timespec="seconds")})


@pytest.fixture
async def source(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Source]:
    """The source of this process's credentials."""
    source = Source()
    forget_keys(monkeypatch)
    async with serving(source.answer) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        yield source


@pytest.fixture
async def refused_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[None]:
    """This process's profile has a role that it may not assume. The SDK asks for it as late as it can."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=403, text=REFUSED, content_type="text/xml")

    forget_keys(monkeypatch)
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    async with serving(refuse) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server that answers everything alike. Yields its URL."""
    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def forget_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


async def started(start: Start, aws: Tables, timeouts: Timeouts = HASTY) -> Server:
    await aws.seed()
    return await start(store=aws.address, aws_region=REGION, timeouts=timeouts)


async def vote(server: Server, voter: str) -> tuple[int, str]:
    body = {"saying": SIMULATED.text, "source": SIMULATED.source, "feedbackType": "POSITIVE"}
    answer = await server.post_vote(body, Cookie=f"sayings_voter={voter * 32}")
    return answer.status, answer.json.get("status") or answer.error[1]


def refreshes(events: RecordingListener) -> list[DependencyFailed]:
    return [failed for failed in events.of(DependencyFailed) if failed.dependency == "credentials"]


def logged(log: Log, dependency: str) -> list[tuple[str, str]]:
    """The failures of a dependency in a log, by their error_type and cause."""
    failures = [record for record in log.records if record.get("dependency") == dependency]
    return [(record["error_type"], record["cause"]) for record in failures]


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [14, 9], ids=["advisory for the SDK", "mandatory for the SDK"])
async def test_a_source_that_fails_for_ten_minutes_costs_no_vote(
    start: Start, aws: Tables, source: Source, events: RecordingListener, minutes: int
) -> None:
    source.minutes = minutes
    server = await started(start, aws)
    source.fails = True

    votes = [await vote(server, voter) for voter in "abcdef"]
    asked_by_votes = source.asked
    await server.resources.aws.keep_credentials()
    ready = await server.ask("GET", "/health/ready")
    source.fails, source.minutes = False, 360
    await server.resources.aws.keep_credentials()

    assert votes == [(200, "recorded")] * 6
    assert asked_by_votes == 1  # at the start
    assert (ready.status, ready.json["dependencies"]) == (200, {"store": "ok", "credentials": "ending"})
    assert [(failed.error_type, failed.cause) for failed in refreshes(events)] == [
        ("CredentialsNotRefreshed", "CredentialRetrievalError")
    ]
    assert f"end in {minutes - 1} minutes" in refreshes(events)[0].error_message
    assert not server.resources.aws.are_credentials_ending


async def test_credentials_with_hours_left_are_not_fetched_again(start: Start, aws: Tables, source: Source) -> None:
    source.minutes = 360
    server = await started(start, aws)

    await server.resources.aws.keep_credentials()

    assert source.asked == 1


async def test_many_requests_that_find_them_ended_share_one_fetch(start: Start, aws: Tables, source: Source) -> None:
    source.minutes = -1
    server = await started(start, aws, replace(HASTY, credentials_wait=60.0))
    source.minutes, asked = 360, source.asked

    votes = await asyncio.gather(*(vote(server, voter) for voter in "abcdefgh"))

    assert votes == [(200, "recorded")] * 8
    assert source.asked - asked == 1


async def test_credentials_that_have_ended_are_an_error_with_its_name(
    start: Start, aws: Tables, source: Source, events: RecordingListener
) -> None:
    source.minutes = -1
    server = await started(start, aws)
    source.fails = True

    answer = await vote(server, "a")
    ready = await server.ask("GET", "/health/ready")

    assert answer == (503, "store_unavailable")
    assert (ready.status, ready.json["dependencies"]["store"]) == (503, "credentials_expired")
    assert ready.json["causes"] == {"store": "AwsCredentialsEnded"}
    of_the_store = [failed for failed in events.of(DependencyFailed) if failed.dependency == "store"]
    assert {(failed.error_type, failed.cause) for failed in of_the_store} == {
        ("CredentialsExpired", "AwsCredentialsEnded")
    }
    assert SECRET not in repr(events.events)


@pytest.mark.usefixtures("refused_role")
async def test_credentials_that_never_came_are_an_error_of_another_name(
    start: Start, aws: Tables, events: RecordingListener
) -> None:
    server = await started(start, aws)

    answer = await vote(server, "a")
    ready = await server.ask("GET", "/health/ready")

    assert answer == (503, "store_unavailable")
    assert (ready.status, ready.json["dependencies"]["store"]) == (503, "no_credentials")
    assert ready.json["causes"] == {"store": "AwsCredentialsMissing"}
    assert {(failed.error_type, failed.cause, failed.error_message) for failed in refreshes(events)} == {
        ("CredentialsNotRefreshed", "AccessDenied", "There are no AWS credentials: they could not be fetched.")
    }
    assert SECRET not in repr(events.events)


@pytest.mark.usefixtures("refused_role")
async def test_a_command_logs_why_there_are_none() -> None:
    settings = Settings(store="dynamodb://", aws_region=REGION)

    with captured_log() as log:
        code = await carry_out(parse(["check"]), settings)

    assert code == 1
    assert logged(log, "credentials") == [("CredentialsNotRefreshed", "AccessDenied")]
    assert logged(log, "store") == [("NoCredentials", "AwsCredentialsMissing")]


async def test_a_command_waits_for_new_ones_as_long_as_somebody_may_type(aws: Tables, source: Source) -> None:
    source.minutes = -1
    of_a_server = replace(HASTY, credentials_fetch=1e-6, credentials_wait=1e-6)
    settings = Settings(store=aws.address, aws_region=REGION, timeouts=of_a_server)

    async with opened(settings.store, settings) as store:
        source.minutes = 360
        await store.ping()

    assert source.asked == 3  # by the SDK, by us since those had ended, and by the call


@pytest.mark.usefixtures("refused_role")
async def test_a_restoration_logs_why_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    stack = Stack("sayings")
    stack.__dict__["outputs"] = {"Store": "dynamodb://sayings-"}

    with captured_log() as log, pytest.raises(DeploymentFailed, match="There are no AWS credentials"):
        await asyncio.to_thread(Restoration(stack, datetime.now(UTC)).agree)

    assert logged(log, "credentials") == [("CredentialsNotRefreshed", "AccessDenied")]


async def test_other_services_of_aws_say_the_same(
    source: Source, moto_url: str, monkeypatch: pytest.MonkeyPatch, events: RecordingListener
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    source.minutes = -1
    async with AsyncExitStack() as stack:
        aws = AwsClients(REGION, stack, events, timeouts=HASTY)
        keys, worker = SsmKeySource(await aws.ssm()), WorkerFunction("worker", aws)
        source.fails = True

        with pytest.raises(KeyStoreUnavailable, match="expired"):
            await keys.fetch("/api-key/anthropic")
        with pytest.raises(WorkerNotAsked):
            await worker.invoke()


@pytest.mark.slow
async def test_a_source_that_fails_at_the_start_ends_it_with_one_line(source: Source) -> None:
    source.fails = True

    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match="AWS credentials: the AWS SDK cannot get them from their source"):
            await AwsClients(REGION, stack).dynamodb()
