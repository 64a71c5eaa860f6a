"""The key store makes one fetch for all waiting callers, expires keys, and survives failures of SSM."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from service.errors import (
    ConfigError,
    KeyAccessDenied,
    KeyNotFound,
    KeyStoreError,
    KeyStoreThrottled,
    KeyStoreUnavailable,
)
from service.keys.key_store import EARLIEST_REFRESH, FAILURE_MEMORY_SECONDS, LATEST_REFRESH, STALE_SECONDS, KeyStore
from service.keys.secret import Secret
from service.keys.sources import EnvironmentKeySource, KeySource, SsmKeySource
from service.limits import Timeouts
from telemetry.events import DependencyFailed, Unexpected
from tests.aws import answering, http_response, put_key, ssm_client
from tests.support import PATIENT, Clock, RecordingListener

if TYPE_CHECKING:
    from types_aiobotocore_ssm.client import SSMClient

TTL = 300.0
ERRORS = [KeyNotFound, KeyAccessDenied, KeyStoreThrottled, KeyStoreUnavailable]
OpenStore = Callable[..., KeyStore]
_numbers = itertools.count()


class FakeSource:
    """Gives `outcome`, once the gate is open; remembers what it was asked for."""

    def __init__(self) -> None:
        self.outcome: str | Exception = "first"
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, name: str) -> Secret:
        self.asked.append(name)
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return Secret(self.outcome)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_store(events: RecordingListener, clock: Clock) -> AsyncIterator[OpenStore]:
    """Makes key stores, and closes them."""
    opened: list[KeyStore] = []

    def open_store(source: KeySource, timeouts: Timeouts = PATIENT) -> KeyStore:
        opened.append(KeyStore(source, events, ttl=TTL, timeouts=timeouts, clock=clock))
        return opened[-1]

    yield open_store
    for store in opened:
        await store.close()


@pytest.fixture
def keys(open_store: OpenStore, source: FakeSource) -> KeyStore:
    return open_store(source)


@pytest.fixture
async def ssm(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["SSMClient"]:
    async with ssm_client(moto_url, monkeypatch) as client:
        yield client


@pytest.fixture
def calls(ssm: "SSMClient") -> list[str]:
    """The names that SSM was asked for."""
    asked: list[str] = []
    ssm.meta.events.register("provide-client-params.ssm.GetParameter", lambda params, **_: asked.append(params["Name"]))
    return asked


@pytest.fixture
def name() -> str:
    """A parameter that no other test has touched."""
    return f"/test/{next(_numbers)}"


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_key_is_read_from_ssm_decrypted(ssm: "SSMClient", name: str, open_store: OpenStore) -> None:
    await put_key(ssm, name, "sk-plain")

    key = await open_store(SsmKeySource(ssm)).get(name)

    assert key.reveal() == "sk-plain"


async def test_ten_thousand_waiting_callers_make_one_ssm_call(
    ssm: "SSMClient", calls: list[str], name: str, open_store: OpenStore
) -> None:
    await put_key(ssm, name, "sk-shared")
    keys = open_store(SsmKeySource(ssm))

    got = await asyncio.gather(*(keys.get(name) for _ in range(10_000)))

    assert set(got) == {Secret("sk-shared")}
    assert calls == [name]


async def test_a_refresh_of_one_key_does_not_prolong_another(
    ssm: "SSMClient", calls: list[str], name: str, clock: Clock, open_store: OpenStore
) -> None:
    keys = open_store(SsmKeySource(ssm))
    older, younger = f"{name}/older", f"{name}/younger"
    await put_key(ssm, older, "sk-old")
    await put_key(ssm, younger, "sk-young")
    await keys.get(older)
    clock.forward(200)
    await keys.get(younger)
    calls.clear()

    await put_key(ssm, older, "sk-new")
    clock.forward(TTL - 200)

    assert (await keys.get(older)).reveal() == "sk-new"
    assert (await keys.get(younger)).reveal() == "sk-young"
    assert calls == [older]


async def test_a_key_near_its_expiry_is_refreshed_in_the_background(
    keys: KeyStore, source: FakeSource, clock: Clock
) -> None:
    await keys.get("key")
    source.outcome = "second"
    source.gate.clear()
    clock.forward(TTL * LATEST_REFRESH)

    meanwhile = [await keys.get("key") for _ in range(5)]  # would hang here if they waited for the fetch
    await settle()
    assert source.asked == ["key", "key"]
    source.gate.set()
    await settle()

    assert meanwhile == [Secret("first")] * 5
    assert await keys.get("key") == Secret("second")


async def test_early_refreshes_are_spread_over_a_span_of_the_life(
    keys: KeyStore, source: FakeSource, clock: Clock
) -> None:
    names = [f"key {number}" for number in range(64)]

    async def refreshed_at(fraction: float) -> int:
        clock.forward(fraction * TTL)
        source.asked.clear()
        for name in names:
            await keys.get(name)
        await settle()
        clock.forward(-fraction * TTL)
        return len(source.asked)

    assert await refreshed_at(0) == 64
    assert await refreshed_at(EARLIEST_REFRESH - 0.001) == 0
    assert 0 < await refreshed_at((EARLIEST_REFRESH + LATEST_REFRESH) / 2) < 64


async def test_a_cancelled_caller_does_not_cancel_the_fetch_of_the_others(keys: KeyStore, source: FakeSource) -> None:
    source.gate.clear()
    impatient, patient = asyncio.create_task(keys.get("key")), asyncio.create_task(keys.get("key"))
    await settle()

    impatient.cancel()
    await settle()
    source.gate.set()

    assert await patient == Secret("first")
    assert impatient.cancelled()
    assert source.asked == ["key"]


@pytest.mark.parametrize("error", ERRORS)
async def test_a_failing_source_is_reported_and_keys_last_an_hour_more(
    error: type[KeyStoreError], keys: KeyStore, source: FakeSource, clock: Clock, events: RecordingListener
) -> None:
    await keys.get("key")
    source.outcome = error("It failed.")

    clock.forward(TTL)
    assert await keys.get("key") == Secret("first")
    clock.forward(STALE_SECONDS - 1)
    assert await keys.get("key") == Secret("first")
    await settle()
    clock.forward(1)
    with pytest.raises(error, match="It failed"):
        await keys.get("key")

    failures = events.of(DependencyFailed)
    assert [(failure.dependency, failure.error_type) for failure in failures] == [("key store", error.__name__)] * 2


async def test_a_source_that_comes_back_ends_the_stale_time(keys: KeyStore, source: FakeSource, clock: Clock) -> None:
    await keys.get("key")
    source.outcome = KeyStoreUnavailable("It failed.")
    clock.forward(TTL)
    await keys.get("key")

    source.outcome = "second"
    clock.forward(FAILURE_MEMORY_SECONDS)
    await keys.get("key")
    await settle()

    assert await keys.get("key") == Secret("second")


async def test_while_the_source_hangs_only_the_first_callers_wait_for_it(
    open_store: OpenStore, source: FakeSource, clock: Clock, events: RecordingListener
) -> None:
    keys = open_store(source, Timeouts(key_fetch=0.25))
    await keys.get("key")
    source.gate.clear()
    clock.forward(TTL)
    waited_for = await keys.get("key")

    clock.forward(FAILURE_MEMORY_SECONDS)
    later = await keys.get("key")
    given_up = len(events.of(DependencyFailed))
    await settle()

    assert (waited_for, later) == (Secret("first"), Secret("first"))
    assert given_up == 1  # the second fetch was still under way
    assert source.asked == ["key"] * 3


@pytest.mark.parametrize("error", ERRORS)
async def test_a_failure_is_remembered_for_a_few_seconds_and_not_hammered(
    error: type[KeyStoreError], keys: KeyStore, source: FakeSource, clock: Clock
) -> None:
    source.outcome = error("It failed.")

    first = await asyncio.gather(*(keys.get("key") for _ in range(10)), return_exceptions=True)
    clock.forward(FAILURE_MEMORY_SECONDS - 0.1)
    later = await asyncio.gather(*(keys.get("key") for _ in range(10)), return_exceptions=True)
    asked_meanwhile = len(source.asked)
    clock.forward(0.1)
    source.outcome = "second"

    assert {type(failure) for failure in first + later} == {error}
    assert len({id(failure) for failure in first + later}) == 20  # or they would gather each other's tracebacks
    assert asked_meanwhile == 1
    assert await keys.get("key") == Secret("second")


async def test_a_failing_refresh_in_the_background_is_not_hammered_either(
    keys: KeyStore, source: FakeSource, clock: Clock
) -> None:
    await keys.get("key")
    source.outcome = KeyStoreThrottled("It failed.")
    clock.forward(TTL * LATEST_REFRESH)

    for _ in range(10):
        await keys.get("key")
        await settle()

    assert len(source.asked) == 2


async def test_a_defect_in_a_background_refresh_is_reported(
    keys: KeyStore, source: FakeSource, clock: Clock, events: RecordingListener
) -> None:
    await keys.get("key")
    source.outcome = ZeroDivisionError()
    clock.forward(TTL * LATEST_REFRESH)

    await keys.get("key")
    await settle()

    assert [event.error for event in events.of(Unexpected)] == [source.outcome]


async def test_a_rejected_key_is_reloaded_once_for_all_callers(
    ssm: "SSMClient", calls: list[str], name: str, open_store: OpenStore
) -> None:
    await put_key(ssm, name, "sk-revoked")
    keys = open_store(SsmKeySource(ssm))
    revoked = await keys.get(name)
    await put_key(ssm, name, "sk-rotated")

    keys.invalidate(name, revoked)
    got = await asyncio.gather(*(keys.get(name) for _ in range(100)))

    assert set(got) == {Secret("sk-rotated")}
    assert calls == [name, name]


async def test_a_late_rejection_keeps_the_newer_key(keys: KeyStore, source: FakeSource) -> None:
    revoked = await keys.get("key")
    source.outcome = "second"
    keys.invalidate("key", revoked)
    await keys.get("key")

    keys.invalidate("key", revoked)
    keys.invalidate("never heard of", revoked)

    assert await keys.get("key") == Secret("second")
    assert len(source.asked) == 2


async def test_a_rejected_key_is_not_served_stale(keys: KeyStore, source: FakeSource) -> None:
    revoked = await keys.get("key")
    source.outcome = KeyStoreUnavailable("It failed.")

    keys.invalidate("key", revoked)

    with pytest.raises(KeyStoreUnavailable):
        await keys.get("key")


async def test_closing_while_a_fetch_hangs_leaves_no_task(keys: KeyStore, source: FakeSource) -> None:
    before = asyncio.all_tasks()
    source.gate.clear()
    waiting = asyncio.create_task(keys.get("key"))
    await settle()
    assert len(asyncio.all_tasks() - before) == 2

    async with asyncio.timeout(5):
        await keys.close()

    await asyncio.gather(waiting, return_exceptions=True)
    assert asyncio.all_tasks() == before


async def test_a_parameter_that_is_not_there_is_not_found(ssm: "SSMClient", name: str) -> None:
    with pytest.raises(KeyNotFound) as raised:
        await SsmKeySource(ssm).fetch(name)

    assert name not in str(raised.value)


@pytest.mark.parametrize("value", ["sk-pasted\n", "sk-pasted\r\n", " sk-pasted "])
async def test_white_space_around_a_pasted_key_is_dropped(ssm: "SSMClient", name: str, value: str) -> None:
    await put_key(ssm, name, value)

    assert (await SsmKeySource(ssm).fetch(name)).reveal() == "sk-pasted"


@pytest.mark.parametrize("value", ["\n", "sk-\nbroken", "sk two", "sk-ünicode", "sk-\x00"])
async def test_a_parameter_that_holds_no_usable_key_counts_as_not_found(
    ssm: "SSMClient", name: str, value: str
) -> None:
    await put_key(ssm, name, value)

    with pytest.raises(KeyNotFound) as raised:
        await SsmKeySource(ssm).fetch(name)

    assert value not in str(raised.value)


class FailingClient:
    """An SSM client whose service answers with an error code."""

    def __init__(self, code: str) -> None:
        self._code = code

    async def get_parameter(self, **_: object) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "not for our eyes"}}, "GetParameter")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ParameterNotFound", KeyNotFound),
        ("AccessDeniedException", KeyAccessDenied),
        ("ExpiredTokenException", KeyAccessDenied),
        ("UnrecognizedClientException", KeyAccessDenied),
        ("ThrottlingException", KeyStoreThrottled),
        ("InternalServerError", KeyStoreUnavailable),
        ("", KeyStoreUnavailable),
    ],
)
async def test_an_error_code_of_ssm_is_one_of_our_errors(
    code: str, error: type[KeyStoreError], open_store: OpenStore, events: RecordingListener
) -> None:
    client: Any = FailingClient(code)

    with pytest.raises(error) as raised:
        await open_store(SsmKeySource(client)).get("key")

    assert "not for our eyes" not in str(raised.value)
    assert [(event.error_type, event.cause) for event in events.of(DependencyFailed)] == [
        (error.__name__, code or "ClientError")
    ]


@pytest.mark.parametrize(
    "response",
    [
        b"",
        http_response(b""),
        http_response(b"{"),
        http_response(b"null"),
        http_response(b"[]"),
        http_response(b"<html>"),
        http_response(b"\xff\xfe"),
        http_response(b'{"Parameter": {}}'),
        http_response(b'{"Parameter": {"Value": 5}}'),
        http_response(b'{"Parameter": {"Va', length=300),
        http_response(b"junk", status=500),
    ],
)
async def test_junk_from_ssm_means_that_it_is_unavailable(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(response) as url, ssm_client(url, monkeypatch) as client:
        with pytest.raises(KeyStoreUnavailable):
            await SsmKeySource(client).fetch("/api-key/anthropic")


async def test_an_unreachable_ssm_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(b"") as url:
        pass

    async with ssm_client(url, monkeypatch) as client:
        with pytest.raises(KeyStoreUnavailable):
            await SsmKeySource(client).fetch("/api-key/anthropic")


async def test_an_ssm_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, open_store: OpenStore) -> None:
    async with answering(None) as url, ssm_client(url, monkeypatch) as client:
        keys = open_store(SsmKeySource(client), Timeouts(key_fetch=0.05))

        with pytest.raises(KeyStoreUnavailable, match="in time"):
            await keys.get("/api-key/anthropic")


async def test_the_environment_has_the_keys_whose_variables_are_set() -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-from-environment"}

    source = EnvironmentKeySource(environ, {"/claude": "ANTHROPIC_API_KEY", "/openai": "OPENAI_API_KEY"})

    assert "/claude" in source
    assert (await source.fetch("/claude")).reveal() == "sk-from-environment"
    assert "/openai" not in source
    with pytest.raises(KeyNotFound):
        await source.fetch("/openai")


@pytest.mark.parametrize("value", ["", " ", "sk-pasted\n", " sk", "sk two", "sk-ünicode", "sk-\x1b"])
def test_an_unusable_key_fails_the_start_naming_its_variable(value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        EnvironmentKeySource({"OPENAI_API_KEY": value}, {"/openai": "OPENAI_API_KEY"})

    assert str(raised.value).startswith("OPENAI_API_KEY: ")
    assert not value.strip() or value.strip() not in str(raised.value)
