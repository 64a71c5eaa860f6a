"""Faults: what is sent, how long they last, and how they are ordered.

What the SDKs make of each fault is tested with the adapters, and what each hostile text is taken for with the gateway.
"""

from typing import Any

import pytest

from service.simulator import Fault, FaultKind
from tests.simulator.world import PROTOCOLS, World, body_of, error_of, sayings_of

# At Anthropic, and at OpenAI.
STATUSES = {
    FaultKind.BAD_REQUEST: (400, 400),
    FaultKind.UNAUTHORIZED: (401, 401),
    FaultKind.FORBIDDEN: (403, 403),
    FaultKind.NOT_FOUND: (404, 404),
    FaultKind.RATE_LIMITED: (429, 429),
    FaultKind.SPEND_LIMIT: (429, 429),
    FaultKind.SERVER_ERROR: (500, 500),
    FaultKind.UNAVAILABLE: (503, 503),
    FaultKind.OVERLOADED: (529, 503),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", STATUSES)
async def test_a_fault_with_a_status_is_the_vendors_error(world: World, protocol: str, kind: FaultKind) -> None:
    world.simulator.inject("*", Fault(kind))

    response = await world.post(protocol, body_of(protocol))

    call = world.simulator.calls[-1]
    assert response.status_code == call.status == STATUSES[kind][PROTOCOLS.index(protocol)]
    assert error_of(protocol, response)["message"]
    assert "retry-after" not in response.headers
    assert call.fault is kind


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_huge_text_is_billed_up_to_the_limit(world: World, protocol: str) -> None:
    world.simulator.inject("*", Fault(FaultKind.TEXT_HUGE))

    answer = await world.ask(protocol, limit=100)

    assert all(len(saying) > 50_000 for _, saying in sayings_of(protocol, answer))
    assert world.simulator.calls[-1].output_tokens == 100


async def test_duplicates_are_the_same_in_every_call(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.TEXT_DUPLICATES, count=2))

    first, second = [sayings_of("chat", await world.ask("chat")) for _ in range(2)]

    assert len({saying for _, saying in first + second}) == 1


# --- how long faults last ---------------------------------------------------------------------------------------------


async def test_faults_are_queued_and_counted(world: World) -> None:
    world.simulator.inject("gpt-4.1", Fault(FaultKind.SERVER_ERROR, count=2))
    world.simulator.inject("gpt-4.1", Fault(FaultKind.NOT_FOUND))
    world.simulator.inject("*", Fault(FaultKind.FORBIDDEN))

    assert await world.statuses("chat", 5) == [500, 500, 404, 403, 200]
    assert await world.statuses("messages", 1) == [200]


async def test_a_fault_without_a_count_lasts_until_cleared(world: World) -> None:
    world.simulator.inject("claude-haiku-4-5-20251001", Fault(FaultKind.OVERLOADED, count=None))

    assert await world.statuses("messages", 4) == [529] * 4
    world.simulator.clear_faults()
    assert await world.statuses("messages", 1) == [200]


async def test_a_rate_hits_about_that_share_of_calls(world: World) -> None:
    world.simulator.inject("*", Fault(FaultKind.SERVER_ERROR, rate=0.3))

    failed = (await world.statuses("chat", 100)).count(500)

    assert 15 <= failed <= 45


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"rate": 1.5}, {"rate": float("nan")}, {"retry_after": "1\r\nset-cookie: a=b"}]
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Fault(FaultKind.HANG, **wrong)


async def test_faults_are_steered_over_http(world: World) -> None:
    url = world.root + "/faults"
    ordered = await world.http.put(url, json={"gpt-4.1": [{"kind": "unavailable", "count": 2}], "*": []})
    refused = await world.http.put(url, json={"*": [{"kind": "meteor"}]})
    hit = await world.statuses("chat", 1)
    left = await world.http.get(url)
    cleared = await world.http.delete(url)

    assert (ordered.status_code, refused.status_code, cleared.status_code, hit) == (200, 400, 204, [503])
    assert left.json() == {"gpt-4.1": [{"kind": "unavailable", "count": 1, "rate": None, "retry_after": None}]}
    assert (await world.http.get(url)).json() == {}
