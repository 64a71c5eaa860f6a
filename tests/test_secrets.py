"""A key is never seen: a canary goes every way a key goes, and must not come out anywhere but at the vendor.

Where a library would give it away, the test first makes sure that it does: a canary that could not have been seen
proves nothing.
"""

import asyncio
import copy
import gc
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from service.aws.clients import AwsClients
from service.catalogue.models import load_catalogue
from service.catalogue.topics import load_topics
from service.config import Settings
from service.errors import CloudSayingsError, ConfigError, KeyStoreError
from service.keys.key_store import KeyStore
from service.keys.secret import Secret
from service.keys.sources import EnvironmentKeySource, FixedKeySource, SsmKeySource
from service.llm.prompt import build_prompt
from service.llm.vendors import VENDORS, Adapters
from service.participants import open_participants
from telemetry.events import Unexpected
from telemetry.logs import LogListener
from tests.aws import answering, http_response, put_key, ssm_client
from tests.logging_capture import Log, captured_log, everything_logged
from tests.support import RecordingListener

CANARY = "sk-canary-4a7f09"


@pytest.fixture
def log() -> Iterator[Log]:
    with captured_log("DEBUG") as log:
        yield log


@dataclass(frozen=True)
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [repr, str, "{}".format, "%s".__mod__, "{!r:>40}".format, lambda secret: repr([Holder(secret), {"key": secret}])],
)
def test_a_secret_shows_nothing_of_itself(shown: Any) -> None:
    assert CANARY not in shown(Secret(CANARY))


@pytest.mark.parametrize(
    "serialise",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        vars,
        lambda secret: asdict(Holder(secret)),
        lambda secret: pickle.dumps([secret]),
    ],
)
def test_a_secret_is_not_serialised_or_copied(serialise: Any) -> None:
    with pytest.raises(TypeError) as raised:
        serialise(Secret(CANARY))

    assert CANARY not in str(raised.value)


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


async def test_a_key_from_ssm_is_in_no_log_even_if_botocore_debugs(
    moto_url: str, monkeypatch: pytest.MonkeyPatch, log: Log, events: RecordingListener
) -> None:
    async with ssm_client(moto_url, monkeypatch) as client:
        await put_key(client, "/canary", CANARY)

        with everything_logged("botocore", "aiobotocore") as told:
            keys = KeyStore(SsmKeySource(client), events)
            key = await keys.get("/canary")
            await keys.close()

    assert key.reveal() == CANARY
    assert any(CANARY in line for line in told)
    assert CANARY not in log.getvalue()
    assert CANARY not in repr([vars(keys), events.events])


async def test_a_key_in_a_broken_ssm_response_is_in_no_event_or_message(
    monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    botched = http_response(b'{"__type": "InternalServerError", "message": "%s"}' % CANARY.encode(), status=500)
    async with answering(botched) as url, ssm_client(url, monkeypatch) as client:
        keys = KeyStore(SsmKeySource(client), LogListener())

        with pytest.raises(KeyStoreError) as raised:
            await SsmKeySource(client).fetch("/canary")
        with pytest.raises(KeyStoreError):
            await keys.get("/canary")
        LogListener().emit(Unexpected("test", raised.value))

    assert CANARY in "".join(traceback.format_exception(raised.value))
    assert [record["error_type"] for record in log.records] == ["KeyStoreUnavailable"] * 2
    assert CANARY not in log.getvalue()


async def test_keys_from_the_environment_are_in_no_repr(events: RecordingListener) -> None:
    environ = {"ANTHROPIC_API_KEY": CANARY, "OPENAI_API_KEY": CANARY}
    settings = Settings.from_env(environ)
    async with AsyncExitStack() as stack:
        aws = AwsClients("", stack)
        participants = await open_participants(settings, environ, load_catalogue(VENDORS), VENDORS, aws, stack)
        keys = KeyStore(participants.keys, events)

        got = await keys.get(settings.key_parameters["anthropic"])
        await keys.close()

    assert got.reveal() == CANARY
    assert CANARY not in repr([settings, participants, vars(participants.keys), vars(keys), FixedKeySource(CANARY)])


def test_an_unusable_key_is_not_in_the_line_that_says_so() -> None:
    with pytest.raises(ConfigError) as raised:
        EnvironmentKeySource({"OPENAI_API_KEY": f"{CANARY}\n"}, {"/openai": "OPENAI_API_KEY"})

    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("proxy", [f"http://ann:{CANARY}@proxy:3128", f"http://ann:{CANARY}/@proxy:3128", CANARY])
def test_the_password_of_a_proxy_is_in_no_repr_and_no_line(proxy: str) -> None:
    try:
        shown = repr(Settings.from_env({"SAYINGS_HTTPS_PROXY": proxy}))
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))

    assert CANARY not in shown


