"""The models that the simulator knows: those of the catalogue it is given."""

import statistics
from datetime import date
from random import Random

import httpx2
import msgspec
import pytest

from service.catalogue.models import Model, load_catalogue
from service.llm.vendors import VENDORS
from service.simulator import Fault, FaultKind, Simulator
from service.simulator.profiles import Profile, Profiles
from tests.simulator.world import PATHS, TURN

LOCAL = Model("llama-4", "openai", "Llama 4", 8_192, 30, base_url="http://localhost:11434/v1")
DATED = Model("gpt-4.1-2025-04-14", "openai", "GPT-4.1 of April", 600, 30)


async def ask(simulator: Simulator, model: str, protocol: str = "chat") -> httpx2.Response:
    body = msgspec.json.encode({"model": model, "messages": TURN, "max_tokens": LOCAL.max_tokens})
    headers = {"authorization": "Bearer key", "content-type": "application/json", "anthropic-version": "2023-06-01"}
    async with simulator.serve() as root, httpx2.AsyncClient(trust_env=False, verify=False) as http:
        return await http.post(root + PATHS[protocol], content=body, headers=headers)


async def test_a_model_of_ones_own_is_known() -> None:
    simulator = Simulator(models=[LOCAL], seed=1, speed=0)

    answer = await ask(simulator, "llama-4")

    assert (answer.status_code, answer.json()["model"]) == (200, "llama-4")
    assert simulator.calls[-1].model == "llama-4"


async def test_a_model_beside_the_catalogue_is_unknown() -> None:
    answer = await ask(Simulator(models=[LOCAL], speed=0), "gpt-4.1")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_faults_are_for_the_models_of_the_catalogue() -> None:
    simulator = Simulator(models=[LOCAL], speed=0)

    simulator.inject("llama-4", Fault(FaultKind.SERVER_ERROR))

    with pytest.raises(ValueError, match="unknown model"):
        simulator.inject("gpt-4.1", Fault(FaultKind.HANG))
    assert (await ask(simulator, "llama-4")).status_code == 500


@pytest.mark.parametrize(
    ("day", "served"),
    [("2026-09-27", "claude-sonnet-4-5"), ("2026-11-29", "both"), ("2026-11-30", "claude-sonnet-5-5")],
)
async def test_a_model_is_served_from_the_day_it_arrives_until_the_day_it_retires(day: str, served: str) -> None:
    simulator = Simulator(speed=0, day=lambda: date.fromisoformat(day))

    answers = {model: await ask(simulator, model, "messages") for model in ("claude-sonnet-4-5", "claude-sonnet-5-5")}

    assert {model for model, answer in answers.items() if answer.status_code == 200} == (
        set(answers) if served == "both" else {served}
    )
    for answer in answers.values():
        assert answer.status_code == 200 or answer.json()["error"]["type"] == "not_found_error"


async def described(simulator: Simulator, path: str) -> httpx2.Response:
    async with simulator.serve() as root, httpx2.AsyncClient(trust_env=False, verify=False) as http:
        return await http.get(root + path, headers={"authorization": "Bearer key"})


@pytest.mark.parametrize(
    ("day", "life"),
    [
        ("2026-11-28", ("deprecated", "2026-11-30T00:00:00Z", "2027-01-14")),
        ("2027-02-01", ("retired", "2026-11-30T00:00:00Z", None)),
    ],
)
async def test_the_vendors_describe_their_models(day: str, life: tuple[str, str, str | None]) -> None:
    simulator = Simulator(day=lambda: date.fromisoformat(day))

    claude = (await described(simulator, "/anthropic/v1/models/claude-sonnet-4-5")).json()
    gpt = await described(simulator, "/openai/v1/models/gpt-4.1")

    assert (claude["lifecycle"], claude["retires_at"]) == life[:2]
    assert gpt.json().get("shutdown_date") == life[2]
    assert gpt.status_code == (200 if life[2] else 404)
    assert not simulator.calls


def test_a_dated_name_means_its_own_entry_if_there_is_one() -> None:
    both = Profiles([*load_catalogue(VENDORS), DATED])
    one = Profiles(load_catalogue(VENDORS))

    found = [profiles.find(DATED.id) for profiles in (both, one)]

    assert [profile.id for profile in found if profile] == [DATED.id, "gpt-4.1"]


@pytest.mark.parametrize("model", [*load_catalogue(VENDORS), LOCAL], ids=lambda model: model.id)
def test_latency_has_the_median_and_grows_with_the_answer(model: Model) -> None:
    profile, rng = Profile.of(model), Random(1)
    one = profile.tokens_of_one_saying

    short = statistics.median(profile.seconds(one, rng) for _ in range(3_000))
    long = statistics.median(profile.seconds(3 * one, rng) for _ in range(3_000))

    assert short == pytest.approx(profile.median_seconds, rel=0.05)
    assert long / short == pytest.approx(1.5, rel=0.05)
