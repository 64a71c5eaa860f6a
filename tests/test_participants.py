"""Settings and keys decide which models take part, and whether a vendor or the simulator serves them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest

from service.aws.clients import AwsClients
from service.catalogue.models import load_catalogue
from service.config import Settings
from service.errors import KeyAccessDenied, KeyNotFound
from service.llm.vendors import VENDORS
from service.participants import SIMULATED_KEY, Participants, open_participants
from tests.aws import REGION, put_key, ssm_client
from tests.support import PATIENT

ALL = [model.id for model in load_catalogue(VENDORS)]
CLAUDE = [model_id for model_id in ALL if model_id.startswith("claude")]
GPT = [model_id for model_id in ALL if model_id.startswith("gpt")]
ANTHROPIC_KEY = {"ANTHROPIC_API_KEY": "sk-real-anthropic"}
OPENAI_KEY = {"OPENAI_API_KEY": "sk-real-openai"}
SIMULATOR = {"SAYINGS_SIMULATOR": "http://simulator.test:8081"}
LOCAL = {"vendor": "openai", "base_url": "http://localhost:11434/v1", "max_tokens": 600, "timeout_seconds": 30}


class Opener:
    """Opens the participants for an environment."""

    def __init__(self, stack: AsyncExitStack, path: Path) -> None:
        self._stack = stack
        self._path = path

    async def __call__(
        self, environ: Mapping[str, str], own_models: Mapping[str, str | None] | None = None
    ) -> Participants:
        """`own_models` have an endpoint of their own, and the key parameter given; they stand beside GPT-4.1."""
        settings = Settings.from_env(environ)
        catalogue = load_catalogue(VENDORS, "" if own_models is None else str(self._with(own_models)))
        aws = AwsClients(REGION, self._stack, timeouts=PATIENT)
        return await open_participants(settings, environ, catalogue, VENDORS, aws, self._stack)

    def _with(self, own_models: Mapping[str, str | None]) -> Path:
        gpt = {"id": "gpt-4.1", "vendor": "openai", "display_name": "GPT-4.1", "max_tokens": 600, "timeout_seconds": 30}
        own = [LOCAL | {"id": id_, "display_name": id_, "key_parameter": key} for id_, key in own_models.items()]
        self._path.write_bytes(msgspec.json.encode({"models": [gpt, *own]}))
        return self._path


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(stack, tmp_path / "catalogue.json")


def ids(participants: Participants) -> list[str]:
    return [model.id for model in participants.models]


@pytest.mark.parametrize(
    ("keys", "taking_part"),
    [(ANTHROPIC_KEY, CLAUDE), (OPENAI_KEY, GPT), (ANTHROPIC_KEY | OPENAI_KEY, ALL)],
)
@pytest.mark.parametrize("simulator", [{}, {"SAYINGS_SIMULATOR": "off"}])
async def test_the_models_whose_key_is_there_take_part(
    keys: dict[str, str], taking_part: list[str], simulator: dict[str, str], opened: Opener
) -> None:
    participants = await opened(keys | simulator)

    assert ids(participants) == taking_part
    assert not participants.simulated


async def test_without_any_key_all_models_are_simulated_in_the_process(opened: Opener) -> None:
    participants = await opened({})

    assert ids(participants) == ALL
    assert participants.simulated
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{participants.simulator_url}/openai/v1/models") as answer,
    ):
        assert answer.status < 500


async def test_without_keys_or_simulator_no_model_takes_part(opened: Opener) -> None:
    participants = await opened({"SAYINGS_SIMULATOR": "off"})

    assert ids(participants) == []
    assert not participants.simulated


async def test_a_remote_simulator_gets_only_simulated_keys_from_ssm(
    opened: Opener, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ssm_client(moto_url, monkeypatch) as ssm:
        await put_key(ssm, "/api-key/anthropic", "sk-real-in-ssm")
        await put_key(ssm, "/api-key/openai", f"{SIMULATED_KEY}-openai")

    participants = await opened(SIMULATOR | {"SAYINGS_KEYS": "ssm", "AWS_REGION": REGION})

    assert (await participants.keys.fetch("/api-key/openai")).reveal() == f"{SIMULATED_KEY}-openai"
    with pytest.raises(KeyAccessDenied):
        await participants.keys.fetch("/api-key/anthropic")


async def test_a_remote_simulator_serves_all_models_and_gets_no_real_key(opened: Opener) -> None:
    participants = await opened(SIMULATOR | ANTHROPIC_KEY | OPENAI_KEY)

    assert ids(participants) == ALL
    assert participants.simulator_url == SIMULATOR["SAYINGS_SIMULATOR"]
    keys = [(await participants.keys.fetch(name)).reveal() for name in ("/api-key/anthropic", "/api-key/openai")]
    assert keys == [SIMULATED_KEY] * 2


async def test_with_keys_in_ssm_all_take_part_and_variables_are_ignored(
    opened: Opener, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ssm_client(moto_url, monkeypatch) as ssm:
        await put_key(ssm, "/test/claude", "sk-in-ssm")
    environ = {"SAYINGS_KEYS": "ssm", "AWS_REGION": REGION, "CLAUDE_PARAMETER_NAME": "/test/claude"}

    participants = await opened(environ | OPENAI_KEY)

    assert ids(participants) == ALL
    assert not participants.simulated
    assert (await participants.keys.fetch("/test/claude")).reveal() == "sk-in-ssm"
    with pytest.raises(KeyNotFound):
        await participants.keys.fetch("/test/openai")


async def test_each_vendors_parameter_has_its_own_variable(opened: Opener) -> None:
    environ = {"CLAUDE_PARAMETER_NAME": "/c", "OPENAI_PARAMETER_NAME": "/o", **ANTHROPIC_KEY, **OPENAI_KEY}

    participants = await opened(environ)

    names = Settings.from_env(environ).key_parameters
    got = {vendor: (await participants.keys.fetch(name)).reveal() for vendor, name in names.items()}
    assert got == {"anthropic": "sk-real-anthropic", "openai": "sk-real-openai"}


@pytest.mark.parametrize(
    ("environ", "taking_part"),
    [
        ({}, ["open"]),  # and so no simulator
        ({"MY_KEY": "sk-mine"}, ["open", "locked"]),
        (OPENAI_KEY, ["gpt-4.1", "open"]),
        (SIMULATOR, ["gpt-4.1", "open", "locked"]),
    ],
)
async def test_a_custom_endpoint_needs_no_key_or_its_own(
    environ: dict[str, str], taking_part: list[str], opened: Opener
) -> None:
    participants = await opened(environ, {"open": None, "locked": "MY_KEY"})

    assert ids(participants) == taking_part


async def test_the_key_of_an_endpoint_of_ones_own_is_the_one_it_names(opened: Opener) -> None:
    participants = await opened(OPENAI_KEY | {"MY_KEY": "sk-mine"}, {"locked": "MY_KEY"})

    assert (await participants.keys.fetch("MY_KEY")).reveal() == "sk-mine"
    assert (await participants.keys.fetch("/api-key/openai")).reveal() == "sk-real-openai"


async def test_a_custom_endpoint_can_share_a_vendors_key(
    opened: Opener,
) -> None:
    participants = await opened(OPENAI_KEY, {"proxy": "/api-key/openai"})

    assert ids(participants) == ["gpt-4.1", "proxy"]
    assert (await participants.keys.fetch("/api-key/openai")).reveal() == "sk-real-openai"
