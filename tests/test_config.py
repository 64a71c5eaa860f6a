"""Settings: the defaults, and for every bad one a single line that begins with its name."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import msgspec
import pytest

from service.aws.clients import AwsClients
from service.config import Settings
from service.errors import ConfigError
from service.limits import DEFAULT_LIMITS, DEFAULT_TIMEOUTS, Quotas
from service.resources import open_resources
from service.store.address import open_store
from service.store.sqlite import SqliteStore
from telemetry.outbound import DIRECT
from tests.aws import REGION
from tests.support import RecordingListener

ROOT = Path(__file__).parent.parent


def assert_one_line_naming(setting: str, error: ConfigError) -> None:
    assert error.setting == setting
    assert str(error).startswith(f"{setting}: ")
    assert len(str(error).splitlines()) == 1


def test_every_setting_has_its_default() -> None:
    settings = Settings.from_env({})

    assert msgspec.structs.asdict(settings) == {
        "host": "127.0.0.1",
        "port": 8080,
        "store": "",
        "keys": "environment",
        "operator_key_parameter": "",
        "simulator": "auto",
        "catalogue": "",
        "line_up": "",
        "rounds": "in-process",
        "round_interval_seconds": 900,
        "last_resort": "on",
        "live_every": 0,
        "daily_cap_usd": 5.0,
        "hourly_cap_usd": 1.0,
        "key_ttl_seconds": 300,
        "pool_ttl_seconds": 21_600,
        "max_live_calls": 16,
        "vote_rate": "60/minute",
        "compare_rate": "10/minute",
        "read_rate": "off",
        "max_connections": 450,
        "connections_per_address": 64,
        "address_votes": 24,
        "allowed_origins": "",
        "public_url": "",
        "trusted_proxies": 0,
        "origin_secret_sha256": "",
        "trace": "off",
        "log_level": "INFO",
        "aws_region": "",
        "key_parameters": {"anthropic": "/api-key/anthropic", "openai": "/api-key/openai"},
        "outbound": DIRECT,
        "timeouts": DEFAULT_TIMEOUTS,
        "limits": DEFAULT_LIMITS,
    }


def test_settings_are_read_from_variables_with_their_names() -> None:
    settings = Settings.from_env(
        {
            "SAYINGS_PORT": "0",
            "SAYINGS_KEYS": "ssm",
            "SAYINGS_DAILY_CAP_USD": "0.5",
            "SAYINGS_ALLOWED_ORIGINS": "https://example.com, http://localhost:5173,,http://[::1]:8080",
            "CLAUDE_PARAMETER_NAME": "arn:aws:ssm:eu-west-1:123456789012:parameter/api-key/anthropic",
            "AWS_REGION": REGION,
            "PATH": "of no interest",
        }
    )

    assert (settings.port, settings.keys, settings.daily_cap_usd) == (0, "ssm", 0.5)
    assert settings.origins == {"https://example.com", "http://localhost:5173", "http://[::1]:8080"}
    assert settings.key_parameters["anthropic"].endswith(":parameter/api-key/anthropic")
    assert settings.aws_region == REGION


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("http://sayings.example.com", "http://page.example.org"),
        ("http://sayings.example.com", "https://sayings.example.com"),
        ("http://localhost:8080", "https://page.example"),
        ("http://192.0.2.7:8080", "http://192.0.2.8:8080"),
    ],
)
def test_an_origin_that_could_not_keep_the_voters_cookie_is_refused(public_url: str, origin: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({"SAYINGS_PUBLIC_URL": public_url, "SAYINGS_ALLOWED_ORIGINS": origin})

    assert_one_line_naming("SAYINGS_ALLOWED_ORIGINS", refused.value)
    assert origin in str(refused.value)


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("", "https://page.example.org"),
        ("https://sayings.example.com", "https://page.example.org"),
        ("http://sayings.example.com", "http://page.example.com:3000"),
        ("http://localhost:8080", "http://localhost:5173"),
        ("http://[::1]:8080", "http://[::1]:5173"),
    ],
)
def test_an_origin_that_may_keep_the_voters_cookie_is_taken(public_url: str, origin: str) -> None:
    settings = Settings.from_env({"SAYINGS_PUBLIC_URL": public_url, "SAYINGS_ALLOWED_ORIGINS": origin})

    assert settings.origins == {origin}


@pytest.mark.parametrize("environ", [{"AWS_REGION": REGION}, {"AWS_REGION": "", "AWS_DEFAULT_REGION": REGION}])
def test_the_region_may_come_from_either_variable(environ: dict[str, str]) -> None:
    assert Settings.from_env({"SAYINGS_KEYS": "ssm", **environ}).aws_region == REGION


BAD = [
    ("SAYINGS_HOST", ""),
    ("SAYINGS_HOST", "127.0.0.1\n"),
    *[("SAYINGS_PORT", bad) for bad in ("", "http", "-1", "65536", "80.5", "8080\n")],
    ("SAYINGS_KEYS", "vault"),
    *[("SAYINGS_SIMULATOR", bad) for bad in ("", "on", "localhost:8081", "ftp://host", "http://", "http://a b")],
    *[("SAYINGS_SIMULATOR", f"http://{bad}") for bad in (":8081", "host:0", "host:99999", "host:port", "[::1")],
    ("SAYINGS_ROUNDS", "sometimes"),
    ("SAYINGS_LAST_RESORT", "true"),
    *[("SAYINGS_LIVE_EVERY", bad) for bad in ("-1", "1.5", "often")],
    *[
        (f"SAYINGS_{setting}", bad)
        for setting in ("DAILY_CAP_USD", "HOURLY_CAP_USD", "KEY_TTL_SECONDS", "POOL_TTL_SECONDS")
        for bad in ("0", "-1", "nan", "inf", "-inf", "1e999", "lots", "5 ")
    ],
    ("SAYINGS_ROUND_INTERVAL_SECONDS", "0"),
    *[
        ("SAYINGS_ALLOWED_ORIGINS", bad)
        for bad in (
            "*",
            "null",
            "example.com",
            "https://example.com/",
            "https://Example.com",
            "https://a.com https://b.com",
        )
    ],
    *[("SAYINGS_BURST_VOTES", bad) for bad in ("0", "-1", "nan", "many", "")],
    *[
        (f"SAYINGS_{setting}_RATE", bad)
        for setting in ("VOTE", "COMPARE", "READ")
        for bad in (
            "",
            "on",
            "60",
            "0/minute",
            "-1/minute",
            "1.5/hour",
            "60/fortnight",
            "60 / minute",
            "6\u0660/minute",
        )
    ],
    *[("SAYINGS_MAX_LIVE_CALLS", bad) for bad in ("0", "3", "-1", "many", "")],
    *[("SAYINGS_MAX_CONNECTIONS", bad) for bad in ("0", "-1", "many")],
    *[("SAYINGS_CONNECTIONS_PER_ADDRESS", bad) for bad in ("0", "-1", "off")],
    *[("SAYINGS_TRUSTED_PROXIES", bad) for bad in ("-1", "11", "all")],
    *[
        ("SAYINGS_ORIGIN_SECRET_SHA256", bad)
        for bad in ("x", "a" * 63, "A" * 64, f"{'a' * 64},", f"{'a' * 64} {'b' * 64}")
    ],
    *[("SAYINGS_HTTPS_PROXY", bad) for bad in ("proxy:3128", "socks5://proxy:1080", "https://proxy:3128", "on")],
    *[("SAYINGS_HTTPS_PROXY", f"http://{bad}") for bad in ("proxy", "proxy:0", "proxy:99999", ":3128", "[::1:3128")],
    *[("SAYINGS_HTTPS_PROXY", f"http://{bad}@proxy:3128") for bad in ("", "ann:", "a@b:c", "ann:p/w", "ann:%zz")],
    *[("SAYINGS_HTTPS_PROXY", f"http://proxy:3128{bad}") for bad in ("/path", "?query", "#part", "\n", " ")],
    *[("SSL_CERT_FILE", bad) for bad in ("/no/such/file.pem", "/", __file__)],
    ("SAYINGS_LOG_LEVEL", "LOUD"),
    ("SAYINGS_STROE", "sqlite:///sayings.db"),
    ("SAYINGS_", "x"),
    *[("CLAUDE_PARAMETER_NAME", bad) for bad in ("", "/api key", "/api-key/anthropic\n")],
    ("OPENAI_PARAMETER_NAME", "/api-key/anthropic"),
    *[("OTEL_EXPORTER_OTLP_PROTOCOL", bad) for bad in ("http/json", "grpc/http", "udp")],
    *[("OTEL_EXPORTER_OTLP_ENDPOINT", bad) for bad in ("localhost:4317", "http://", "http://host:port", "http://a\nb")],
]


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_setting_is_refused_in_one_line_that_begins_with_it(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({variable: value})

    assert_one_line_naming(variable, raised.value)


def test_a_secret_in_place_of_its_digest_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({"SAYINGS_ORIGIN_SECRET_SHA256": "the-secret-itself"})

    assert "the-secret-itself" not in str(raised.value)


@pytest.mark.parametrize("needing", [{"SAYINGS_KEYS": "ssm"}, {"SAYINGS_STORE": "dynamodb://"}])
@pytest.mark.parametrize("region", [{}, {"AWS_REGION": ""}, {"AWS_REGION": "eu west"}])
def test_what_needs_aws_needs_a_region(needing: dict[str, str], region: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env(needing | region)

    assert_one_line_naming("AWS_REGION", raised.value)


@pytest.mark.parametrize(
    "address",
    ["sqlite", "sqlite://", "sqlite:///", "sqlite://sayings.db", "sayings.db", "postgres://host/db", "dynamodb://a/b"],
)
async def test_a_bad_store_address_is_refused(address: str) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as raised:
            await open_store(address, AwsClients(REGION, stack), stack, quotas=Quotas())

    assert_one_line_naming("SAYINGS_STORE", raised.value)


async def test_a_database_that_cannot_take_the_collection_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sayings.db"
    await (await SqliteStore.open(path)).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON main_humor BEGIN SELECT RAISE(ABORT, 'no room'); END")

    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as raised:
            await open_store(f"sqlite:///{path}", AwsClients(REGION, stack), stack, quotas=Quotas())

    assert str(raised.value) == "SAYINGS_STORE: the collection cannot be stored: no room"


MODEL = {"id": "a", "vendor": "openai", "display_name": "A", "max_tokens": 600, "timeout_seconds": 30}


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("AWS_PROFILE", "nobody's", "AWS_PROFILE"),
        ("AWS_ENDPOINT_URL", "not a url", "AWS settings"),
    ],
)
async def test_a_setting_that_the_aws_sdk_does_not_accept_is_refused(
    variable: str, value: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as raised:
            await AwsClients(REGION, stack).ssm()

    assert_one_line_naming(setting, raised.value)


async def test_a_service_of_aws_has_one_client() -> None:
    async with AsyncExitStack() as stack:
        aws = AwsClients(REGION, stack)

        assert await aws.ssm() is await aws.ssm()
        assert await aws.dynamodb() is await aws.dynamodb()


@pytest.mark.parametrize("key", ["", "sk-pasted\n"])
async def test_a_bad_key_fails_the_start_and_leaves_no_task_behind(
    key: str, tmp_path: Path, events: RecordingListener
) -> None:
    environ = {"SAYINGS_STORE": f"sqlite:///{tmp_path}/sayings.db", "OPENAI_API_KEY": key}
    tasks = asyncio.all_tasks()

    with pytest.raises(ConfigError) as raised:
        async with open_resources(Settings.from_env(environ), environ, events):
            pytest.fail("it started")

    assert_one_line_naming("OPENAI_API_KEY", raised.value)
    assert asyncio.all_tasks() == tasks


CATALOGUES = {
    "twins.json": {"models": [MODEL, MODEL]},
    "nobody.json": {"models": [MODEL | {"vendor": "nobody"}]},
}


UNWRITABLE = {"SAYINGS_STORE": "sqlite:////dev/null/sayings.db"}
BAD_STARTS = [
    ("service", "AWS_REGION", {"SAYINGS_STORE": "dynamodb://"}),
    ("service", "OPENAI_API_KEY", {"OPENAI_API_KEY": ""}),
    ("service", "OPENAI_API_KEY", {"OPENAI_API_KEY": "sk-pasted\n"}),
    ("service", "SAYINGS_KEY_TTL_SECONDS", {"SAYINGS_KEY_TTL_SECONDS": "-1"}),
    ("service", "SAYINGS_DAILY_CAP_USD", {"SAYINGS_DAILY_CAP_USD": "nan"}),
    ("service", "OTEL_EXPORTER_OTLP_ENDPOINT", {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}),
    ("service", "SAYINGS_CATALOGUE", {"SAYINGS_CATALOGUE": "twins.json"}),
    ("service", "SAYINGS_CATALOGUE", {"SAYINGS_CATALOGUE": "nobody.json"}),
    *[(command, "SAYINGS_STORE", UNWRITABLE) for command in ("service", "service seed", "workers", "workers --serve")],
]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "named", "environ"), BAD_STARTS, ids=str)
def test_the_process_ends_with_2_and_exactly_one_line(
    command: str, named: str, environ: dict[str, str], tmp_path: Path
) -> None:
    for name, content in CATALOGUES.items():
        (tmp_path / name).write_bytes(msgspec.json.encode(content))

    process = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=tmp_path,
        env={**os.environ, "SAYINGS_PORT": "0", "PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == 2
    assert process.stdout == ""
    assert len(process.stderr.splitlines()) == 1
    assert f"{named}: " in process.stderr
