"""Which models take part and who answers for them, by the settings and the keys that are there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest

from service.aws_clients import AwsClients
from service.catalogue import load_catalogue
from service.config import Settings
from service.errors import KeyAccessDenied, KeyNotFound
from service.llm.registry import ADAPTERS
from service.vendors import SIMULATED_KEY, Vendors, key_names, open_vendors
from tests.aws import REGION, put_key, ssm_client

CLAUDE = ["claude-haiku-4-5", "claude-sonnet-4-5"]
GPT = ["gpt-4.1", "gpt-4.1-mini"]
ANTHROPIC_KEY = {"ANTHROPIC_API_KEY": "sk-real-anthropic"}
OPENAI_KEY = {"OPENAI_API_KEY": "sk-real-openai"}
SIMULATOR = {"SAYINGS_SIMULATOR": "http://simulator.test:8081"}
LOCAL = {"vendor": "openai", "base_url": "http://localhost:11434/v1", "max_tokens": 600, "timeout_seconds": 30}


class Opener:
    """Opens vendors for an environment."""

    def __init__(self, stack: AsyncExitStack, path: Path) -> None:
        self._stack = stack
        self._path = path

    async def __call__(self, environ: Mapping[str, str], own_models: Mapping[str, str | None] | None = None) -> Vendors:
        """`own_models` have an endpoint of their own, and the key parameter given; they stand beside GPT-4.1."""
        settings = Settings.from_env(environ)
        catalogue = load_catalogue(ADAPTERS, "" if own_models is None else str(self._with(own_models)))
        return await open_vendors(settings, environ, catalogue, AwsClients(REGION, self._stack), self._stack)

    def _with(self, own_models: Mapping[str, str | None]) -> Path:
        gpt = {"id": "gpt-4.1", "vendor": "openai", "display_name": "GPT-4.1", "max_tokens": 600, "timeout_seconds": 30}
        own = [LOCAL | {"id": id_, "display_name": id_, "key_parameter": key} for id_, key in own_models.items()]
        self._path.write_bytes(msgspec.json.encode({"models": [gpt, *own]}))
        return self._path


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(stack, tmp_path / "catalogue.json")


def ids(vendors: Vendors) -> list[str]:
    return [model.id for model in vendors.models]


@pytest.mark.parametrize(
    ("keys", "taking_part"),
    [(ANTHROPIC_KEY, CLAUDE), (OPENAI_KEY, GPT), (ANTHROPIC_KEY | OPENAI_KEY, CLAUDE + GPT)],
)
@pytest.mark.parametrize("simulator", [{}, {"SAYINGS_SIMULATOR": "off"}])
async def test_the_models_whose_key_is_there_take_part(
    keys: dict[str, str], taking_part: list[str], simulator: dict[str, str], opened: Opener
) -> None:
    vendors = await opened(keys | simulator)

    assert ids(vendors) == taking_part
    assert not vendors.simulated


async def test_without_any_key_the_simulator_answers_for_all_from_within_the_process(opened: Opener) -> None:
    vendors = await opened({})

    assert ids(vendors) == CLAUDE + GPT
    assert vendors.simulated
    async with aiohttp.ClientSession() as session, session.get(f"{vendors.simulator_url}/openai/v1/models") as answer:
        assert answer.status < 500


async def test_without_any_key_and_with_the_simulator_off_no_model_takes_part(opened: Opener) -> None:
    vendors = await opened({"SAYINGS_SIMULATOR": "off"})

    assert ids(vendors) == []
    assert not vendors.simulated


async def test_a_simulator_elsewhere_gets_only_keys_from_ssm_that_were_made_for_it(
    opened: Opener, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ssm_client(moto_url, monkeypatch) as ssm:
        await put_key(ssm, "/api-key/anthropic", "sk-real-in-ssm")
        await put_key(ssm, "/api-key/openai", f"{SIMULATED_KEY}-openai")

    vendors = await opened(SIMULATOR | {"SAYINGS_KEYS": "ssm", "AWS_REGION": REGION})

    assert (await vendors.keys.fetch("/api-key/openai")).reveal() == f"{SIMULATED_KEY}-openai"
    with pytest.raises(KeyAccessDenied):
        await vendors.keys.fetch("/api-key/anthropic")


async def test_a_simulator_elsewhere_answers_for_all_and_never_gets_a_real_key(opened: Opener) -> None:
    vendors = await opened(SIMULATOR | ANTHROPIC_KEY | OPENAI_KEY)

    assert ids(vendors) == CLAUDE + GPT
    assert vendors.simulator_url == SIMULATOR["SAYINGS_SIMULATOR"]
    keys = [(await vendors.keys.fetch(name)).reveal() for name in ("/api-key/anthropic", "/api-key/openai")]
    assert keys == [SIMULATED_KEY] * 2


async def test_with_keys_in_ssm_all_models_take_part_and_the_environment_is_not_looked_at(
    opened: Opener, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ssm_client(moto_url, monkeypatch) as ssm:
        await put_key(ssm, "/test/claude", "sk-in-ssm")
    environ = {"SAYINGS_KEYS": "ssm", "AWS_REGION": REGION, "CLAUDE_PARAMETER_NAME": "/test/claude"}

    vendors = await opened(environ | OPENAI_KEY)

    assert ids(vendors) == CLAUDE + GPT
    assert not vendors.simulated
    assert (await vendors.keys.fetch("/test/claude")).reveal() == "sk-in-ssm"
    with pytest.raises(KeyNotFound):
        await vendors.keys.fetch("/test/openai")


async def test_each_vendors_parameter_has_its_own_variable(opened: Opener) -> None:
    environ = {"CLAUDE_PARAMETER_NAME": "/c", "OPENAI_PARAMETER_NAME": "/o", **ANTHROPIC_KEY, **OPENAI_KEY}

    vendors = await opened(environ)

    names = key_names(Settings.from_env(environ))
    got = {vendor: (await vendors.keys.fetch(name)).reveal() for vendor, name in names.items()}
    assert got == {"anthropic": "sk-real-anthropic", "openai": "sk-real-openai"}


@pytest.mark.parametrize(
    ("environ", "taking_part"),
    [
        ({}, ["open"]),  # and so no simulator
        ({"MY_KEY": "sk-mine"}, ["open", "locked"]),
        (OPENAI_KEY, ["gpt-4.1", "open"]),
        (SIMULATOR | {"MY_KEY": "sk-mine"}, ["gpt-4.1"]),  # which does not know the others
    ],
)
async def test_an_endpoint_of_ones_own_takes_part_with_no_key_or_with_its_own(
    environ: dict[str, str], taking_part: list[str], opened: Opener
) -> None:
    vendors = await opened(environ, {"open": None, "locked": "MY_KEY"})

    assert ids(vendors) == taking_part


async def test_the_key_of_an_endpoint_of_ones_own_is_the_one_it_names(opened: Opener) -> None:
    vendors = await opened(OPENAI_KEY | {"MY_KEY": "sk-mine"}, {"locked": "MY_KEY"})

    assert (await vendors.keys.fetch("MY_KEY")).reveal() == "sk-mine"
    assert (await vendors.keys.fetch("/api-key/openai")).reveal() == "sk-real-openai"


async def test_an_endpoint_that_names_a_vendors_parameter_does_not_take_the_key_from_the_vendor(
    opened: Opener,
) -> None:
    vendors = await opened(OPENAI_KEY, {"proxy": "/api-key/openai"})

    assert ids(vendors) == ["gpt-4.1", "proxy"]
    assert (await vendors.keys.fetch("/api-key/openai")).reveal() == "sk-real-openai"
