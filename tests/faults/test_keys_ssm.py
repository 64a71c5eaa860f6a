"""The column of SSM: the parameter store fails between moto and the service, and known keys carry on."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aioboto3
import pytest

from service.keys.key_store import FAILURE_MEMORY_SECONDS
from service.simulator import Simulator
from telemetry.events import AwsCalled, DependencyFailed, ModelCalled
from tests.aws import REGION, put_key
from tests.faults import proxy as faults
from tests.faults.conftest import PATIENT_CONFIG, OnlyModels, Start, saying, up_to_live
from tests.faults.proxy import AwsProxy, refuse
from tests.http.conftest import Server
from tests.support import Clock, RecordingListener

if TYPE_CHECKING:
    from types_aiobotocore_ssm.client import SSMClient

OPENAI = "gpt-4.1"
OLD, NEW = "sk-simulated-old", "sk-simulated-new"
TTL = 300.0  # as promised
GET = "GetParameter"


@dataclass(frozen=True)
class Parameter:
    """A key in SSM, past the proxy."""

    client: "SSMClient"
    name: str

    async def put(self, key: str) -> None:
        await put_key(self.client, self.name, key)


@pytest.fixture
async def parameter(moto_url: str, session: aioboto3.Session) -> AsyncIterator[Parameter]:
    async with session.client("ssm", endpoint_url=moto_url, config=PATIENT_CONFIG) as client:
        yield Parameter(client, f"/faults/{uuid.uuid4().hex}")


StartWithKey = Callable[[], Awaitable[Server]]


@pytest.fixture
def start_with_key(proxy: AwsProxy, parameter: Parameter, start: Start, only_models: OnlyModels) -> StartWithKey:
    """Starts a server whose key is in SSM, and whose next saying needs it."""

    async def start_with_key() -> Server:
        await parameter.put(OLD)
        server = await start(
            keys="ssm",
            key_parameters={"openai": parameter.name},
            aws_region=REGION,
            catalogue=only_models(OPENAI),
        )
        await up_to_live(server)
        return server

    return start_with_key


@pytest.fixture
async def server(monotonic: Clock, start_with_key: StartWithKey) -> Server:
    """A server whose clock is moved by hand."""
    return await start_with_key()


async def origin(server: Server) -> tuple[str, str | None]:
    answer = await saying(server)
    return answer["origin"], answer["degraded"]


def reported(events: RecordingListener) -> list[str]:
    return [failed.error_type for failed in events.of(DependencyFailed) if failed.dependency == "key store"]


async def test_429_a_process_refreshes_once_and_then_pauses(server: Server, proxy: AwsProxy, monotonic: Clock) -> None:
    await origin(server)
    proxy.inject(GET, refuse("ThrottlingException"), count=None)

    monotonic.forward(TTL)
    answers = await asyncio.gather(*(origin(server) for _ in range(20)))
    monotonic.forward(FAILURE_MEMORY_SECONDS - 1)
    answers += [await origin(server)]

    assert set(answers) == {("live", None)}
    assert proxy.asked[GET] == 2


async def test_reset_is_over_and_the_next_refresh_brings_the_new_key(
    server: Server, parameter: Parameter, proxy: AwsProxy, simulator: Simulator, monotonic: Clock
) -> None:
    await origin(server)
    proxy.inject(GET, faults.reset)
    monotonic.forward(TTL)
    stale = await origin(server)
    await parameter.put(NEW)
    simulator.revoke(OLD)

    monotonic.forward(FAILURE_MEMORY_SECONDS)
    await origin(server)  # begins the refresh in the background, or, when rejected, waits for it
    again = await origin(server)

    assert (stale, again) == (("live", None), ("live", None))
    assert [call.status for call in simulator.calls].count(401) <= 1


async def test_key_revoked_is_reloaded_once_and_the_call_repeated_once(
    server: Server, parameter: Parameter, proxy: AwsProxy, simulator: Simulator, events: RecordingListener
) -> None:
    await origin(server)
    await parameter.put(NEW)
    simulator.revoke(OLD)

    answer = await origin(server)

    assert answer == ("live", None)
    assert proxy.asked[GET] == 2
    assert [(called.attempt, called.status) for called in events.of(ModelCalled)] == [(1, 200), (1, 401), (2, 200)]
    assert "sk-" not in repr(events.events)


async def test_key_revoked_for_good_opens_the_breaker_and_is_measured(
    server: Server, proxy: AwsProxy, simulator: Simulator, events: RecordingListener
) -> None:
    simulator.revoke(OLD)

    answers = [await origin(server) for _ in range(3)]

    assert answers == [("database", "live_key_rejected"), *[("database", "live_breaker_open")] * 2]
    assert (len(simulator.calls), proxy.asked[GET]) == (2, 2)
    assert [called.error_type for called in events.of(ModelCalled)] == ["ModelKeyRejected"] * 2


async def test_every_attempt_is_measured_without_the_requests_content(
    server: Server, parameter: Parameter, proxy: AwsProxy, events: RecordingListener
) -> None:
    proxy.inject(GET, refuse("ThrottlingException"))

    await origin(server)

    [call] = [event for event in events.of(AwsCalled) if event.service == "SSM"]
    assert (call.operation, call.status, call.error_type) == (GET, 400, "ThrottlingException")
    assert parameter.name not in repr(events.of(AwsCalled) + events.of(DependencyFailed))