@pytest.mark.parametrize("setting", ["SAYINGS_KEYS", "SAYINGS_ANTHROPIC_API_KEY"])
def test_a_key_that_was_put_into_the_wrong_setting_is_not_shown(setting: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({setting: CANARY})

    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("model_id", ["claude-haiku-4-5", "gpt-4.1"])
async def test_what_a_vendors_sdk_says_about_a_bad_key_is_in_no_log(
    model_id: str, simulator_url: str, log: Log
) -> None:
    model = load_catalogue(VENDORS)[model_id]
    adapters = Adapters(VENDORS, simulator_url)
    adapter = adapters.of(model)
    await adapter.load()

    with (
        everything_logged("anthropic", "openai", "httpx2", "httpcore2"),
        pytest.raises(CloudSayingsError) as raised,
    ):
        await adapter.complete(model, build_prompt(load_topics(), ["Amazon S3"]), Secret(f"{CANARY}\n"))
    await adapters.close()
    LogListener().emit(Unexpected("test", raised.value))
    logging.getLogger("openai").error("Failed: %s", raised.value, exc_info=raised.value)

    assert CANARY in "".join(traceback.format_exception(raised.value))
    assert len(log.records) == 2
    assert CANARY not in log.getvalue()


LOUD = ValueError(f"cannot send {CANARY}")


@pytest.mark.parametrize(
    "say",
    [
        lambda library: library.error("Failed", exc_info=LOUD),
        lambda library: library.error(LOUD),
        lambda library: library.error("Failed: %s", LOUD),
        lambda library: library.error("Failed: %r after %d attempts", LOUD, 2),
        lambda library: library.error("Failed: %(error)s", {"error": LOUD}),
        lambda library: library.error("Failed\nwith %r" % LOUD),  # noqa: UP031 - as asyncio does it
        lambda library: library.error("Failed", extra={"fields": {"error": LOUD}}),
        lambda library: library.error("Failed", extra={"fields": {"error": [LOUD], "\ud800": LOUD}}),
        lambda library: library.info(f"Sending {CANARY}"),  # of these nothing is written at all
        lambda library: library.debug(f"Sending {CANARY}"),
    ],
)
def test_the_text_of_an_exception_that_a_library_logs_is_not_written(say: Any, log: Log) -> None:
    with everything_logged("some.library") as told:
        say(logging.getLogger("some.library"))

    assert len(told) == 1
    assert [record["logger"] for record in log.records] in ([], ["some.library"])
    assert CANARY not in log.getvalue()


async def test_an_unretrieved_task_exception_is_logged_without_its_text(log: Log) -> None:
    async def fail() -> None:
        raise LOUD

    with everything_logged("asyncio") as told:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    assert any(CANARY in text for text in told)
    assert log.only["message"] == "Task exception was never retrieved"
    assert log.only["error_type"] == "ValueError"
    assert CANARY not in log.getvalue()


async def test_aiohttp_logs_exceptions_with_the_stack_but_not_the_text(log: Log) -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        try:
            raise LOUD
        except ValueError as error:
            raise RuntimeError(f"no answer with {CANARY}") from error

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]

    with everything_logged("aiohttp.server") as told:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as answer:
            assert answer.status == 500
    await runner.cleanup()

    assert any(CANARY in text for text in told)
    assert log.only["error_message"] == "unexpected RuntimeError from ValueError"
    assert "in handle" in log.only["stack"]
    assert CANARY not in log.getvalue()
